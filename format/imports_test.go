package format

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// allowedImports is the closed list of what this package may import. It keeps
// unsafe, reflect and fmt out, and with them surprises on the hot path.
var allowedImports = map[string]bool{
	"encoding/binary": true,
	"errors":          true,
	"iter":            true,
	"math":            true,
	"math/bits":       true,
	"strconv":         true,
}

func TestImportsAreOnTheList(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !allowedImports[path] {
				t.Errorf("%s: got import %s, want only what is on the list", name, path)
			}
		}
		checked++
	}

	if checked == 0 {
		t.Error("got 0 source files, want some")
	}
}
