package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/format/crash"
)

// TestCrashScreen prints real dumps at every width of a terminal: no line is
// longer, and without flags all of it is one screen.
func TestCrashScreen(t *testing.T) {
	dumps := filepath.Join("..", "..", "format", "crash", "testdata", "dumps")
	paths, err := filepath.Glob(filepath.Join(dumps, "*.bin"))
	if err != nil || len(paths) < 13 {
		t.Fatalf("%d dumps, %v", len(paths), err)
	}
	builds, err := crash.LoadAll([]string{filepath.Join(dumps, "firmware.elf")})
	if err != nil {
		t.Fatal(err)
	}
	const lines = 40 // of a screen
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for width := minColumns; width <= maxColumns; width += 7 {
			for _, s := range []crashScreen{{width: width}, {width: width, all: true}} {
				row, err := inspect.Explain(strings.Repeat("a long name of a file/", 4)+"x", b, builds)
				if err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				s.print(&out, row)
				for line := range strings.Lines(out.String()) {
					if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
						t.Errorf("%s: %d columns of %d: %q", path, n, width, line)
					}
				}
				if n := strings.Count(out.String(), "\n"); !s.all && width > 90 && n > lines {
					t.Errorf("%s: %d lines:\n%s", path, n, out.String())
				}
			}
		}
	}
}
