package format

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomRecord makes a record like those of real firmware: mostly short, mostly
// integers, now and then a text.
func randomRecord(rng *rand.Rand) *Record {
	r := &Record{
		Level: Level(rng.IntN(6)), Module: uint8(rng.IntN(8)), FmtAddr: 0x8000 + uint32(rng.IntN(400))*24,
		Sequence: uint16(rng.Uint32()), TickDelta: uint32(rng.IntN(100000)),
	}

	for range min(rng.IntN(6), rng.IntN(9)) {
		switch rng.IntN(10) {
		case 0:
			r.Args = append(r.Args, ArgString("sensor"[:rng.IntN(7)]))
		case 1:
			r.Args = append(r.Args, ArgDouble(rng.NormFloat64()))
		case 2:
			r.Args = append(r.Args, ArgI64(rng.Int64()>>rng.IntN(64)))
		case 3:
			r.Args = append(r.Args, ArgPointer(0x20000000+uint32(rng.IntN(65536))))
		case 4:
			r.Args = append(r.Args, ArgChar(byte(rng.IntN(256))))
		case 5, 6:
			r.Args = append(r.Args, ArgU32(rng.Uint32()>>rng.IntN(32)))
		default:
			r.Args = append(r.Args, ArgI32(int32(rng.Uint32())>>rng.IntN(32)))
		}
	}

	return r
}

// randomLogs makes a stream of logs with so many frames in all, and tells where
// each frame begins.
func randomLogs(t testing.TB, rng *rand.Rand, frames int) (stream []byte, at map[int64]bool) {
	t.Helper()
	at = make(map[int64]bool)
	for len(at) < frames {
		b, err := NewLogBuilder([]uint8{1, 3}[rng.IntN(2)])
		if err != nil {
			t.Fatal(err)
		}
		b.Tick, b.TickRateHz = rng.Uint32(), 32768
		for range min(frames-len(at), 1+rng.IntN(3000)) {
			if b.Add(randomRecord(rng)) != nil {
				break
			}
		}

		start := len(stream)
		if stream, err = b.AppendTo(stream); err != nil {
			t.Fatal(err)
		}
		l, _, err := ParseLog(stream[start:])
		if err != nil {
			t.Fatal(err)
		}

		walk := l.Frames()
		for walk.Next() {
			at[int64(start+l.LenHeader()+int(walk.Frame().Offset))] = true
		}
	}

	return stream, at
}

// decode feeds the stream in chunks of the sizes that next gives.
func decode(d *Decoder, stream []byte, next func() int, take func(Event)) {
	for len(stream) > 0 {
		n := min(next(), len(stream))
		for event := range d.Feed(stream[:n:n]) {
			take(event)
		}
		stream = stream[n:]
	}
	for event := range d.Close() {
		take(event)
	}
}

func whole() int { return math.MaxInt }

func TestDecoderGivesGoodStreamsBackWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	stream, at := randomLogs(t, rng, 20000)
	var d Decoder
	var back []byte
	frames := 0
	decode(&d, stream, whole, func(e Event) {
		if e.Offset != int64(len(back)) {
			t.Fatalf("event at %d, want %d", e.Offset, len(back))
		}
		back = append(back, e.Bytes...)
		switch e.Kind {
		case EventFrame:
			frames++
			if _, ok := at[e.Offset]; !ok {
				t.Fatalf("got a frame at %d, want none that was never written", e.Offset)
			}
			fallthrough
		case EventLog:
			if !e.Verified {
				t.Fatalf("%v at %d: got not verified, want verified", e.Kind, e.Offset)
			}
		default:
			t.Fatalf("got %v at %d, %v, want frames and logs alone", e.Kind, e.Offset, e.Reason)
		}
	})

	if frames != len(at) || !bytes.Equal(back, stream) {
		t.Errorf("got %d frames in %d bytes, want %d in %d, the stream itself", frames, len(back), len(at), len(stream))
	}
}

// On 200,000 frames with 20 random byte flips at least 199,900 come back, and
// what is not as it was written is never called verified.
func TestDecoderLosesLittleToDamage(t *testing.T) {
	for seed := range uint64(4) {
		for _, validate := range []bool{false, true} {
			t.Run(fmt.Sprintf("seed=%d,valid_addr=%v", seed, validate), func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 7))
				stream, at := randomLogs(t, rng, 200000)
				damaged := bytes.Clone(stream)
				flipped := make(map[int64]bool)
				for len(flipped) < 20 {
					i := rng.IntN(len(damaged))
					damaged[i] ^= byte(1 + rng.IntN(255))
					flipped[int64(i)] = true
				}
				var d Decoder
				if validate {
					d.ValidAddr = func(a uint32) bool { return a >= 0x8000 && a < 0x8000+400*24 && (a-0x8000)%24 == 0 }
				}
				checkDamaged(t, &d, stream, damaged, at, flipped)
			})
		}
	}
}

func checkDamaged(t *testing.T, d *Decoder, stream, damaged []byte, at map[int64]bool, flipped map[int64]bool) {
	t.Helper()
	good, next := 0, int64(0)
	lost := make(map[int64]bool)
	for f := range flipped {
		lost[f] = true
	}
	decode(d, damaged, whole, func(e Event) {
		if e.Offset != next {
			t.Fatalf("event at %d, want %d: bytes are passed over in silence", e.Offset, next)
		}
		end := e.Offset + int64(len(e.Bytes))
		next = end
		if e.Kind == EventSkipped || e.Kind == EventTail {
			if e.Reason == nil {
				t.Errorf("%v at %d: got no reason, want one", e.Kind, e.Offset)
			}
			for f := range flipped {
				if f >= e.Offset && f < end {
					delete(lost, f)
				}
			}
			return
		}

		same := bytes.Equal(e.Bytes, stream[e.Offset:end])
		if !same && e.Verified {
			t.Errorf("%v at %d, damaged: got verified, want not verified", e.Kind, e.Offset)
		}

		for f := range flipped {
			if f >= e.Offset && f < end && !e.Verified {
				delete(lost, f)
			}
		}

		if e.Kind != EventFrame {
			return
		}
		if _, ok := at[e.Offset]; !ok {
			t.Errorf("got a frame at %d, want none that was never written", e.Offset)
		}

		if same {
			good++
		}
	})

	if next != int64(len(damaged)) {
		t.Errorf("got events up to %d, want up to %d", next, len(damaged))
	}
	if good < len(at)-100 {
		t.Errorf("got %d frames back, want at least %d", good, len(at)-100)
	}

	if len(lost) > 0 {
		t.Errorf("got no report of damage at %v, want one of each", lost)
	}
	t.Logf("%d of %d frames came back as written", good, len(at))
}

// flat is an event without its views, for comparison.
type flat struct {
	kind     EventKind
	verified bool
	version  uint8
	offset   int64
	bytes    string
	frame    string
	reason   error
}

func flatten(e Event) flat {
	return flat{
		e.Kind, e.Verified, e.Version, e.Offset, string(e.Bytes),
		fmt.Sprint(e.Frame.Sequence, e.Frame.TickDelta, len(e.Frame.Payload)), e.Reason,
	}
}

// damage cuts, flips, removes and inserts bytes.
func damage(rng *rand.Rand, stream []byte) []byte {
	b := bytes.Clone(stream)
	for range rng.IntN(6) {
		i := rng.IntN(len(b))
		n := min(rng.IntN(200), len(b)-i)
		switch rng.IntN(4) {
		case 0:
			b[i] ^= byte(1 + rng.IntN(255))
		case 1:
			b = append(b[:i:i], b[i+n:]...)
		case 2:
			junk := make([]byte, n)
			for j := range junk {
				junk[j] = byte(rng.Uint32())
			}
			b = append(b[:i:i], append(junk, b[i:]...)...)
		case 3:
			clear(b[i : i+n])
		}
	}
	return b
}

// The events are the same however the stream is cut, and they put together are
// the stream.
func TestDecoderGivesTheSameInAnyChunks(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 11))
		stream, _ := randomLogs(t, rng, 1+rng.IntN(8000))
		stream = damage(rng, stream)
		var want []flat
		var d Decoder
		var back []byte
		decode(&d, stream, whole, func(e Event) {
			want = append(want, flatten(e))
			back = append(back, e.Bytes...)
		})

		if !bytes.Equal(back, stream) {
			t.Fatalf("seed %d: got events of %d bytes, want %d, the stream itself", seed, len(back), len(stream))
		}
		for name, next := range map[string]func() int{
			"1 byte": func() int { return 1 },
			"random": func() int { return 1 + rng.IntN(1+rng.IntN(200000)) },
		} {
			if name == "1 byte" && seed%4 != 0 {
				continue
			}
			i := 0
			decode(&d, stream, next, func(e Event) {
				if i >= len(want) || flatten(e) != want[i] {
					t.Fatalf("seed %d, %s: event %d: got %+v, want %+v", seed, name, i, flatten(e), want[min(i, len(want)):min(i+1, len(want))])
				}
				i++
			})
			if i != len(want) {
				t.Fatalf("seed %d, %s: %d events, want %d", seed, name, i, len(want))
			}
		}
	}
}

// A single damaged byte, wherever it is, costs at most the frame it lies in,
// and a damaged header costs no frame.
func TestDamagedByteCostsAtMostItsFrame(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	var stream []byte
	headers := make(map[int64]int)
	frames := make(map[int64]int)
	for _, version := range []uint8{3, 1, 3} {
		b, err := NewLogBuilder(version)
		if err != nil {
			t.Fatal(err)
		}

		for range 40 {
			if err := b.Add(randomRecord(rng)); err != nil {
				t.Fatal(err)
			}
		}

		start := len(stream)
		if stream, err = b.AppendTo(stream); err != nil {
			t.Fatal(err)
		}
		l, _, err := ParseLog(stream[start:])
		if err != nil {
			t.Fatal(err)
		}

		headers[int64(start)] = l.LenHeader()
		walk := l.Frames()
		for walk.Next() {
			frames[int64(start+l.LenHeader()+int(walk.Frame().Offset))] = walk.Offset() - int(walk.Frame().Offset)
		}
	}

	for i := range stream {
		for _, mask := range []byte{0x01, 0x04, 0x10, 0x80, 0xff} {
			b := bytes.Clone(stream)
			b[i] ^= mask
			var d Decoder
			same, touched := 0, 0
			decode(&d, b, whole, func(e Event) {
				if e.Kind != EventFrame {
					return
				}
				if frames[e.Offset] != len(e.Bytes) {
					t.Fatalf("byte %d ^ %#x: got a frame of %d bytes at %d, want none that was never written; headers %v, % x",
						i, mask, len(e.Bytes), e.Offset, headers, b[e.Offset-32:e.Offset+40])
				}
				if bytes.Equal(e.Bytes, stream[e.Offset:e.Offset+int64(len(e.Bytes))]) {
					same++
				} else {
					touched++
				}
			})

			if same < len(frames)-1 {
				t.Errorf("byte %d ^ %#x: got %d frames back, want at least %d", i, mask, same, len(frames)-1)
			}
			for start, n := range headers {
				if int64(i) >= start && int64(i) < start+int64(n) && same != len(frames) {
					t.Errorf("byte %d ^ %#x in a header: got %d frames back, want %d", i, mask, same, len(frames))
				}
			}
		}
	}
}

// A whole log with its right checksum is found between junk, however few frames
// it has.
func TestDecoderFindsShortLogsInJunk(t *testing.T) {
	junk := bytes.Repeat([]byte{0xee}, 50)
	for _, version := range []uint8{1, 3} {
		for frames := 1; frames <= minChain; frames++ {
			b, err := NewLogBuilder(version)
			if err != nil {
				t.Fatal(err)
			}

			for range frames {
				if err := b.Add(&Record{FmtAddr: 0x8000, Args: []Arg{ArgI32(5)}}); err != nil {
					t.Fatal(err)
				}
			}

			stream, err := b.AppendTo(bytes.Clone(junk))
			if err != nil {
				t.Fatal(err)
			}
			var d Decoder
			var kinds []EventKind
			decode(&d, append(stream, junk...), whole, func(e Event) {
				kinds = append(kinds, e.Kind)
				if e.Verified != (e.Kind != EventSkipped) {
					t.Errorf("version %d, %d frames: %v at %d: got Verified %v, want %v", version, frames, e.Kind, e.Offset, e.Verified, !e.Verified)
				}
			})

			want := append([]EventKind{EventSkipped, EventLog}, slices.Repeat([]EventKind{EventFrame}, frames)...)
			if want = append(want, EventSkipped); !slices.Equal(kinds, want) {
				t.Errorf("version %d, %d frames: events %v, want %v", version, frames, kinds, want)
			}
		}
	}
}

// A stream that ends early keeps what there is of its last frame.
func TestDecoderKeepsTheTail(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	stream, at := randomLogs(t, rng, 30)
	for n := range stream {
		var d Decoder
		frames, tail := 0, 0
		decode(&d, stream[:n], func() int { return 7 }, func(e Event) {
			switch e.Kind {
			case EventFrame:
				frames++
			case EventTail:
				tail = len(e.Bytes)
			case EventSkipped:
				t.Errorf("cut at %d: got %d bytes skipped at %d, %v, want none", n, len(e.Bytes), e.Offset, e.Reason)
			}
		})

		want, last := 0, int64(0)
		for offset := range at {
			if offset < int64(n) {
				want++
				last = max(last, offset)
			}
		}

		// The header of a log whose first frame is cut is part of the tail.
		if frames != want && (frames != want-1 || tail < n-int(last)) {
			t.Errorf("cut at %d: %d frames and a tail of %d bytes, want %d frames", n, frames, tail, want)
		}
	}
}

// Bytes are a tail only where more of them could have completed something, and
// what is skipped has the reason that applies.
func TestDecoderGivesTheReasonThatApplies(t *testing.T) {
	build := func(data []byte, damage byte) []byte {
		b := LogBuilder{data: data}
		log, err := b.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		log[len(log)-len(data)-1] ^= damage // the high byte of the checksum is 0
		return log
	}

	good := []byte{6, 0, 0, 0, 0, 0, 0x20, 0, 0x80, 0, 0, 0}[:12:12]
	noValue := []byte{7, 0, 0, 0, 0, 0, 0x20, 0, 0x80, 0, 0, 1, 0x14}
	for _, c := range []struct {
		name   string
		stream []byte
		kind   EventKind
		reason error
	}{
		{"cut header", build(good, 0)[:10], EventTail, errHeaderV3Short},
		{"cut frame", build(append(good, good[:9]...), 1), EventTail, errFrameV3Payload},
		{"frame whose payload ends too early", build(append(good, noValue...), 1), EventSkipped, errPayloadValues},
		{"frames that do not fill their log", append(build(good[:9], 0), 0xee), EventSkipped, errFrameV3Payload},
		{"wrong checksum", append(build(good[:9], 1), 0xee), EventSkipped, errLogV3Checksum},
	} {
		var d Decoder
		var last Event
		decode(&d, c.stream, whole, func(e Event) { last = e })
		if last.Kind != c.kind || last.Reason != c.reason {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, last.Kind, last.Reason, c.kind, c.reason)
		}
	}
}

// What the decoder holds back is bounded, whatever it is fed.
func TestDecoderHoldsBoundedMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	junk := make([]byte, 1<<20)
	for i := range junk {
		junk[i] = byte(rng.Uint32())
	}
	good, _ := randomLogs(t, rng, 30000)
	const bound = 393312 // as the doc of Decoder says
	for name, stream := range map[string][]byte{
		"junk": junk, "good": good, "zeroes": make([]byte, 1<<19), "threes": bytes.Repeat([]byte{3}, 1<<19), "ones": bytes.Repeat([]byte{1}, 1<<19),
	} {
		var d Decoder
		most := 0
		decode(&d, stream, func() int { return 1 + rng.IntN(400000) }, func(Event) { most = max(most, len(d.kept)) })
		if most > bound {
			t.Errorf("%s: got %d bytes held, want at most %d", name, most, bound)
		}
		if cap(d.kept) > 2*bound { // what append adds
			t.Errorf("%s: got a buffer of %d bytes, want at most %d", name, cap(d.kept), 2*bound)
		}
	}
}

// Damage to token, sequence or times of a header goes unnoticed, as the doc
// warns; damage to any other byte of a log does not.
func TestVerifiedCoversAllButTokenAndTimes(t *testing.T) {
	for version, open := range map[uint8]int{1: 9, 3: 13} { // bytes before len_data
		b, err := NewLogBuilder(version)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Add(&Record{FmtAddr: 0x8000, Args: []Arg{ArgString("abc")}}); err != nil {
			t.Fatal(err)
		}

		log, err := b.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}

		for i := range log {
			damaged := bytes.Clone(log)
			damaged[i] ^= 0x10
			var d Decoder
			verified := false
			decode(&d, damaged, whole, func(e Event) { verified = verified || e.Verified })
			if want := i >= 1 && i < open; verified != want {
				t.Errorf("version %d with byte %d damaged: verified %v, want %v", version, i, verified, want)
			}
		}
	}
}

// A loop that is left early has taken the bytes up to Next, and no more: what is
// fed from there on goes on with the next event, whole or in chunks.
func TestDecoderGoesOnAfterAnEarlyExit(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	stream, _ := randomLogs(t, rng, 5000)
	for range 20 { // in damage the decoder holds bytes back
		stream[rng.IntN(len(stream))] ^= 0x55
	}
	var want []string
	decode(&Decoder{}, stream, whole, func(e Event) { want = append(want, string(e.Bytes)) })

	for _, size := range []int{1, 1000, 50_000, len(stream)} {
		var d Decoder
		var got []string
		for int(d.Next()) < len(stream) {
			for e := range d.Feed(stream[d.Next():min(int(d.Next())+size, len(stream))]) {
				got = append(got, string(e.Bytes))
				break
			}
		}
		for before := -1; len(got) > before; {
			before = len(got)
			for e := range d.Close() {
				got = append(got, string(e.Bytes))
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("chunks of %d bytes: %d events, want %d", size, len(got), len(want))
		}
	}
}
