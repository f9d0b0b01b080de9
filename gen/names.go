package main

import (
	"slices"
	"strings"

	"github.com/ulogkit/ulogkit/spec"
)

// goName writes a snake_case id in the way of Go.
func (c Config) goName(id string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(id, "_") {
		if upper := strings.ToUpper(part); slices.Contains(c.Initialisms, upper) {
			b.WriteString(upper)
			continue
		}
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// names are the identifiers of one scope, each with the path of what has it.
type names map[string]string

// take claims a name for a node, or reports who has it already.
func (p *plan) take(ns names, n *spec.Node, goNames ...string) {
	for _, name := range goNames {
		if by, taken := ns[name]; taken {
			pos, path := n.At("id")
			p.errorf(pos, path, "needs the Go name %s, which %s has; rename one", name, by)
			return
		}
		ns[name] = n.Path
	}
}

// clashes finds ids that differ in the spec but not in Go, and such that need a
// name that gen itself uses.
func (p *plan) clashes() {
	top := names{}
	for _, name := range []string{"Error", "ErrShort", "ErrValue", "ErrChecksum", "ErrLength", "ErrTooLong", "XOR8", "Sum32"} {
		top[name] = "gen itself"
	}

	for _, e := range p.enums {
		p.take(top, &e.Node, e.Name)
		for _, v := range e.Values {
			p.take(top, &v.Node, p.constant(v))
		}
	}

	for _, f := range p.layouts {
		for _, name := range []string{f.layout(), f.layout() + "s", f.layout() + "Of", f.frame(), f.frame() + "s", f.name + "Sum"} {
			top[name] = "gen itself"
		}
	}

	for _, v := range p.views {
		needs := []string{v.Name}
		if !v.version {
			needs = append(needs, v.parser())
		}
		if v.fixed {
			needs = append(needs, v.Name+"Size")
		}

		p.take(top, &v.Node, needs...)
		members := names{}
		for _, name := range []string{"AppendTo", "Verify", "Seal", "String", "GoString", "Format", "Error"} {
			members[name] = "gen itself"
		}
		for _, f := range v.fields {
			if v.fixed {
				p.take(members, &f.Node, f.Name, "Set"+f.Name)
			} else {
				p.take(members, &f.Node, f.Name)
			}
		}
	}
}

// constant is the Go name of an enum's value.
func (p *plan) constant(v *spec.EnumValue) string {
	return p.byEnum[v.Enum].Name + p.goName(v.ID)
}
