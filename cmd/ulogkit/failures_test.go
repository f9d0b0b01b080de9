package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// TestFailuresSayGotAndWant reads every failure message below a comparison: who sees it
// in a log shall know what was compared without opening the test.
func TestFailuresSayGotAndWant(t *testing.T) {
	for name, source := range handWritten(t) {
		if !bytes.Contains(source, []byte(`"testing"`)) {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, source, 0)
		if err != nil {
			t.Fatal(err)
		}

		ast.Inspect(file, func(n ast.Node) bool {
			branch, ok := n.(*ast.IfStmt)
			if !ok || !compares(branch.Cond) {
				return true
			}
			for _, s := range branch.Body.List {
				text, ok := failureText(s)
				if ok && (!strings.Contains(text, "want") || !strings.Contains(text, "got") && !strings.Contains(text, "%")) {
					t.Errorf("%s: got message %q, want one that says what was got and what was wanted", set.Position(s.Pos()), text)
				}
			}
			return true
		})
	}
}

// compares says whether a condition holds values against others, and not only an error
// or a pointer against nil.
func compares(cond ast.Expr) bool {
	found := false
	ast.Inspect(cond, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			switch n.Op {
			case token.EQL, token.NEQ, token.LSS, token.GTR, token.LEQ, token.GEQ:
				found = found || !isNil(n.X) && !isNil(n.Y)
			}
		case *ast.SelectorExpr:
			switch n.Sel.Name {
			case "Equal", "EqualFunc", "DeepEqual", "Contains", "HasPrefix", "HasSuffix", "Is", "As", "AsType":
				found = true
			}
		case *ast.FuncLit:
			return false
		}
		return true
	})
	return found
}

func isNil(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "nil"
}

// failureText returns the text of t.Errorf and its like. That of a lone error is empty
// and not asked for: it says itself what is wrong.
func failureText(s ast.Stmt) (string, bool) {
	e, ok := s.(*ast.ExprStmt)
	if !ok {
		return "", false
	}
	call, ok := e.X.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return "", false
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	switch f.Sel.Name {
	case "Error", "Errorf", "Fatal", "Fatalf":
	default:
		return "", false
	}
	if x, ok := f.X.(*ast.Ident); !ok || x.Name != "t" && x.Name != "b" && x.Name != "tb" && x.Name != "rt" && x.Name != "f" {
		return "", false
	}

	var text strings.Builder
	ast.Inspect(call, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			s, _ := strconv.Unquote(l.Value)
			text.WriteString(s)
		}
		return true
	})
	return text.String(), true
}
