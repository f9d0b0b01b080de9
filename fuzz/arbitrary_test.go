package fuzz

import (
	"encoding/binary"
	"fmt"
	"math"

	"pgregory.net/rapid"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/spec"
)

// lengthFields are the fields that sizes and counts are computed from.
var lengthFields = func() map[spec.Field]bool {
	out := map[spec.Field]bool{}
	for _, t := range ulogger.Types {
		for _, a := range t.Seq {
			for _, e := range []spec.Expr{a.Size, a.Count} {
				spec.Walk(e, func(e spec.Expr) {
					if ref, ok := e.(*spec.FieldRef); ok {
						out[ref.To] = true
					}
				})
			}
		}
	}
	return out
}()

// drawType draws bytes that a generated view of the type accepts, by the spec:
// what the interpreter reads, this writes. Lengths are drawn small.
func drawType(t *rapid.T, typ *spec.Type) []byte {
	b := []byte{}
	bits, width := uint64(0), 0 // of the group of bit fields under way
	for _, a := range typ.Seq {
		if a.If != nil && rapid.Bool().Draw(t, a.ID+" is missing") {
			return b // all that may be missing comes last
		}

		// What was drawn so far decides about the rest.
		tree, _ := interpret(ulogger, typ.ID, nil, b, true)
		at := &place{n: tree, attr: a}
		size := -1
		if a.Size != nil {
			n, err := at.num(a.Size)
			if err != nil {
				t.Fatalf("size of %s.%s: %v", typ.ID, a.ID, err)
			}
			size = int(n.Int64())
		}

		switch {
		case a.Contents != nil:
			b = append(b, a.Contents...)
		case size >= 0:
			b = append(b, rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, a.ID)...)
		case a.SizeEOS:
			b = append(b, rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, a.ID)...)
		case a.Type.Kind == spec.TextNUL:
			b = append(append(b, rapid.SliceOf(rapid.ByteRange(1, 255)).Draw(t, a.ID)...), 0)
		case a.Type.Kind == spec.User:
			b = append(b, drawType(t, a.Type.User)...)
		case a.Type.Kind == spec.Int:
			b = append(b, binary.LittleEndian.AppendUint64(nil, drawNumber(t, at))[:a.Type.Width]...)

		case a.Type.Kind == spec.Bits:
			bits = bits<<a.Type.Width | rapid.Uint64Range(0, 1<<a.Type.Width-1).Draw(t, a.ID)
			if width += a.Type.Width; width%8 == 0 {
				for ; width > 0; width -= 8 {
					b = append(b, byte(bits>>(width-8)))
				}
			}

		default:
			t.Fatalf("%s.%s has a form that drawType does not know", typ.ID, a.ID)
		}
	}

	return b
}

// drawNumber draws an unsigned integer within its bounds.
func drawNumber(t *rapid.T, at *place) uint64 {
	a := at.attr
	lo, hi := uint64(0), uint64(math.MaxUint64)>>(64-8*a.Type.Width)
	if v := a.Valid; v != nil {
		for _, bound := range []struct {
			e    spec.Expr
			into []*uint64
		}{{v.Eq, []*uint64{&lo, &hi}}, {v.Min, []*uint64{&lo}}, {v.Max, []*uint64{&hi}}} {
			if bound.e == nil {
				continue
			}
			n, err := at.num(bound.e)
			if err != nil {
				t.Fatalf("bound of %s: %v", a.ID, err)
			}
			for _, into := range bound.into {
				*into = n.Uint64()
			}
		}
	}

	if lengthFields[a] && hi-lo > 40 {
		hi = lo + 40
	}
	return rapid.Uint64Range(lo, hi).Draw(t, a.ID)
}

// drawDamaged draws a good value of a type and harms it a little, or not at all.
func drawDamaged(t *rapid.T, good []byte) []byte {
	b := append([]byte(nil), good...)
	for range rapid.IntRange(0, 3).Draw(t, "harms") {
		if len(b) == 0 {
			return b
		}
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		switch rapid.IntRange(0, 3).Draw(t, "harm") {
		case 0:
			b[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case 1:
			b[at] = rapid.Byte().Draw(t, "byte")
		case 2:
			b = b[:at]
		case 3:
			b = append(b[:at:at], b[at+1:]...)
		}
	}
	return b
}

// drawRecord draws a record that a device may write. Texts that it dropped come
// last, since the format cannot tell which of several was.
func drawRecord() *rapid.Generator[*format.Record] {
	return rapid.Custom(func(t *rapid.T) *format.Record {
		r := &format.Record{
			Level:     format.Level(rapid.Uint8Range(0, 7).Draw(t, "level")),
			Module:    rapid.Uint8Range(0, 31).Draw(t, "module"),
			FmtAddr:   rapid.Uint32().Draw(t, "fmt_addr"),
			Sequence:  rapid.Uint16().Draw(t, "sequence"),
			TickDelta: rapid.Uint32().Draw(t, "tick_delta"),
		}
		dropped := false
		for i := range rapid.IntRange(0, 10).Draw(t, "arguments") {
			arg := drawArg(t, fmt.Sprint("argument ", i))
			if dropped = dropped || !arg.Stored(); dropped && arg.Type() == format.ArgTypeString {
				arg = format.ArgDropped()
			}
			r.Args = append(r.Args, arg)
		}
		return r
	})
}

func drawArg(t *rapid.T, label string) format.Arg {
	switch rapid.IntRange(0, 8).Draw(t, label) {
	case 0:
		return format.ArgI32(rapid.Int32().Draw(t, label))
	case 1:
		return format.ArgU32(rapid.Uint32().Draw(t, label))
	case 2:
		return format.ArgI64(rapid.Int64().Draw(t, label))
	case 3:
		return format.ArgU64(rapid.Uint64().Draw(t, label))
	case 4:
		return format.ArgPointer(rapid.Uint32().Draw(t, label))
	case 5:
		return format.ArgChar(rapid.Byte().Draw(t, label))
	case 6:
		return format.ArgDouble(math.Float64frombits(rapid.Uint64().Draw(t, label)))
	case 7:
		return format.ArgString(string(rapid.SliceOf(rapid.Byte()).Draw(t, label)))
	}
	return format.ArgDropped()
}

// drawLog draws a log of some version with the records it was made of.
func drawLog(t *rapid.T) (log []byte, version uint8, records []*format.Record) {
	version = rapid.SampledFrom(versionNumbers()).Draw(t, "version")
	records = rapid.SliceOfN(drawRecord(), 0, 12).Draw(t, "records")
	builder, err := format.NewLogBuilder(version)
	if err != nil {
		t.Fatal(err)
	}
	builder.SessionToken = rapid.Uint32().Draw(t, "token")
	builder.Tick = rapid.Uint32().Draw(t, "tick")
	for _, r := range records {
		if err := builder.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if log, err = builder.AppendTo(nil); err != nil {
		t.Fatal(err)
	}
	if builder.Len() != len(log) || builder.NumFrames() != len(records) {
		t.Fatalf("got %d bytes and %d frames from the builder, want %d and %d", builder.Len(), builder.NumFrames(), len(log), len(records))
	}
	return log, version, records
}
