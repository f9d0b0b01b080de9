package main

import (
	"math/big"
	"strconv"

	"github.com/dave/jennifer/jen"

	"github.com/ulogkit/ulogkit/spec"
)

// bits is the number of bits of the integer type that holds the field.
func (f *field) bits() int {
	if f.Type.Kind == spec.Bits {
		n := 8
		for n < f.Type.Width {
			n *= 2
		}
		return n
	}
	return 8 * f.Type.Width
}

// size is the number of bytes of a field of fixed size.
func (f *field) size() int {
	switch {
	case len(f.Contents) > 0:
		return len(f.Contents)
	case f.Size != nil:
		n, _ := spec.Const(f.Size)
		if n == nil {
			return -1
		}
		return int(n.Int64())
	case f.Type.Kind == spec.User:
		return f.Type.User.Size
	}
	return f.Type.Width
}

// isBool says whether the field is a single bit, true or false.
func (f *field) isBool() bool { return f.Type.Kind == spec.Bits && f.Type.Width == 1 && f.Enum == nil }

// number is the field's integer type, before an enum gives it another name.
func (f *field) number() string {
	if f.Type.Signed {
		return "int" + strconv.Itoa(f.bits())
	}
	return "uint" + strconv.Itoa(f.bits())
}

// goType is the Go type of the field's value.
func (f *field) goType() *jen.Statement {
	switch {
	case f.Tail() || len(f.Contents) > 0:
		return jen.Index().Byte()
	case f.isBool():
		return jen.Bool()
	case f.Enum != nil:
		return jen.Id(f.in.plan.byEnum[f.Enum].Name)
	}

	switch f.Type.Kind {
	case spec.Int, spec.Bits:
		return jen.Id(f.number())
	case spec.Float:
		return jen.Id("float" + strconv.Itoa(f.bits()))
	case spec.User:
		if inner := f.inner(); inner.fixed {
			return jen.Op("*").Id(inner.Name)
		} else {
			return jen.Id(inner.Name)
		}
	}
	return jen.Index().Byte()
}

func (f *field) order() *jen.Statement {
	if f.Type.BigEndian {
		return jen.Qual("encoding/binary", "BigEndian")
	}
	return jen.Qual("encoding/binary", "LittleEndian")
}

// load is a number from the bytes of buf at an offset.
//
//	v[0]
//	int8(v[0])
//	binary.LittleEndian.Uint32(v[1:5])
//	math.Float32frombits(binary.LittleEndian.Uint32(v[1:5]))
func (f *field) load(buf *jen.Statement, at int) *jen.Statement {
	n := f.Type.Width
	raw := buf.Clone().Index(jen.Lit(at))
	if n > 1 {
		raw = f.order().Dot("Uint" + strconv.Itoa(8*n)).Call(buf.Clone().Index(jen.Lit(at).Op(":").Lit(at + n)))
	}
	switch {
	case f.Type.Kind == spec.Float:
		return jen.Qual("math", "Float"+strconv.Itoa(8*n)+"frombits").Call(raw)
	case f.Enum != nil || f.Type.Signed:
		return f.goType().Parens(raw)
	}
	return raw
}

// raw is x, a value of the field's Go type, as the unsigned integer to store.
//
//	x
//	byte(x)
//	uint32(x)
//	math.Float32bits(x)
func (f *field) raw(x *jen.Statement) *jen.Statement {
	n := f.Type.Width
	switch {
	case f.Type.Kind == spec.Float:
		return jen.Qual("math", "Float"+strconv.Itoa(8*n)+"bits").Call(x)
	case f.Enum == nil && !f.Type.Signed:
		return x
	case n == 1:
		return jen.Byte().Parens(x)
	}
	return jen.Id("uint" + strconv.Itoa(8*n)).Parens(x)
}

// get is the value of a field of v in Go: a method of an array, a field of a
// struct.
func get(v *view, base *jen.Statement, a *spec.Attr) *jen.Statement {
	s := base.Clone().Dot(v.plan.goName(a.ID))
	if v.fixed {
		s = s.Call()
	}
	return s
}

func (f *field) get() *jen.Statement { return get(f.in, jen.Id("v"), f.Attr) }

// ref is a reference to a field, of v or of a view that v holds.
func (v *view) ref(e *spec.FieldRef) *jen.Statement {
	a := e.To.(*spec.Attr)
	if e.X == nil {
		return get(v, jen.Id("v"), a)
	}
	outer := e.X.(*spec.FieldRef)
	return get(v.plan.byType[outer.To.(*spec.Attr).Type.User], v.ref(outer), a)
}

// constant is a number or the name of an enum's value.
func (v *view) constant(e spec.Expr) *jen.Statement {
	if lit, ok := e.(*spec.EnumLit); ok {
		return jen.Id(v.plan.constant(lit.Of))
	}
	if lit, ok := e.(*spec.IntLit); ok {
		return jen.Id(lit.Text) // as written: Lit would print hexadecimals in decimal
	}
	n, _ := spec.Const(e)
	return jen.Id(n.String())
}

// compute is an integer expression in Go, all of whose parts have the type as:
//
//	int64(v.Header.LenTotal()) - 264
func (v *view) compute(e spec.Expr, as string) *jen.Statement {
	if _, constant := spec.Const(e); constant {
		return v.constant(e)
	}
	switch e := e.(type) {
	case *spec.FieldRef:
		return jen.Id(as).Parens(v.ref(e))
	case *spec.Unary:
		return jen.Op("-").Add(v.operand(e.X, as))
	case *spec.Binary:
		return v.operand(e.X, as).Op(string(e.Op)).Add(v.operand(e.Y, as))
	}
	return v.constant(e)
}

// operand is e in parentheses when it is an operation, or a negative number: two
// minus signs would be an operator of its own.
func (v *view) operand(e spec.Expr, as string) *jen.Statement {
	n, constant := spec.Const(e)
	if _, simple := e.(*spec.FieldRef); simple || constant && n.Sign() >= 0 {
		return v.compute(e, as)
	}
	return jen.Parens(v.compute(e, as))
}

// lengthType is int where no part of e can leave 32 bits, so that it is right on
// every platform, and int64 otherwise.
func lengthType(e spec.Expr) string {
	as := "int"
	spec.Walk(e, func(e spec.Expr) {
		if v := e.Value(); v.Kind == spec.IntValue && (!v.Lo.IsInt64() || !v.Hi.IsInt64() ||
			v.Lo.Int64() < -1<<31 || v.Hi.Int64() > 1<<31-1) {
			as = "int64"
		}
	})
	return as
}

func fits64(v spec.ValueType) bool { return v.Lo.IsInt64() && v.Hi.IsInt64() }

// direct says whether a bound is a field of the same Go type as f.
func (f *field) direct(e spec.Expr) bool {
	ref, ok := e.(*spec.FieldRef)
	if !ok {
		return false
	}
	a, ok := ref.To.(*spec.Attr)
	g := &field{Attr: a, in: f.in}
	return ok && f.Enum == a.Enum && (f.Enum != nil || f.number() == g.number())
}

// comparable says whether gen can compare f with a bound.
func (f *field) comparable(e spec.Expr) bool {
	if _, constant := spec.Const(e); constant || f.direct(e) {
		return true
	}
	return f.Enum == nil && fits64(e.Value()) && (f.bits() < 64 || f.Type.Signed)
}

// against is a comparison of the field with a bound.
//
//	v.Version() != 3
//	v.Level() > LevelCritical
//	v.End < v.Start
//	int64(v.End) < int64(v.Header.Start())+4
func (f *field) against(op string, e spec.Expr) *jen.Statement {
	if _, constant := spec.Const(e); constant {
		return f.get().Op(op).Add(f.in.constant(e))
	}
	if f.direct(e) {
		return f.get().Op(op).Add(f.in.ref(e.(*spec.FieldRef)))
	}
	return jen.Int64().Parens(f.get()).Op(op).Add(f.in.compute(e, "int64"))
}

// condition is true when the field's value is not allowed; nil when all are.
//
//	v.Version() != 3
//	v.LenText < 1 || v.LenText > 65533
//	v.Kind != 1 && v.Kind != 3
func (f *field) condition() *jen.Statement {
	v := f.Valid
	if v == nil || v.Expr != nil {
		return nil
	}
	if v.Eq != nil {
		return f.against("!=", v.Eq)
	}

	var out *jen.Statement
	join := func(op string, c *jen.Statement) {
		if out == nil {
			out = c
			return
		}
		out = out.Op(op).Add(c)
	}
	for _, e := range v.AnyOf {
		join("&&", f.against("!=", e))
	}

	least, most := f.extremes()
	if v.Min != nil && !isConst(v.Min, least) {
		join("||", f.against("<", v.Min))
	}
	if v.Max != nil && !isConst(v.Max, most) {
		join("||", f.against(">", v.Max))
	}
	return out
}

func isConst(e spec.Expr, n *big.Int) bool {
	c, ok := spec.Const(e)
	return ok && c.Cmp(n) == 0
}

// extremes are the least and the greatest value that the field's bits hold: a
// bound there needs no comparison.
func (f *field) extremes() (least, most *big.Int) {
	width := uint(8 * f.Type.Width)
	if f.Type.Kind == spec.Bits {
		width = uint(f.Type.Width)
	}
	one := big.NewInt(1)
	if f.Type.Signed {
		most = new(big.Int).Lsh(one, width-1)
		return new(big.Int).Neg(most), new(big.Int).Sub(most, one)
	}
	most = new(big.Int).Lsh(one, width)
	return new(big.Int), most.Sub(most, one)
}
