package spec

import (
	"fmt"
	"strings"
)

// checker resolves what the reader read and refuses what makes no sense. A node
// about which something was reported is broken: nothing is said twice.
type checker struct {
	*Spec
	errs       Errors
	done       []*Type // in dependency order, the root last
	typeIDs    []string
	enumIDs    []string
	referenced map[*Attr]Expr
	lengths    map[*Param]bool // parameters that a length depends on
}

func (c *checker) errorf(pos Pos, path, format string, args ...any) {
	c.errs = append(c.errs, &Error{c.File, pos, path, fmt.Sprintf(format, args...)})
}

// at reports a mistake in the value of a key of a node.
func (c *checker) at(n *Node, key, format string, args ...any) {
	pos, path := n.At(key)
	n.broken = true
	c.errorf(pos, path, format, args...)
}

// check resolves all names and types all expressions of the spec.
func (c *checker) check() {
	c.referenced, c.lengths = map[*Attr]Expr{}, map[*Param]bool{}
	c.types, c.enums = map[string]*Type{}, map[string]*Enum{}
	for _, t := range c.Types {
		c.types[t.ID] = t
	}

	for _, e := range c.Enums {
		c.enums[e.ID] = e
	}
	c.typeIDs, c.enumIDs = ids(c.Types), ids(c.Enums)
	all := append(c.Types[:len(c.Types):len(c.Types)], c.Root)
	for _, t := range all {
		c.names(t)
		c.docs(t)
		c.link(t)
	}

	for _, t := range all {
		c.sort(t, nil)
	}
	for _, t := range c.done {
		c.resolve(t)
		c.layout(t)
	}

	for _, t := range c.done {
		c.boundedLengths(t)
	}
	c.lengthArgs()
	for _, t := range c.done {
		c.checksums(t)
		c.mutables(t)
	}
}

// fields calls f for everything in t that has an id.
func (t *Type) fields(f func(Field)) {
	for _, p := range t.Params {
		f(p)
	}
	for _, a := range t.Seq {
		f(a)
	}
	for _, i := range t.Instances {
		f(i)
	}
}

// fieldIDs lists the fields of t for a message.
func (t *Type) fieldIDs() (out []string) {
	t.fields(func(f Field) {
		if len(out) <= maxHints {
			out = append(out, f.node().ID)
		}
	})
	return out
}

// names refuses two fields of one name, and a type named like a built-in one.
func (c *checker) names(t *Type) {
	t.byID = map[string]Field{}
	t.fields(func(f Field) {
		n := f.node()
		if n.ID == "" {
			return
		}
		if first, dup := t.byID[n.ID]; dup {
			at, _ := first.node().At("id")
			pos, path := n.At("id")
			c.errorf(pos, path, "id %s is taken; first at %d:%d", n.ID, at.Line, at.Col)
			return
		}
		t.byID[n.ID] = f
	})
	for i, a := range t.Seq {
		a.index = i
	}

	switch {
	case t == c.Root:
	case t.ID == "str" || t.ID == "strz" || builtin.MatchString(t.ID):
		c.errorf(t.Pos, t.Path, "%s is a built-in type; choose another name", t.ID)
	}
}

// docs holds the house rule: a type has a doc and a doc-ref, a field a doc unless
// its id is a register's name, a letter and a number.
func (c *checker) docs(t *Type) {
	missing := func(n *Node, key string) bool { _, has := n.keys[key]; return !has && !n.broken }
	if missing(&t.Node, "doc") {
		c.errorf(t.Pos, t.Path, "no doc; say in a sentence what the bytes are")
	}
	if missing(&t.Node, "doc-ref") {
		c.errorf(t.Pos, t.Path, "no doc-ref; name the source of the facts, such as FORMAT section 1")
	}
	t.fields(func(f Field) {
		n := f.node()
		if missing(n, "doc") && !plainID.MatchString(n.ID) {
			c.errorf(n.Pos, n.Path, "no doc; only a register's number, such as r0, needs none")
		}
	})
}

// link finds the enums and types that the fields of t name.
func (c *checker) link(t *Type) {
	t.fields(func(f Field) {
		n := f.node()
		switch f := f.(type) {
		case *Param:
			f.Enum = c.enum(n, f.Enum)
		case *Attr:
			f.Enum = c.enum(n, f.Enum)
			c.linkType(n, "type", &f.Type)
		case *Instance:
			f.Enum = c.enum(n, f.Enum)
			c.linkType(n, "type", &f.Type)
		}
	})
}

// enum replaces the placeholder of the reader by the enum it names.
func (c *checker) enum(n *Node, named *Enum) *Enum {
	if named == nil {
		return nil
	}
	e := c.Enum(named.ID)
	if e == nil {
		c.at(n, "enum", "unknown enum %s%s", quote(named.ID), hint(named.ID, c.enumIDs))
	}
	return e
}

// maxHints is how many names a message is chosen from: looking through those of a
// hostile file for each of its mistakes would take long.
const maxHints = 500

// hint lists what there is instead of a name that is not there.
func hint(name string, known []string) string {
	if len(known) > maxHints {
		return ""
	}
	if near := nearest(name, known); near != "" {
		return "; did you mean " + near + "?"
	}
	if len(known) == 0 {
		return "; there are none"
	}
	if len(known) > 8 {
		return ""
	}
	return "; there is " + strings.Join(known, ", ")
}

// linkType finds the types that d names, itself or in its cases.
func (c *checker) linkType(n *Node, key string, d *DataType) {
	switch d.Kind {
	case User:
		if d.User = c.Type(d.Name); d.User == nil {
			_, path := n.At(key)
			n.broken = true
			c.errorf(d.Pos, path, "unknown type %s%s", quote(d.Name), hint(d.Name, c.typeIDs))
		}
	case Switch:
		for i := range d.Cases {
			cs := &d.Cases[i]
			if cs.Type.Kind != User {
				continue
			}
			if cs.Type.User = c.Type(cs.Type.Name); cs.Type.User == nil {
				n.broken = true
				c.errorf(cs.Type.Pos, casePath(n, cs), "unknown type %s%s", quote(cs.Type.Name), hint(cs.Type.Name, c.typeIDs))
			}
		}
	}
}

// casePath is the path of one case of the switch that is the type of n.
func casePath(n *Node, cs *Case) string {
	key := "_"
	if cs.Value != nil {
		key = cs.Value.String()
	}
	return join(n.Path+".type.cases", key)
}

// uses lists the types that a value of d holds, with where it says so.
func uses(n *Node, d *DataType) (out []use) {
	if d.Kind == User && d.User != nil {
		_, path := n.At("type")
		out = append(out, use{n, d, path})
	}
	for i := range d.Cases {
		if t := &d.Cases[i].Type; t.Kind == User && t.User != nil {
			out = append(out, use{n, t, casePath(n, &d.Cases[i])})
		}
	}
	return out
}

// use is a place where a field has a type of the file.
type use struct {
	by   *Node
	as   *DataType
	path string
}

func (t *Type) uses() (out []use) {
	t.fields(func(f Field) {
		switch f := f.(type) {
		case *Attr:
			out = append(out, uses(&f.Node, &f.Type)...)
		case *Instance:
			out = append(out, uses(&f.Node, &f.Type)...)
		}
	})
	return out
}

// sort appends t to done after the types it holds; a type may not hold itself.
func (c *checker) sort(t *Type, outer []string) {
	if t.order != 0 {
		return
	}
	t.order = -1 // under way
	outer = append(outer, t.ID)
	for _, u := range t.uses() {
		if u.as.User.order == -1 {
			u.by.broken = true
			c.errorf(u.as.Pos, u.path, "type %s contains itself: %s", u.as.User.ID, cycle(outer, u.as.User.ID))
			u.as.User = nil // cut, so that nothing downstream runs in circles
			continue
		}
		c.sort(u.as.User, outer)
	}
	c.done = append(c.done, t)
	t.order = len(c.done)
}

// cycle writes the way from id back to itself.
func cycle(outer []string, id string) string {
	from := len(outer) - 1
	for outer[from] != id {
		from--
	}
	way := append(outer[from:len(outer):len(outer)], id)
	if len(way) > 6 {
		way = append(append(way[:3:3], "..."), way[len(way)-2:]...)
	}
	return strings.Join(way, " > ")
}
