package format

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// compile builds this package with the compiler's flag and returns what the
// compiler says of it, a line each. The build cache keeps and repeats it.
func compile(t *testing.T, flag string) []string {
	t.Helper()
	out, err := exec.Command("go", "build", "-gcflags="+flag, ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	lines := strings.Split(string(out), "\n")
	if len(lines) < 10 {
		t.Fatalf("got %d lines of the compiler under %s, want at least 10:\n%s", len(lines), flag, out)
	}
	return lines
}

// generated returns the functions of fixed views in the generated files, and
// those that they call, as the compiler names them. What reads or writes a struct
// of several views is left out: it has as many steps as fields.
func generated(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("z*.go")
	if err != nil || len(files) < 20 {
		t.Fatalf("got %d generated files, error %v, want at least 20", len(files), err)
	}
	names := []string{"untilNUL", "cutNUL", "hasNUL", "addPairs", "addLanes"}
	function := regexp.MustCompile(`(?m)^func (?:\(\w+ (\*?)(\w+)\) )?(\w+)\(`)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		fixed := bytes.Contains(b, []byte("Size]byte\n"))
		for _, m := range function.FindAllStringSubmatch(string(b), -1) {
			star, receiver, name := m[1], m[2], m[3]
			if !fixed && name != "Verify" && name != "Seal" && name != "Unwrap" {
				continue
			}
			if receiver != "" {
				receiver += "."
			}
			if star != "" {
				receiver = "(*" + strings.TrimSuffix(receiver, ".") + ")."
			}
			names = append(names, receiver+name)
		}
	}

	if len(names) < 200 {
		t.Fatalf("found %d functions, want at least 200", len(names))
	}

	return names
}

// Getters, setters and parsers of fixed views, and what a loop over frames and
// arguments calls at each step, cost no call.
func TestAccessorsAreInlined(t *testing.T) {
	inlined := make(map[string]bool)
	for _, line := range compile(t, "-m") {
		if _, name, ok := strings.Cut(line, ": can inline "); ok {
			inlined[strings.Fields(name)[0]] = true
		}
	}
	names := append(generated(t),
		"(*Frames).Frame", "(*Args).Next", "(*Args).Arg", "Arg.Type", "Arg.Int", "Arg.Uint", "Arg.Float",
		"Payload.Level", "Payload.Module", "Payload.FmtAddr", "Payload.NumArgs", "Payload.Args",
		"(*Frames).All", "(*Args).All")
	for _, name := range names {
		if !inlined[name] {
			t.Errorf("%s: got not inlined, want inlined", name)
		}
	}
}

// No bounds check is left in the generated accessors, in the walk over frames
// and arguments, or in the checksums. Left are those of tails whose length is
// the result of arithmetic, each behind a comparison with what is there, and that
// of clearing what a text leaves of its field.
func TestNoBoundsCheckIsLeft(t *testing.T) {
	position := regexp.MustCompile(`([a-z0-9_]+\.go):(\d+):\d+: Found Is(Slice)?InBounds`)
	allowed := map[string]string{
		"zcore_dump.go":     "rest[:nCrash:nCrash]",
		"zlog_layout.go":    "b[l.ofs", // a table holds the offset
		"zmemory_region.go": "rest[:nData:nData]",
		"zsupport.go":       "clear(field[copy(field, s):])",
	}

	found := 0
	for _, line := range compile(t, "-d=ssa/check_bce") {
		m := position.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		found++
		name := m[1]
		if strings.HasPrefix(name, "z") && (allowed[name] == "" || !strings.Contains(sourceLine(t, name, m[2]), allowed[name])) || name == "frames.go" {
			t.Errorf("want no bounds check left here, got %s", line)
		}
		if name == "args.go" && inFunction(t, name, m[2], "Next", "Arg", "bits") {
			t.Errorf("want no bounds check left here, got %s", line)
		}
	}

	if found == 0 {
		t.Error("got no bounds check named by the compiler, want some: does the flag still work?")
	}
}

// sourceLine returns the line with this number, from 1, of the file.
func sourceLine(t *testing.T, name, number string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(b), "\n")[n-1]
}

// inFunction reports whether the line of the file lies in one of the functions.
func inFunction(t *testing.T, name, line string, functions ...string) bool {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}

	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		for _, want := range functions {
			if f.Name.Name != want {
				continue
			}
			for n := set.Position(f.Pos()).Line; n <= set.Position(f.End()).Line; n++ {
				if line == strconv.Itoa(n) {
					return true
				}
			}
		}
	}

	return false
}
