package spec

import "math/big"

// maxFixed bounds a field or type of fixed size: it becomes a Go array.
const maxFixed = 1 << 20

// resolve types the fields of t in the order they are read.
func (c *checker) resolve(t *Type) {
	for _, p := range t.Params {
		if p.broken {
			continue
		}
		c.enumFits(&p.Node, p.Enum, &p.Type)
		p.value = p.Type.base(p.Enum)
	}
	for i, a := range t.Seq {
		c.attr(t, i, a)
	}
	for _, i := range t.Instances {
		c.instance(t, i)
	}
}

// attr types what a field says: its condition, size, repetition and bounds.
func (c *checker) attr(t *Type, i int, a *Attr) {
	if a.broken { // in form already: its parts may be missing
		return
	}

	in := func(key string) *scope { return &scope{t: t, n: &a.Node, key: key, upto: i} }
	if a.If != nil {
		c.typed(in("if"), a.If, BoolValue)
	}
	if a.Count != nil {
		sc := in("repeat-expr")
		if v := c.number(sc, a.Count); v.Kind == IntValue && v.Lo.Sign() < 0 {
			c.fail(sc, a.Count, "the count may be %s; bound its fields with valid: so that it is not negative", spanOf(v))
		}
	}

	sc := in("size")
	sc.attr = a
	c.shape(a)
	c.size(sc, a.Size, a.Valid != nil && a.Valid.Expr != nil)
	c.args(sc, "type", &a.Type)
	c.enumFits(&a.Node, a.Enum, &a.Type)
	elem := a.Type.base(a.Enum)
	if a.Until != nil {
		sc := in("repeat-until")
		sc.self = &elem
		c.typed(sc, a.Until, BoolValue)
	}

	c.validKind(a, elem)
	if a.Valid != nil && !a.broken {
		sc := in("valid")
		sc.self, sc.attr = &elem, a
		if a.Repeat == RepeatNone {
			// valid looks at the field once it is read: its own name means it.
			sc.own, a.value = a, elem
		}
		c.valid(sc, a.Valid, &a.Type, elem)
	}

	if a.value = a.Valid.narrow(elem); a.Repeat != RepeatNone {
		one := a.value
		a.value = ValueType{Kind: ListValue, Elem: &one}
	}
}

// shape makes sure that exactly one thing says how many bytes a field has.
func (c *checker) shape(a *Attr) {
	has := func(key string) bool { _, ok := a.keys[key]; return ok }
	if a.broken {
		return
	}

	switch kind := a.Type.Kind; {
	case has("contents"):
		for _, key := range []string{"type", "size", "size-eos", "enum", "valid"} {
			if has(key) {
				c.at(&a.Node, key, "not with contents:, which says all about the bytes")
			}
		}
	case has("size") && has("size-eos"):
		c.at(&a.Node, "size-eos", "either size: or size-eos:, not both")
	case kind == Bytes && !a.Tail():
		c.errorf(a.Pos, a.Path, "no size; give it type:, size:, size-eos: or contents:")
		a.broken = true
	case kind == Text && !a.Tail():
		c.at(&a.Node, "type", "str without size; give it size: or size-eos:, or use strz for text up to a NUL")
	case (kind == Int || kind == Float || kind == Bits) && a.Tail():
		key := "size"
		if a.SizeEOS {
			key = "size-eos"
		}
		c.at(&a.Node, key, "type %s has a size of its own", a.Type.Name)
	case kind == Bits && (a.If != nil || a.Repeat != RepeatNone):
		c.at(&a.Node, "type", "a bit field is there once and always; put it into a type of its own")
	}
	c.cases(a)
}

// cases refuses what cannot be one alternative among several.
func (c *checker) cases(a *Attr) {
	for i := range a.Type.Cases {
		cs := &a.Type.Cases[i]
		switch k := cs.Type.Kind; {
		case k == Bits:
			c.errorf(cs.Type.Pos, casePath(&a.Node, cs), "a bit field cannot be a case; put it into a type of its own")
		case k == Text && !a.Tail():
			c.errorf(cs.Type.Pos, casePath(&a.Node, cs), "str without size; give the field size: or size-eos:")
		}
	}
}

// size types the size of a field.
func (c *checker) size(sc *scope, e Expr, asserts bool) {
	if e == nil {
		return
	}
	sc.key = "size"
	v := c.number(sc, e)
	if v.Kind != IntValue {
		return
	}
	n, fixed := Const(e)
	switch {
	case v.Lo.Sign() < 0:
		c.fail(sc, e, "the size may be %s; bound its fields with valid: so that it is not negative", spanOf(v))
	case !spanOf(v).fits64():
		c.fail(sc, e, "the size may be %s; bound it with valid:", spanOf(v))
	case fixed && n.Cmp(big.NewInt(maxFixed)) > 0:
		c.fail(sc, e, "a fixed size of %s; at most %d bytes", n, maxFixed)
	case fixed && n.Sign() == 0 && !asserts:
		c.fail(sc, e, "a size of 0; only a field that carries a valid: expr has no bytes")
	}
}

// args types the arguments of a type, and of each case and the choice of a switch.
func (c *checker) args(sc *scope, key string, d *DataType) {
	sc.key = key
	switch d.Kind {
	case User:
		c.call(sc, d)
	case Switch:
		sc.key = key + ".switch-on"
		on := c.typed(sc, d.On, IntValue)
		seen := map[string]bool{}
		for i := range d.Cases {
			cs := &d.Cases[i]
			sc.key = casePath(&Node{}, cs)[len("."):]
			c.caseValue(sc, cs, on, seen)
			if cs.Type.Kind == User {
				c.call(sc, &cs.Type)
			}
		}
	}
}

// caseValue makes sure that a case can come about, and only once.
func (c *checker) caseValue(sc *scope, cs *Case, on ValueType, seen map[string]bool) {
	if cs.Value == nil || on.Kind != IntValue {
		return
	}
	v := c.typed(sc, cs.Value, IntValue)
	n, constant := Const(cs.Value)
	switch {
	case v.Kind == Invalid:
	case !constant:
		c.fail(sc, cs.Value, "a case is a number, a name of an enum, or _ for all others")
	case v.Enum != on.Enum:
		c.fail(sc, cs.Value, "%s is %s, but switch-on is %s", cs.Value, v.describe(), on.describe())
	case !spanOf(on).holds(n):
		c.fail(sc, cs.Value, "%s never comes about: switch-on is %s", cs.Value, spanOf(on))
	case seen[n.String()]:
		c.fail(sc, cs.Value, "%s is a case already", cs.Value)
	default:
		seen[n.String()] = true
	}
}

// call types the arguments that a type is given.
func (c *checker) call(sc *scope, d *DataType) {
	if d.User == nil {
		return
	}
	if len(d.Args) != len(d.User.Params) {
		c.errorf(d.Pos, sc.n.Path+"."+sc.key, "type %s has %d parameters, %d given", d.User.ID, len(d.User.Params), len(d.Args))
		sc.n.broken = true
		return
	}
	for i, arg := range d.Args {
		p := d.User.Params[i]
		v := c.typed(sc, arg, IntValue)
		switch want := p.value; {
		case v.Kind == Invalid || want.Kind == Invalid:
		case v.Enum != want.Enum:
			c.fail(sc, arg, "parameter %s is %s, %s is %s", p.ID, want.describe(), arg, v.describe())
		case !spanOf(v).within(spanOf(want)):
			c.fail(sc, arg, "parameter %s holds %s, %s may be %s", p.ID, spanOf(want), arg, spanOf(v))
		}
	}
}

// validKind refuses bounds on what has no order.
func (c *checker) validKind(a *Attr, elem ValueType) {
	if a.Valid == nil || a.Valid.Expr != nil || a.broken {
		return
	}
	if elem.Kind != IntValue {
		c.at(&a.Node, "valid", "only an integer can have eq, min, max or any-of; use expr for a condition")
	}
}

// valid types the bounds of a field and makes sure that some value passes.
func (c *checker) valid(sc *scope, v *Valid, d *DataType, base ValueType) {
	if v == nil || sc.n.broken {
		return
	}

	sc.key = "valid"
	if v.Expr != nil {
		c.typed(sc, v.Expr, BoolValue)
		return
	}
	own := sc.own
	sc.own, sc.self = nil, nil // a bound is not a condition on the value itself
	defer func() { sc.own = own }()

	seen := map[string]bool{}
	for i, e := range append([]Expr{v.Eq, v.Min, v.Max}, v.AnyOf...) {
		if e == nil {
			continue
		}
		b := c.typed(sc, e, IntValue)
		switch n, constant := Const(e); {
		case b.Kind == Invalid || base.Kind != IntValue:
		case b.Enum != base.Enum:
			c.fail(sc, e, "%s is %s, the field is %s", e, b.describe(), base.describe())
		case constant && !spanOf(base).holds(n):
			c.fail(sc, e, "%s is out of reach: the field holds %s", e, spanOf(base))
		case i > 2 && !constant:
			c.fail(sc, e, "any-of lists constants")
		case i > 2 && seen[n.String()]:
			c.fail(sc, e, "%s is listed already", e)
		case i > 2:
			seen[n.String()] = true
		}
	}

	if s := spanOf(v.narrow(base)); !sc.n.broken && base.Kind == IntValue && s.lo.Cmp(s.hi) > 0 {
		c.at(sc.n, "valid", "no value can pass: it would be from %s to %s", s.lo, s.hi)
	}
}
