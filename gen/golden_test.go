package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ulogkit/ulogkit/spec"
)

var update = flag.Bool("update", false, "rewrite the outputs in testdata")

// A scenario is testdata/NAME.txtar:
//
//	what it shows
//	-- NAME.ksy --     the spec
//	-- use.go --       func Use(t *testing.T): exercises the generated code
//	-- zfoo.go --      the generated code; zsupport.go only in scenarios named support_*
//	-- error.txt --    instead of the last two: the exact errors
type scenario struct {
	name    string
	path    string
	archive *txtar.Archive
	ksy     txtar.File
	use     []byte
	want    map[string][]byte // by name: z*.go or error.txt
}

// scenarios loads all of testdata; none at all is a failure.
func scenarios(t *testing.T) []*scenario {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("testdata: got %d scenarios, error %v, want some and no error", len(paths), err)
	}
	var out []*scenario
	for _, p := range paths {
		a, err := txtar.ParseFile(p)
		if err != nil {
			t.Fatal(err)
		}
		s := &scenario{strings.TrimSuffix(filepath.Base(p), ".txtar"), p, a, txtar.File{}, nil, map[string][]byte{}}
		for _, f := range a.Files {
			switch {
			case strings.HasSuffix(f.Name, ".ksy"):
				s.ksy = f
			case f.Name == "use.go":
				s.use = f.Data
			default:
				s.want[f.Name] = f.Data
			}
		}

		if s.ksy.Name == "" {
			t.Fatalf("%s: got no .ksy file, want one", p)
		}
		out = append(out, s)
	}

	return out
}

// generate runs the scenario's spec through the parser and the generator.
func (s *scenario) generate() ([]File, error) { return generateFrom(s.ksy.Name, s.ksy.Data) }

func generateFrom(name string, src []byte) ([]File, error) {
	s, err := spec.Parse(name, src)
	if err != nil {
		return nil, err
	}
	return Generate(s, Config{Package: "format", Source: "spec/" + name, Initialisms: []string{"ID", "FP"}})
}

func (s *scenario) good() bool { return s.use != nil }

// outputs is what the scenario's run gave, in the form of its golden files.
func (s *scenario) outputs() map[string][]byte {
	out := map[string][]byte{}
	files, err := s.generate()
	if err != nil {
		out["error.txt"] = []byte(err.Error() + "\n")
	}
	for _, f := range files {
		if f.Name != "zsupport.go" || strings.HasPrefix(s.name, "support_") {
			out[f.Name] = f.Body
		}
	}
	return out
}

func TestGoldensAreWhatTheGeneratorWrites(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			got := s.outputs()
			if _, failed := got["error.txt"]; failed == s.good() {
				t.Fatalf("got error.txt %q, want one: %v (a scenario with use.go has none)", got["error.txt"], !s.good())
			}
			if *update {
				s.rewrite(t, got)
				return
			}
			for name := range s.want {
				if _, ok := got[name]; !ok {
					t.Errorf("got no %s, want it generated as before", name)
				}
			}
			for name, body := range got {
				if want := s.want[name]; !bytes.Equal(want, body) {
					t.Errorf("%s differs; run go test ./gen -update and look at the difference.\ngot:\n%s\nwant:\n%s", name, body, want)
				}
			}
		})
	}
}

func (s *scenario) rewrite(t *testing.T, got map[string][]byte) {
	a := &txtar.Archive{Comment: s.archive.Comment, Files: []txtar.File{s.ksy}}
	if s.good() {
		a.Files = append(a.Files, txtar.File{Name: "use.go", Data: s.use})
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		a.Files = append(a.Files, txtar.File{Name: name, Data: got[name]})
	}
	if err := os.WriteFile(s.path, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The generator's own promise about its goldens: enough of them, half of them
// wrong, and each of the wrong ones with errors in the agreed form.
func TestGoldensAreEnoughAndHalfAreWrong(t *testing.T) {
	all, bad := 0, 0
	for _, s := range scenarios(t) {
		all++
		if s.good() {
			continue
		}
		bad++
		_, err := s.generate()
		var list spec.Errors
		if !errors.As(err, &list) {
			t.Errorf("%s: got an error of type %T (%v), want %T", s.name, err, err, list)
		}

		last := spec.Pos{}
		for _, e := range list {
			if e.Pos.Line < 1 || e.Pos.Col < 1 || e.Path == "" || e.File != s.ksy.Name {
				t.Errorf("%s: got error %v of file %q, path %q, want a line, a column, a path and the file %s", s.name, e, e.File, e.Path, s.ksy.Name)
			}
			if e.Pos.Compare(last) < 0 {
				t.Errorf("%s: got %v after an error at %v, want them in order of place", s.name, e, last)
			}
			last = e.Pos
		}
	}

	if all < 60 || 2*bad < all {
		t.Errorf("%d scenarios, %d of them wrong specs; want 60, half of them wrong", all, bad)
	}
}

// goList asks the go command for the compiled form of packages.
func goList(t *testing.T, packages ...string) map[string]string {
	t.Helper()
	args := append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}"}, packages...)
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		exports[path] = file
	}
	return exports
}

// checkTypes returns a function that runs go/types over generated files, and
// refuses imports that package format may not have.
func checkTypes(t *testing.T) func(name string, files []File) error {
	t.Helper()
	allowed := []string{"encoding/binary", "errors", "math", "strconv"}
	exports := goList(t, allowed...)
	fset := token.NewFileSet()
	imp := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })

	return func(name string, files []File) error {
		var parsed []*ast.File
		for _, f := range files {
			p, err := parser.ParseFile(fset, name+"/"+f.Name, f.Body, parser.ParseComments)
			if err != nil {
				return err
			}
			for _, i := range p.Imports {
				if path := strings.Trim(i.Path.Value, `"`); !slices.Contains(allowed, path) {
					return fmt.Errorf("%s imports %s", f.Name, path)
				}
			}
			parsed = append(parsed, p)
		}
		_, err := (&types.Config{Importer: imp}).Check(name, fset, parsed, nil)
		return err
	}
}

// Every good output passes go/types by itself.
func TestGoldensPassTheTypeChecker(t *testing.T) {
	check := checkTypes(t)
	for _, s := range scenarios(t) {
		if !s.good() {
			continue
		}
		files, err := s.generate()
		if err == nil {
			err = check(s.name, files)
		}
		if err != nil {
			t.Errorf("%s: got error %v, want code that compiles", s.name, err)
		}
	}
}

// goRun executes the go command in dir, offline.
func goRun(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "GOFLAGS=-mod=mod")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func writeFile(t *testing.T, name string, body []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, body, 0o644); err != nil {
		t.Fatal(err)
	}
}

// The code of every good scenario does what its use.go expects. All of them are
// one test binary in a module of their own, so that this takes one link.
func TestGoldensDoWhatTheirUseExpects(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "go.mod"), []byte("module golden\n\ngo 1.26\n"))
	var imports, calls strings.Builder
	n := 0
	for _, s := range scenarios(t) {
		if !s.good() {
			continue
		}
		n++
		files, err := s.generate()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			writeFile(t, filepath.Join(dir, s.name, f.Name), f.Body)
		}
		writeFile(t, filepath.Join(dir, s.name, "use.go"), s.use)
		fmt.Fprintf(&imports, "\t%s \"golden/%s\"\n", s.name, s.name)
		fmt.Fprintf(&calls, "\tt.Run(%q, %s.Use)\n", s.name, s.name)
	}

	writeFile(t, filepath.Join(dir, "use_test.go"), []byte(fmt.Sprintf(
		"package golden\n\nimport (\n\t\"testing\"\n\n%s)\n\nfunc TestUse(t *testing.T) {\n%s}\n", &imports, &calls)))
	out := goRun(t, dir, "test", "-count=1", "-v", ".")
	if passed := strings.Count(out, "    --- PASS: "); passed != n {
		t.Errorf("got %d scenarios passed, want %d:\n%s", passed, n, out)
	}

	goRun(t, dir, "vet", "./...")
}
