package spec

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Each example in the manual is a spec, but for the head they share.
func TestReadmeExamplesAreSpecs(t *testing.T) {
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllStringSubmatch(readme(t), -1)
	if len(blocks) < 8 {
		t.Fatalf("%d examples, want at least 8", len(blocks))
	}
	for _, b := range blocks {
		text := b[1]
		if !strings.HasPrefix(text, "meta:") {
			text = "meta: {id: example, endian: le, encoding: UTF-8}\ndoc: Example.\ndoc-ref: none\n" + text
		}
		if _, err := Parse("example.ksy", []byte(text)); err != nil {
			t.Errorf("got error %v, want the manual's example taken:\n%s", err, text)
		}
	}
}

// The table of sources names each type once, in the section that the spec cites.
func TestReadmeNamesTheSourceOfEachType(t *testing.T) {
	_, table, ok := strings.Cut(readme(t), "## Where the facts are from")
	if !ok {
		t.Fatal("README.md: got no table of sources, want one")
	}
	got := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\| ([^|]*) \\|").FindAllStringSubmatch(table, -1) {
		for id := range strings.SplitSeq(row[1], ", ") {
			if id = strings.Trim(id, "`"); got[id] != "" {
				t.Errorf("got %s twice, want it once", id)
			}
			got[id] = row[2]
		}
	}

	for _, ty := range source(t).Types {
		if got[ty.ID] != ty.DocRef {
			t.Errorf("%s: got source %q in the table, want %q as in the spec", ty.ID, got[ty.ID], ty.DocRef)
		}
		delete(got, ty.ID)
	}

	for id := range got {
		t.Errorf("got %s in the table alone, want it in the spec, too", id)
	}
}

// The table of hand-written types is the list of -manual types.
func TestReadmeListsTheHandWrittenTypes(t *testing.T) {
	_, text, _ := strings.Cut(readme(t), "A type that needs them is `-manual`:")
	text, _, _ = strings.Cut(text, "\n## ")
	var got, want []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(text, -1) {
		for id := range strings.SplitSeq(row[1], ", ") {
			got = append(got, strings.Trim(id, "`"))
		}
	}
	for _, ty := range source(t).Types {
		if ty.Manual != "" {
			want = append(want, ty.ID)
		}
	}
	slices.Sort(got)
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Every key that the reader knows is in the manual.
func TestReadmeNamesEveryKey(t *testing.T) {
	text := readme(t)
	keys := map[string]bool{}
	for _, file := range []string{"read.go", "readtype.go", "datatype.go"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range regexp.MustCompile(`(?s)r\.mapping\([^"]*((?:"[-a-z]+",?\s*)+)\)`).FindAllStringSubmatch(string(b), -1) {
			for _, k := range regexp.MustCompile(`"([-a-z]+)"`).FindAllStringSubmatch(call[1], -1) {
				keys[k[1]] = true
			}
		}
	}

	if len(keys) < 30 {
		t.Fatalf("got %d keys, want at least 30: %v", len(keys), keys)
	}
	for k := range keys {
		if !strings.Contains(text, "`"+k+"`") && !strings.Contains(text, k+":") {
			t.Errorf("README.md: got no word of the key %s, want it there", k)
		}
	}
}
