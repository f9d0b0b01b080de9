package spec

import (
	"math/big"
	"strconv"
	"strings"
)

// Expr is an expression. It is one of *IntLit, *BoolLit, *EnumLit, *FieldRef,
// *Self, *Index, *StreamProp, *Elem, *Unary, *Binary and *Cond.
//
// Integers are mathematical: the check has proved that no operation leaves the
// range of int64, so any evaluation with at least 64 bits is exact. A plain
// reference to a u8 field may go up to the maximum of uint64; it is then only
// compared, never computed with.
type Expr interface {
	Position() Pos
	// Value is the type of the result.
	Value() ValueType
	// String is the expression in the syntax of a spec file, with parentheses
	// around each operation inside another.
	String() string
}

// Op is an operator as it is written.
type Op string

// The operators. Those on integers: OpNeg (unary), OpAdd to OpShr; on two
// integers to a boolean: OpEq to OpGe; on booleans: OpNot (unary), OpAnd, OpOr.
// The operands of OpDiv and OpMod are known not to be negative, the right one
// not to be 0; those of OpAnd2, OpOr2 and OpXor are not negative; a shift is
// by 0 to 63 bits.
const (
	OpNeg  Op = "-"
	OpAdd  Op = "+"
	OpSub  Op = "-"
	OpMul  Op = "*"
	OpDiv  Op = "/"
	OpMod  Op = "%"
	OpAnd2 Op = "&"
	OpOr2  Op = "|"
	OpXor  Op = "^"
	OpShl  Op = "<<"
	OpShr  Op = ">>"
	OpEq   Op = "=="
	OpNe   Op = "!="
	OpLt   Op = "<"
	OpLe   Op = "<="
	OpGt   Op = ">"
	OpGe   Op = ">="
	OpNot  Op = "not"
	OpAnd  Op = "and"
	OpOr   Op = "or"
)

// Prop is a property of a stream.
type Prop string

const (
	PropEOF  Prop = "eof"  // whether no byte is left
	PropPos  Prop = "pos"  // bytes before the next one
	PropSize Prop = "size" // bytes in all
)

type (
	// IntLit is a whole number; a negative one is an OpNeg of it.
	IntLit struct {
		expr
		N    uint64
		Text string // as written
	}
	// BoolLit is true or false.
	BoolLit struct {
		expr
		True bool
	}
	// EnumLit is a name of an enum, written enum::name.
	EnumLit struct {
		expr
		Enum, Name string
		Of         *EnumValue
	}
	// FieldRef is a field: of the type the expression stands in when X is nil,
	// otherwise of the value of X.
	FieldRef struct {
		expr
		X    Expr // optional
		Name string
		To   Field
	}
	// Self is `_`: the value a valid expression is about, or the element that a
	// repeat-until has just read.
	Self struct{ expr }
	// Index is `_index`: how many elements of a repeated field came before.
	Index struct{ expr }
	// StreamProp is a property of the stream that X was read from, or, when X is
	// nil, of the one being read.
	StreamProp struct {
		expr
		X    Expr // optional
		Prop Prop
	}
	// Elem is an element of a list. The check lets I be only Index, in a field
	// repeated as often as the list is long.
	Elem struct {
		expr
		X, I Expr
	}
	// Unary is OpNeg or OpNot of X.
	Unary struct {
		expr
		Op Op
		X  Expr
	}
	// Binary is an operation on two values. OpAnd and OpOr leave Y alone when X
	// decides.
	Binary struct {
		expr
		Op   Op
		X, Y Expr
	}
	// Cond is If ? Then : Else.
	Cond struct {
		expr
		If, Then, Else Expr
	}
)

// expr is what all expressions have.
type expr struct {
	pos Pos
	val ValueType
}

func (e *expr) Position() Pos    { return e.pos }
func (e *expr) Value() ValueType { return e.val }

func (e *IntLit) String() string  { return e.Text }
func (e *BoolLit) String() string { return strconv.FormatBool(e.True) }
func (e *EnumLit) String() string { return e.Enum + "::" + e.Name }
func (e *Self) String() string    { return "_" }
func (e *Index) String() string   { return "_index" }
func (e *Elem) String() string    { return operand(e.X) + "[" + e.I.String() + "]" }

func (e *FieldRef) String() string {
	if e.X == nil {
		return e.Name
	}
	return operand(e.X) + "." + e.Name
}

func (e *StreamProp) String() string {
	if e.X == nil {
		return "_io." + string(e.Prop)
	}
	return operand(e.X) + "._io." + string(e.Prop)
}

func (e *Unary) String() string {
	if e.Op == OpNot {
		return "not " + operand(e.X)
	}
	return string(e.Op) + operand(e.X)
}

func (e *Binary) String() string {
	return operand(e.X) + " " + string(e.Op) + " " + operand(e.Y)
}

func (e *Cond) String() string {
	return operand(e.If) + " ? " + operand(e.Then) + " : " + operand(e.Else)
}

// operand is e, in parentheses when it is an operation.
func operand(e Expr) string {
	switch e.(type) {
	case *Unary, *Binary, *Cond:
		return "(" + e.String() + ")"
	}
	return e.String()
}

// Const returns the value of an integer expression that is made of constants
// alone; ok is false when e is none.
func Const(e Expr) (n *big.Int, ok bool) {
	switch e := e.(type) {
	case *IntLit:
		return new(big.Int).SetUint64(e.N), true
	case *EnumLit:
		if e.Of == nil {
			return nil, false
		}
		return new(big.Int).SetUint64(e.Of.Value), true
	case *Unary, *Binary: // the check has computed its range: one number
		constant := true
		Walk(e, func(e Expr) {
			switch e.(type) {
			case *IntLit, *EnumLit, *Unary, *Binary:
			default:
				constant = false
			}
		})

		v := e.Value()
		if constant && v.Kind == IntValue && v.Lo.Cmp(v.Hi) == 0 {
			return new(big.Int).Set(v.Lo), true
		}
	}
	return nil, false
}

// Walk calls f for e and every expression within it, outermost first.
func Walk(e Expr, f func(Expr)) {
	if e == nil {
		return
	}

	f(e)
	switch e := e.(type) {
	case *FieldRef:
		Walk(e.X, f)
	case *StreamProp:
		Walk(e.X, f)
	case *Elem:
		Walk(e.X, f)
		Walk(e.I, f)
	case *Unary:
		Walk(e.X, f)
	case *Binary:
		Walk(e.X, f)
		Walk(e.Y, f)
	case *Cond:
		Walk(e.If, f)
		Walk(e.Then, f)
		Walk(e.Else, f)
	}
}

// same says whether two expressions are written the same way.
func same(a, b Expr) bool {
	return a != nil && b != nil && strings.Compare(a.String(), b.String()) == 0
}
