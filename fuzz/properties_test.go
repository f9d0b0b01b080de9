package fuzz

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ulogkit/ulogkit/format"
)

// tb gives a rapid test the methods of testing.TB that the comparisons use.
type tb struct {
	testing.TB
	r *rapid.T
}

func (t tb) Helper()                           { t.r.Helper() }
func (t tb) Errorf(format string, args ...any) { t.r.Errorf(format, args...) }
func (t tb) Error(args ...any)                 { t.r.Error(args...) }
func (t tb) Fatalf(format string, args ...any) { t.r.Fatalf(format, args...) }
func (t tb) Fatal(args ...any)                 { t.r.Fatal(args...) }
func (t tb) Logf(format string, args ...any)   { t.r.Logf(format, args...) }

// eachView runs a property for every generated type.
func eachView(t *testing.T, property func(t *rapid.T, id string, parse view)) {
	t.Helper()
	for _, typ := range ulogger.Types {
		if parse, ok := views[typ.ID]; ok {
			t.Run(typ.ID, func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) { property(t, typ.ID, parse) })
			})
		}
	}
}

// What was written is read back the same, whatever follows it.
func TestViewsRoundTrip(t *testing.T) {
	eachView(t, func(t *rapid.T, id string, parse view) {
		typ := ulogger.Type(id)
		b := drawType(t, typ)
		n := len(b)
		last := typ.Seq[len(typ.Seq)-1]
		if suffix := rapid.SliceOf(rapid.Byte()).Draw(t, "suffix"); !last.SizeEOS && last.If == nil {
			b = append(b, suffix...)
		}
		v, rest, err := parse(b)
		if err != nil || len(rest) != len(b)-n {
			t.Fatalf("% x: got %d bytes left over, %v, want %d", b, len(rest), err, len(b)-n)
		}

		prefix := []byte("prefix")
		out, err := v.AppendTo(prefix)
		if err != nil || !bytes.Equal(out, append(prefix, b[:n]...)) {
			t.Fatalf("got % x written, %v, want % x after %q", out, err, b[:n], prefix)
		}
		again, _, err := parse(out[len(prefix):])
		if err != nil || !reflect.DeepEqual(again, v) {
			t.Fatalf("% x: got %v read back, %v, want %v", out, again, err, v)
		}
	})
}

// A view of fixed size that is filled field by field is written as one that was
// read.
func TestFilledViewIsWrittenAsOneRead(t *testing.T) {
	set := 0
	eachView(t, func(t *rapid.T, id string, parse view) {
		b := drawType(t, ulogger.Type(id))
		tree, failed := interpret(ulogger, id, nil, b, true)
		v, _, err := parse(b)
		if err != nil || failed != nil {
			t.Fatalf("got error %v from the view and %v from the interpreter, want none", err, failed)
		}

		if reflect.TypeOf(v).Kind() != reflect.Pointer {
			return // a struct, whose fields are set as they are
		}
		filled := reflect.New(reflect.TypeOf(v).Elem())
		for _, a := range tree.typ.Seq {
			if !setField(t, filled, a.ID, tree.kid(a.ID)) {
				return
			}
			set++
		}

		out, err := filled.Interface().(appender).AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, failed := interpret(ulogger, id, nil, out, true)
		if failed != nil {
			t.Fatalf("got %v from the interpreter on what the view wrote, want no failure", failed)
		}

		var got, want strings.Builder
		again.text(&got)
		tree.text(&want)
		if got.String() != want.String() {
			t.Fatalf("got %s written, want %s as it was filled", &got, &want)
		}
	})

	if set == 0 {
		t.Error("got no setter in all views, want some")
	}
}

// setField calls the setter of a field. It returns false where a text does not
// fit, which is so for one that fills its field without a NUL.
func setField(t *rapid.T, v reflect.Value, id string, n *node) bool {
	name := "set" + strings.ReplaceAll(id, "_", "")
	for i := range v.NumMethod() {
		if !strings.EqualFold(v.Type().Method(i).Name, name) {
			continue
		}
		setter := v.Method(i)
		switch setter.Type().NumIn() {
		case 0:
			setter.Call(nil) // exact contents
			return true
		}

		in := setter.Type().In(0)
		if in.Kind() != reflect.String {
			setter.Call([]reflect.Value{reflect.ValueOf(n.n.Uint64()).Convert(in)})
			return true
		}

		err, _ := setter.Call([]reflect.Value{reflect.ValueOf(string(n.raw))})[0].Interface().(error)
		fits := n.end-n.start > len(n.raw)
		if (err == nil) != fits || err != nil && !errors.Is(err, format.ErrTooLong) {
			t.Fatalf("setting %d bytes of %s: got error %v, want %q: %v", len(n.raw), id, err, format.ErrTooLong, !fits)
		}

		return fits
	}

	t.Fatalf("%v has no setter for %s", v.Type(), id)
	return false
}

// Bytes near a good value are where a view and the interpreter would part.
func TestDamagedValuesReadAsTheSpecSays(t *testing.T) {
	for _, typ := range ulogger.Types {
		t.Run(typ.ID, func(t *testing.T) {
			seeds := readSeeds(t, typ.ID)
			rapid.Check(t, func(r *rapid.T) {
				var good []byte
				if _, generated := views[typ.ID]; (generated || typ.Size >= 0 && typ.Manual == "") && rapid.Bool().Draw(r, "drawn") {
					good = drawType(r, typ)
				} else {
					good = rapid.SampledFrom(seeds).Draw(r, "seed")
				}
				differ(tb{r: r}, typ.ID, drawDamaged(r, good))
			})
		})
	}
}

// Every beginning of a good value is refused, unless the spec lets what is
// missing be missing; then all is as the interpreter says.
func TestTruncatedValuesReadAsTheSpecSays(t *testing.T) {
	for _, typ := range ulogger.Types {
		for _, b := range readSeeds(t, typ.ID) {
			for n := range b {
				differ(t, typ.ID, b[:n])
				parse, generated := views[typ.ID]
				if !generated || typ.Size < 0 {
					continue
				}
				if _, _, err := parse(b[:n]); !errors.Is(err, format.ErrShort) {
					t.Errorf("%d of %d bytes of %s: got error %v, want %v", n, len(b), typ.ID, err, format.ErrShort)
				}
			}
		}
	}
}

// What a LogBuilder writes is a good log, and holds the records that went in,
// less what a device leaves out too: arguments after the eighth.
func TestLogBuilderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, version, records := drawLog(t)
		if err := format.CheckLog(log); err != nil {
			t.Fatal(err)
		}
		differ(tb{r: t}, "log", log)
		l, _, err := format.ParseLog(log)
		if err != nil {
			t.Fatal(err)
		}
		if l.Version() != version {
			t.Fatalf("got version %d, want %d", l.Version(), version)
		}

		frames := l.Frames()
		again, err := format.NewLogBuilder(version)
		if err != nil {
			t.Fatal(err)
		}
		again.SessionToken = l.SessionToken()
		again.Tick, again.TickRateHz, _ = l.Clock()
		again.EpochTimeUs, _ = l.Epoch()

		for i, r := range records {
			if !frames.Next() {
				t.Fatalf("got %d frames, want %d", i, len(records))
			}
			back := readRecord(t, frames.Frame())
			sameRecord(t, l.Header, back, r)
			if err := again.Add(back); err != nil {
				t.Fatal(err)
			}
		}

		if frames.Next() || frames.Err() != nil {
			t.Fatalf("got more than %d frames, or error %v, want neither", len(records), frames.Err())
		}
		out, err := again.AppendTo(nil)
		if err != nil || !bytes.Equal(out, log) {
			t.Fatalf("got % x written again, %v, want % x", out, err, log)
		}
	})
}

// readRecord makes a record of a frame.
func readRecord(t *rapid.T, f format.Frame) *format.Record {
	p, err := format.ParsePayload(f.Payload)
	if err != nil {
		t.Fatal(err)
	}
	args := p.Args()
	return &format.Record{
		Level: p.Level(), Module: p.Module(), FmtAddr: p.FmtAddr(), Sequence: f.Sequence, TickDelta: f.TickDelta,
		Args: slices.Collect(args.All()),
	}
}

func sameRecord(t *rapid.T, h format.Header, got, want *format.Record) {
	if got.Level != want.Level || got.Module != want.Module || got.FmtAddr != want.FmtAddr ||
		h.FramesNumbered() && got.Sequence != want.Sequence || h.FramesTimed() && got.TickDelta != want.TickDelta {
		t.Fatalf("got record %+v, want %+v", got, want)
	}
	args := want.Args[:min(len(want.Args), 8)]
	if len(got.Args) != len(args) {
		t.Fatalf("got %d arguments, want %d", len(got.Args), len(args))
	}
	for i, w := range args {
		if g := got.Args[i]; g.Type() != w.Type() || g.Int() != w.Int() && w.Type() != format.ArgTypeString ||
			g.Stored() != w.Stored() || !bytes.Equal(g.Text(), w.Text()) {
			t.Fatalf("argument %d: got %v %#x %q, want %v %#x %q", i, g.Type(), g.Uint(), g.Text(), w.Type(), w.Uint(), w.Text())
		}
	}
}

// Any flipped bit of the data fails the checksum.
func TestChecksumCatchesEveryFlippedBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, _, _ := drawLog(t)
		l, _, err := format.ParseLog(log)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Verify(); err != nil {
			t.Fatalf("got error %v, want a sound log", err)
		}
		data := l.Data()
		for i := range data {
			for bit := range 8 {
				data[i] ^= 1 << bit
				if err := l.Verify(); !errors.Is(err, format.ErrChecksum) {
					t.Fatalf("bit %d of data byte %d flipped: got error %v, want %v", bit, i, err, format.ErrChecksum)
				}
				data[i] ^= 1 << bit
			}
		}

		dump := format.CoreDump{Header: new(format.CoreDumpHeader), Crash: rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "crash")}
		dump.Seal()
		for i := range dump.Crash {
			for bit := range 8 {
				dump.Crash[i] ^= 1 << bit
				if err := dump.Verify(); !errors.Is(err, format.ErrChecksum) {
					t.Fatalf("bit %d of crash byte %d flipped: got error %v, want %v", bit, i, err, format.ErrChecksum)
				}
				dump.Crash[i] ^= 1 << bit
			}
		}
	})
}

// Two flipped bits of a log's data pass exactly when they are the same bit of two
// different bytes: each bit of XOR-8 is the parity of that bit over all bytes.
// Two flipped bits of a crash dump pass exactly when they are the same bit of two
// bytes and were different: what one adds to the sum, the other takes away.
func TestChecksumMissesOnlyFlipsThatCancel(t *testing.T) {
	data := []byte{0x00, 0xff, 0x5a, 0xa5, 0x0f, 0x80, 0x01, 0x7e, 0x00, 0xff, 0x33}
	log, _, err := format.ParseLog(versions[0].withData(t, data))
	if err != nil {
		t.Fatal(err)
	}
	data = log.Data()
	dump := format.CoreDump{Header: new(format.CoreDumpHeader), Crash: data}
	dump.Seal()
	missed := map[string]int{}
	for a := range 8 * len(data) {
		for b := range a {
			bitA, bitB := data[a/8]>>(a%8)&1, data[b/8]>>(b%8)&1
			data[a/8] ^= 1 << (a % 8)
			data[b/8] ^= 1 << (b % 8)
			sameBit := a%8 == b%8
			if passes := log.Verify() == nil; passes != sameBit {
				t.Errorf("bits %d and %d flipped: got them past XOR-8: %v, want %v", a, b, passes, sameBit)
			} else if passes {
				missed["xor8"]++
			}
			if passes := dump.Verify() == nil; passes != (sameBit && bitA != bitB) {
				t.Errorf("bits %d and %d flipped: got them past the sum: %v, want %v", a, b, passes, sameBit && bitA != bitB)
			} else if passes {
				missed["sum32"]++
			}
			data[a/8] ^= 1 << (a % 8)
			data[b/8] ^= 1 << (b % 8)
		}
	}

	if pairs := 8 * len(data) * (len(data) - 1) / 2; missed["xor8"] != pairs || missed["sum32"] == 0 {
		t.Errorf("got missed pairs %v, want %d for xor8 and some for sum32", missed, pairs)
	}
}

// Patching the token changes the four bytes from offset 1 and nothing else, and
// the checksum stays right.
func TestTokenPatchChangesNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, _, _ := drawLog(t)
		before := bytes.Clone(log)
		token := rapid.Uint32().Draw(t, "new token")
		l, _, err := format.ParseLog(log)
		if err != nil {
			t.Fatal(err)
		}
		l.SetSessionToken(token)
		if l.SessionToken() != token || l.Verify() != nil || format.CheckLog(log) != nil {
			t.Fatalf("got token %d, errors %v and %v, want %d and none", l.SessionToken(), l.Verify(), format.CheckLog(log), token)
		}
		want := set(before, 1, 4, uint64(token))
		if !bytes.Equal(log, want) {
			t.Fatalf("got % x of % x, want % x", log, before, want)
		}
	})
}

// However a stream is cut, a decoder yields the same events.
func TestDecoderYieldsTheSameHoweverCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		for range rapid.IntRange(0, 5).Draw(t, "logs") {
			log, _, _ := drawLog(t)
			stream = append(stream, log...)
		}
		stream = drawDamaged(t, stream)
		cuts := rapid.SliceOfN(rapid.Byte(), 1, 10).Draw(t, "cuts")
		whole := decode(tb{r: t}, &format.Decoder{}, stream, nil)
		checkEvents(tb{r: t}, stream, whole)
		sameEvents(tb{r: t}, decode(tb{r: t}, &format.Decoder{}, stream, cuts), whole)
	})
}

// A device sends what the gateway asks for, over a link that loses chunks and
// answers, repeats chunks, and delivers old ones late: the transfer comes out
// exactly. A device that gives up and sends something else gets that through
// too, and the two never mix.
func TestTransferComesThroughABadLink(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var transfer format.Transfer
		mtu := rapid.IntRange(1, 40).Draw(t, "mtu")
		first := rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "first")
		second := rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "second")
		send(t, &transfer, first, mtu, rapid.IntRange(0, 30).Draw(t, "steps of the first"), false)
		send(t, &transfer, second, mtu, rapid.IntRange(0, 60).Draw(t, "steps of the second"), true)
	})
}

// send delivers data over a bad link for some steps, then, when it is to finish,
// over a good one.
func send(t *rapid.T, transfer *format.Transfer, data []byte, mtu, steps int, finish bool) {
	offset := 0 // that the device will send from
	var sent []format.Chunk
	deliver := func(c format.Chunk) (complete bool) {
		status, whole := transfer.Add(c)
		if status != format.ChunkCompleted {
			return false
		}
		if !bytes.Equal(whole, data) {
			t.Fatalf("got % x, want % x", whole, data)
		}
		return true
	}

	chunkAt := func(offset int) format.Chunk {
		return format.Chunk{Offset: uint16(offset), LenTotal: uint16(len(data)), Data: data[offset:min(offset+mtu, len(data))]}
	}
	for range steps {
		c := chunkAt(offset)
		sent = append(sent, c)
		var complete bool
		switch rapid.IntRange(0, 4).Draw(t, "what happens") {
		case 0: // lost, and so there is no answer
			continue
		case 1: // repeated
			complete = deliver(c)
			complete = deliver(c) || complete
		case 2: // overtaken by an old one
			complete = deliver(sent[rapid.IntRange(0, len(sent)-1).Draw(t, "old")])
			complete = deliver(c) || complete
		case 3: // delivered, the answer lost
			deliver(c)
			continue
		default:
			complete = deliver(c)
		}

		if offset = int(transfer.Next()); complete || offset >= len(data) {
			offset = 0 // it sends once more what is complete, as after a lost answer
		}
	}

	if !finish {
		return
	}
	offset = 0
	for range len(data) + 1 {
		if deliver(chunkAt(offset)) {
			return
		}
		if offset = int(transfer.Next()); offset >= len(data) {
			break
		}
	}

	t.Fatalf("%d bytes in steps of %d: got to where the gateway asks for %d, want all of it through", len(data), mtu, offset)
}

// The longest transfer, 65,535 bytes, goes through in chunks of 16 bytes.
func TestLongestTransferComesThrough(t *testing.T) {
	data := make([]byte, math.MaxUint16)
	for i := range data {
		data[i] = byte(i * 7)
	}
	var transfer format.Transfer
	model := transferModel{}
	for at := 0; at < len(data); at += 16 {
		model.add(t, &transfer, format.Chunk{Offset: uint16(at), LenTotal: math.MaxUint16, Data: data[at:min(at+16, len(data))]})
	}
	if !bytes.Equal(model.data, data) {
		t.Errorf("got a transfer of %d bytes, want the %d that were sent", len(model.data), len(data))
	}
}
