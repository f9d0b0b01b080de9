package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// handWritten returns the source of every Go file that was not generated, by its name.
func handWritten(t *testing.T) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.Contains(filepath.ToSlash(path), "/testdata/") {
			return err
		}
		source, err := os.ReadFile(path)
		if err == nil && !bytes.HasPrefix(source, []byte("// Code generated")) {
			files[path] = source
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 500 {
		t.Fatalf("got %d Go files, want those of the whole repository, more than 500", len(files))
	}
	return files
}

// longBody is how many lines a function may have without a blank one.
const longBody = 20

func TestLongFunctionsHaveParagraphs(t *testing.T) {
	for name, source := range handWritten(t) {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Split(source, []byte("\n"))

		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			first, end := set.Position(f.Body.Lbrace).Line, set.Position(f.Body.Rbrace).Line
			if end-first-1 <= longBody || hasBlank(lines[first:end-1]) {
				continue
			}
			if n := longestSteps(set, f.Body); n > longBody {
				t.Errorf("%s: %s has steps of %d lines and no blank line, want one between the steps of more than %d lines",
					set.Position(f.Pos()), f.Name.Name, n, longBody)
			}
		}
	}
}

func hasBlank(lines [][]byte) bool {
	for _, l := range lines {
		if len(bytes.TrimSpace(l)) == 0 {
			return true
		}
	}
	return false
}

// longestSteps returns the lines of the longest list of three statements or more: a
// table and the loop over it, or one switch, is a single step.
func longestSteps(set *token.FileSet, body ast.Node) int {
	longest := 0
	measure := func(list []ast.Stmt) {
		if len(list) >= 3 {
			longest = max(longest, set.Position(list[len(list)-1].End()).Line-set.Position(list[0].Pos()).Line+1)
		}
	}

	cases := map[ast.Node]bool{} // blocks that are none of steps
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SwitchStmt:
			cases[n.Body] = true
		case *ast.TypeSwitchStmt:
			cases[n.Body] = true
		case *ast.SelectStmt:
			cases[n.Body] = true
		case *ast.BlockStmt:
			if !cases[n] {
				measure(n.List)
			}
		case *ast.CaseClause:
			measure(n.Body)
		case *ast.CommClause:
			measure(n.Body)
		}
		return true
	})

	return longest
}
