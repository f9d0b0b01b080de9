package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/spec"
)

// compile writes the views of ulogger.ksy into a module of their own and returns
// what the compiler says about them with the given flags.
func compile(t *testing.T, flags string) (files []File, said string) {
	t.Helper()
	files, err := Generate(source(t), ulogger())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "go.mod"), []byte("module views\n\ngo 1.26\n"))
	for _, f := range files {
		writeFile(t, filepath.Join(dir, f.Name), f.Body)
	}
	return files, goRun(t, dir, "build", "-gcflags="+flags, ".")
}

// functions finds the functions in the generated files by the line they begin on.
var functions = regexp.MustCompile(`(?m)^func (?:\(\w+ \*?(\w+)\) )?(\w+)\(`)

// Getters, setters and parsers of fixed views can be inlined, and so can what
// they call: the caller pays for a load and no call.
func TestInlining(t *testing.T) {
	files, said := compile(t, "-m=2")
	n := 0
	for _, f := range files {
		text := string(f.Body)
		fixed := strings.Contains(text, "Size]byte\n")
		for _, m := range functions.FindAllStringSubmatchIndex(text, -1) {
			name := text[m[4]:m[5]]
			line := 1 + strings.Count(text[:m[0]], "\n")
			helper := slices.Contains([]string{"untilNUL", "cutNUL", "hasNUL", "addPairs", "addLanes"}, name)
			if !fixed && !helper && name != "Verify" && name != "Seal" && name != "Unwrap" {
				continue // a struct's parser has as many steps as it has fields
			}
			n++
			if want := fmt.Sprintf("%s:%d:6: can inline", f.Name, line); !strings.Contains(said, want) {
				t.Errorf("%s:%d: %s cannot be inlined", f.Name, line, name)
			}
		}
	}
	if n < 200 {
		t.Fatalf("only %d functions looked at", n)
	}
}

// The compiler has removed every bounds check but these: where a length of 32
// bits gave the place of a cut, and where text of any length is cleared.
func TestBoundsChecks(t *testing.T) {
	files, said := compile(t, "-d=ssa/check_bce")
	allowed := map[string]string{
		"zcore_dump.go":     "rest[:nCrash:nCrash]",
		"zmemory_region.go": "rest[:nData:nData]",
		"zsupport.go":       "clear(field[copy(field, s):])",
	}
	found := regexp.MustCompile(`(?m)^\./(\w+\.go):(\d+):\d+: Found (\w+)$`).FindAllStringSubmatch(said, -1)
	for _, m := range found {
		i := slices.IndexFunc(files, func(f File) bool { return f.Name == m[1] })
		if i < 0 {
			t.Fatalf("unknown file in %q", m[0])
		}
		var n int
		fmt.Sscan(m[2], &n)
		line := strings.Split(string(files[i].Body), "\n")[n-1]
		if want := allowed[m[1]]; want == "" || !strings.Contains(line, want) {
			t.Errorf("%s:%s: bounds check in %s", m[1], m[2], strings.TrimSpace(line))
		}
	}
	if len(found) == 0 {
		t.Error("the compiler reports no bounds check at all: is -d=ssa/check_bce still its flag?")
	}
}

// Whatever the spec: what the parser accepts and the generator writes compiles.
// The specs are the scenarios with pieces exchanged; nearly all of them are wrong
// and must be refused in the agreed form.
func TestMutations(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	piece := regexp.MustCompile(`[\w-]+|\s+|.`)
	id := regexp.MustCompile(`(?m)^  id: \w+$`)
	var seeds [][]string
	var pool, lines []string
	for _, s := range scenarios(t) {
		if strings.HasPrefix(s.name, "bad_yaml") {
			continue
		}
		text := id.ReplaceAllString(string(s.ksy.Data), "  id: m")
		seeds = append(seeds, piece.FindAllString(text, -1))
		lines = append(lines, strings.SplitAfter(text, "\n")...)
	}
	for _, s := range seeds {
		pool = append(pool, s...)
	}
	check := checkTypes(t)
	accepted := 0
	for range 5000 {
		s := slices.Clone(seeds[rnd.IntN(len(seeds))])
		for range 1 + rnd.IntN(3) {
			i, j := rnd.IntN(len(s)), rnd.IntN(len(s))
			switch rnd.IntN(4) {
			case 0, 1:
				s[i] = pool[rnd.IntN(len(pool))]
			case 2:
				s[i] = ""
			default:
				s[i], s[j] = s[j], s[i]
			}
		}
		text := strings.Join(s, "")
		if rnd.IntN(3) == 0 {
			all := strings.SplitAfter(text, "\n")
			all[rnd.IntN(len(all))] += lines[rnd.IntN(len(lines))]
			text = strings.Join(all, "")
		}
		files, err := generateFrom("m.ksy", []byte(text))
		if err != nil {
			checkErrors(t, err, text)
			continue
		}
		accepted++
		if err := check("m", files); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	if accepted < 80 {
		t.Errorf("only %d mutated specs were accepted: the test has lost its point", accepted)
	}
}

// checkErrors makes sure that err is a list of mistakes, each on one line.
func checkErrors(t *testing.T, err error, text string) {
	t.Helper()
	list, ok := err.(spec.Errors)
	if !ok || len(list) == 0 || len(list) > 21 {
		t.Fatalf("%T %v\n%s", err, err, text)
	}
	for _, e := range list {
		if e.Pos.Line < 1 || e.Pos.Col < 1 || e.Path == "" || e.Reason == "" || strings.Contains(e.Error(), "\n") {
			t.Fatalf("%q\n%s", e.Error(), text)
		}
	}
}

// The official compiler accepts every spec that this one accepts: the subset is
// one. It runs where node and the compiler are there, see .ci/kaitai.
func TestGoldenKaitai(t *testing.T) {
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat("../.ci/kaitai/node_modules/kaitai-struct-compiler")
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the Kaitai compiler is missing, run .ci/kaitai/check: %v", err)
		}
		t.Skipf("the Kaitai compiler is missing, run .ci/kaitai/check: %v", err)
	}
	dir := t.TempDir()
	args := []string{"../.ci/kaitai/compile.js"}
	for _, s := range scenarios(t) {
		if s.good() {
			name := filepath.Join(dir, s.ksy.Name)
			writeFile(t, name, s.ksy.Data)
			args = append(args, name)
		}
	}
	out, err := exec.Command(node, args...).CombinedOutput()
	if n := bytes.Count(out, []byte(": accepted by the Kaitai Struct compiler ")); err != nil || n != len(args)-1 {
		t.Errorf("%d of %d accepted, %v:\n%s", n, len(args)-1, err, out)
	}
}

// What the spec and its manual call hand-written is there, by the name they give.
func TestManualTypesExist(t *testing.T) {
	files, err := filepath.Glob("../format/*.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^type (\w+) `).FindAllSubmatch(body, -1) {
			declared["format."+string(m[1])] = true
		}
		for _, m := range functions.FindAllSubmatch(body, -1) {
			declared["format."+string(m[1])+"."+string(m[2])] = true
		}
	}
	readme, err := os.ReadFile("../spec/README.md")
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile("(?m)^\\| `.*` \\| `format\\..*$").FindAllString(string(readme), -1)
	if len(reasons) < 5 {
		t.Fatalf("the table of the manual has %d rows", len(reasons))
	}
	for _, typ := range source(t).Types {
		if typ.Manual != "" {
			reasons = append(reasons, typ.Manual)
		}
	}
	for _, reason := range reasons {
		for _, name := range regexp.MustCompile(`format(\.[A-Z]\w*)+`).FindAllString(reason, -1) {
			if !declared[name] {
				t.Errorf("there is no %s, named in: %s", name, reason)
			}
		}
	}
}
