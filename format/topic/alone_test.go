package topic_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// topicText is what a string holds that builds or splits the name of a topic.
var topicText = regexp.MustCompile(`(^|[^a-zA-Z0-9_])v0/|/v0|^v0$|^(boot|binlog|core-dump|config|metrics|events|logs|upload)/|\$share/`)

// One package knows how topics are written: in no other do strings hold parts of
// their names. Tests say names in full, and documentation may.
func TestOnlyThisPackageHoldsTopicWords(t *testing.T) {
	files := 0
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}

		if here, _ := filepath.Rel(filepath.Join(root, "format", "topic"), path); !strings.HasPrefix(here, "..") {
			return nil
		}
		files++
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}

		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				return false
			case *ast.BasicLit:
				if s, err := strconv.Unquote(n.Value); err == nil && topicText.MatchString(s) {
					t.Errorf("%s: got %q, want no part of a topic's name; format/topic builds and splits them", set.Position(n.Pos()), s)
				}
			}
			return true
		})

		return nil
	})
	if err != nil || files < 100 {
		t.Fatalf("got %d files, %v, want the whole module", files, err)
	}
}
