package spec

import "math/big"

// Spec is a checked spec file. Nothing in it is nil that its doc does not call
// optional, and every reference in it leads to what it names.
type Spec struct {
	File    string // as given to Parse
	SHA256  string // of the source, in hex
	ID      string // meta.id, the file's base name
	Title   string // meta.title; optional
	License string // meta.license; optional
	Root    *Type  // the top-level seq, with ID as its name
	Types   []*Type
	Enums   []*Enum

	types map[string]*Type
	enums map[string]*Enum
}

// Type finds a type by name; nil when there is none. The root is not among them.
func (s *Spec) Type(id string) *Type { return s.types[id] }

// Enum finds an enum by name; nil when there is none.
func (s *Spec) Enum(id string) *Enum { return s.enums[id] }

// Node is what has an id in a spec file.
type Node struct {
	ID     string
	Doc    string // sentences; a blank line separates paragraphs
	Pos    Pos    // of the definition
	Path   string // of the definition in the document
	broken bool   // an error was reported: say nothing more about it

	keys map[string]Pos // of the values of its keys
}

// At returns where the value of key stands and its path; without such a key,
// those of the node itself.
func (n *Node) At(key string) (Pos, string) {
	if p, ok := n.keys[key]; ok {
		return p, n.Path + "." + key
	}
	return n.Pos, n.Path
}

// Type describes a run of bytes.
type Type struct {
	Node
	DocRef    string
	Manual    string // why its Go code is written by hand; empty: it is generated
	Layouts   bool   // -layouts: its switch chooses between layouts of one thing
	Params    []*Param
	Seq       []*Attr // in the order of the bytes
	Instances []*Instance

	// Size is the number of bytes every value has, or -1 when that depends on
	// the bytes. MinSize is the smallest number there can be.
	Size, MinSize int
	// Greedy says that a value takes all bytes up to the end of its stream.
	Greedy bool

	order int // position in dependency order; 0 while unresolved
	byID  map[string]Field
}

// Lookup finds an attribute, parameter or instance by id; nil when there is none.
func (t *Type) Lookup(id string) Field { return t.byID[id] }

// Field is what an expression can refer to by name: *Attr, *Param or *Instance.
type Field interface {
	node() *Node
	// Value is the type of the field's value, a List for a repeated one.
	Value() ValueType
}

// Attr is one element of a seq.
type Attr struct {
	Node
	Type     DataType
	Enum     *Enum     // optional: what the integer means
	Size     Expr      // optional: bytes it takes; they form a stream of its own
	SizeEOS  bool      // it takes all bytes up to the end
	Contents []byte    // optional: the exact bytes; Type is then Bytes
	If       Expr      // optional: it is there only when this is true
	Repeat   Repeat    // how often it is there
	Count    Expr      // for RepeatExpr
	Until    Expr      // for RepeatUntil; `_` is the element just read
	Valid    *Valid    // optional; holds for each element of a repeated field
	Mutable  bool      // -mutable: may be patched in place, no checksum covers it
	Trailing bool      // -trailing: bytes that its type does not tell of may end it
	Checksum *Checksum // -checksum: optional, a checksum over its bytes

	// Offset is the number of bytes before the field, -1 when that depends on
	// the bytes. Bit is, for a bit field, the number of bits before it in its
	// first byte, counted from the most significant.
	Offset, Bit int

	value ValueType
	index int // in the seq
}

// Value implements Field.
func (a *Attr) Value() ValueType { return a.value }

// Tail says whether a size delimits the field, so that its bytes can be passed
// over without a look at what its type makes of them.
func (a *Attr) Tail() bool { return a.Size != nil || a.SizeEOS }

// Param is a parameter of a type.
type Param struct {
	Node
	Type DataType // an integer
	Enum *Enum    // optional

	value ValueType
}

// Value implements Field.
func (p *Param) Value() ValueType { return p.value }

// Instance is a value beside the seq: either bytes at a fixed place (At is set)
// or a computed value (Calc is set).
type Instance struct {
	Node
	Place Expr     // pos: offset in the type's stream; nil for a computed value
	Calc  Expr     // value: the expression; nil for bytes
	Type  DataType // of the bytes
	Size  Expr     // optional
	Enum  *Enum    // optional
	Valid *Valid   // optional

	value ValueType
	state int  // of typing: 0 not begun, 1 under way, 2 done
	bound bool // its length has been looked at
	needs int  // index after the last seq field that it depends on
}

// Value implements Field.
func (i *Instance) Value() ValueType { return i.value }

func (n *Node) node() *Node { return n }

// Repeat says how often an attribute is there.
type Repeat uint8

const (
	RepeatNone  Repeat = iota // once
	RepeatEOS                 // up to the end of the stream
	RepeatExpr                // Count times
	RepeatUntil               // until Until is true, once at least
)

// Kind is the form of a DataType.
type Kind uint8

const (
	Bytes   Kind = iota // raw bytes; a size or contents delimits them
	Int                 // u1 to u8, s1 to s8
	Float               // f4, f8
	Bits                // b1 to b64, big-endian within their bytes
	Text                // str: delimited by a size
	TextNUL             // strz: up to a NUL, or within a size, NUL-padded
	User                // a type of the file
	Switch              // one of several, by the value of an expression
)

// DataType is how bytes become a value.
type DataType struct {
	Pos       Pos
	Name      string // as written; empty for Bytes and Switch
	Kind      Kind
	Width     int    // Int and Float: bytes; Bits: bits
	Signed    bool   // Int
	BigEndian bool   // Int and Float of more than one byte
	User      *Type  // User
	Args      []Expr // User: one for each of its Params
	On        Expr   // Switch
	Cases     []Case // Switch, in the order of the file; Default last or absent
}

// Case is one alternative of a Switch.
type Case struct {
	Value Expr // a constant; nil for the default, written `_`
	Type  DataType
}

// Valid bounds a value. Each part that is set must hold.
type Valid struct {
	Pos      Pos
	Eq       Expr   // optional
	Min, Max Expr   // optional
	AnyOf    []Expr // optional
	Expr     Expr   // optional: a condition; `_` is the value
}

// Checksum says that another field holds a checksum over the bytes of this one.
type Checksum struct {
	Pos       Pos
	Algorithm string // xor8 or sum32
	Field     *FieldRef
}

// Algorithms maps the name of a checksum to the number of bytes of its result.
func Algorithms() map[string]int { return map[string]int{"xor8": 1, "sum32": 4} }

// Enum names values of an integer.
type Enum struct {
	Node
	Values []*EnumValue // in the order of the file
}

// Lookup finds a value by name; nil when there is none.
func (e *Enum) Lookup(id string) *EnumValue {
	for _, v := range e.Values {
		if v.ID == id {
			return v
		}
	}
	return nil
}

// EnumValue is one name of an enum.
type EnumValue struct {
	Node
	Enum  *Enum
	Value uint64
}

// ValueKind is the form of a ValueType.
type ValueKind uint8

const (
	Invalid     ValueKind = iota // an error was reported, or it has no single type
	IntValue                     // an integer
	BoolValue                    // true or false
	FloatValue                   // a floating-point number
	BytesValue                   // raw bytes or text
	StructValue                  // a value of a Type
	ListValue                    // a repeated field
)

// ValueType is what is known of a value before any byte is read.
type ValueType struct {
	Kind   ValueKind
	Enum   *Enum      // IntValue: optional
	Lo, Hi *big.Int   // IntValue: both bounds, inclusive
	Struct *Type      // StructValue
	Elem   *ValueType // ListValue
}
