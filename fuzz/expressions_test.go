package fuzz

import (
	"math/big"

	"github.com/ulogkit/ulogkit/spec"
)

// place is where an expression stands: a field or an instance of n.
type place struct {
	in     *interpreter
	n      *node
	attr   *spec.Attr     // nil for an instance
	inst   *spec.Instance // nil for a field
	source string
	offset int   // of the field in the whole input
	self   *node // what `_` is
	index  int   // what `_index` is
}

func (p *place) name() string {
	if p.attr != nil {
		return p.attr.ID
	}
	return p.inst.ID
}

func (p *place) fail(c class) *failure {
	if p.attr == nil {
		return p.in.fail(c, p.n, p.inst.ID, p.source, -1)
	}
	return p.in.fail(c, p.n, p.attr.ID, p.source, p.offset)
}

// valid holds the value just read to its bounds.
func (p *place) valid(v *spec.Valid, self *node) *failure {
	if v == nil {
		return nil
	}
	p.self = self
	defer func() { p.self = nil }()
	ok := true
	compare := func(e spec.Expr, holds func(cmp int) bool) *failure {
		if e == nil {
			return nil
		}
		bound, err := p.num(e)
		if err == nil {
			ok = ok && holds(self.n.Cmp(bound))
		}
		return err
	}

	if err := compare(v.Eq, func(cmp int) bool { return cmp == 0 }); err != nil {
		return err
	}
	if err := compare(v.Min, func(cmp int) bool { return cmp >= 0 }); err != nil {
		return err
	}

	if err := compare(v.Max, func(cmp int) bool { return cmp <= 0 }); err != nil {
		return err
	}
	if len(v.AnyOf) > 0 {
		found := false
		for _, e := range v.AnyOf {
			if err := compare(e, func(cmp int) bool { found = found || cmp == 0; return true }); err != nil {
				return err
			}
		}
		ok = ok && found
	}

	if v.Expr != nil {
		is, err := p.cond(v.Expr)
		if err != nil {
			return err
		}
		ok = ok && is
	}

	if !ok {
		return p.fail(classValue)
	}

	return nil
}

// choose returns the type of a switch; nil when no case is right.
func (p *place) choose(d *spec.DataType) (*spec.DataType, *failure) {
	on, err := p.num(d.On)
	if err != nil {
		return nil, err
	}
	for i := range d.Cases {
		c := &d.Cases[i]
		if c.Value == nil {
			return &c.Type, nil
		}
		v, err := p.num(c.Value)
		if err != nil {
			return nil, err
		}
		if v.Cmp(on) == 0 {
			return &c.Type, nil
		}
	}
	return nil, nil
}

// num evaluates an integer.
func (p *place) num(e spec.Expr) (*big.Int, *failure) {
	v, err := p.eval(e)
	if err != nil {
		return nil, err
	}
	return v.n, nil
}

// cond evaluates a condition.
func (p *place) cond(e spec.Expr) (bool, *failure) {
	v, err := p.eval(e)
	if err != nil {
		return false, err
	}
	return v.yes, nil
}

func integer(n *big.Int) *node { return &node{kind: intNode, n: n} }
func boolean(yes bool) *node   { return &node{kind: boolNode, yes: yes} }

// eval evaluates any expression. It fails only where an instance does.
func (p *place) eval(e spec.Expr) (*node, *failure) {
	switch e := e.(type) {
	case *spec.IntLit:
		return integer(new(big.Int).SetUint64(e.N)), nil
	case *spec.BoolLit:
		return boolean(e.True), nil
	case *spec.EnumLit:
		return integer(new(big.Int).SetUint64(e.Of.Value)), nil
	case *spec.Self:
		return p.self, nil
	case *spec.Index:
		return integer(big.NewInt(int64(p.index))), nil
	case *spec.FieldRef:
		return p.field(e)
	case *spec.StreamProp:
		return p.property(e)

	case *spec.Elem:
		list, err := p.eval(e.X)
		if err != nil {
			return nil, err
		}
		i, err := p.num(e.I)
		if err != nil {
			return nil, err
		}
		return list.kids[i.Int64()], nil

	case *spec.Unary:
		x, err := p.eval(e.X)
		switch {
		case err != nil:
			return nil, err
		case e.Op == spec.OpNot:
			return boolean(!x.yes), nil
		}
		return integer(new(big.Int).Neg(x.n)), nil

	case *spec.Binary:
		return p.binary(e)
	case *spec.Cond:
		is, err := p.cond(e.If)
		switch {
		case err != nil:
			return nil, err
		case is:
			return p.eval(e.Then)
		}
		return p.eval(e.Else)
	}

	panic("the interpreter does not know this expression: " + e.String()) // the model has grown
}

func (p *place) field(e *spec.FieldRef) (*node, *failure) {
	n := p.n
	if e.X != nil {
		var err *failure
		if n, err = p.eval(e.X); err != nil {
			return nil, err
		}
	}
	if i, ok := e.To.(*spec.Instance); ok {
		return p.in.instance(n, i)
	}
	if kid := n.kid(e.Name); kid != nil {
		return kid, nil
	}
	panic("the check let through a reference to what is not there: " + e.String())
}

// instance evaluates an instance of n when it is first asked for.
func (in *interpreter) instance(n *node, i *spec.Instance) (*node, *failure) {
	for _, k := range n.inst {
		if k.name == i.ID {
			return k, nil
		}
	}
	p := &place{in: in, n: n, inst: i, source: "/instances/" + i.ID}
	kid, err := p.computed(i)
	if err != nil {
		return nil, err
	}
	named := *kid // a computed instance may be another field's value
	named.name = i.ID
	n.inst = append(n.inst, &named)
	return &named, p.valid(i.Valid, &named)
}

func (p *place) computed(i *spec.Instance) (*node, *failure) {
	if i.Calc != nil {
		return p.eval(i.Calc)
	}
	pos, err := p.num(i.Place)
	if err != nil {
		return nil, err
	}

	io := p.n.io
	if pos.Cmp(big.NewInt(int64(len(io.b)))) > 0 {
		return nil, p.fail(classShort)
	}
	at := &stream{b: io.b, base: io.base, pos: int(pos.Int64())}
	if i.Size == nil {
		return p.value(&i.Type, at, false)
	}

	size, err := p.num(i.Size)
	if err != nil {
		return nil, err
	}
	if size.Cmp(big.NewInt(int64(at.left()))) > 0 {
		return nil, p.fail(classShort)
	}

	return p.value(&i.Type, &stream{b: at.b[at.pos:][:size.Int64()], base: at.here()}, true)
}

func (p *place) property(e *spec.StreamProp) (*node, *failure) {
	io := p.n.io
	if e.X != nil {
		x, err := p.eval(e.X)
		if err != nil {
			return nil, err
		}
		io = x.io
	}
	switch e.Prop {
	case spec.PropEOF:
		return boolean(io.left() == 0), nil
	case spec.PropPos:
		return integer(big.NewInt(int64(io.pos))), nil
	}
	return integer(big.NewInt(int64(len(io.b)))), nil
}

func (p *place) binary(e *spec.Binary) (*node, *failure) {
	x, err := p.eval(e.X)
	if err != nil {
		return nil, err
	}
	if e.Op == spec.OpAnd && !x.yes || e.Op == spec.OpOr && x.yes {
		return x, nil
	}
	y, err := p.eval(e.Y)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case spec.OpAnd, spec.OpOr:
		return y, nil
	case spec.OpEq, spec.OpNe, spec.OpLt, spec.OpLe, spec.OpGt, spec.OpGe:
		return boolean(ordered(e.Op, x, y)), nil
	}
	return integer(calculate(e.Op, x.n, y.n)), nil
}

func ordered(op spec.Op, x, y *node) bool {
	if x.kind == boolNode {
		return (x.yes == y.yes) == (op == spec.OpEq)
	}
	cmp := x.n.Cmp(y.n)
	switch op {
	case spec.OpEq:
		return cmp == 0
	case spec.OpNe:
		return cmp != 0
	case spec.OpLt:
		return cmp < 0
	case spec.OpLe:
		return cmp <= 0
	case spec.OpGt:
		return cmp > 0
	}
	return cmp >= 0
}

func calculate(op spec.Op, x, y *big.Int) *big.Int {
	z := new(big.Int)
	switch op {
	case spec.OpAdd:
		return z.Add(x, y)
	case spec.OpSub:
		return z.Sub(x, y)
	case spec.OpMul:
		return z.Mul(x, y)
	case spec.OpDiv:
		return z.Quo(x, y)
	case spec.OpMod:
		return z.Rem(x, y)
	case spec.OpAnd2:
		return z.And(x, y)
	case spec.OpOr2:
		return z.Or(x, y)
	case spec.OpXor:
		return z.Xor(x, y)
	case spec.OpShl:
		return z.Lsh(x, uint(y.Uint64()))
	case spec.OpShr:
		return z.Rsh(x, uint(y.Uint64()))
	}

	panic("the interpreter does not know the operator " + string(op))
}
