package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// Whatever keeps the state of an MQTT connection for paho is in one package: there
// is one connection, and the uploader and the ingest workers stand on it.
func TestOnlyTheLinkImplementsPahosSessionManager(t *testing.T) {
	// The method that no other interface has.
	got := foldersWith(t, func(n ast.Node) bool {
		f, ok := n.(*ast.FuncDecl)
		return ok && f.Recv != nil && f.Name.Name == "AddToSession"
	})
	if want := []string{"../../mqttv5/internal/link"}; !slices.Equal(got, want) {
		t.Errorf("got implementations in %q, want one, in %q", got, want)
	}
}

// Tests have one authority. The stand-in's is for those who run it.
func TestOnlyOneAuthorityIssuesTheCertificatesOfTests(t *testing.T) {
	got := foldersWith(t, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		return ok && s.Sel.Name == "CreateCertificate"
	})
	if want := []string{"../../mqttv5/catest", "../../mqttv5/localcloud"}; !slices.Equal(got, want) {
		t.Errorf("got certificates issued in %q, want in %q alone", got, want)
	}
}

// One loader reads what real agents wrote, and fails when it finds nothing.
func TestOnlyOneLoaderReadsTheVectors(t *testing.T) {
	got := foldersWith(t, func(n ast.Node) bool {
		l, ok := n.(*ast.BasicLit)
		return ok && l.Kind == token.STRING && vectorFile.MatchString(l.Value)
	})
	if want := []string{"../../format/formattest"}; !slices.Equal(got, want) {
		t.Errorf("got vectors read in %q, want in %q alone", got, want)
	}
}

var vectorFile = regexp.MustCompile(`\b(logs|logs_v4|coredumps)\.json["` + "`" + `]$`)

// foldersWith returns the folders of the Go files in which something is found.
func foldersWith(t *testing.T, is func(ast.Node) bool) []string {
	t.Helper()
	var folders []string
	for name, source := range handWritten(t) {
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if n != nil && is(n) {
				folders = append(folders, filepath.ToSlash(filepath.Dir(name)))
			}
			return true
		})
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}
