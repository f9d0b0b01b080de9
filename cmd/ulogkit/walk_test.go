package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// walk runs the commands of a page, one after the other, in a folder that has a crash
// dump and its firmware.
type walk struct {
	t   *testing.T
	dir string
	env []string
}

// The commands of each page do what it says, as they stand there. A block of commands
// that nothing runs fails.
func TestReadmeCanBeWalked(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh")
	}
	ran := 0
	for name, text := range pages(t) {
		if name == "CONTRIBUTING.md" || name == "bench/README.md" || strings.Contains(name, "gateway") {
			continue // they have tests of their own, or are for hours
		}
		var lines []string
		for _, m := range regexp.MustCompile("(?ms)^```(sh|bash|console|shell)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
			lines = append(lines, strings.Split(strings.TrimSpace(strings.ReplaceAll(m[2], "\\\n", "")), "\n")...)
		}
		if len(lines) == 0 {
			continue
		}
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			w := newWalk(t)
			for _, line := range lines {
				w.step(line)
			}
		})
		ran += len(lines)
	}

	if ran < 30 {
		t.Errorf("ran %d lines, want at least 30", ran)
	}
}

func newWalk(t *testing.T) *walk {
	t.Helper()
	w := &walk{t: t, dir: t.TempDir()}
	w.env = append(os.Environ(), "HOME="+w.dir, "GORACE="+race, "XDG_STATE_HOME="+w.dir)
	dumps := filepath.Join(root, "format", "crash", "testdata", "dumps")
	for from, to := range map[string]string{"firmware.elf": "firmware.elf", "03.bin": "crash.bin"} {
		b, err := os.ReadFile(filepath.Join(dumps, from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(w.dir, to), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// step runs a line, each of a kind in its way.
func (w *walk) step(line string) {
	w.t.Helper()
	line, _, _ = strings.Cut(line, " # ")
	line = strings.TrimSpace(line)
	background := strings.TrimSuffix(line, " &")
	switch {
	case line == "" || strings.HasPrefix(line, "#"):
	case strings.HasPrefix(line, "export "):
		w.env = append(w.env, strings.TrimPrefix(line, "export "))
	case strings.HasPrefix(line, "ulogkit cloud "):
		// A port that is free, in place of the one that is the default.
		w.start(background+" --listen 127.0.0.1:0", "Listening on ")
	case strings.HasPrefix(line, "ulogkit ingest "):
		w.start(background, "")
		w.untilStored()
	case strings.HasPrefix(line, "ulogkit gateway "):
		w.gateway(background)
	case strings.HasPrefix(line, "ulogkit stored "):
		w.untilStored() // what was confirmed by the broker is on its way
		w.run(line)
	case strings.HasPrefix(line, "sha256sum "), strings.HasPrefix(line, "tar "), strings.HasPrefix(line, "ulogkit_"), strings.HasPrefix(line, "sudo apt "):
		w.release(line)
	case line == "cd ulogkit", strings.HasPrefix(line, "git clone "), strings.HasPrefix(line, "go install "):
		w.install(line)

	case line == "make test":
		// This is it; another within it would not end.
		if out := w.in(root, "make -n test"); !strings.Contains(out, "go test ") {
			w.t.Errorf("make test is %q", out)
		}

	case strings.HasPrefix(line, "go run ./cmd/ulogkit demo"):
		if out := w.in(root, line); !strings.Contains(out, "All arrived") {
			w.t.Errorf("%s: %s", line, out)
		}

	case strings.HasPrefix(line, "ulogkit "):
		w.run(line)
	default:
		w.t.Errorf("nothing runs the line %q", line)
	}
}

// run runs a line in the folder and returns what it printed, which must be something
// where the line is to show something.
func (w *walk) run(line string) string {
	w.t.Helper()
	out := w.in(w.dir, line)
	switch verb := strings.Fields(line)[1]; verb {
	case "sample", "verify", "dictionary":
	default:
		if strings.TrimSpace(out) == "" {
			w.t.Errorf("%s printed nothing", line)
		}
	}
	return out
}

func (w *walk) in(dir, line string) string {
	w.t.Helper()
	out, err := w.try(dir, line)
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return out
}

func (w *walk) try(dir, line string) (string, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-euc", line)
	cmd.Dir, cmd.Env = dir, w.env
	if dir == root { // the build cache is in the real home
		cmd.Env = os.Environ()
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// start starts a program that runs until the page has been walked, and waits for the
// beginning of a line.
func (w *walk) start(line, until string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command("sh", "-euc", "exec "+line)
	cmd.Dir, cmd.Env = w.dir, w.env
	var told bytes.Buffer
	cmd.Stderr = &told
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}

	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	drained := make(chan struct{})
	w.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-drained
		cmd.Wait()
	})

	lines := bufio.NewScanner(out)
	for until != "" {
		if !lines.Scan() {
			close(drained)
			cmd.Wait()
			w.t.Fatalf("%s ended:\n%s", line, &told)
		}
		if strings.HasPrefix(lines.Text(), until) {
			break
		}
	}

	go func() {
		defer close(drained)
		io.Copy(io.Discard, out)
	}()

	return cmd
}

// untilStored uploads a log of its own until the worker has stored one: it subscribes
// at a time of its own, and what comes before belongs to others.
func (w *walk) untilStored() {
	w.t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		w.in(w.dir, "ulogkit sample --seed 9 --force -o probe.bin && ulogkit upload probe.bin")
		if out, err := w.try(w.dir, "ulogkit stored --from file:stored"); err == nil && strings.Contains(out, "log") {
			return
		}
	}
	w.t.Fatal("the worker stores nothing")
}

// gateway runs a gateway, gives it a file and interrupts it when that has been taken.
func (w *walk) gateway(line string) {
	w.t.Helper()
	cmd := exec.Command("sh", "-euc", "exec "+line)
	cmd.Dir, cmd.Env = w.dir, w.env
	var told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &told, &told
	if err := os.MkdirAll(filepath.Join(w.dir, "spool"), 0o755); err != nil {
		w.t.Fatal(err)
	}

	w.in(w.dir, "ulogkit sample --seed 3 -o spool.bin")
	if err := os.Rename(filepath.Join(w.dir, "spool.bin"), filepath.Join(w.dir, "spool", "log.bin")); err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}

	arrived := func() bool {
		files, err := filepath.Glob(filepath.Join(w.dir, "cloud", "received", "*-log-*"))
		return err == nil && len(files) >= 2 // the one from the outbox and that one
	}

	for deadline := time.Now().Add(5 * time.Minute); !arrived(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			cmd.Process.Kill()
			cmd.Wait()
			w.t.Fatalf("nothing arrived:\n%s", &told)
		}
	}

	if err := errors.Join(cmd.Process.Signal(os.Interrupt), cmd.Wait()); err != nil {
		w.t.Errorf("%s: %v\n%s", line, err, &told)
	}
}

// installing is the environment variable that names the folder of a release, as "go run
// ./cmd/release" makes it of this commit. Where it is set, what the page says about
// installing is done too: minutes of building, which .ci/run takes.
const installing = "ULOGKIT_INSTALL"

// release runs what is done with a release. The package is unpacked into the folder:
// .ci/run installs it for real.
func (w *walk) release(line string) {
	w.t.Helper()
	from := os.Getenv(installing)
	if from == "" {
		w.t.Logf("%s: only where %s names a release", line, installing)
		return
	}
	if _, err := os.Stat(filepath.Join(w.dir, "SHA256SUMS")); err != nil {
		if err := os.CopyFS(w.dir, os.DirFS(from)); err != nil {
			w.t.Fatal(err)
		}
	}
	if deb, ok := strings.CutPrefix(line, "sudo apt install "); ok {
		w.in(w.dir, "dpkg-deb -x "+deb+" installed")
		line = "installed/usr/bin/ulogkit version"
	}
	if out := w.in(w.dir, line); strings.HasSuffix(line, " version") && !strings.Contains(out, "ulogkit") {
		w.t.Errorf("%s printed %q", line, out)
	}
}

// install runs what fetches and builds the whole module. What is fetched is this tree, by the names of the real one.
func (w *walk) install(line string) {
	w.t.Helper()
	if os.Getenv(installing) == "" {
		w.t.Logf("%s: only where %s is set", line, installing)
		return
	}

	top, err := filepath.Abs(root)
	if err != nil {
		w.t.Fatal(err)
	}
	env := append(os.Environ(), "GOBIN="+filepath.Join(w.dir, "bin"), "GOFLAGS=-buildvcs=false",
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=url.file://"+top+".insteadOf", "GIT_CONFIG_VALUE_0=https://"+modulePath,
		"GIT_CONFIG_KEY_1=safe.directory", "GIT_CONFIG_VALUE_1=*")
	dir := w.dir
	switch {
	case line == "cd ulogkit":
		return
	case strings.HasPrefix(line, "go install ./"):
		dir = filepath.Join(w.dir, "ulogkit")
	case strings.HasPrefix(line, "go install "):
		env = append(env, w.proxy(top)...)
	}

	cmd := exec.CommandContext(w.t.Context(), "sh", "-euc", line)
	cmd.Dir, cmd.Env = dir, env
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v\n%s", line, err, out)
	}

	if strings.HasPrefix(line, "go install ") {
		installed := filepath.Join(w.dir, "bin", "ulogkit")
		if out, err := exec.Command(installed, "--help").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("decode")) {
			w.t.Errorf("%s installed no ulogkit: %v\n%s", line, err, out)
		}
		if err := os.Remove(installed); err != nil {
			w.t.Error(err)
		}
	}
}

// proxy makes a module proxy that has the commit of this tree as the newest version,
// and returns the environment that uses it before the others.
func (w *walk) proxy(top string) []string {
	w.t.Helper()
	// The go command keeps what it has seen of a version, since none ever changes.
	version := fmt.Sprintf("v0.0.%d", time.Now().Unix())
	proxy := filepath.Join(w.dir, "proxy")
	dir := filepath.Join(proxy, filepath.FromSlash(modulePath), "@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.t.Fatal(err)
	}

	mod, err := os.ReadFile(filepath.Join(top, "go.mod"))
	if err != nil {
		w.t.Fatal(err)
	}
	info := fmt.Sprintf(`{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, version)
	for name, content := range map[string]string{"list": version + "\n", version + ".info": info, version + ".mod": string(mod)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}

	archive := exec.Command("git", "-c", "safe.directory=*", "archive", "--format=zip", "--prefix="+modulePath+"@"+version+"/", "-o", filepath.Join(dir, version+".zip"), "HEAD")
	archive.Dir = top
	if out, err := archive.CombinedOutput(); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		w.t.Fatal(err)
	}

	home := strings.TrimSpace(string(cache))
	w.t.Cleanup(func() { // the cache has no version of ours but this one
		for _, below := range []string{"", "cache/download"} {
			left := filepath.Join(home, below, filepath.FromSlash(modulePath))
			if below == "" {
				left += "@" + version
			}
			exec.Command("chmod", "-R", "u+w", left).Run()
			os.RemoveAll(left)
		}
	})

	return []string{"GOPROXY=file://" + proxy + ",file://" + filepath.Join(home, "cache", "download"), "GOSUMDB=off", "GOFLAGS=-mod=mod -buildvcs=false"}
}
