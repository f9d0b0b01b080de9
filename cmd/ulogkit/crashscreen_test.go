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

// TestCrashFitsOneScreen prints real dumps at every width of a terminal: no line is
// longer, and without flags all of it is one screen.
func TestCrashFitsOneScreen(t *testing.T) {
	dumps := filepath.Join("..", "..", "format", "crash", "testdata", "dumps")
	paths, err := filepath.Glob(filepath.Join(dumps, "*.bin"))
	if err != nil || len(paths) < 13 {
		t.Fatalf("%d dumps, %v, want at least 13", len(paths), err)
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

		for _, width := range []int{minColumns, 47, 54, 61, 68, 75, 80, 87, 94, maxColumns} {
			for _, s := range []crashScreen{{width: width}, {width: width, all: true}} {
				row, err := inspect.Explain(strings.Repeat("a long name of a file/", 4)+"x", b, builds)
				if err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				s.print(&out, row)
				for line := range strings.Lines(out.String()) {
					if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
						t.Errorf("%s: %d columns of %d: %q, want at most %v", path, n, width, line, width)
					}
				}
				if n := strings.Count(out.String(), "\n"); !s.all && width > 90 && n > lines {
					t.Errorf("%s, %d columns: got %d lines, want at most %d:\n%s", path, width, n, lines, out.String())
				}
			}
		}
	}
}

// TestRecursionTellsWhatIsLeftOut has more frames than are kept: what is left out
// stands between them, though it is the same call before and behind it.
func TestRecursionTellsWhatIsLeftOut(t *testing.T) {
	name, offset := "recurse", uint32(28)
	call := inspect.Call{PC: 0x250, Function: &name, Offset: &offset, Confidence: crash.Unwound, How: crash.FromCFI}
	row := &inspect.Crash{Omitted: 5000, Outermost: 2}
	for range 102 {
		row.Backtrace = append(row.Backtrace, call)
	}
	const want = `  #0   0x00000250  recurse+28  100 times
  ... 5000 frames left out
  #5100 0x00000250  recurse+28  2 times
`
	var out bytes.Buffer
	s := crashScreen{width: 80}
	if s.backtrace(&out, row); out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	out.Reset()
	s.all = true
	if s.backtrace(&out, row); strings.Count(out.String(), "\n") != 103 || !strings.Contains(out.String(), "recurse+28\n  ... 5000 frames left out\n  #5100 ") {
		t.Errorf("with --all: got %d lines, want 103, and two calls around the frames left out:\n%s", strings.Count(out.String(), "\n"), out.String())
	}
}
