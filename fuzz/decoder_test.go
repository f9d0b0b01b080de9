package fuzz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
)

// decoderLimits are wider in time: damaged input is searched at every byte for
// what may follow it.
var decoderLimits = limits{perByte: 64, base: 2 << 20, time: time.Minute, perKiB: 500 * time.Millisecond}

// event is what a decoder yielded, without views.
type event struct {
	kind     format.EventKind
	verified bool
	version  uint8
	offset   int64
	bytes    string
	frame    string
	reason   string
}

// decode feeds a stream in chunks whose lengths cuts tells, over and over; all
// at once when it tells none. It makes sure that the events tile the stream.
func decode(t testing.TB, d *format.Decoder, stream, cuts []byte) []event {
	t.Helper()
	var out []event
	next := int64(0)
	take := func(e format.Event) {
		if e.Offset != next || len(e.Bytes) == 0 || int(next)+len(e.Bytes) > len(stream) {
			t.Fatalf("got %v of %d bytes at %d, want it at %d, not empty and within the %d of the stream", e.Kind, len(e.Bytes), e.Offset, next, len(stream))
		}
		sameBytes(t, "event", e.Bytes, stream[next:][:len(e.Bytes)])
		next += int64(len(e.Bytes))
		lost := e.Kind == format.EventSkipped || e.Kind == format.EventTail
		if lost != (e.Reason != nil) || e.Kind == 0 || e.Kind > format.EventTail {
			t.Fatalf("got %v at %d with the reason %v, want a known kind, and a reason only of what is lost", e.Kind, e.Offset, e.Reason)
		}

		flat := event{kind: e.Kind, verified: e.Verified, version: e.Version, offset: e.Offset, bytes: string(e.Bytes)}
		if e.Reason != nil {
			flat.reason = e.Reason.Error()
		}
		switch e.Kind {
		case format.EventLog:
			h, rest, err := format.ParseHeader(e.Bytes)
			if err != nil || len(rest) > 0 || h.Version() != e.Version || !bytes.Equal(e.Header().Bytes(), h.Bytes()) {
				t.Fatalf("log at %d: got header % x of version %d, want % x, %v", e.Offset, e.Header().Bytes(), e.Version, h.Bytes(), err)
			}
		case format.EventFrame:
			flat.frame = fmt.Sprintf("%d %d %d %x %x %d", e.Frame.Sequence, e.Frame.TickDelta, e.Frame.Offset, e.Frame.Payload, e.Payload.FmtAddr(), e.Payload.NumArgs())
		}

		out = append(out, flat)
	}

	rest := stream
	for i := 0; len(rest) > 0; i++ {
		n := len(rest)
		if len(cuts) > 0 {
			n = min(n, 1+int(cuts[i%len(cuts)]))
		}
		chunk := bytes.Clone(rest[:n]) // a decoder must not rely on the caller's buffer
		for e := range d.Feed(chunk) {
			take(e)
		}
		for i := range chunk {
			chunk[i] = 0xa5
		}
		rest = rest[n:]
	}

	for e := range d.Close() {
		take(e)
	}
	if int(next) != len(stream) {
		t.Fatalf("got events up to %d, want up to %d", next, len(stream))
	}

	return out
}

// checkEvents compares what a decoder calls verified with the interpreter: the
// log is a good one, and its frames are those that the interpreter reads. It also
// makes sure that the decoder passes over no good log where one is due: at the
// start, and after another good one.
func checkEvents(t testing.TB, stream []byte, events []event) {
	t.Helper()
	due := int64(0)
	var frames []*node // of the log under way
	var base int64
	for _, e := range events {
		if e.offset == due {
			tree, ok := goodLog(stream[due:])
			if ok != (e.kind == format.EventLog && e.verified) {
				t.Fatalf("got %v at %d, verified %v, want a verified log: %v", e.kind, e.offset, e.verified, ok)
			}
			if ok {
				frames, base = tree.at("body", "data", "frames").kids, due
				due += int64(tree.end)
				continue
			}
			due = -1
		}

		if !e.verified {
			continue
		}
		if e.kind == format.EventLog { // found by a search
			tree, ok := goodLog(stream[e.offset:])
			if !ok {
				t.Fatalf("got a verified log at %d, want none where no good one begins", e.offset)
			}
			frames, base, due = tree.at("body", "data", "frames").kids, e.offset, e.offset+int64(tree.end)
			continue
		}

		if len(frames) == 0 && e.kind == format.EventSkipped && e.offset+int64(len(e.bytes)) == due && trailing(stream[base:]) {
			continue
		}
		if len(frames) == 0 || e.offset != base+int64(frames[0].start) || len(e.bytes) != frames[0].end-frames[0].start {
			t.Fatalf("got verified %v of %d bytes at %d, want the next frame of the log at %d", e.kind, len(e.bytes), e.offset, base)
		}

		_, failed := interpret(ulogger, "payload", nil, []byte(e.bytes)[len(e.bytes)-len(frames[0].kid("payload").raw):], false)
		if (failed == nil) != (e.kind == format.EventFrame) {
			t.Fatalf("got verified %v at %d, want a frame: %v; the interpreter says %v of its payload", e.kind, e.offset, failed == nil, failed)
		}
		frames = frames[1:]
	}
}

// goodLog reads a log whose checksum is right and whose frames fill it, up to the
// bytes that its version lets follow them. Payloads are not looked into: a decoder
// skips a bad one and stays in step.
func goodLog(b []byte) (*node, bool) {
	tree, failed := interpret(ulogger, "log", nil, b, true)
	if failed != nil || !sealed(tree.kid("body")) {
		return nil, false
	}
	body := tree.kid("body")
	data := body.kid("data")
	inner, failed := interpret(ulogger, body.typ.Seq[1].Type.User.ID, nil, data.raw, true)
	if failed != nil && !trailing(b) {
		return nil, false
	}
	for _, f := range inner.kid("frames").kids {
		f.start, f.end = f.start+data.start, f.end+data.start
	}
	inner.name = "data"
	for i, k := range body.kids {
		if k == data {
			body.kids[i] = inner
		}
	}
	return tree, true
}

// trailing reports whether what ends the frames of the log is taken for a
// trailer, which is a matter of what it looks like.
func trailing(b []byte) bool {
	l, _, err := format.ParseLog(b)
	if err != nil {
		return false
	}
	frames := l.Frames()
	for frames.Next() {
	}
	return errors.Is(frames.Err(), format.ErrTrailing)
}

// FuzzDecoder cuts any stream into chunks in any way: the events are the same.
func FuzzDecoder(f *testing.F) {
	streams := readSeeds(f, "log")
	streams = append(streams, goodStream(f), bytes.Repeat([]byte{3}, 3000))
	for _, b := range streams {
		f.Add(b, []byte{0})
		f.Add(b[1:], []byte{3, 15, 0, 200})
		f.Add(b[:len(b)-1], []byte{255})
	}

	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		var whole, cut []event
		within(t, decoderLimits, len(stream), func() {
			var d format.Decoder
			for range d.Feed(stream) {
			}
			for range d.Close() {
			}
		})
		whole = decode(t, &format.Decoder{}, stream, nil)
		checkEvents(t, stream, whole)
		if len(cuts) > 0 && len(stream) < 1<<14 { // small chunks of much are slow
			cut = decode(t, &format.Decoder{}, stream, cuts)
			sameEvents(t, cut, whole)
		}
	})
}

// Where the header of a log is lost and the log before it, of the other version,
// is damaged too, the frames after the lost header still come back.
func TestFramesComeBackAfterALostHeader(t *testing.T) {
	for _, test := range []struct {
		name    string
		patches map[int]byte // offset in the good stream, value
		lost    int          // frames at most
	}{
		{"after the announced end", map[int]byte{1132: 0xe3, 1121: 0xeb}, 2},
		{"where the end is not known", map[int]byte{0: 0x10, 351: 0x4b, 437: 0x29}, 3},
	} {
		good := goodStream(t)
		stream := bytes.Clone(good)
		for at, b := range test.patches {
			if stream[at] == b {
				t.Fatalf("%s: got the byte %#x at %d before the patch, want another", test.name, b, at)
			}
			stream[at] = b
		}

		frames := func(stream []byte) (n int) {
			for _, e := range decode(t, &format.Decoder{}, stream, nil) {
				if e.kind == format.EventFrame && e.bytes == string(good[e.offset:][:len(e.bytes)]) {
					n++
				}
			}
			return n
		}

		if lost := frames(good) - frames(stream); lost > test.lost {
			t.Errorf("%s: got %d of %d frames lost, want at most %d", test.name, lost, frames(good), test.lost)
		}
	}
}

func sameEvents(t testing.TB, got, want []event) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("event %d: got %+v in chunks, want %+v as in one", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("got %d events in chunks, want %d as in one", len(got), len(want))
	}
}

// goodStream is six logs of all versions with some ninety frames.
func goodStream(t testing.TB) []byte {
	t.Helper()
	var out []byte
	for i := range 6 {
		var records []*format.Record
		for j := range 8 + 3*i {
			r := &format.Record{
				Level: format.Level(j % 6), Module: uint8(j), FmtAddr: 0x8000 + uint32(j)*20, TickDelta: uint32(1000 * j), Sequence: uint16(100*i + j),
			}
			switch j % 3 {
			case 1:
				r.Args = []format.Arg{format.ArgI32(int32(-j)), format.ArgString("sensor")}
			case 2:
				r.Args = []format.Arg{format.ArgDouble(float64(j) / 7), format.ArgU64(math.MaxUint64)}
			}
			records = append(records, r)
		}
		out = append(out, buildLog(t, []uint8{1, 3, 3, 1, 3, 4}[i], records...)...)
	}
	return out
}

// maxPatches bounds the damage of FuzzResync.
const maxPatches = 4

// FuzzResync damages a good stream: a patch is an offset and a byte to set. With
// no damage all is verified. One patch costs two frames at most. Whatever the
// patches, each log that none of them touched comes back whole and verified, even
// if no address in it is known, and what else was found is worth what its events
// say.
func FuzzResync(f *testing.F) {
	good := goodStream(f)
	f.Add([]byte{})
	for i := 0; i < len(good); i += 97 {
		f.Add(binary.LittleEndian.AppendUint16(nil, uint16(i)))
		f.Add(append(binary.LittleEndian.AppendUint16(nil, uint16(i)), 0xff))
		f.Add(append(binary.LittleEndian.AppendUint16(nil, uint16(i)), 0x01, byte(i), 0, 0x80))
	}

	// The header of one log lost while another of the other version was damaged.
	f.Add([]byte("\x00C\xe3\xeb\xeb\xeb"))
	f.Add([]byte("+\xefK7\xd0)\x00\x00\x10"))
	written := map[event]bool{}
	var starts []int64
	for _, e := range decode(f, &format.Decoder{}, good, nil) {
		if !e.verified {
			f.Fatalf("got %v at %d of the good stream not verified, want all verified", e.kind, e.offset)
		}
		if e.kind == format.EventLog {
			starts = append(starts, e.offset)
		} else {
			written[event{offset: e.offset, bytes: e.bytes}] = true
		}
	}

	f.Fuzz(func(t *testing.T, patches []byte) {
		stream := bytes.Clone(good)
		harmed := map[int64]bool{} // starts of logs
		count := 0
		for ; len(patches) >= 3 && count < maxPatches; count++ {
			at := int(binary.LittleEndian.Uint16(patches)) % len(stream)
			if stream[at] != patches[2] {
				i, exact := slices.BinarySearch(starts, int64(at))
				if !exact {
					i--
				}
				harmed[starts[i]] = true
			}
			stream[at] = patches[2]
			patches = patches[3:]
		}

		var events []event
		within(t, decoderLimits, len(stream), func() { events = decode(t, &format.Decoder{}, stream, nil) })
		checkEvents(t, stream, events)
		frames := 0
		for _, e := range events {
			if e.kind == format.EventFrame && written[event{offset: e.offset, bytes: e.bytes}] {
				frames++
			}
		}

		stranger := &format.Decoder{ValidAddr: func(uint32) bool { return false }}
		for _, events := range [][]event{events, decode(t, stranger, stream, nil)} {
			verified := map[int64]bool{}
			for _, e := range events {
				if e.kind == format.EventLog && e.verified {
					verified[e.offset] = true
				}
			}
			for _, start := range starts {
				if !harmed[start] && !verified[start] {
					t.Errorf("got no verified log at %d, want the one there, which is as it was written", start)
				}
			}
		}

		if lost := len(written) - frames; count == 1 && lost > 2 || len(harmed) == 0 && lost > 0 {
			t.Errorf("got %d of %d frames lost after %d patches, want at most 2 by one patch and none without harm", lost, len(written), count)
		}
	})
}
