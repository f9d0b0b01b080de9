package format

import (
	"encoding/binary"
	"iter"
	"math"
)

// argKinds tells by packed type how a value is stored: an integer is trimmed to
// 1, 2, 4 or 8 bytes, a double has 8, a string none here. 0 marks a packed type
// that the spec does not list.
var argKinds = [256]argKind{
	0x11: argKnown | 1, 0x12: argKnown | 2, 0x14: argKnown | 4, 0x18: argKnown | 8,
	0x21: argKnown | 1, 0x22: argKnown | 2, 0x24: argKnown | 4, 0x28: argKnown | 8,
	0x31: argKnown | 1, 0x32: argKnown | 2, 0x34: argKnown | 4, 0x38: argKnown | 8,
	0x41: argKnown | 1, 0x42: argKnown | 2, 0x44: argKnown | 4, 0x48: argKnown | 8,
	0x51: argKnown | 1, 0x52: argKnown | 2, 0x54: argKnown | 4, 0x58: argKnown | 8,
	0x61: argKnown | 1, 0x62: argKnown | 2, 0x64: argKnown | 4, 0x68: argKnown | 8,
	0x78: argKnown | 8,
	0x80: argKnown,
}

// argKind is the number of value bytes in the low 4 bits and a bit that marks a
// packed type as known.
type argKind uint8

const argKnown argKind = 0x10

// size returns the number of value bytes.
func (k argKind) size() int { return int(k & 0x0f) }

// Arg is a view of one recorded argument of a log call. Which of Int, Uint,
// Float and Text tells its value, Type says. An Arg stays small enough to be
// passed in registers, so it looks up its value when asked.
//
// Source: FORMAT section 2.
type Arg struct {
	b      []byte // the payload
	end    uint16 // offset after the value
	packed uint8  // packed type
	text   uint8  // how many of the arguments up to this one are strings
}

// Type returns the type that the device recorded.
func (a Arg) Type() ArgType { return ArgType(a.packed >> 4) }

// bits returns the value, extended to 64 bits as its type asks. It is read as
// the last bytes of a word, so that one load does for all sizes: a payload's
// header and packed types lie before its values, so that there always are 8
// bytes.
func (a Arg) bits() uint64 {
	end := int(a.end)
	if end < 8 || end > len(a.b) || a.packed&0x0f == 0 {
		return 0 // a string, or the zero Arg
	}
	word := binary.LittleEndian.Uint64(a.b[end-8 : end])
	shift := (64 - 8*uint(a.packed&0x0f)) & 63
	if a.packed&0xd0 == 0x10 { // i32 or i64
		return uint64(int64(word) >> shift)
	}
	return word >> shift
}

// Int returns the value of an i32 or i64, sign-extended.
func (a Arg) Int() int64 { return int64(a.bits()) }

// Uint returns the value of a u32, u64, pointer or char, zero-extended.
func (a Arg) Uint() uint64 { return a.bits() }

// Float returns the value of a double.
func (a Arg) Float() float64 { return math.Float64frombits(a.bits()) }

// Text returns the bytes of a string, which may be any bytes; nil when the
// argument is no string or was not stored.
func (a Arg) Text() []byte {
	if a.Type() != ArgTypeString {
		return nil
	}
	texts := Payload{a.b}.texts()
	for range a.text - 1 {
		_, texts, _ = ParseCountedString(texts)
	}
	counted, _, _ := ParseCountedString(texts) // fails where none is left
	return counted.Text
}

// Stored reports whether the value was recorded. It is false only for a string
// that the device dropped because it was too long.
func (a Arg) Stored() bool { return a.Type() != ArgTypeString || a.Text() != nil }

// Args walks the arguments of one record:
//
//	args := record.Args()
//	for args.Next() {
//		... args.Arg() ...
//	}
type Args struct {
	b    []byte // the payload
	next uint16 // offset of the next packed type
	end  uint16 // offset after the value that Next advanced to
	text uint8  // how many strings Next has passed
}

// Next advances to the next argument and reports whether there is one.
func (a *Args) Next() bool {
	next := int(a.next)
	if next >= len(a.b) || len(a.b) < PayloadHeaderSize || next >= PayloadHeaderSize+int(a.b[PayloadHeaderSize-1]) {
		return false
	}
	packed := a.b[next]
	a.next++
	a.end += uint16(packed & 0x0f)
	a.text += packed >> 7 // set in the packed type of a string only
	return true
}

// Arg returns the argument that Next advanced to.
func (a *Args) Arg() Arg {
	arg := Arg{b: a.b, end: a.end, text: a.text}
	if i := int(a.next) - 1; i >= PayloadHeaderSize && i < len(a.b) {
		arg.packed = a.b[i]
	}
	return arg
}

// All returns an iterator over the arguments that are left.
func (a *Args) All() iter.Seq[Arg] {
	return func(yield func(Arg) bool) {
		for a.Next() {
			if !yield(a.Arg()) {
				return
			}
		}
	}
}
