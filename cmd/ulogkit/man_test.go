package main

import (
	"bytes"
	"os"
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
		t.Fatalf("exit code %d", code)
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
				t.Errorf("%s: the page lacks %q of the help", cmd.CommandPath(), word)
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
	if b, err := os.ReadFile(filepath.Join(dir, "ulogkit-decode.1")); err != nil || !bytes.Contains(b, []byte("<missing>")) {
		t.Errorf("the page of decode lacks <missing>, error %v", err)
	}
}
