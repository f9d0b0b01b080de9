package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

const root = "../.."

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// block returns the i-th block of code in the language.
func block(t *testing.T, text, language string, i int) string {
	t.Helper()
	blocks := regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(blocks) <= i {
		t.Fatalf("got %d blocks of %s, want more than %d", len(blocks), language, i)
	}
	return blocks[i][1]
}

func TestReadmeHasTwoCommands(t *testing.T) {
	text := readme(t)
	if got, want := block(t, text[strings.Index(text, "## Two commands"):], "sh", 0), "go run ./cmd/ulogkit demo\nmake test\n"; got != want {
		t.Errorf("the first commands are %q, want %q", got, want)
	}
}

// The program in mqttv5/README.md is run as it stands, except for where the cloud is.
func TestReadmeProgramRuns(t *testing.T) {
	_, page, _ := strings.Cut(pages(t)["mqttv5/README.md"], "## A program\n")
	program := block(t, page, "go", 0)
	_, body, _ := strings.Cut(program, "func main() {\n")
	lines := 0
	for line := range strings.Lines(body) {
		if strings.TrimSpace(line) != "}" {
			lines++
		}
	}
	if lines != 12 {
		t.Errorf("main has %d lines, want 12, braces not counted", lines)
	}

	cloud, err := localcloud.Start(t.Context(), localcloud.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	dir := t.TempDir()
	for name, replaced := range map[string]string{
		`"gateway.crt"`: fmt.Sprintf("%q", cloud.CertFile()),
		`"gateway.key"`: fmt.Sprintf("%q, Broker: %q, Port: %d, CAFile: %q", cloud.KeyFile(), cloud.Host(), cloud.Port(), cloud.CAFile()),
	} {
		if strings.Count(program, name) != 1 {
			t.Fatalf("got %s %d times in the program, want it once", name, strings.Count(program, name))
		}
		program = strings.Replace(program, name, replaced, 1)
	}
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", binary, source)
	build.Dir = root // inside the module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("got error %v of the build, want none:\n%s", err, out)
	}
	b, err := format.NewLogBuilder(3)
	if err != nil {
		t.Fatal(err)
	}
	log, err := b.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "log.bin"), log, 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.Command(binary)
	run.Dir = dir
	out, err := run.CombinedOutput()
	if want := "17 bytes confirmed on binlog/v0/42/7\n"; err != nil || string(out) != want {
		t.Errorf("the program ended with %v and printed %q, want %q", err, out, want)
	}
	log[len(log)-1] ^= 1 // the checksum
	if err := os.WriteFile(filepath.Join(dir, "log.bin"), log, 0o600); err != nil {
		t.Fatal(err)
	}
	run = exec.Command(binary)
	run.Dir = dir
	if out, err = run.CombinedOutput(); err == nil || !strings.Contains(string(out), "checksum") {
		t.Errorf("with a damaged log: got end %v and %q, want an error and \"checksum\"", err, out)
	}
	if got := cloud.Received(); len(got) != 1 || got[0].Err != nil || got[0].DeviceSerial != "SN-1" {
		t.Errorf("got %+v in the cloud, want one good log of SN-1", got)
	}
}

// The page of the command line lists each command once, and no other.
func TestReadmeListsTheCommands(t *testing.T) {
	text := pages(t)["cmd/ulogkit/README.md"]
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `ulogkit ([a-z-]+)").FindAllStringSubmatch(text, -1) {
		listed[m[1]] = true
	}
	for _, cmd := range newRoot().Commands() {
		if name := cmd.Name(); name != "help" && !cmd.Hidden && !listed[name] {
			t.Errorf("got no line for %q in cmd/ulogkit/README.md, want one", name)
		}
		delete(listed, cmd.Name())
	}
	for name := range listed {
		t.Errorf("got a line for %q in cmd/ulogkit/README.md, want none: there is no such command", name)
	}
}
