package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var roff = regexp.MustCompile(`\\f[A-Z]|\\&`)

// Case cli/man-page-drops-words: a page has every word of the command's help.
func TestManPagesKeepEveryWord(t *testing.T) {
	dir := t.TempDir()
	root := newRoot()
	root.SetErr(&bytes.Buffer{})
	if code := run(t.Context(), root, []string{"man", dir}); code != 0 {
		t.Fatalf("exit code %d, want 0", code)
	}

	pages := 0
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		b, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"))
		if err != nil {
			t.Error(err)
			return
		}
		pages++
		page := strings.NewReplacer(`\-`, "-", `\(en`, "-", `\\`, `\`, `\e`, `\`, `\(aq`, "'", `\'`, "'").Replace(roff.ReplaceAllString(string(b), ""))
		words := strings.Join(strings.Fields(page), " ")
		for _, word := range strings.Fields(cmd.Long) {
			if !strings.Contains(words, word) {
				t.Errorf("%s: got a page without %q, want every word of the help", cmd.CommandPath(), word)
			}
		}
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() && !sub.IsAdditionalHelpTopicCommand() {
				check(sub)
			}
		}
	}

	check(root)
	if pages < 10 {
		t.Errorf("got %d pages, want one for each command", pages)
	}

	for name, sections := range map[string]string{
		"ulogkit-upload.1":  "EXIT STATUS, ENVIRONMENT, FILES, EXAMPLES",
		"ulogkit-inspect.1": "EXIT STATUS, ENVIRONMENT, EXAMPLES",
	} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(string(b)) {
			if title, ok := strings.CutPrefix(strings.TrimSpace(line), ".SH "); ok && strings.Contains(sections, title) {
				got = append(got, title)
			}
		}
		if have := strings.Join(got, ", "); have != sections {
			t.Errorf("%s has the sections %s, want %s", name, have, sections)
		}
	}

	lintPages(t, dir)
	if b, err := os.ReadFile(filepath.Join(dir, "ulogkit-decode.1")); err != nil || !bytes.Contains(b, []byte("<missing>")) {
		t.Errorf("got a page of decode without <missing>, error %v; want the word in it", err)
	}
}

// lintPages has the readers of pages that are here say what they do not understand.
func lintPages(t *testing.T, dir string) {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, reader := range [][]string{{"groff", "-ww", "-man", "-Tutf8", "-z"}, {"mandoc", "-Tlint", "-Wwarning"}} {
		path, err := exec.LookPath(reader[0])
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Errorf("got error %v, want %s, which .ci/run installs", err, reader[0])
			}
			t.Logf("no %s here to read the pages with", reader[0])
			continue
		}
		if out, err := exec.Command(path, append(reader[1:], pages...)...).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: error %v, want no output\n%s", reader[0], err, out)
		}
	}
}
