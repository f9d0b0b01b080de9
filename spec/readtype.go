package spec

import (
	"strconv"

	"go.yaml.in/yaml/v4"
)

// typeReader reads types. What the file says of all of them is empty when it says
// nothing.
type typeReader struct {
	*reader
	endian   string
	encoding string
}

// unresolved names the enum that a field wants, until the check finds it.
func unresolved(name string) *Enum { return &Enum{Node: Node{ID: name}} }

// body reads what the top level and a type have in common.
func (r typeReader) body(v value, m map[string]entry, n Node) *Type {
	n.keys = positions(m)
	t := &Type{Node: n}
	t.Doc = r.doc(m)
	for _, key := range []string{"doc-ref", "-manual"} {
		e, ok := m[key]
		if !ok {
			continue
		}
		text, _ := r.scalar(e.value)
		if key == "-manual" {
			t.Manual = text
		} else {
			t.DocRef = text
		}
	}

	t.Layouts = r.flag(&t.Node, m, "-layouts")
	sub := func(path string) string { // the top level's parts have no prefix
		if n.Path == topLevel {
			return path
		}
		return n.Path + "." + path
	}
	if e, ok := m["params"]; ok {
		for _, p := range r.items(value{e.Node, sub("params")}) {
			t.Params = append(t.Params, r.param(p))
		}
	}

	if e, ok := m["seq"]; ok {
		for _, a := range r.items(value{e.Node, sub("seq")}) {
			t.Seq = append(t.Seq, r.attr(a))
		}
	}

	if e, ok := m["instances"]; ok {
		for _, i := range r.entries(value{e.Node, sub("instances")}) {
			t.Instances = append(t.Instances, r.instance(i))
		}
	}

	_, types := m["types"]
	if len(t.Seq) == 0 && !n.broken && v.Kind == yaml.MappingNode && !types {
		r.errorf(n.Pos, n.Path, "no fields; list them under seq:")
		t.broken = true
	}
	return t
}

// named starts a node from a mapping with an id.
func (r typeReader) named(v value, m map[string]entry, ok bool) Node {
	n := Node{Pos: v.pos(), Path: v.path, keys: positions(m)}
	if e, ok := m["id"]; ok {
		n.ID = r.id(e.value)
	} else if v.Kind == yaml.MappingNode {
		r.errorf(v.pos(), v.path, "no id")
	}
	n.broken = n.ID == "" || !ok
	n.Doc = r.doc(m)
	return n
}

// param reads one parameter of a type.
func (r typeReader) param(v value) *Param {
	m, ok := r.mapping(v, "id", "type", "enum", "doc")
	p := &Param{Node: r.named(v, m, ok), Enum: r.enumRef(m)}
	e, ok := m["type"]
	if !ok {
		if v.Kind == yaml.MappingNode {
			r.errorf(v.pos(), v.path, "no type; a parameter has an integer type such as u2")
		}
		p.broken = true
		return p
	}
	p.Type, ok = r.dataType(e.value)
	switch {
	case !ok:
		p.broken = true
	case p.Type.Kind != Int:
		r.errorf(e.pos(), e.path, "a parameter has an integer type, u1 to u8 or s1 to s8")
		p.broken = true
	}
	return p
}

func (r typeReader) enumRef(m map[string]entry) *Enum {
	e, ok := m["enum"]
	if !ok {
		return nil
	}
	if name, ok := r.scalar(e.value); ok {
		return unresolved(name)
	}
	return nil
}

// attr reads one field.
func (r typeReader) attr(v value) *Attr {
	m, ok := r.mapping(v, "id", "type", "enum", "size", "size-eos", "contents", "if",
		"repeat", "repeat-expr", "repeat-until", "valid", "doc", "-mutable", "-checksum", "-trailing")
	a := &Attr{Node: r.named(v, m, ok), Enum: r.enumRef(m)}
	if e, ok := m["type"]; ok {
		if a.Type, ok = r.dataType(e.value); !ok {
			a.broken = true
		}
	}

	a.Size = r.optExpr(&a.Node, m, "size")
	a.SizeEOS = r.flag(&a.Node, m, "size-eos")
	a.If = r.optExpr(&a.Node, m, "if")
	a.Mutable = r.flag(&a.Node, m, "-mutable")
	a.Trailing = r.flag(&a.Node, m, "-trailing")
	if e, ok := m["contents"]; ok {
		a.Contents = r.contents(e.value)
		a.broken = a.broken || a.Contents == nil
	}

	r.repeat(a, m)
	if e, ok := m["valid"]; ok {
		a.Valid = r.valid(e.value)
		a.broken = a.broken || a.Valid == nil
	}

	if e, ok := m["-checksum"]; ok {
		a.Checksum = r.checksum(e.value)
	}
	return a
}

// repeat reads the three keys that say how often a field is there.
func (r typeReader) repeat(a *Attr, m map[string]entry) {
	how := r.oneOf(m, "repeat", "eos", "expr", "until")
	a.Count = r.optExpr(&a.Node, m, "repeat-expr")
	a.Until = r.optExpr(&a.Node, m, "repeat-until")
	switch how {
	case "eos":
		a.Repeat = RepeatEOS
	case "expr":
		a.Repeat = RepeatExpr
	case "until":
		a.Repeat = RepeatUntil
	}

	for key, want := range map[string]string{"repeat-expr": "expr", "repeat-until": "until"} {
		e, has := m[key]
		_, repeats := m["repeat"]
		switch {
		case has && how != want && (how != "" || !repeats):
			r.errorf(e.pos(), e.path, "only with repeat: %s", want)
			a.broken = true
		case !has && how == want:
			e := m["repeat"]
			r.errorf(e.pos(), e.path, "repeat: %s needs %s:", how, key)
			a.broken = true
		}
	}

	if _, repeats := m["repeat"]; repeats && how == "" {
		a.broken = true
	}
}

// instance reads one entry of "instances".
func (r typeReader) instance(e entry) *Instance {
	m, ok := r.mapping(e.value, "pos", "value", "type", "enum", "size", "valid", "doc")
	i := &Instance{Node: Node{Pos: Pos{e.key.Line, e.key.Column}, Path: e.path, keys: positions(m)}}
	i.ID = r.id(value{e.key, e.path})
	i.broken = i.ID == "" || !ok
	i.Doc, i.Enum = r.doc(m), r.enumRef(m)
	i.Place = r.optExpr(&i.Node, m, "pos")
	i.Calc = r.optExpr(&i.Node, m, "value")
	_, pos := m["pos"]
	_, calc := m["value"]
	if pos == calc && e.Kind == yaml.MappingNode {
		r.errorf(i.Pos, i.Path, "an instance has either pos: (bytes at a place) or value: (an expression)")
		i.broken = true
	}

	i.Size = r.optExpr(&i.Node, m, "size")
	for _, key := range []string{"type", "size", "valid"} {
		if v, has := m[key]; has && calc && !pos {
			r.errorf(v.pos(), v.path, "not with value:, which is an expression")
		}
	}

	if v, ok := m["type"]; ok {
		if i.Type, ok = r.dataType(v.value); !ok {
			i.broken = true
		}
	}

	if v, ok := m["valid"]; ok {
		i.Valid = r.valid(v.value)
		i.broken = i.broken || i.Valid == nil
	}
	return i
}

// contents reads exact bytes: a list of numbers, or text.
func (r typeReader) contents(v value) []byte {
	if v.Kind == yaml.ScalarNode {
		text, ok := r.scalar(v)
		if !ok {
			return nil
		}
		if v.Tag != "!!str" {
			r.errorf(v.pos(), v.path, "%s where a list of bytes or a quoted text is expected", describe(v.Node))
			return nil
		}
		return []byte(text)
	}

	var out []byte
	for _, e := range r.items(v) {
		text, ok := r.scalar(e)
		if !ok {
			return nil
		}
		n, reason := parseInt(text)
		if reason == "" && n > 255 {
			reason = strconv.FormatUint(n, 10) + " is no byte"
		}

		if reason != "" {
			r.errorf(e.pos(), e.path, "%s; contents lists bytes from 0 to 255", reason)
			return nil
		}
		out = append(out, byte(n))
	}

	if out == nil && v.Kind == yaml.SequenceNode {
		r.errorf(v.pos(), v.path, "no bytes")
	}
	return out
}

// valid reads bounds: one value, or a mapping of conditions.
func (r typeReader) valid(v value) *Valid {
	out := &Valid{Pos: v.pos()}
	if v.Kind == yaml.ScalarNode {
		if out.Eq = r.expr(v); out.Eq == nil {
			return nil
		}
		return out
	}

	m, ok := r.mapping(v, "eq", "min", "max", "any-of", "expr")
	if v.Kind == yaml.MappingNode && len(v.Content) == 0 {
		r.errorf(v.pos(), v.path, "no condition; it is one of eq, min and max, any-of or expr")
	}

	n := Node{}
	out.Eq, out.Expr = r.optExpr(&n, m, "eq"), r.optExpr(&n, m, "expr")
	out.Min, out.Max = r.optExpr(&n, m, "min"), r.optExpr(&n, m, "max")
	forms := 0
	for _, key := range []string{"eq", "any-of", "expr"} {
		if _, ok := m[key]; ok {
			forms++
		}
	}

	if out.Min != nil || out.Max != nil {
		forms++
	}
	if forms > 1 {
		r.errorf(v.pos(), v.path, "eq, min and max, any-of and expr exclude each other")
		return nil
	}

	if e, ok := m["any-of"]; ok {
		for _, item := range r.items(e.value) {
			x := r.expr(item)
			if x == nil {
				return nil
			}
			out.AnyOf = append(out.AnyOf, x)
		}
		if len(out.AnyOf) == 0 {
			r.errorf(e.pos(), e.path, "no values")
		}
	}
	if n.broken || forms == 0 || !ok {
		return nil
	}
	return out
}

// checksum reads -checksum: the algorithm and the field that holds it.
func (r typeReader) checksum(v value) *Checksum {
	m, ok := r.mapping(v, "algorithm", "field")
	if !ok {
		return nil
	}

	c := &Checksum{Pos: v.pos()}
	known := Algorithms()
	if e, ok := m["algorithm"]; !ok {
		r.errorf(v.pos(), v.path, "no algorithm")
	} else if name, ok := r.scalar(e.value); ok && known[name] == 0 {
		r.errorf(e.pos(), e.path, "unknown algorithm %s; gen knows sum32 and xor8", quote(name))
	} else {
		c.Algorithm = name
	}

	e, ok := m["field"]
	if !ok {
		r.errorf(v.pos(), v.path, "no field; name the one that holds the checksum")
		return nil
	}
	x := r.expr(e.value)
	if x == nil || c.Algorithm == "" {
		return nil
	}

	if c.Field, ok = x.(*FieldRef); !ok {
		r.errorf(e.pos(), e.path, "%s is no field; write a name, or name.name for one in a field's type", quote(e.Value))
		return nil
	}
	return c
}
