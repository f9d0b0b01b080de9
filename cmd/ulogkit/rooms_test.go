package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Whatever keeps the state of an MQTT connection for paho is in one package: there
// is one connection, and the uploader and the ingest workers stand on it.
func TestOnlyTheLinkImplementsPahosSessionManager(t *testing.T) {
	var got []string
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.Contains(path, "/testdata/") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			// The method that no other interface has.
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "AddToSession" {
				got = append(got, filepath.ToSlash(filepath.Dir(path)))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	if want := []string{"../../mqttv5/internal/link"}; !slices.Equal(got, want) {
		t.Errorf("got implementations in %q, want one, in %q", got, want)
	}
}
