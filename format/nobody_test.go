package format

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Outside this package nobody asks which header version a log has, except to print
// it: no comparison, switch or map is keyed by it, and no view of one version is
// named. Tests and benchmarks may.
func TestNobodyAsksForTheVersion(t *testing.T) {
	ofVersion := regexp.MustCompile(`^(Parse)?(Frame)?(Header|Log|Frame)V\d+(Size)?$`)
	files := 0
	root := ".."
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := e.Name()
		if e.IsDir() && (name == "testdata" || path == filepath.Join(root, "format", "internal") || path != root && strings.HasPrefix(name, ".")) {
			return filepath.SkipDir
		}

		dir := filepath.Dir(path)
		if e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") ||
			dir == filepath.Join(root, "format") || dir == filepath.Join(root, "gen") {
			return nil
		}

		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		files++
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "format" && ofVersion.MatchString(n.Sel.Name) {
					t.Errorf("%s: got %s, want no name of a version", set.Position(n.Pos()), n.Sel.Name)
				}
			case *ast.BinaryExpr:
				if versionOfLog(n.X) || versionOfLog(n.Y) {
					t.Errorf("%s: got a comparison of a header version, want none", set.Position(n.Pos()))
				}
			case *ast.SwitchStmt:
				if n.Tag != nil && versionOfLog(n.Tag) {
					t.Errorf("%s: got a switch on a header version, want none", set.Position(n.Pos()))
				}
			case *ast.IndexExpr:
				if versionOfLog(n.Index) {
					t.Errorf("%s: got a header version as an index, want none", set.Position(n.Pos()))
				}
			}

			return true
		})

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	if files < 100 {
		t.Fatalf("got %d files, want at least 100", files)
	}
}

// versionOfLog reports whether an expression asks a log, a header or an event for
// its version, by the names that such variables have in this repository.
func versionOfLog(e ast.Expr) bool {
	if call, ok := e.(*ast.CallExpr); ok {
		e = call.Fun
	}
	sel, ok := e.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Version" {
		return false
	}
	switch x := sel.X.(type) {
	case *ast.Ident:
		return x.Name == "l" || x.Name == "log" || x.Name == "e" || x.Name == "event" || x.Name == "header"
	case *ast.CallExpr:
		f, ok := x.Fun.(*ast.SelectorExpr)
		return ok && f.Sel.Name == "Header"
	}
	return false
}
