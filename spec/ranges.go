package spec

import "math/big"

var (
	minInt64 = big.NewInt(-1 << 63)
	maxInt64 = big.NewInt(1<<63 - 1)
	zero     = big.NewInt(0)
	one      = big.NewInt(1)
)

// streamSpan is the range of sizes and positions in a stream, and of indexes: no
// input comes near it, and sums of a few of them stay far from overflow.
var streamSpan = span{zero, big.NewInt(1 << 48)}

// span is a range of integers, both ends included.
type span struct{ lo, hi *big.Int }

func spanOf(v ValueType) span { return span{v.Lo, v.Hi} }

func (s span) value(e *Enum) ValueType {
	return ValueType{Kind: IntValue, Enum: e, Lo: s.lo, Hi: s.hi}
}

// within says whether every integer of s is one of t.
func (s span) within(t span) bool { return s.lo.Cmp(t.lo) >= 0 && s.hi.Cmp(t.hi) <= 0 }

func (s span) holds(n *big.Int) bool { return s.lo.Cmp(n) <= 0 && s.hi.Cmp(n) >= 0 }

func (s span) fits64() bool { return s.within(span{minInt64, maxInt64}) }

func (s span) String() string {
	if s.lo.Cmp(s.hi) == 0 {
		return s.lo.String()
	}
	return s.lo.String() + " to " + s.hi.String()
}

// bitSpan is the range of an integer of some bits.
func bitSpan(bits int, signed bool) span {
	if signed {
		half := new(big.Int).Lsh(one, uint(bits-1))
		return span{new(big.Int).Neg(half), new(big.Int).Sub(half, one)}
	}
	all := new(big.Int).Lsh(one, uint(bits))
	return span{zero, all.Sub(all, one)}
}

func hull(ns ...*big.Int) span {
	s := span{ns[0], ns[0]}
	for _, n := range ns[1:] {
		if n.Cmp(s.lo) < 0 {
			s.lo = n
		}
		if n.Cmp(s.hi) > 0 {
			s.hi = n
		}
	}
	return s
}

func minOf(a, b *big.Int) *big.Int { return hull(a, b).lo }
func maxOf(a, b *big.Int) *big.Int { return hull(a, b).hi }

// combine is the range of x op y. The reason is not empty where languages
// disagree about the result, or where it does not fit into 64 bits.
func combine(op Op, x, y span) (_ span, reason string) {
	f := func(g func(z, a, b *big.Int) *big.Int, a, b *big.Int) *big.Int { return g(new(big.Int), a, b) }
	var out span
	switch op {
	case OpAdd:
		out = span{f((*big.Int).Add, x.lo, y.lo), f((*big.Int).Add, x.hi, y.hi)}
	case OpSub:
		out = span{f((*big.Int).Sub, x.lo, y.hi), f((*big.Int).Sub, x.hi, y.lo)}
	case OpMul:
		m := (*big.Int).Mul
		out = hull(f(m, x.lo, y.lo), f(m, x.lo, y.hi), f(m, x.hi, y.lo), f(m, x.hi, y.hi))
	case OpDiv, OpMod:
		if x.lo.Sign() < 0 || y.lo.Sign() <= 0 {
			return out, "divides " + x.String() + " by " + y.String() +
				"; languages agree only on a dividend from 0 and a divisor from 1"
		}
		if op == OpDiv {
			out = span{f((*big.Int).Quo, x.lo, y.hi), f((*big.Int).Quo, x.hi, y.lo)}
		} else {
			out = span{zero, minOf(x.hi, f((*big.Int).Sub, y.hi, one))}
		}
	case OpShl, OpShr:
		if !y.within(span{zero, big.NewInt(63)}) || op == OpShr && x.lo.Sign() < 0 {
			return out, "shifts " + x.String() + " by " + y.String() +
				"; a shift is by 0 to 63 bits, and to the right only from 0"
		}
		least, most := uint(y.lo.Uint64()), uint(y.hi.Uint64())
		l := func(n *big.Int, by uint) *big.Int { return new(big.Int).Lsh(n, by) }
		if op == OpShl {
			out = hull(l(x.lo, least), l(x.lo, most), l(x.hi, least), l(x.hi, most))
		} else {
			out = span{new(big.Int).Rsh(x.lo, most), new(big.Int).Rsh(x.hi, least)}
		}
	case OpAnd2, OpOr2, OpXor:
		if x.lo.Sign() < 0 || y.lo.Sign() < 0 {
			return out, "works on the bits of " + x.String() + " and " + y.String() + "; both must be from 0"
		}
		if op == OpAnd2 {
			out = span{zero, minOf(x.hi, y.hi)}
		} else {
			out = bitSpan(maxOf(x.hi, y.hi).BitLen(), false)
		}
	}

	if !out.fits64() {
		return out, "may be " + out.String() + ", which is more than 64 bits hold; bound the fields with valid:"
	}
	return out, ""
}

// base is what is known of a value of type d, before valid.
func (d *DataType) base(e *Enum) ValueType {
	switch d.Kind {
	case Int:
		return bitSpan(8*d.Width, d.Signed).value(e)
	case Bits:
		if d.Width == 1 && e == nil { // Kaitai: a single bit is a boolean
			return ValueType{Kind: BoolValue}
		}
		return bitSpan(d.Width, false).value(e)
	case Float:
		return ValueType{Kind: FloatValue}
	case User:
		if d.User == nil {
			return ValueType{}
		}
		return ValueType{Kind: StructValue, Struct: d.User}
	case Switch:
		return ValueType{}
	}
	return ValueType{Kind: BytesValue}
}

// narrow is base within what valid lets through.
func (v *Valid) narrow(base ValueType) ValueType {
	if v == nil || base.Kind != IntValue {
		return base
	}

	s := spanOf(base)
	of := func(e Expr) (span, bool) {
		if e == nil || e.Value().Kind != IntValue {
			return span{}, false
		}
		return spanOf(e.Value()), true
	}
	if r, ok := of(v.Eq); ok {
		s = span{maxOf(s.lo, r.lo), minOf(s.hi, r.hi)}
	}

	if r, ok := of(v.Min); ok {
		s.lo = maxOf(s.lo, r.lo)
	}
	if r, ok := of(v.Max); ok {
		s.hi = minOf(s.hi, r.hi)
	}

	if len(v.AnyOf) > 0 {
		var all []span
		for _, e := range v.AnyOf {
			r, ok := of(e)
			if !ok {
				return base
			}
			all = append(all, r)
		}

		u := all[0]
		for _, r := range all[1:] {
			u = span{minOf(u.lo, r.lo), maxOf(u.hi, r.hi)}
		}
		s = span{maxOf(s.lo, u.lo), minOf(s.hi, u.hi)}
	}
	return s.value(base.Enum)
}
