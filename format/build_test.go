package format

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format/formattest"
)

// recordOf makes the Record of a vector's decoded fields.
func recordOf(t *testing.T, v *formattest.Frame) *Record {
	t.Helper()
	r := &Record{Level: Level(v.Level), Module: v.Module, FmtAddr: v.FmtAddr, Sequence: v.Sequence, TickDelta: v.TickDelta}
	for _, a := range v.Args {
		r.Args = append(r.Args, argOf(t, a))
	}
	return r
}

func argOf(t *testing.T, v formattest.Arg) Arg {
	t.Helper()
	typ, known := vectorTypes[v.Type]
	if !known {
		t.Fatalf("got argument type %q in a vector, want a known one", v.Type)
	}

	switch typ {
	case ArgTypeString:
		if v.Value == nil {
			return ArgDropped()
		}
		return ArgString(*v.Value)

	case ArgTypeDouble:
		bits, err := strconv.ParseUint(v.Bits, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		return ArgDouble(math.Float64frombits(bits))

	case ArgTypeI32, ArgTypeI64:
		x, err := strconv.ParseInt(*v.Value, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if typ == ArgTypeI32 {
			return ArgI32(int32(x))
		}
		return ArgI64(x)
	}

	x, err := strconv.ParseUint(*v.Value, 10, 64)
	if err != nil {
		t.Fatal(err)
	}

	switch typ {
	case ArgTypeU32:
		return ArgU32(uint32(x))
	case ArgTypePointer:
		return ArgPointer(uint32(x))
	case ArgTypeChar:
		return ArgChar(byte(x))
	}

	return ArgU64(x)
}

// set sets a field that the header of a vector has.
func set[T any](field, from *T) {
	if from != nil {
		*field = *from
	}
}

// The vectors, rebuilt from nothing but their decoded fields, give the bytes
// that the agents wrote.
func TestBuilderGivesTheBytesOfTheAgents(t *testing.T) {
	for _, v := range logVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			b, err := NewLogBuilder(v.Header.Version)
			if err != nil {
				t.Fatal(err)
			}
			b.SessionToken = v.Header.SessionToken
			set(&b.Sequence, v.Header.Sequence)
			set(&b.Tick, v.Header.Tick)
			set(&b.TickRateHz, v.Header.TickRateHz)
			set(&b.EpochTimeUs, v.Header.EpochTimeUs)
			l, _, err := ParseLog(v.Buffer)
			if err != nil {
				t.Fatal(err)
			}

			frames := l.Frames()
			for i := 0; frames.Next(); i++ {
				shown := v.FrameAt(i)
				if shown == nil {
					continue
				}
				r := recordOf(t, shown)
				payload, err := r.AppendTo(nil)
				if err != nil || !bytes.Equal(payload, frames.Frame().Payload) {
					t.Errorf("frame %d is rebuilt as % x (%v), want % x", i, payload, err, frames.Frame().Payload)
				}
				if err := b.Add(r); err != nil {
					t.Fatal(err)
				}
			}

			if v.Shown != "all" {
				return
			}
			got, err := b.AppendTo(nil)
			if err != nil || !bytes.Equal(got, v.Buffer) {
				t.Errorf("log is rebuilt as % x (%v), want % x", got, err, []byte(v.Buffer))
			}

			if b.NumFrames() != v.FrameCount || b.Len() != len(v.Buffer) {
				t.Errorf("builder has %d frames and %d bytes, want %d and %d", b.NumFrames(), b.Len(), v.FrameCount, len(v.Buffer))
			}
		})
	}
}

// A number asked of a string is 0, and a text of a number nil.
func TestArgOfOtherTypeIsZero(t *testing.T) {
	s := ArgString("text")
	if s.Int() != 0 || s.Uint() != 0 || s.Float() != 0 || ArgI32(7).Text() != nil || (Arg{}).Int() != 0 {
		t.Errorf("got string as number %d, %d, %v, number as text %q, none as number %d, want 0, nil and 0",
			s.Int(), s.Uint(), s.Float(), ArgI32(7).Text(), (Arg{}).Int())
	}
}

func TestBuildDropsNinthArgument(t *testing.T) {
	r := Record{}
	for i := range 9 {
		r.Args = append(r.Args, ArgI32(int32(i)))
	}
	payload, err := r.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePayload(payload)
	if err != nil || p.NumArgs() != 8 {
		t.Fatalf("recorded %d arguments (%v), want 8", p.NumArgs(), err)
	}
}

// Of several strings a reader takes the last ones for dropped, whichever was.
func TestDroppedStringsComeLast(t *testing.T) {
	for _, args := range [][]Arg{{ArgString("kept"), ArgDropped()}, {ArgDropped(), ArgString("kept")}} {
		payload, err := (&Record{Args: args}).AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := ParsePayload(payload)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		read := p.Args()
		for arg := range read.All() {
			got = append(got, strconv.FormatBool(arg.Stored())+" "+string(arg.Text()))
		}
		if want := []string{"true kept", "false "}; !slices.Equal(got, want) {
			t.Errorf("read back as %q, want %q", got, want)
		}
	}
}

func TestRefusedRecordLeavesTheLogAlone(t *testing.T) {
	for _, c := range []struct {
		name string
		r    Record
		want error
	}{
		{"level 8", Record{Level: 8}, ErrValue},
		{"module 32", Record{Module: 32}, ErrValue},
		{"argument without type", Record{Args: []Arg{{}}}, ErrValue},
		{"strings over 64 KiB", Record{Args: []Arg{ArgString(strings.Repeat("x", 40000)), ArgString(strings.Repeat("y", 40000))}}, ErrTooLong},
		{"payload over 64 KiB", Record{Args: []Arg{ArgString(strings.Repeat("x", 40000)), ArgString(strings.Repeat("y", 25520))}}, ErrTooLong},
	} {
		for _, version := range []uint8{1, 3} {
			b, err := NewLogBuilder(version)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Add(&Record{FmtAddr: 1}); err != nil {
				t.Fatal(err)
			}
			before, _ := b.AppendTo(nil)
			if err := b.Add(&c.r); !errors.Is(err, c.want) {
				t.Errorf("%s, version %d: error %v, want %v", c.name, version, err, c.want)
			}
			if after, _ := b.AppendTo(nil); !bytes.Equal(before, after) || b.NumFrames() != 1 {
				t.Errorf("%s, version %d: got %d frames in %d bytes after a refused record, want the 1 in %d bytes from before, unchanged",
					c.name, version, b.NumFrames(), len(after), len(before))
			}
		}
	}

	if _, err := NewLogBuilder(2); !errors.Is(err, ErrVersion) {
		t.Errorf("version 2: error %v, want ErrVersion", err)
	}
}

// A log is filled to the last byte that its length field can tell, and not one
// further.
func TestLogIsFilledToTheLastByte(t *testing.T) {
	for _, version := range []uint8{1, 3} {
		b, err := NewLogBuilder(version)
		if err != nil {
			t.Fatal(err)
		}
		r := Record{Args: []Arg{ArgString(strings.Repeat("x", 1000))}}
		for err == nil {
			err = b.Add(&r)
		}
		if !errors.Is(err, ErrTooLong) {
			t.Fatalf("got error %v, want %v", err, ErrTooLong)
		}

		// What is left takes one record with a shorter text.
		for n := 1000; n >= 0; n-- {
			r.Args[0] = ArgString(strings.Repeat("x", n))
			if b.Add(&r) == nil {
				break
			}
		}

		log, err := b.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckLog(log); err != nil {
			t.Error(err)
		}

		l, _, err := ParseLog(log)
		if err != nil || len(l.Data()) != math.MaxUint16 {
			t.Errorf("version %d: filled log has %d data bytes (%v), want 65535", version, len(l.Data()), err)
		}
	}
}
