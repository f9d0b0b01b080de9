package spec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

const (
	maxSource = 1 << 18 // bytes; ulogger.ksy has 20 thousand
	maxDepth  = 24      // of nested YAML collections; a spec needs 10
)

// reader turns a spec file into a model, collecting mistakes of form.
type reader struct {
	file  string
	src   []byte
	lines [][]rune
	errs  Errors
}

// value is a YAML node with its path in the document.
type value struct {
	*yaml.Node
	path string
}

func (v value) pos() Pos { return Pos{v.Line, v.Column} }

// topLevel stands for the path of the whole document.
const topLevel = "top level"

func (v value) where() string {
	if v.path == "" {
		return topLevel
	}
	return v.path
}

// entry is one key of a mapping.
type entry struct {
	key *yaml.Node
	value
}

func (r *reader) errorf(pos Pos, path, format string, args ...any) {
	r.errs = append(r.errs, &Error{r.file, pos, path, fmt.Sprintf(format, args...)})
}

// load checks the source's form and returns its one document, nil on a mistake.
func (r *reader) load() *yaml.Node {
	if !r.text() {
		return nil
	}
	for line := range strings.SplitSeq(string(r.src), "\n") {
		r.lines = append(r.lines, []rune(line))
	}

	loader, err := yaml.NewLoader(bytes.NewReader(r.src),
		yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		r.errorf(Pos{1, 1}, "yaml", "%v", err)
		return nil
	}

	var doc, second yaml.Node
	if err := loader.Load(&doc); err != nil {
		r.syntax(err)
		return nil
	}

	switch err := loader.Load(&second); {
	case err == nil:
		r.errorf(Pos{second.Line, second.Column}, "yaml", "a second document; a spec file is exactly one")
		return nil
	case !errors.Is(err, io.EOF):
		r.syntax(err)
		return nil
	}

	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		r.errorf(Pos{1, 1}, "yaml", "no document; a spec file begins with meta:")
		return nil
	}
	root := value{doc.Content[0], ""}
	if r.plain(root); len(r.errs) > 0 {
		return nil
	}
	if root.Kind != yaml.MappingNode {
		r.entries(root) // says so
		return nil
	}
	return root.Node
}

// text refuses what is not UTF-8 text of a sane size.
func (r *reader) text() bool {
	if len(r.src) > maxSource {
		r.errorf(Pos{1, 1}, "yaml", "%d bytes; a spec file has at most %d", len(r.src), maxSource)
		return false
	}

	pos := Pos{1, 1}
	for rest := r.src; len(rest) > 0; {
		c, n := utf8.DecodeRune(rest)
		switch {
		case c == utf8.RuneError && n == 1:
			r.errorf(pos, "yaml", "byte 0x%02x is not UTF-8", rest[0])
			return false
		case c == 0xfeff:
			r.errorf(pos, "yaml", "a byte order mark; save the file as UTF-8 without one")
			return false
		case c == '\n':
			pos = Pos{pos.Line + 1, 0}
		case c < ' ' && c != '\t' || 0x7f <= c && c < 0xa0 || c == 0x2028 || c == 0x2029:
			// YAML 1.1 breaks lines at some of these, editors do not: positions
			// would mean different things to different people.
			r.errorf(pos, "yaml", "control character U+%04X; lines end with U+000A alone", c)
			return false
		}

		pos.Col++
		rest = rest[n:]
	}
	return true
}

// syntax reports what the YAML parser found.
func (r *reader) syntax(err error) {
	if errors.Is(err, io.EOF) {
		r.errorf(Pos{1, 1}, "yaml", "no document; a spec file begins with meta:")
		return
	}
	var le *yaml.LoadError
	if !errors.As(err, &le) {
		r.errorf(Pos{1, 1}, "yaml", "%s", oneLine(err.Error()))
		return
	}
	pos := r.inside(Pos{max(le.Mark.Line, 1), max(le.Mark.Column, 1)})
	reason := oneLine(le.Message)
	if le.ContextMsg != "" {
		reason += " " + oneLine(le.ContextMsg)
	}
	if strings.Contains(reason, "anchor") {
		reason += "; anchors and aliases are outside the subset anyway"
	}
	r.errorf(pos, "yaml", "%s", reason)
}

// inside returns pos, or the end of the file where pos lies behind it: that is
// where the YAML parser sees the trouble with a file that stops short.
func (r *reader) inside(pos Pos) Pos {
	if last := len(r.lines); pos.Line > last {
		pos = Pos{last, len(r.lines[last-1]) + 1}
	}
	return pos
}

func oneLine(s string) string { return strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ") }

// plain refuses anchors, aliases, tags and duplicate keys anywhere below v: what
// the YAML parser would resolve behind the reader's back.
func (r *reader) plain(v value) {
	where := v.where()
	switch {
	case v.Kind == yaml.AliasNode:
		r.errorf(v.pos(), where, "alias *%s; write the value out", v.Value)
		return
	case v.Anchor != "":
		r.errorf(v.pos(), where, "anchor &%s; anchors and aliases are outside the subset", v.Anchor)
	case v.Style&yaml.TaggedStyle != 0 || v.Tag == "!":
		r.errorf(v.pos(), where, "tag %s; write the value without a tag", quote(v.Tag))
	}

	switch v.Kind {
	case yaml.SequenceNode:
		for i, n := range v.Content {
			r.plain(value{n, fmt.Sprintf("%s[%d]", v.path, i)})
		}
	case yaml.MappingNode:
		first := map[string]Pos{}
		for i := 0; i+1 < len(v.Content); i += 2 {
			k := v.Content[i]
			key := value{k, join(v.path, k.Value)}
			if r.plain(key); k.Kind != yaml.ScalarNode {
				r.errorf(key.pos(), where, "a key must be a word or a number")
				continue
			}
			if at, dup := first[k.Value]; dup {
				r.errorf(key.pos(), key.path, "duplicate key; first at %d:%d", at.Line, at.Col)
			} else {
				first[k.Value] = key.pos()
			}

			r.plain(value{v.Content[i+1], key.path})
		}
	}
}

// join extends a path by a key; a key that is no word is quoted.
func join(path, key string) string {
	if !pathForm.MatchString(key) {
		key = quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// mapping returns the entries of v, all of whose keys must be among known; ok is
// false when one is not.
func (r *reader) mapping(v value, known ...string) (_ map[string]entry, ok bool) {
	out := map[string]entry{}
	ok = v.Kind == yaml.MappingNode
	for _, e := range r.entries(v) {
		k := e.key.Value
		if slices.Contains(known, k) {
			out[k] = e
			continue
		}
		r.errorf(Pos{e.key.Line, e.key.Column}, e.path, "%s", unknownKey(k, known))
		ok = false
	}
	return out, ok
}

func unknownKey(k string, known []string) string {
	switch near := nearest(k, known); {
	case near != "":
		return fmt.Sprintf("unknown key; did you mean %s?", near)
	case strings.HasPrefix(k, "-"):
		return "unknown key; of those that begin with -, a type may have -manual and -layouts, an attribute -mutable, -checksum and -trailing"
	}
	return "key outside the subset; here it allows " + list(known)
}

// entries returns the entries of v in order; v must be a mapping.
func (r *reader) entries(v value) []entry {
	if v.Kind != yaml.MappingNode {
		r.errorf(v.pos(), v.where(), "%s where a mapping (key: value) is expected", describe(v.Node))
		return nil
	}
	out := make([]entry, 0, len(v.Content)/2)
	for i := 0; i+1 < len(v.Content); i += 2 {
		k := v.Content[i]
		out = append(out, entry{k, value{v.Content[i+1], join(v.path, k.Value)}})
	}
	return out
}

// items returns the elements of v, which must be a sequence.
func (r *reader) items(v value) []value {
	if v.Kind != yaml.SequenceNode {
		r.errorf(v.pos(), v.path, "%s where a list is expected", describe(v.Node))
		return nil
	}
	out := make([]value, len(v.Content))
	for i, n := range v.Content {
		out[i] = value{n, fmt.Sprintf("%s[%d]", v.path, i)}
	}
	return out
}

// scalar returns the text of v, which must be a single non-empty value.
func (r *reader) scalar(v value) (string, bool) {
	if v.Kind != yaml.ScalarNode || v.Tag == "!!null" || strings.TrimSpace(v.Value) == "" {
		r.errorf(v.pos(), v.path, "%s where a value is expected", describe(v.Node))
		return "", false
	}
	return v.Value, true
}

func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null" || strings.TrimSpace(n.Value) == "":
		return "nothing"
	}
	return quote(n.Value)
}

// place maps a rune offset into the value of v to its place in the file; where
// folding or escapes make that unclear, to where the value begins.
func (r *reader) place(v value) func(at int) Pos {
	start := v.pos()
	if v.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		start.Col++
	}
	if start.Line <= len(r.lines) {
		line, text := r.lines[start.Line-1], []rune(v.Value)
		from := start.Col - 1
		if to := from + len(text); to <= len(line) && slices.Equal(line[from:to], text) {
			return func(at int) Pos { return Pos{start.Line, start.Col + at} }
		}
	}
	return func(int) Pos { return v.pos() }
}

// expr parses v as an expression; nil on a mistake.
func (r *reader) expr(v value) Expr {
	text, ok := r.scalar(v)
	if !ok {
		return nil
	}
	pos := r.place(v)
	e, bad := parseExpr(text, pos)
	if bad != nil {
		r.errorf(pos(bad.at), v.path, "%s", bad.reason)
		return nil
	}
	return e
}

// baseID is what meta.id must be for the file name.
func baseID(file string) string {
	return strings.TrimSuffix(path.Base(strings.ReplaceAll(file, "\\", "/")), ".ksy")
}
