package format

import (
	"go/ast"
	"go/parser"
	"go/token"
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
		t.Fatalf("the compiler says next to nothing under %s:\n%s", flag, out)
	}
	return lines
}

// accessors returns the getters and setters of the generated files, as the
// compiler names them. The setters of texts return an error and are left out.
func accessors(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("z*.go")
	if err != nil || len(files) < 20 {
		t.Fatalf("found %d generated files, error %v", len(files), err)
	}
	var names []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv == nil || !f.Name.IsExported() {
				continue
			}
			star, ok := f.Recv.List[0].Type.(*ast.StarExpr)
			if !ok || f.Name.Name == "AppendTo" || f.Type.Results != nil && isError(f.Type.Results.List[0].Type) {
				continue
			}
			receiver := star.X.(*ast.Ident).Name
			if receiver == "Error" {
				continue
			}
			names = append(names, "(*"+receiver+")."+f.Name.Name)
		}
	}
	if len(names) < 150 {
		t.Fatalf("found %d accessors", len(names))
	}
	return names
}

func isError(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "error"
}

// Accessors, and what a loop over frames and arguments calls at each step, cost
// no call.
func TestInlined(t *testing.T) {
	inlined := make(map[string]bool)
	for _, line := range compile(t, "-m") {
		if _, name, ok := strings.Cut(line, ": can inline "); ok {
			inlined[strings.Fields(name)[0]] = true
		}
	}
	names := append(accessors(t),
		"ParseHeaderV1", "ParseHeaderV3", "ParseFrameHeaderV1", "ParseFrameHeaderV3", "ParsePayloadHeader",
		"(*Frames).Frame", "(*Args).Next", "(*Args).Arg", "Arg.Type", "Arg.Int", "Arg.Uint", "Arg.Float",
		"Payload.Level", "Payload.Module", "Payload.FmtAddr", "Payload.NumArgs", "Payload.Args",
		"(*Frames).All", "(*Args).All")
	for _, name := range names {
		// Getters of texts look for the NUL and are calls.
		if !inlined[name] && !textGetters[name] {
			t.Errorf("%s is not inlined", name)
		}
	}
}

var textGetters = map[string]bool{
	"(*CoreDumpHeader).GitHash":       true,
	"(*CoreDumpHeader).DeviceType":    true,
	"(*CoreDumpHeader).DeviceSerial":  true,
	"(*CoreDumpHeader).VersionString": true,
}

// No bounds check is left in the generated accessors, in the walk over frames
// and arguments, or in the checksums. Left are those of tails whose length is
// the result of arithmetic, each behind a comparison with what is there.
func TestBoundsChecks(t *testing.T) {
	position := regexp.MustCompile(`([a-z0-9_]+\.go):(\d+):\d+: Found Is(Slice)?InBounds`)
	allowed := map[string]bool{
		"zcore_dump.go":     true, // len_total - 264
		"zmemory_region.go": true, // end - start
		"zsupport.go":       true, // what copy left of a text field
	}
	found := 0
	for _, line := range compile(t, "-d=ssa/check_bce") {
		m := position.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		found++
		name := m[1]
		if (strings.HasPrefix(name, "z") && !allowed[name]) || name == "frames.go" {
			t.Error(line)
		}
		if name == "args.go" && inFunction(t, name, m[2], "Next", "Arg", "bits") {
			t.Error(line)
		}
	}
	if found == 0 {
		t.Error("the compiler names no bounds check at all: does the flag still work?")
	}
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
