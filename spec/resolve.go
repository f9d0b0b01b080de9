package spec

// scope is what an expression can see.
type scope struct {
	t     *Type
	n     *Node      // the field the expression belongs to
	key   string     // the key that holds it, for the path of a mistake
	upto  int        // fields of t.Seq before this index have been read
	self  *ValueType // what `_` is; nil when it has no meaning here
	attr  *Attr      // the repeated field, where `_index` has a meaning
	own   *Attr      // the field itself, in its own valid: it is there although it may have an if
	needs *int       // for an instance: collects how much of the seq it needs
}

// fail reports a mistake in an expression; its value is then unknown.
func (c *checker) fail(sc *scope, e Expr, format string, args ...any) ValueType {
	sc.n.broken = true
	c.errorf(e.Position(), sc.n.Path+"."+sc.key, format, args...)
	return ValueType{}
}

// typed resolves e, which must give a value of kind want.
func (c *checker) typed(sc *scope, e Expr, want ValueKind) ValueType {
	v := c.expr(sc, e)
	if v.Kind != Invalid && v.Kind != want {
		return c.fail(sc, e, "%s is %s where %s is expected", e, v.describe(), want.describe())
	}
	return v
}

// describe names a kind of value in a message.
func (k ValueKind) describe() string {
	switch k {
	case IntValue:
		return "an integer"
	case BoolValue:
		return "a condition"
	case FloatValue:
		return "a floating-point number"
	case BytesValue:
		return "bytes"
	case StructValue:
		return "a field with fields of its own"
	case ListValue:
		return "a list"
	}
	return "unknown"
}

func (v ValueType) describe() string {
	switch {
	case v.Kind == IntValue && v.Enum != nil:
		return "of enum " + v.Enum.ID
	case v.Kind == StructValue && v.Struct != nil:
		return "of type " + v.Struct.ID
	}
	return v.Kind.describe()
}

// expr resolves the names in e and types it.
func (c *checker) expr(sc *scope, e Expr) ValueType {
	switch e := e.(type) {
	case *IntLit:
		e.val = mustHull(e).value(nil)
	case *BoolLit:
		e.val = ValueType{Kind: BoolValue}
	case *EnumLit:
		e.val = c.enumLit(sc, e)
	case *FieldRef:
		e.val = c.fieldRef(sc, e)
	case *Self:
		if sc.self == nil {
			return c.fail(sc, e, "_ has no meaning here; it is the value in valid: expr and the last element in repeat-until")
		}
		e.val = *sc.self
	case *Index:
		if sc.attr == nil || sc.attr.Repeat == RepeatNone {
			return c.fail(sc, e, "_index has a meaning only in a field with repeat:")
		}
		e.val = streamSpan.value(nil)
	case *StreamProp:
		if e.X != nil {
			c.typed(sc, e.X, StructValue)
		}
		e.val = streamSpan.value(nil)
		if e.Prop == PropEOF {
			e.val = ValueType{Kind: BoolValue}
		}
	case *Elem:
		e.val = c.elem(sc, e)
	case *Unary:
		e.val = c.unary(sc, e)
	case *Binary:
		e.val = c.binary(sc, e)
	case *Cond:
		e.val = c.cond(sc, e)
	}

	return e.Value()
}

func mustHull(e *IntLit) span { n, _ := Const(e); return span{n, n} }

func (c *checker) enumLit(sc *scope, e *EnumLit) ValueType {
	enum := c.Enum(e.Enum)
	if enum == nil {
		return c.fail(sc, e, "unknown enum %s%s", quote(e.Enum), hint(e.Enum, c.enumIDs))
	}
	if e.Of = enum.Lookup(e.Name); e.Of == nil {
		if enum.broken {
			return ValueType{}
		}
		return c.fail(sc, e, "enum %s has no %s%s", enum.ID, quote(e.Name), hint(e.Name, ids(enum.Values)))
	}
	n, _ := Const(e)
	return span{n, n}.value(enum)
}

// fieldRef finds the field and makes sure that it has been read and is there.
func (c *checker) fieldRef(sc *scope, e *FieldRef) ValueType {
	t := sc.t
	if e.X != nil {
		v := c.typed(sc, e.X, StructValue)
		if v.Kind != StructValue {
			return ValueType{}
		}
		t = v.Struct
	}

	f := t.Lookup(e.Name)
	if f == nil {
		if t.broken {
			return ValueType{}
		}
		return c.fail(sc, e, "type %s has no field %s%s", t.ID, quote(e.Name), hint(e.Name, t.fieldIDs()))
	}

	e.To = f
	switch f := f.(type) {
	case *Attr:
		return c.attrRef(sc, e, f)
	case *Instance:
		if e.X != nil {
			return c.fail(sc, e, "%s is an instance; from outside its type only fields of the seq can be used", e.Name)
		}
		c.instance(t, f)
		sc.need(f.needs)
		if f.needs > sc.upto && !f.broken {
			return c.fail(sc, e, "%s depends on a field that is read later", e.Name)
		}
		return f.value
	case *Param:
		if e.X != nil {
			return c.fail(sc, e, "%s is a parameter; from outside its type only fields of the seq can be used", e.Name)
		}
		return f.value
	}
	return ValueType{}
}

func (sc *scope) need(upto int) {
	if sc.needs != nil {
		*sc.needs = max(*sc.needs, upto)
	}
}

// attrRef types a reference to a field, which must have been read before.
func (c *checker) attrRef(sc *scope, e *FieldRef, a *Attr) ValueType {
	if e.X == nil {
		if sc.need(a.index + 1); a.index >= sc.upto && a != sc.own {
			if a.Path == sc.n.Path {
				return c.fail(sc, e, "%s refers to itself", e.Name)
			}
			return c.fail(sc, e, "%s is read later; only fields before this one can be used", e.Name)
		}
	}
	c.referenced[a] = e
	switch {
	case a.broken:
		return ValueType{}
	case a.If != nil && a != sc.own:
		return c.fail(sc, e, "%s has an if and may be absent; it cannot be used in an expression", e.Name)
	case a.Type.Kind == Switch && a.Repeat == RepeatNone:
		return c.fail(sc, e, "%s has a type that depends on a value; it cannot be used in an expression", e.Name)
	}
	return a.value
}

// elem types list[_index]. That the element is there is certain only when both
// fields are repeated by the same expression, so nothing else is allowed.
func (c *checker) elem(sc *scope, e *Elem) ValueType {
	list := c.expr(sc, e.X)
	if list.Kind == Invalid {
		return list
	}
	if list.Kind != ListValue {
		return c.fail(sc, e, "%s is %s, not a list", e.X, list.describe())
	}
	ref, isRef := e.X.(*FieldRef)
	if _, byIndex := e.I.(*Index); !byIndex || !isRef || ref.X != nil {
		return c.fail(sc, e, "a list of the same type, by _index, is all that can be indexed")
	}
	a := ref.To.(*Attr)
	if i := c.expr(sc, e.I); i.Kind == Invalid {
		return i
	}
	if a.Repeat != RepeatExpr || sc.attr.Repeat != RepeatExpr || !same(a.Count, sc.attr.Count) {
		return c.fail(sc, e, "%s and this field must have the same repeat-expr, or an element may be missing", e.X)
	}
	return *list.Elem
}

func (c *checker) unary(sc *scope, e *Unary) ValueType {
	if e.Op == OpNot {
		return c.typed(sc, e.X, BoolValue)
	}
	x := c.number(sc, e.X)
	if x.Kind == Invalid {
		return x
	}
	out, reason := combine(OpSub, span{zero, zero}, spanOf(x))
	if reason != "" {
		return c.fail(sc, e, "%s %s", e, reason)
	}
	return out.value(nil)
}

// number resolves an operand of arithmetic.
func (c *checker) number(sc *scope, e Expr) ValueType {
	v := c.typed(sc, e, IntValue)
	if v.Kind == IntValue && v.Enum != nil {
		return c.fail(sc, e, "%s is of enum %s; it can be compared, not computed with", e, v.Enum.ID)
	}
	return v
}

// binary types x op y.
func (c *checker) binary(sc *scope, e *Binary) ValueType {
	switch e.Op {
	case OpAnd, OpOr:
		x, y := c.typed(sc, e.X, BoolValue), c.typed(sc, e.Y, BoolValue)
		if x.Kind == Invalid || y.Kind == Invalid {
			return ValueType{}
		}
		return x
	case OpEq, OpNe, OpLt, OpLe, OpGt, OpGe:
		return c.compare(sc, e)
	}

	x, y := c.number(sc, e.X), c.number(sc, e.Y)
	if x.Kind == Invalid || y.Kind == Invalid {
		return ValueType{}
	}

	for _, o := range []Expr{e.X, e.Y} {
		if s := spanOf(o.Value()); !s.fits64() {
			return c.fail(sc, o, "%s may be %s, too much to compute with; bound it with valid:", o, s)
		}
	}

	out, reason := combine(e.Op, spanOf(x), spanOf(y))
	if reason != "" {
		return c.fail(sc, e, "%s %s", e, reason)
	}
	if e.Op == OpSub && atLeast(e.X, e.Y) {
		out.lo = maxOf(out.lo, zero)
	}
	return out.value(nil)
}

// atLeast says whether x is a field whose valid has y as its minimum: what makes
// the length `end - start` safe.
func atLeast(x, y Expr) bool {
	ref, ok := x.(*FieldRef)
	if !ok || ref.X != nil {
		return false
	}
	a, ok := ref.To.(*Attr)
	return ok && a.Valid != nil && same(a.Valid.Min, y)
}

func (c *checker) compare(sc *scope, e *Binary) ValueType {
	x, y := c.expr(sc, e.X), c.expr(sc, e.Y)
	if x.Kind == Invalid || y.Kind == Invalid {
		return ValueType{}
	}
	equality := e.Op == OpEq || e.Op == OpNe
	switch {
	case x.Kind != y.Kind || x.Enum != y.Enum:
		return c.fail(sc, e, "compares %s, %s, with %s, %s", e.X, x.describe(), e.Y, y.describe())
	case x.Kind != IntValue && !(x.Kind == BoolValue && equality):
		return c.fail(sc, e, "%s is %s, which cannot be compared so", e.X, x.describe())
	}
	return ValueType{Kind: BoolValue}
}

func (c *checker) cond(sc *scope, e *Cond) ValueType {
	i, x, y := c.typed(sc, e.If, BoolValue), c.expr(sc, e.Then), c.expr(sc, e.Else)
	if i.Kind == Invalid || x.Kind == Invalid || y.Kind == Invalid {
		return ValueType{}
	}
	if x.Kind != y.Kind || x.Enum != y.Enum || x.Kind != IntValue && x.Kind != BoolValue {
		return c.fail(sc, e, "one side is %s, the other %s; both must be integers or both conditions", x.describe(), y.describe())
	}
	if x.Kind == IntValue {
		return span{minOf(x.Lo, y.Lo), maxOf(x.Hi, y.Hi)}.value(x.Enum)
	}
	return x
}

// instance types an instance of t when it is first needed.
func (c *checker) instance(t *Type, i *Instance) {
	switch i.state {
	case 1:
		if !i.broken {
			c.at(&i.Node, "value", "%s depends on itself", i.ID)
		}
		return
	case 2:
		return
	}

	i.state = 1
	defer func() { i.state = 2 }()
	sc := &scope{t: t, n: &i.Node, upto: len(t.Seq), needs: &i.needs}
	if i.Calc != nil {
		sc.key = "value"
		i.value = c.expr(sc, i.Calc)
		c.calcEnum(i)
		return
	}

	if i.Place != nil {
		sc.key = "pos"
		if v := c.typed(sc, i.Place, IntValue); v.Kind == IntValue && v.Lo.Sign() < 0 {
			c.fail(sc, i.Place, "the place may be %s; it must not be negative", spanOf(v))
		}
	}

	if i.broken {
		return
	}
	c.size(sc, i.Size, false)
	c.args(sc, "type", &i.Type)
	c.enumFits(&i.Node, i.Enum, &i.Type)
	base := i.Type.base(i.Enum)
	c.valid(sc, i.Valid, &i.Type, base)
	i.value = i.Valid.narrow(base)
}

// calcEnum gives a computed integer the meaning of an enum.
func (c *checker) calcEnum(i *Instance) {
	switch {
	case i.Enum == nil || i.value.Kind == Invalid:
	case i.value.Kind != IntValue || i.value.Enum != nil:
		c.at(&i.Node, "enum", "%s is %s; only an integer can have an enum", i.Calc, i.value.describe())
	default:
		c.enumHolds(&i.Node, i.Enum, spanOf(i.value))
		i.value.Enum = i.Enum
	}
}

// enumFits makes sure that a field of type d can have each value of its enum.
func (c *checker) enumFits(n *Node, e *Enum, d *DataType) {
	if e == nil {
		return
	}
	if (d.Kind != Int || d.Signed) && d.Kind != Bits {
		c.at(n, "enum", "only an unsigned integer or a bit field can have an enum")
		return
	}
	c.enumHolds(n, e, spanOf(d.base(e)))
}

func (c *checker) enumHolds(n *Node, e *Enum, s span) {
	for _, v := range e.Values {
		if lit := (&IntLit{N: v.Value}); !s.holds(mustHull(lit).lo) {
			c.at(n, "enum", "enum %s has %s = %d, but the field holds %s", e.ID, v.ID, v.Value, s)
			return
		}
	}
}
