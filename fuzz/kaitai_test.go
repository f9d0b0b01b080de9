package fuzz

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/spec"
)

// The inputs of TestInterpreterAgreesWithKaitai beside the vectors, the seeds and the
// bad input.
const (
	kaitaiLogs    = 10000 // half of them damaged
	kaitaiOthers  = 200   // of each type, most of them damaged
	kaitaiScripts = "../.ci/kaitai"
)

// kaitaiInput is one input and what the interpreter makes of it.
type kaitaiInput struct {
	typ, want string
	bytes     []byte
	params    string // the values of its parameters, in the first bytes
	skip      int    // how many bytes those are
}

// expect adds to list what the interpreter makes of b, unless a parameter of the
// type is missing.
func expect(list []kaitaiInput, s *spec.Spec, typ string, b []byte) (_ []kaitaiInput, good bool) {
	in := kaitaiInput{typ: typ, bytes: b}
	tree, failed, skip := readType(s, typ, b, false)
	if tree == nil {
		return list, false
	}
	in.params, in.skip = "-", skip
	if skip > 0 {
		in.params = tree.kids[0].n.String()
	}
	switch {
	case failed == nil:
		var text strings.Builder
		tree.text(&text)
		in.want = fmt.Sprintf("ok %d %s", tree.end, &text)
	case failed.class == classShort:
		in.want = "short"
	default:
		in.want = string(failed.class) + " " + failed.source
	}
	return append(list, in), failed == nil
}

// TestInterpreterAgreesWithKaitai has the official compiler make a parser of the
// spec, in JavaScript, runs it on vectors, seeds, bad input and generated values,
// good and damaged, and compares verdict, place of the failure, every field and the
// end with the interpreter; the interpreter is compared with package format on the
// same bytes.
//
// Where a value is refused, its place in the spec is compared. Where bytes end
// too early, Kaitai's runtime does not say where.
func TestInterpreterAgreesWithKaitai(t *testing.T) {
	parser := compileKaitai(t, "../spec/ulogger.ksy")
	var inputs []kaitaiInput
	good := 0
	add := func(typ string, b []byte) {
		differ(t, typ, b)
		var ok bool
		if inputs, ok = expect(inputs, ulogger, typ, b); ok {
			good++
		}
	}

	for _, v := range agentVectors(t) {
		add(v.typ, v.bytes)
	}
	for _, f := range badFiles(t) {
		if f.typ != "spec" {
			add(f.typ, f.bytes)
		}
	}

	rng := rand.New(rand.NewPCG(1, 1))
	for i := range kaitaiLogs {
		b := randomLog(t, rng)
		if i%2 == 1 {
			b = damage(rng, "log", b)
		}
		add("log", b)
	}

	for _, typ := range ulogger.Types {
		seeds := readSeeds(t, typ.ID)
		for _, b := range seeds {
			add(typ.ID, b)
		}
		for i := range kaitaiOthers {
			b := seeds[i%len(seeds)]
			for range 1 + rng.IntN(2) {
				b = damage(rng, typ.ID, b)
			}
			add(typ.ID, b)
		}
	}

	wrong := compareKaitai(t, parser, inputs)
	t.Logf("%d inputs, %d of them good, %d disagreements", len(inputs), good, wrong)
	if good < kaitaiLogs/2 || len(inputs)-good < kaitaiLogs/4 {
		t.Errorf("got %d good inputs of %d, want at least %d good and %d bad", good, len(inputs), kaitaiLogs/2, kaitaiLogs/4)
	}
}

// TestInterpreterAgreesWithKaitaiOnSmallSpec compares the interpreter with the
// official compiler on the constructs that ulogger.ksy does without: each type of
// smallSpec on the bytes of TestInterpreterReadsAsTheSpecSays, cut, and on random
// ones.
func TestInterpreterAgreesWithKaitaiOnSmallSpec(t *testing.T) {
	file := filepath.Join(t.TempDir(), "small.ksy")
	if err := os.WriteFile(file, []byte(smallSpec), 0o600); err != nil {
		t.Fatal(err)
	}
	parser := compileKaitai(t, file)
	s, err := spec.Parse("small.ksy", []byte(smallSpec))
	if err != nil {
		t.Fatal(err)
	}

	var inputs []kaitaiInput
	add := func(typ string, b []byte) { inputs, _ = expect(inputs, s, typ, b) }
	for _, test := range interpreterCases(t) {
		for n := range len(test.bytes) + 1 {
			add(test.typ, test.bytes[:n])
		}
	}

	rng := rand.New(rand.NewPCG(2, 2))
	for range 1000 {
		for _, typ := range s.Types {
			b := make([]byte, rng.IntN(40))
			for i := range b {
				b[i] = byte(rng.Uint32() >> rng.IntN(32)) // small ones too
			}
			add(typ.ID, b)
		}
	}

	t.Logf("%d inputs, %d disagreements", len(inputs), compareKaitai(t, parser, inputs))
}

// compareKaitai reports where Kaitai's parser and the interpreter differ.
func compareKaitai(t *testing.T, parser string, inputs []kaitaiInput) (wrong int) {
	t.Helper()
	got := runKaitai(t, parser, inputs)
	for i, in := range inputs {
		if got[i] != in.want {
			if wrong++; wrong <= 10 {
				t.Errorf("%s % x: got %s from Kaitai, want %s as from the interpreter", in.typ, clip(in.bytes), got[i], in.want)
			}
		}
	}
	return wrong
}

// compileKaitai returns the parser that the official compiler makes of a spec.
// Without node or its packages the test is skipped, except in CI.
func compileKaitai(t *testing.T, file string) string {
	t.Helper()
	missing := func(what string) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatalf("got none in CI, want it there: %s", what)
		}
		t.Skip(what)
	}

	if _, err := exec.LookPath("node"); err != nil {
		missing("node is not installed")
	}
	if _, err := os.Stat(filepath.Join(kaitaiScripts, "node_modules", "kaitai-struct-compiler")); err != nil {
		missing("the Kaitai compiler is not installed; run .ci/kaitai/check first")
	}
	dir := t.TempDir()
	out, err := exec.Command("node", filepath.Join(kaitaiScripts, "compile.js"), "--out", dir, file).CombinedOutput()
	if err != nil {
		t.Fatalf("the Kaitai compiler does not take %s: %v\n%s", file, err, out)
	}

	made, err := filepath.Glob(filepath.Join(dir, "*.js"))
	if err != nil || len(made) != 1 {
		t.Fatalf("got parsers %v, %v from the compiler, want one", made, err)
	}

	return made[0]
}

// runKaitai returns a line for each input.
func runKaitai(t *testing.T, parser string, inputs []kaitaiInput) []string {
	t.Helper()
	var list bytes.Buffer
	for _, in := range inputs {
		fmt.Fprintf(&list, "%s %s %x\n", in.typ, in.params, in.bytes[in.skip:])
	}
	file := filepath.Join(t.TempDir(), "inputs")
	if err := os.WriteFile(file, list.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}

	modules, err := filepath.Abs(filepath.Join(kaitaiScripts, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(kaitaiScripts, "oracle.js"), parser, file)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}

	var lines []string
	scanner := bufio.NewScanner(bytes.NewReader(out))
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	if err := scanner.Err(); err != nil || len(lines) != len(inputs) {
		t.Fatalf("got %d lines, %v, want one for each of %d inputs", len(lines), err, len(inputs))
	}

	return lines
}
