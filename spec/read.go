package spec

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// spec reads the top level. What it returns is as complete as the mistakes
// allow: a part that could not be read is missing or marked broken.
func (r *reader) spec(root *yaml.Node) *Spec {
	s := &Spec{File: r.file}
	top, _ := r.mapping(value{root, ""}, "meta", "doc", "doc-ref", "seq", "instances", "types", "enums")
	rootPos := value{root, ""}.pos()
	b := r.meta(s, top, rootPos)
	s.Root = b.body(value{root, ""}, top, Node{ID: s.ID, Pos: rootPos, Path: topLevel})
	if e, ok := top["types"]; ok {
		for _, t := range r.entries(e.value) {
			m, ok := r.mapping(t.value, "doc", "doc-ref", "params", "seq", "instances", "-manual", "-layouts")
			n := Node{ID: r.id(value{t.key, t.path}), Pos: Pos{t.key.Line, t.key.Column}, Path: t.path}
			n.broken = !ok
			s.Types = append(s.Types, b.body(t.value, m, n))
		}
	}
	if e, ok := top["enums"]; ok {
		for _, t := range r.entries(e.value) {
			s.Enums = append(s.Enums, r.enum(t))
		}
	}
	return s
}

// meta reads the identity of the file, and what its types take from there.
func (r *reader) meta(s *Spec, top map[string]entry, at Pos) typeReader {
	b := typeReader{reader: r}
	e, ok := top["meta"]
	if !ok {
		r.errorf(at, topLevel, "no meta; it holds at least id: and endian:")
		return b
	}
	m, _ := r.mapping(e.value, "id", "title", "license", "ks-version", "endian", "bit-endian", "encoding")
	if v, ok := m["id"]; ok {
		s.ID = r.id(v.value)
		if want := baseID(r.file); s.ID != "" && s.ID != want {
			r.errorf(v.pos(), v.path, "%s, but the file is named %s.ksy; the two must agree", quote(s.ID), want)
		}
	} else {
		r.errorf(e.pos(), e.path, "no id; it is the file's name without .ksy")
	}

	text := func(key string) (out string) {
		if v, ok := m[key]; ok {
			out, _ = r.scalar(v.value)
		}
		return out
	}
	s.Title, s.License = text("title"), text("license")
	text("ks-version")
	b.endian = r.oneOf(m, "endian", "le", "be")
	r.oneOf(m, "bit-endian", "be")
	b.encoding = r.oneOf(m, "encoding", "UTF-8", "ASCII")
	return b
}

// oneOf returns the value of an optional key, which must be one of some words.
func (r *reader) oneOf(m map[string]entry, key string, words ...string) string {
	v, ok := m[key]
	if !ok {
		return ""
	}
	got, ok := r.scalar(v.value)
	if !ok {
		return ""
	}
	for _, w := range words {
		if got == w {
			return w
		}
	}
	r.errorf(v.pos(), v.path, "%s is outside the subset, which knows %s", quote(got), list(words))
	return ""
}

// id returns the id in v, or "" after reporting that it is none.
func (r *reader) id(v value) string {
	id, ok := r.scalar(v)
	if !ok {
		return ""
	}
	switch {
	case !idForm.MatchString(id):
		r.errorf(v.pos(), v.path, "%s is no id; an id is lower_snake_case: letters and digits, single underscores between", quote(id))
		return ""
	case keywords[id]:
		r.errorf(v.pos(), v.path, "%s is a word of the expression language; choose another id", id)
		return ""
	case len(id) > maxID:
		r.errorf(v.pos(), v.path, "id longer than %d characters", maxID)
		return ""
	}
	return id
}

// doc returns the sentences in v: blank lines separate paragraphs, other line
// breaks are spaces.
func (r *reader) doc(m map[string]entry) string {
	v, ok := m["doc"]
	if !ok {
		return ""
	}
	text, ok := r.scalar(v.value)
	if !ok {
		return ""
	}

	for _, c := range text {
		if c > '~' {
			r.errorf(v.pos(), v.path, "%s is not ASCII; the doc becomes a Go comment", quote(string(c)))
			break
		}
	}

	var paragraphs []string
	for p := range strings.SplitSeq(text, "\n\n") {
		if p = strings.Join(strings.Fields(p), " "); p != "" {
			paragraphs = append(paragraphs, p)
		}
	}

	text = strings.Join(paragraphs, "\n\n")
	if !strings.HasSuffix(text, ".") {
		r.errorf(v.pos(), v.path, "a doc is made of sentences; end it with a period")
	}
	return text
}

// flag reads a key whose only value is true.
func (r *reader) flag(n *Node, m map[string]entry, key string) bool {
	v, ok := m[key]
	if !ok {
		return false
	}
	if v.Kind != yaml.ScalarNode || v.Tag != "!!bool" || v.Value != "true" {
		r.errorf(v.pos(), v.path, "%s where true is expected; leave the key out otherwise", describe(v.Node))
		n.broken = true
		return false
	}
	return true
}

// optExpr reads a key that holds an expression.
func (r *reader) optExpr(n *Node, m map[string]entry, key string) Expr {
	v, ok := m[key]
	if !ok {
		return nil
	}
	e := r.expr(v.value)
	if e == nil {
		n.broken = true
	}
	return e
}

// enum reads one enum: values mapped to names, or to a mapping of id and doc.
func (r *reader) enum(t entry) *Enum {
	e := &Enum{Node: Node{ID: r.id(value{t.key, t.path}), Pos: Pos{t.key.Line, t.key.Column}, Path: t.path}}
	entries := r.entries(t.value)
	if t.Kind == yaml.MappingNode && len(entries) == 0 {
		r.errorf(t.pos(), t.path, "an enum without values")
	}

	e.broken = len(entries) == 0
	byValue, byName := map[uint64]Pos{}, map[string]Pos{}
	for _, v := range entries {
		at := Pos{v.key.Line, v.key.Column}
		n, reason := parseInt(v.key.Value)
		if reason != "" {
			r.errorf(at, v.path, "%s; the keys of an enum are whole numbers from 0", reason)
			e.broken = true
			continue
		}
		ev := &EnumValue{Node: Node{Pos: at, Path: v.path}, Enum: e, Value: n}
		if v.Kind == yaml.MappingNode {
			m, _ := r.mapping(v.value, "id", "doc")
			if id, ok := m["id"]; ok {
				ev.ID = r.id(id.value)
			} else {
				r.errorf(at, v.path, "no id")
			}
			ev.Doc = r.doc(m)
		} else {
			ev.ID = r.id(v.value)
		}

		if first, dup := byValue[n]; dup {
			r.errorf(at, v.path, "value %d has a name already; first at %d:%d", n, first.Line, first.Col)
		} else {
			byValue[n] = at
		}

		if first, dup := byName[ev.ID]; dup && ev.ID != "" {
			r.errorf(v.pos(), v.path, "name %s is taken; first at %d:%d", ev.ID, first.Line, first.Col)
		} else {
			byName[ev.ID] = v.pos()
		}

		if ev.ID == "" {
			e.broken = true
			continue
		}
		e.Values = append(e.Values, ev)
	}
	return e
}

// positions records where the values of a mapping stand.
func positions(m map[string]entry) map[string]Pos {
	out := make(map[string]Pos, len(m))
	for k, e := range m {
		out[k] = e.pos()
	}
	return out
}
