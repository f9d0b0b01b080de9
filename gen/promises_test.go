package main

import (
	"bytes"
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

// functions finds the functions in the generated files by the line they begin on.
var functions = regexp.MustCompile(`(?m)^func (?:\(\w+ \*?(\w+)\) )?(\w+)\(`)

// Whatever the spec: what the parser accepts and the generator writes compiles.
// The specs are the scenarios with pieces exchanged; nearly all of them are wrong
// and must be refused in the agreed form.
func TestAcceptedMutationsCompile(t *testing.T) {
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
			t.Fatalf("a spec that was accepted: got code with the error %v, want none\n%s", err, text)
		}
	}

	if accepted < 80 {
		t.Errorf("got %d mutated specs accepted, want at least 80, or the test has lost its point", accepted)
	}
}

// checkErrors makes sure that err is a list of mistakes, each on one line.
func checkErrors(t *testing.T, err error, text string) {
	t.Helper()
	list, ok := err.(spec.Errors)
	if !ok || len(list) == 0 || len(list) > 21 {
		t.Fatalf("got a %T, %v, want 1 to 21 mistakes, for\n%s", err, err, text)
	}
	for _, e := range list {
		if e.Pos.Line < 1 || e.Pos.Col < 1 || e.Path == "" || e.Reason == "" || strings.Contains(e.Error(), "\n") {
			t.Fatalf("got %q, want a mistake with line, column, path and reason on one line, for\n%s", e.Error(), text)
		}
	}
}

// The official compiler accepts every spec that this one accepts: the subset is
// one. It runs where node and the compiler are there, see .ci/kaitai.
func TestKaitaiAcceptsEveryGoodGolden(t *testing.T) {
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat("../.ci/kaitai/node_modules/kaitai-struct-compiler")
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("got no Kaitai compiler, error %v, want one in CI; run .ci/kaitai/check", err)
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
		t.Errorf("got %d accepted, error %v, want %d and no error:\n%s", n, err, len(args)-1, out)
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
		t.Fatalf("got %d rows in the table of the manual, want at least 5", len(reasons))
	}

	for _, typ := range source(t).Types {
		if typ.Manual != "" {
			reasons = append(reasons, typ.Manual)
		}
	}

	for _, reason := range reasons {
		for _, name := range regexp.MustCompile(`format(\.[A-Z]\w*)+`).FindAllString(reason, -1) {
			if !declared[name] {
				t.Errorf("got no %s, want it, as it is named in: %s", name, reason)
			}
		}
	}
}
