package fuzz

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// randomLog makes a log as real firmware does, with all types of arguments.
func randomLog(t testing.TB, rng *rand.Rand) []byte {
	t.Helper()
	var records []*format.Record
	for range rng.IntN(8) {
		records = append(records, randomRecord(rng))
	}
	return buildLog(t, versionNumbers()[rng.IntN(len(versions))], records...)
}

func randomRecord(rng *rand.Rand) *format.Record {
	r := &format.Record{
		Level: format.Level(rng.IntN(8)), Module: uint8(rng.IntN(32)), FmtAddr: rng.Uint32(),
		Sequence: uint16(rng.Uint32()), TickDelta: rng.Uint32() >> rng.IntN(32),
	}
	texts := true
	for range rng.IntN(10) {
		arg := randomArg(rng, texts)
		texts = texts && arg.Stored() // what is dropped comes last
		r.Args = append(r.Args, arg)
	}
	return r
}

func randomArg(rng *rand.Rand, texts bool) format.Arg {
	bits := rng.Uint64() >> rng.IntN(64)
	if rng.IntN(2) == 0 {
		bits = -bits
	}
	switch rng.IntN(9) {
	case 0:
		return format.ArgI32(int32(bits))
	case 1:
		return format.ArgU32(uint32(bits))
	case 2:
		return format.ArgI64(int64(bits))
	case 3:
		return format.ArgU64(bits)
	case 4:
		return format.ArgPointer(uint32(bits))
	case 5:
		return format.ArgChar(byte(bits))
	case 6:
		return format.ArgDouble(rng.NormFloat64())

	case 7:
		if !texts {
			return format.ArgDropped()
		}
		b := make([]byte, rng.IntN(20))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return format.ArgString(string(b))
	}

	return format.ArgDropped()
}

// decisive are the fields that decide what follows: lengths, counts, types,
// versions and flags.
var decisive = regexp.MustCompile(`^(len_|num_)|^(packed_types|version|end|flags|level)$`)

// damage returns a damaged copy of b, a good value of a type: mostly in a field
// that decides what follows, else cut, prolonged, or with a bit flipped.
func damage(rng *rand.Rand, typ string, b []byte) []byte {
	b = slices.Clone(b)
	tree, failed, skip := readType(ulogger, typ, b, false)
	if len(b) == 0 || failed != nil {
		return append(b, byte(rng.Uint32()))
	}

	switch rng.IntN(8) {
	case 0:
		return b[:rng.IntN(len(b))]
	case 1:
		return append(b, b[:rng.IntN(len(b))]...)
	case 2:
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		return b
	case 3:
		at := rng.IntN(len(b))
		return slices.Insert(b, at, byte(rng.Uint32()))
	}

	var fields []*node
	tree.walk(func(n *node) {
		if n.kind == intNode && n.end > n.start && decisive.MatchString(n.name) {
			fields = append(fields, n)
		}
	})

	if len(fields) == 0 {
		b[rng.IntN(len(b))] = byte(rng.Uint32())
		return b
	}

	f := fields[rng.IntN(len(fields))]
	size, value := f.end-f.start, f.n.Uint64()
	switch rng.IntN(6) {
	case 0:
		value++
	case 1:
		value--
	case 2:
		value = 0
	case 3:
		value = ^uint64(0)
	case 4:
		value ^= 1 << rng.IntN(8*size)
	default:
		value = rng.Uint64() >> rng.IntN(64)
	}

	return set(b, skip+f.start, size, value)
}
