package main

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/ulogkit/ulogkit/spec"
)

// plan is a spec with Go names, reduced to what gen can write.
type plan struct {
	Config
	spec       *spec.Spec
	views      []*view
	enums      []*enum
	byType     map[*spec.Type]*view
	byEnum     map[*spec.Enum]*enum
	layouts    []*family          // tables of versions
	algorithms []string           // of checksums, sorted
	uses       map[string]bool    // helpers that the views call
	failures   map[string]failure // by the name of the variable
	errs       spec.Errors
}

// view is the Go type for a type of the spec: an array of bytes when its size is
// fixed, otherwise a struct.
type view struct {
	*spec.Type
	plan     *plan
	Name     string // in Go; lower case for one that only gen's own code reads
	version  bool   // the header of a version: the family's parser reads it
	fixed    bool
	fields   []*field
	checksum *field // the field whose bytes a checksum covers; optional
	failures []failure
}

// field is one attribute of a view.
type field struct {
	*spec.Attr
	in   *view
	Name string // in Go
}

// enum is the Go type for an enum.
type enum struct {
	*spec.Enum
	Name string // in Go
	bits int    // of the integer type
}

// newPlan chooses what to write and reports what cannot be written.
func newPlan(s *spec.Spec, c Config) (*plan, error) {
	p := &plan{
		Config: c, spec: s,
		byType: map[*spec.Type]*view{}, byEnum: map[*spec.Enum]*enum{}, uses: map[string]bool{},
		failures: map[string]failure{},
	}
	for _, e := range s.Enums {
		g := &enum{Enum: e, Name: c.goName(e.ID), bits: 8}
		p.enums, p.byEnum[e] = append(p.enums, g), g
		for _, v := range e.Values { // no field need use it
			p.widen(e, bits.Len64(v.Value))
		}
	}

	parts := p.families()
	for _, t := range s.Types {
		if t.Manual != "" || parts.whole[t] {
			continue
		}
		v := &view{Type: t, plan: p, Name: c.goName(t.ID), version: parts.headers[t]}
		if f := parts.heads[t]; f != nil {
			v.Name = f.name + v.Name
		}
		p.views, p.byType[t] = append(p.views, v), v
	}

	for _, t := range append(s.Types[:len(s.Types):len(s.Types)], s.Root) {
		p.scan(t)
	}
	for _, v := range p.views {
		p.plan(v)
	}

	p.clashes()
	if err := p.errs.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *plan) errorf(pos spec.Pos, path, format string, args ...any) {
	p.errs = append(p.errs, &spec.Error{File: p.spec.File, Pos: pos, Path: path, Reason: fmt.Sprintf(format, args...)})
}

// refuse reports a construct that only hand-written code can handle.
func (p *plan) refuse(n *spec.Node, key, what string) {
	pos, path := n.At(key)
	p.errorf(pos, path, "gen does not write %s; write the type by hand and mark it -manual: where", what)
}

// scan collects what all types, also the hand-written ones, need in Go.
func (p *plan) scan(t *spec.Type) {
	for _, a := range t.Seq {
		switch a.Type.Kind {
		case spec.Int:
			p.widen(a.Enum, 8*a.Type.Width)
		case spec.Bits:
			p.widen(a.Enum, a.Type.Width)
		}
		if c := a.Checksum; c != nil && !slices.Contains(p.algorithms, c.Algorithm) {
			p.algorithms = append(p.algorithms, c.Algorithm)
		}
	}
	for _, q := range t.Params {
		p.widen(q.Enum, 8*q.Type.Width)
	}
	for _, i := range t.Instances {
		if v := i.Value(); i.Enum != nil && v.Hi != nil {
			p.widen(i.Enum, v.Hi.BitLen())
		}
	}
	slices.Sort(p.algorithms)
}

// widen makes the Go type of an enum large enough for so many bits.
func (p *plan) widen(e *spec.Enum, n int) {
	if e == nil {
		return
	}
	for g := p.byEnum[e]; g.bits < n; {
		g.bits *= 2
	}
}

// plan decides the form of v and of its fields.
func (p *plan) plan(v *view) {
	if len(v.Params) > 0 {
		p.refuse(&v.Params[0].Node, "", "parameters")
	}
	if len(v.Instances) > 0 {
		p.refuse(&v.Instances[0].Node, "", "instances")
	}

	v.fixed = v.Size >= 0
	optional := false
	for _, a := range v.Seq {
		f := &field{a, v, p.goName(a.ID)}
		v.fields = append(v.fields, f)
		p.supported(f)
		if a.Checksum != nil {
			if v.checksum != nil {
				p.refuse(&a.Node, "-checksum", "two checksums in one type")
			}
			v.checksum = f
			p.checksumField(f)
		}

		if optional && a.If == nil {
			p.errorf(a.Pos, a.Path, "gen cannot tell this field from the optional text before it; let only optional fields follow")
		}
		optional = optional || a.If != nil && a.Type.Kind == spec.TextNUL
	}
}

// supported refuses the forms of a field that gen does not write.
func (p *plan) supported(f *field) {
	switch n := &f.Node; {
	case f.Repeat != spec.RepeatNone:
		p.refuse(n, "repeat", "repeated fields")
		return
	case f.Type.Kind == spec.Switch:
		p.refuse(n, "type", "a type that depends on a value")
		return
	case f.If != nil && (f.If.String() != "not _io.eof" || f.Type.Kind != spec.TextNUL || f.Tail()):
		p.refuse(n, "if", "this if, only not _io.eof on a strz without size")
		return
	case f.Valid != nil && f.Valid.Expr != nil:
		p.refuse(n, "valid", "valid: expr")
		return
	}

	if f.Size != nil {
		p.computable(f, "size", f.Size)
	}
	p.bounds(f)
	if f.Type.Kind == spec.User && !f.Tail() && p.byType[f.Type.User] == nil {
		pos, path := f.At("type")
		p.errorf(pos, path, "type %s is -manual, so gen cannot read past it; give the field a size, or mark this type -manual: where", f.Type.User.ID)
	}

	if f.in.fixed {
		if f.Type.Kind == spec.Bits && (f.Bit+f.Type.Width+7)/8 > 8 {
			p.refuse(&f.Node, "type", "a bit field that touches 9 bytes")
		}
		return
	}

	switch {
	case f.Type.Kind == spec.Bits:
		pos, path := f.At("type")
		p.errorf(pos, path, "a bit field in a type whose size is not fixed; put the fixed part into a type of its own")
	case f.Tail() && (f.Type.Kind == spec.TextNUL || f.Type.Kind == spec.Text):
		pos, path := f.At("type")
		p.errorf(pos, path, "sized text in a type whose size is not fixed; drop the type for plain bytes, or put the fixed part into a type of its own")
	}
}

// bounds refuses bounds that gen cannot compare with.
func (p *plan) bounds(f *field) {
	if f.Valid == nil {
		return
	}
	for _, e := range append([]spec.Expr{f.Valid.Eq, f.Valid.Min, f.Valid.Max}, f.Valid.AnyOf...) {
		if e == nil {
			continue
		}
		if p.computable(f, "valid", e); !f.comparable(e) {
			p.refuse(&f.Node, "valid", "bounds beyond 63 bits that are neither constants nor fields of the same type")
		}
	}
}

// computable refuses expressions that Go code cannot compute from the view.
func (p *plan) computable(f *field, key string, e spec.Expr) {
	spec.Walk(e, func(e spec.Expr) {
		what := ""
		switch e := e.(type) {
		case *spec.Cond:
			what = "?:"
		case *spec.StreamProp:
			what = "_io." + string(e.Prop)
		case *spec.Elem:
			what = "elements of lists"
		case *spec.FieldRef:
			if e.X != nil && !p.holdsView(e.X) {
				what = "a field inside bytes that it does not look into"
			}
		}
		if what != "" {
			p.refuse(&f.Node, key, what+" in "+strings.TrimPrefix(key, "-"))
		}
	})
}

// checksumField refuses a checksum that lies deeper than in a field of a field.
func (p *plan) checksumField(f *field) {
	ref := f.Checksum.Field
	outer, ok := ref.X.(*spec.FieldRef)
	switch {
	case ref.X == nil:
		return
	case !ok || outer.X != nil:
		p.refuse(&f.Node, "-checksum", "a checksum field that deep")
		return
	}
	if held := outer.To.(*spec.Attr); !p.holdsView(outer) || held.Type.User.Size < 0 {
		p.refuse(&f.Node, "-checksum", "a checksum field outside a fixed view")
	}
}

// holdsView says whether an expression is a field in whose Go value other fields
// can be reached.
func (p *plan) holdsView(e spec.Expr) bool {
	ref, ok := e.(*spec.FieldRef)
	if !ok {
		return false
	}
	a, ok := ref.To.(*spec.Attr)
	return ok && a.Type.Kind == spec.User && !a.Tail() && p.byType[a.Type.User] != nil
}
