package fuzz

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/big"
	"strings"

	"github.com/ulogkit/ulogkit/spec"
)

// The reference interpreter reads bytes as the model of a spec file says, one
// field after the other, with no thought of speed: what it does with a construct
// stands in one place and can be compared with the Kaitai documentation. The
// generated views and the hand-written types have to agree with it, and it has
// to agree with the official compiler.

// nodeKind is the form of a node.
type nodeKind uint8

const (
	structNode nodeKind = iota
	listNode
	intNode
	boolNode
	floatNode
	bytesNode
)

// node is a value that was read, and where.
type node struct {
	name       string // id of the field; elements bear that of their list
	kind       nodeKind
	start, end int // offsets in the whole input

	typ  *spec.Type // structNode
	io   *stream    // structNode: what it was read from
	kids []*node    // structNode: parameters and fields that are there; listNode: elements
	inst []*node    // structNode: instances that an expression asked for

	n   *big.Int // intNode
	yes bool     // boolNode
	f   uint64   // floatNode: its bits, of 4 or 8 bytes
	raw []byte   // bytesNode: the value, text without its NUL
}

// kid returns a field or parameter by id; nil when it is not there.
func (n *node) kid(id string) *node {
	for _, k := range n.kids {
		if k.name == id {
			return k
		}
	}
	return nil
}

// at follows a path of ids.
func (n *node) at(ids ...string) *node {
	for _, id := range ids {
		if n = n.kid(id); n == nil {
			return nil
		}
	}
	return n
}

// walk calls f for n and all nodes within it.
func (n *node) walk(f func(*node)) {
	f(n)
	for _, k := range n.kids {
		k.walk(f)
	}
}

// text writes n as one line that a driver in another language can write too:
// ids without underscores, integers in decimal, bytes and floats in hex.
func (n *node) text(w *strings.Builder) {
	sep := ""
	switch n.kind {
	case structNode:
		w.WriteByte('{')
		for _, k := range n.kids {
			w.WriteString(sep + strings.ReplaceAll(k.name, "_", "") + ":")
			k.text(w)
			sep = ","
		}
		w.WriteByte('}')

	case listNode:
		w.WriteByte('[')
		for _, k := range n.kids {
			w.WriteString(sep)
			k.text(w)
			sep = ","
		}
		w.WriteByte(']')

	case intNode:
		w.WriteString(n.n.String())
	case boolNode:
		fmt.Fprint(w, n.yes)
	case floatNode:
		fmt.Fprintf(w, "f%x", n.f)
	case bytesNode:
		fmt.Fprintf(w, "x%x", n.raw)
	}
}

// String returns what text writes, for messages.
func (n *node) String() string {
	if n == nil {
		return "nothing"
	}
	var w strings.Builder
	n.text(&w)
	return w.String()
}

// stream is a run of bytes under a cursor, within the whole input at base.
type stream struct {
	b         []byte
	base, pos int
	bit       int // bits of b[pos] that bit fields have taken
}

func (s *stream) left() int { return len(s.b) - s.pos }
func (s *stream) here() int { return s.base + s.pos }

// class says why bytes were refused.
type class string

const (
	classShort class = "short" // they end too early
	classValue class = "value" // valid: or contents: is not met
	classLimit class = "limit" // more values than an honest input has
)

// failure is where the interpreter gave up.
type failure struct {
	class      class
	typ, field string // ids of the innermost type and its field or instance
	source     string // the field's place in the spec, as Kaitai's runtime names it
	path       string // from the type that was asked for
	offset     int    // of the field, or the first of a list, from the start of its type; -1 for an instance
}

func (f *failure) Error() string {
	return fmt.Sprintf("%s (%s.%s at offset %d): %s", f.path, f.typ, f.field, f.offset, f.class)
}

// interpreter is one reading of one input.
type interpreter struct {
	shallow bool     // bytes delimited by a size are kept, not interpreted
	left    int      // values it may still make
	path    []string // to the field under way
}

// interpret reads b as the type id. A tree that comes with a failure holds what
// was complete before it. Shallow is what the generated views do: a field that a
// size delimits is bytes.
func interpret(s *spec.Spec, id string, args []uint64, b []byte, shallow bool) (*node, *failure) {
	t := s.Type(id)
	if t == nil {
		panic("the spec has no type " + id) // a mistake in a test
	}
	var params []*node
	for i, p := range t.Params {
		params = append(params, &node{name: p.ID, kind: intNode, n: new(big.Int).SetUint64(args[i])})
	}
	// Every value but a string's packed type stems from a byte at least, so that
	// an honest tree is of the size of its input.
	in := &interpreter{shallow: shallow, left: 1000 + 4*len(b)}
	return in.read(t, params, &stream{b: b})
}

func (in *interpreter) read(t *spec.Type, params []*node, io *stream) (*node, *failure) {
	n := &node{kind: structNode, typ: t, io: io, start: io.here(), kids: params}
	for i := range t.Seq {
		err := in.attr(n, i)
		n.end = io.here()
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// fail makes the failure of a field of n.
func (in *interpreter) fail(c class, n *node, field, source string, offset int) *failure {
	if offset >= 0 {
		offset -= n.start
	}
	return &failure{
		class: c, typ: n.typ.ID, field: field, path: strings.Join(in.path, "."), offset: offset,
		source: "/types/" + n.typ.ID + source,
	}
}

// attr reads one field of n, as often as it is there.
func (in *interpreter) attr(n *node, index int) *failure {
	a := n.typ.Seq[index]
	at := &place{in: in, n: n, attr: a, source: fmt.Sprintf("/seq/%d", index)}
	in.path = append(in.path, a.ID)
	defer func() { in.path = in.path[:len(in.path)-1] }()
	if a.If != nil {
		if is, err := at.cond(a.If); err != nil || !is {
			return err
		}
	}

	if a.Repeat == spec.RepeatNone {
		kid, err := at.element()
		if kid != nil {
			n.kids = append(n.kids, kid)
		}
		if err != nil || kid == nil {
			return err
		}
		return at.valid(a.Valid, kid)
	}

	list := &node{name: a.ID, kind: listNode, start: n.io.here(), end: n.io.here()}
	n.kids = append(n.kids, list)
	count := big.NewInt(-1)
	if a.Count != nil {
		var err *failure
		if count, err = at.num(a.Count); err != nil {
			return err
		}
	}

	last := len(in.path) - 1
	for ; ; at.index++ {
		switch {
		case a.Repeat == spec.RepeatEOS && n.io.left() == 0:
			return nil
		case a.Repeat == spec.RepeatExpr && count.Cmp(big.NewInt(int64(at.index))) == 0:
			return nil
		}

		in.path[last] = fmt.Sprintf("%s[%d]", a.ID, at.index)
		kid, err := at.element()
		if err != nil {
			return err
		}
		if kid == nil {
			kid = &node{name: a.ID, kind: bytesNode} // a switch without a case for it
		}
		if err := at.valid(a.Valid, kid); err != nil {
			return err
		}

		list.kids = append(list.kids, kid)
		list.end = n.io.here()
		if a.Repeat == spec.RepeatUntil {
			at.self = kid
			is, err := at.cond(a.Until)
			if err != nil || is {
				return err
			}
		}
	}
}

// element reads the field once.
func (p *place) element() (*node, *failure) {
	a, io := p.attr, p.n.io
	if p.index == 0 {
		p.offset = io.here()
	}
	if p.in.left--; p.in.left < 0 {
		return nil, p.fail(classLimit)
	}

	if a.Contents != nil {
		kid, err := p.bytes(io, len(a.Contents))
		if err == nil && !bytes.Equal(kid.raw, a.Contents) {
			err = p.fail(classValue)
		}
		return kid, err
	}

	if !a.Tail() {
		return p.value(&a.Type, io, false)
	}
	size := io.left()
	if a.Size != nil {
		n, err := p.num(a.Size)
		if err != nil {
			return nil, err
		}
		if n.Sign() < 0 || n.Cmp(big.NewInt(int64(size))) > 0 {
			return nil, p.fail(classShort)
		}
		size = int(n.Int64())
	}

	sub := &stream{b: io.b[io.pos : io.pos+size], base: io.here()}
	io.pos += size
	kid, err := p.value(&a.Type, sub, true)
	if kid != nil {
		kid.end = sub.base + size
	}
	return kid, err
}

// value reads a value of type d; delimited says that io holds its bytes alone.
func (p *place) value(d *spec.DataType, io *stream, delimited bool) (*node, *failure) {
	switch d.Kind {
	case spec.Bytes, spec.Text:
		return p.bytes(io, io.left())
	case spec.TextNUL:
		return p.untilNUL(io, delimited)
	case spec.Int, spec.Float:
		kid, err := p.bytes(io, d.Width)
		if err != nil {
			return kid, err
		}
		p.number(kid, d)
		return kid, nil

	case spec.Bits:
		return p.bits(io, d.Width)
	case spec.Switch:
		c, err := p.choose(d)
		switch {
		case err != nil:
			return nil, err
		case c != nil:
			return p.value(c, io, delimited)
		case delimited:
			return p.bytes(io, io.left())
		}
		return nil, nil
	}

	if delimited && p.in.shallow {
		return p.bytes(io, io.left())
	}
	var params []*node
	for i, arg := range d.Args {
		n, err := p.num(arg)
		if err != nil {
			return nil, err
		}
		params = append(params, &node{name: d.User.Params[i].ID, kind: intNode, n: n})
	}

	kid, err := p.in.read(d.User, params, io)
	kid.name = p.name()
	return kid, err
}

func (p *place) bytes(io *stream, size int) (*node, *failure) {
	if size > io.left() {
		return nil, p.fail(classShort)
	}
	kid := &node{name: p.name(), kind: bytesNode, start: io.here(), raw: io.b[io.pos : io.pos+size]}
	io.pos += size
	kid.end = io.here()
	return kid, nil
}

// untilNUL reads text up to a NUL byte. In a delimited field the NUL may be
// missing, and what follows it is padding.
func (p *place) untilNUL(io *stream, delimited bool) (*node, *failure) {
	n := bytes.IndexByte(io.b[io.pos:], 0)
	if delimited {
		if n < 0 {
			n = io.left()
		}
		kid, err := p.bytes(io, n)
		io.pos = len(io.b)
		return kid, err
	}
	if n < 0 {
		return nil, p.fail(classShort)
	}
	kid, err := p.bytes(io, n)
	io.pos++
	kid.end++
	return kid, err
}

// number makes raw bytes an integer or a floating-point number.
func (p *place) number(kid *node, d *spec.DataType) {
	var word [8]byte
	for i, c := range kid.raw {
		if d.BigEndian {
			i = len(kid.raw) - 1 - i
		}
		word[i] = c
	}
	if kid.f = binary.LittleEndian.Uint64(word[:]); d.Kind == spec.Float {
		kid.kind = floatNode
		return
	}
	kid.kind, kid.n = intNode, new(big.Int).SetUint64(kid.f)
	bits := uint(8 * d.Width)
	if d.Signed && kid.n.Bit(int(bits)-1) == 1 {
		kid.n.Sub(kid.n, new(big.Int).Lsh(big.NewInt(1), bits))
	}
}

// bits reads a bit field, the most significant bit of a byte first.
func (p *place) bits(io *stream, width int) (*node, *failure) {
	kid := &node{name: p.name(), kind: intNode, n: new(big.Int), start: io.here()}
	for range width {
		if io.left() == 0 {
			return nil, p.fail(classShort)
		}
		bit := io.b[io.pos] >> (7 - io.bit) & 1
		kid.n.Or(kid.n.Lsh(kid.n, 1), big.NewInt(int64(bit)))
		if io.bit++; io.bit == 8 {
			io.bit, io.pos = 0, io.pos+1
		}
	}
	if kid.end = io.here(); io.bit > 0 {
		kid.end++
	}
	if width == 1 && (p.attr == nil || p.attr.Enum == nil) {
		kid.kind, kid.yes = boolNode, kid.n.Sign() != 0
	}
	return kid, nil
}
