package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/spec"
)

// A header version is added by the spec alone: package format, copied into a
// module of its own and generated from a spec that knows an imaginary version 9,
// builds, reads, checks and searches logs of it, though no line of its hand-written
// code was changed.
func TestVersionIsAddedBySpecAlone(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "format")
	copySources(t, folder)
	s, err := spec.Parse("ulogger.ksy", withVersion9(t))
	if err != nil {
		t.Fatal(err)
	}
	files, err := Generate(s, ulogger())
	if err != nil {
		t.Fatal(err)
	}
	if err := write(folder, files); err != nil {
		t.Fatal(err)
	}

	program, err := os.ReadFile(filepath.Join("testdata", "version9", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "main.go"), program)
	writeFile(t, filepath.Join(dir, "go.mod"), []byte("module scratch\n\ngo 1.26\n"))
	if got, want := goRun(t, dir, "run", "."), "walked version 9\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// copySources copies the hand-written files of package format.
func copySources(t *testing.T, to string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "format", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	copied := 0
	for _, name := range names {
		base := filepath.Base(name)
		if strings.HasPrefix(base, "z") || strings.HasSuffix(base, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(to, base), b)
		copied++
	}

	if copied < 5 {
		t.Fatalf("copied %d files, want at least 5", copied)
	}
}

// withVersion9 is the spec with the imaginary version, added by the recipe at its
// top.
func withVersion9(t *testing.T) []byte {
	t.Helper()
	types, err := os.ReadFile(filepath.Join("testdata", "version9", "types.ksy"))
	if err != nil {
		t.Fatal(err)
	}
	src := spec.Source
	for _, change := range [][2]string{
		{"  log:\n", string(types) + "  log:\n"},
		{"any-of: [1, 3, 4]\n", "any-of: [1, 3, 4, 9]\n"},
		{"            4: log_v4\n", "            4: log_v4\n            9: log_v9\n"},
	} {
		if bytes.Count(src, []byte(change[0])) != 1 {
			t.Fatalf("got %q %d times in the spec, want it once", change[0], bytes.Count(src, []byte(change[0])))
		}
		src = bytes.Replace(src, []byte(change[0]), []byte(change[1]), 1)
	}
	return src
}
