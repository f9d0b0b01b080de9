package format

import (
	"encoding/binary"
	"iter"
	"math"
)

// argKnown marks the packed types that the spec lists in argSizes.
const argKnown = 0x10

// argSizes tells the number of value bytes by packed type: an integer is
// trimmed to 1, 2, 4 or 8 bytes, a double has 8, a string none here. 0 marks a
// packed type that is not known.
var argSizes = [256]uint8{
	0x11: argKnown | 1, 0x12: argKnown | 2, 0x14: argKnown | 4, 0x18: argKnown | 8,
	0x21: argKnown | 1, 0x22: argKnown | 2, 0x24: argKnown | 4, 0x28: argKnown | 8,
	0x31: argKnown | 1, 0x32: argKnown | 2, 0x34: argKnown | 4, 0x38: argKnown | 8,
	0x41: argKnown | 1, 0x42: argKnown | 2, 0x44: argKnown | 4, 0x48: argKnown | 8,
	0x51: argKnown | 1, 0x52: argKnown | 2, 0x54: argKnown | 4, 0x58: argKnown | 8,
	0x61: argKnown | 1, 0x62: argKnown | 2, 0x64: argKnown | 4, 0x68: argKnown | 8,
	0x78: argKnown | 8,
	0x80: argKnown,
}

// Arg is one recorded argument of a log call. Which of Int, Uint, Float and
// Text holds its value, Type tells.
//
// Source: FORMAT section 2.
type Arg struct {
	typ     ArgType
	missing bool
	bits    uint64 // of the value, extended to 64 bits as its type asks
	text    []byte
}

// Type returns the type that the device recorded.
func (a Arg) Type() ArgType { return a.typ }

// Int returns the value of an i32 or i64, sign-extended.
func (a Arg) Int() int64 { return int64(a.bits) }

// Uint returns the value of a u32, u64, pointer or char, zero-extended.
func (a Arg) Uint() uint64 { return a.bits }

// Float returns the value of a double.
func (a Arg) Float() float64 { return math.Float64frombits(a.bits) }

// Text returns the bytes of a string, which may be any bytes.
func (a Arg) Text() []byte { return a.text }

// Stored reports whether the value was recorded. It is false only for a string
// that the device dropped because it was too long.
func (a Arg) Stored() bool { return !a.missing }

// Args walks the arguments of one record:
//
//	args := record.Args()
//	for args.Next() {
//		... args.Arg() ...
//	}
type Args struct {
	types   []byte
	values  []byte
	strings Strings
	arg     Arg
}

// Next advances to the next argument and reports whether there is one.
func (a *Args) Next() bool {
	if len(a.types) == 0 {
		return false
	}
	packed := a.types[0]
	a.types = a.types[1:]
	a.arg = Arg{typ: ArgType(packed >> 4)}
	if a.arg.typ == ArgTypeString {
		text, ok := a.strings.Next()
		a.arg.text, a.arg.missing = text, !ok
		return true
	}
	signed := a.arg.typ == ArgTypeI32 || a.arg.typ == ArgTypeI64
	switch packed & 0x0f {
	case 1:
		x := a.values[0]
		a.values = a.values[1:]
		a.arg.bits = uint64(x)
		if signed {
			a.arg.bits = uint64(int8(x))
		}
	case 2:
		x := binary.LittleEndian.Uint16(a.values)
		a.values = a.values[2:]
		a.arg.bits = uint64(x)
		if signed {
			a.arg.bits = uint64(int16(x))
		}
	case 4:
		x := binary.LittleEndian.Uint32(a.values)
		a.values = a.values[4:]
		a.arg.bits = uint64(x)
		if signed {
			a.arg.bits = uint64(int32(x))
		}
	default:
		a.arg.bits = binary.LittleEndian.Uint64(a.values)
		a.values = a.values[8:]
	}
	return true
}

// Arg returns the argument that Next advanced to.
func (a *Args) Arg() Arg { return a.arg }

// All returns an iterator over the arguments that are left.
func (a *Args) All() iter.Seq[Arg] {
	return func(yield func(Arg) bool) {
		for a.Next() {
			if !yield(a.arg) {
				return
			}
		}
	}
}
