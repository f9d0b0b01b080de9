package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// pages returns the documents of the tree, by their names from its top.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (name == "testdata" || name == "build" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "venv-")) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".md") {
			return nil
		}
		b, err := os.ReadFile(path)
		relative, relErr := filepath.Rel(root, path)
		if err != nil || relErr != nil {
			return err
		}
		found[filepath.ToSlash(relative)] = string(b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	if len(found) < 12 {
		t.Fatalf("found %d documents, want at least 12", len(found))
	}

	return found
}

var (
	codeBlock = regexp.MustCompile("(?ms)^```.*?^```$")
	codeSpan  = regexp.MustCompile("`[^`\n]*`")
	linkTo    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading   = regexp.MustCompile(`(?m)^#{1,6} (.*)$`)
)

// links returns what a document links to.
func links(text string) []string {
	text = codeSpan.ReplaceAllString(codeBlock.ReplaceAllString(text, ""), "")
	var found []string
	for _, m := range linkTo.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	return found
}

// anchors returns the fragments that a document's headings can be reached by.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])
		found[anchor] = true
	}
	return found
}

// Each file and each heading that a document links to is there.
func TestDocumentsLinkToWhatIsThere(t *testing.T) {
	documents := pages(t)
	for name, text := range documents {
		for _, link := range links(text) {
			if strings.Contains(link, "://") {
				continue
			}
			file, fragment, _ := strings.Cut(link, "#")
			target := filepath.ToSlash(filepath.Join(filepath.Dir(name), file))
			if file == "" {
				target = name
			}
			if strings.HasPrefix(target, "..") {
				t.Errorf("%s: got a link to %s, outside the tree, want it inside", name, link)
			} else if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: got a link to %s, error %v; want it to be there", name, link, err)
			} else if page, ok := documents[target]; fragment != "" && (!ok || !anchors(page)[fragment]) {
				t.Errorf("%s: got a link to %s, want a heading that is there", name, link)
			}
		}
	}
}

// Links to the Go documentation are to packages that exist.
func TestDocumentsLinkToPackagesThatExist(t *testing.T) {
	count := 0
	for name, text := range pages(t) {
		for _, link := range links(text) {
			if path, ok := strings.CutPrefix(link, "https://pkg.go.dev/"+modulePath+"/"); ok {
				count++
				if sources, err := filepath.Glob(filepath.Join(root, path, "*.go")); err != nil || len(sources) == 0 {
					t.Errorf("%s: got a link to package %s without Go files, want some", name, path)
				}
			}
		}
	}
	if count < 8 {
		t.Errorf("got %d links to packages, want at least 8", count)
	}
}

// Every page is one click from README.md.
func TestReadmeLinksToEveryPage(t *testing.T) {
	documents := pages(t)
	for name := range documents {
		if name == "README.md" {
			continue
		}
		if !slices.Contains(links(documents["README.md"]), name) {
			t.Errorf("got no link to %s in README.md, want one", name)
		}
	}
}

// README.md has its parts in the order in which somebody new asks for them.
func TestReadmeHasItsPartsInOrder(t *testing.T) {
	text := readme(t)
	want := []string{
		"Install", "Two commands", "I have a .bin", "I run a gateway", "I ingest a fleet", "Coming from Python",
		"What it guarantees", "Architecture", "Pages", "Platforms", "How fast",
	}

	var got []string
	for _, m := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(text, -1) {
		got = append(got, m[1])
	}
	if !slices.Equal(got, want) {
		t.Errorf("the parts are %q, want %q", got, want)
	}

	if !regexp.MustCompile(`(?s)^# ulogkit\n\n[^.]*\.\n\n!\[[^]]+\]\(cmd/ulogkit/pictures/terminal.svg\)\n\n## Install`).MatchString(text) {
		t.Errorf("got another beginning of README.md, want one sentence and the picture: %.300q", text)
	}
	for _, path := range []string{"I have a .bin", "I run a gateway", "I ingest a fleet"} {
		_, part, _ := strings.Cut(text, "## "+path+"\n")
		part, _, _ = strings.Cut(part, "\n## ")
		blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(part, -1)
		if lines := strings.Count(blocks[len(blocks)-1][1], "\n"); lines != 5 {
			t.Errorf("%q has %d lines, want 5", path, lines)
		}
	}

	if rows := strings.Count(text[strings.Index(text, "<!-- bench:begin -->"):], "\n| "); rows != 5 {
		t.Errorf("the table of speed has %d lines, want a head and four rows", rows)
	}
}

const pythonBegin, pythonEnd = "<!-- python:begin -->\n", "<!-- python:end -->\n"

// relative is a link from a page to a file beside it.
var relative = regexp.MustCompile(`\]\(([a-z][^:)]*\))`)

// The table of the vendor's calls is that of mqttv5/README.md.
func TestReadmeHasTheTableOfPython(t *testing.T) {
	source := pages(t)["mqttv5/README.md"]
	at := strings.Index(source, "| Python | here |")
	if at < 0 {
		t.Fatal("got no table of Python's calls in mqttv5/README.md, want one")
	}
	table, _, _ := strings.Cut(source[at:], "\n\n")
	table = relative.ReplaceAllString(table+"\n", "](mqttv5/$1")
	text := readme(t)
	before, rest, begins := strings.Cut(text, pythonBegin)
	old, after, ends := strings.Cut(rest, pythonEnd)
	if !begins || !ends {
		t.Fatal("got no place for the table of Python's calls in README.md, want the marks of one")
	}

	if *update && old != table {
		page := []byte(before + pythonBegin + table + pythonEnd + after)
		if err := os.WriteFile(filepath.Join(root, "README.md"), page, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}

	if old != table || bytes.Count([]byte(table), []byte("\n")) < 15 {
		t.Error("got another table of Python's calls in README.md, want that of mqttv5/README.md, with 15 lines or more: run \"make pictures\"")
	}
}

// What the page of troubles quotes is said somewhere in the code, and it has a row for
// each exit code.
func TestTroubleshootingQuotesWhatIsSaid(t *testing.T) {
	page := pages(t)["cmd/ulogkit/TROUBLESHOOTING.md"]
	var said strings.Builder
	for _, dir := range []string{"cmd", "format", "mqttv5", "wire"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			said.Write(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	_, part, _ := strings.Cut(page, "## By what is printed")
	part, _, _ = strings.Cut(part, "## By what is seen")
	quotes := regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(part, -1)
	if len(quotes) < 15 {
		t.Fatalf("%d sentences, want at least 15", len(quotes))
	}

	for _, m := range quotes {
		if !strings.Contains(said.String(), m[1]) {
			t.Errorf("got no code that says %q, want one to", m[1])
		}
	}

	for code, text := range map[int]string{0: "all is done", exitData: "data is bad", exitUsage: "wrong usage", exitNetwork: "the network"} {
		if !strings.Contains(page, fmt.Sprintf("\n| %d | %s", code, text)) {
			t.Errorf("got no line for exit code %d, want one that says %q", code, text)
		}
	}
}

// The glossary is in order, and no word has two meanings.
func TestGlossaryIsInOrder(t *testing.T) {
	var words []string
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \|`).FindAllStringSubmatch(pages(t)["format/GLOSSARY.md"], -1) {
		if m[1] != "word" {
			words = append(words, strings.ToLower(m[1]))
		}
	}
	if len(words) < 40 {
		t.Fatalf("%d words, want at least 40", len(words))
	}
	if !slices.IsSorted(words) {
		t.Errorf("got words out of order, want them sorted: %q", words)
	}
	if n := len(slices.Compact(slices.Clone(words))); n != len(words) {
		t.Errorf("got %d of %d words twice, want each once", len(words)-n, len(words))
	}
}
