package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// door is a function that a newcomer begins with: it makes, opens, reads or starts
// what a package is about.
var door = regexp.MustCompile(`^(New|Open|Load|Parse|Start|Read)`)

// withoutExample are doors that need none, each with the reason.
var withoutExample = map[string]string{
	"natssink.OpenSource":  "it needs a server; filesink.OpenSource is the same for files",
	"otlp.NewCollector":    "mqttv5.NewCollector is registered in the same way",
	"outbox.NewCollector":  "mqttv5.NewCollector is registered in the same way",
	"gateway.NewCollector": "mqttv5.NewCollector is registered in the same way",
	"ingest.NewCollector":  "mqttv5.NewCollector is registered in the same way",
}

// Every package that CHANGELOG.md calls stable has examples, each of which is run since
// it says what it prints, and each of its doors is walked through in one of them.
func TestNewcomersFindExamples(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	var stable []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z0-9/, ]+) \| stable \|`).FindAllStringSubmatch(string(page), -1) {
		stable = append(stable, strings.Split(m[1], ", ")...)
	}
	if len(stable) < 15 {
		t.Fatalf("got %d stable packages, want at least 15", len(stable))
	}

	// What is shown elsewhere is shown: a package's example may use another's door.
	shown := map[string]bool{}
	doors := map[string][]string{}
	for _, dir := range stable {
		for name, text := range examplesOf(t, dir, doors) {
			if !strings.Contains(text, "Output:") && !strings.HasPrefix(name, "file ") {
				t.Errorf("%s: got no output in %s, want what it prints, so that it is run", dir, name)
			}
			for _, call := range regexp.MustCompile(`\b[a-z0-9]+\.[A-Z]\w*|\b[A-Z]\w*\(`).FindAllString(text, -1) {
				if !strings.Contains(call, ".") {
					call = filepath.Base(dir) + "." + strings.TrimSuffix(call, "(")
				}
				shown[call] = true
			}
		}
	}

	for _, dir := range stable {
		for _, name := range doors[dir] {
			call := filepath.Base(dir) + "." + name
			if !shown[call] && withoutExample[call] == "" {
				t.Errorf("got no example that walks through %s of %s, want one", name, dir)
			}
		}
	}
}

// examplesOf returns the sources of a package's examples by their names, and puts its
// doors into the map.
func examplesOf(t *testing.T, dir string, doors map[string][]string) map[string]string {
	t.Helper()
	examples := map[string]string{}
	set := token.NewFileSet()
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %d files, want some", dir, err, len(files))
	}

	for _, path := range files {
		if strings.HasPrefix(filepath.Base(path), "z") {
			continue // generated: a newcomer comes to these views by way of ParseLog and the like
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}

		file, err := parser.ParseFile(set, path, source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}

		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil {
				continue
			}
			name := f.Name.Name
			isTest := strings.HasSuffix(path, "_test.go")
			switch {
			case isTest && strings.HasPrefix(name, "Example"):
				// What an example calls in its file belongs to it.
				examples["file "+path] = string(source)
				examples[name] = string(source[set.Position(f.Pos()).Offset:set.Position(f.End()).Offset])
			case !isTest && door.MatchString(name):
				if !slices.Contains(doors[dir], name) {
					doors[dir] = append(doors[dir], name)
				}
			}
		}
	}

	if len(examples) == 0 && len(doors[dir]) > 0 {
		t.Errorf("got no example of %s, want one", dir)
	}

	return examples
}
