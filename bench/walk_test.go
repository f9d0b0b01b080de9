package bench

import (
	"errors"
	"strconv"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// tally is what every way of walking a log must find in it.
type tally struct {
	frames int
	levels [8]int
	ticks  uint64
	sum    int64 // of the integer arguments
}

func (t *tally) add(delta uint32, p format.Payload) {
	t.frames++
	t.levels[p.Level()&7]++
	t.ticks += uint64(delta)
	args := p.Args()
	for args.Next() {
		arg := args.Arg()
		switch arg.Type() {
		case format.ArgTypeI32, format.ArgTypeI64, format.ArgTypeU32, format.ArgTypeU64:
			t.sum += arg.Int()
		}
	}
}

func walkFormat(b []byte, t *tally) error {
	*t = tally{}
	log, _, err := format.ParseLog(b)
	if err != nil {
		return err
	}
	if err := log.Verify(); err != nil {
		return err
	}
	frames := log.Frames()
	for frames.Next() {
		frame := frames.Frame()
		p, err := format.ParsePayload(frame.Payload)
		if err != nil {
			return err
		}
		t.add(frame.TickDelta, p)
	}
	return frames.Err()
}

func walkFormatIter(b []byte, t *tally) error {
	*t = tally{}
	log, _, err := format.ParseLog(b)
	if err != nil {
		return err
	}
	if err := log.Verify(); err != nil {
		return err
	}

	frames := log.Frames()
	for frame := range frames.All() {
		p, err := format.ParsePayload(frame.Payload)
		if err != nil {
			return err
		}
		t.frames++
		t.levels[p.Level()&7]++
		t.ticks += uint64(frame.TickDelta)
		args := p.Args()
		for arg := range args.All() {
			switch arg.Type() {
			case format.ArgTypeI32, format.ArgTypeI64, format.ArgTypeU32, format.ArgTypeU64:
				t.sum += arg.Int()
			}
		}
	}

	return frames.Err()
}

// walkers are all ways to walk a log, by name.
func walkers() []walker {
	return []walker{
		{"format", walkFormat},
		{"format-iter", walkFormatIter},
		{"gopacket", newWalkGopacket()},
		{"gopacket-views", newWalkGopacketViews()},
		{"binary.Decode", walkBinary},
	}
}

type walker struct {
	name string
	run  func([]byte, *tally) error
}

// BenchmarkWalk verifies a full log, counts its levels and sums its ticks and
// integer arguments.
func BenchmarkWalk(b *testing.B) {
	log := realisticLog(b)
	var want tally
	if err := walkFormat(log, &want); err != nil {
		b.Fatal(err)
	}
	if want.frames < 1000 || want.sum == 0 {
		b.Fatalf("got a log with %+v, want at least 1000 frames and a sum that is not 0", want)
	}

	for _, impl := range walkers() {
		b.Run("impl="+impl.name+"/size="+strconv.Itoa(65535), func(b *testing.B) {
			b.SetBytes(int64(len(log)))
			b.ReportAllocs()
			var got tally
			for b.Loop() {
				if err := impl.run(log, &got); err != nil {
					b.Fatal(err)
				}
			}
			if got != want {
				b.Fatalf("walk found %+v, want %+v", got, want)
			}
			b.ReportMetric(float64(want.frames)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mframes/s")
		})
	}
}

// Neither a good log nor a bad one costs an allocation.
func TestWalkAllocatesNothing(t *testing.T) {
	good := realisticLog(t)
	for name, c := range map[string]struct {
		log  func() []byte
		want error
	}{
		"good":          {func() []byte { return good }, nil},
		"empty":         {func() []byte { return nil }, format.ErrShort},
		"cut":           {func() []byte { return good[:len(good)-1] }, format.ErrShort},
		"wrong version": {func() []byte { return changed(good, 0, 2) }, format.ErrVersion},
		"wrong bit":     {func() []byte { return changed(good, 5000, good[5000]^1) }, format.ErrChecksum},
		"wrong frame":   {func() []byte { return resealed(good, 17, 5) }, format.ErrValue},
		"wrong type":    {func() []byte { return firstType(t, good, 0x90) }, format.ErrValue},
	} {
		log := c.log()
		for _, impl := range []walker{{"format", walkFormat}, {"format-iter", walkFormatIter}} {
			var got tally
			var err error
			allocs := testing.AllocsPerRun(10, func() { err = impl.run(log, &got) })
			if allocs != 0 {
				t.Errorf("%s, %s: %v allocations, want 0", impl.name, name, allocs)
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%s, %s: error %v, want %v", impl.name, name, err, c.want)
			}
		}
	}
}

func changed(log []byte, at int, to byte) []byte {
	b := append([]byte(nil), log...)
	b[at] = to
	return b
}

// resealed changes a byte of the data and makes the checksum right again.
func resealed(log []byte, at int, to byte) []byte {
	b := changed(log, at, to)
	if l, _, err := format.ParseLog(b); err == nil {
		l.Seal()
	}
	return b
}

// firstType changes the packed type of the first argument in the log.
func firstType(t *testing.T, log []byte, to byte) []byte {
	t.Helper()
	l, _, err := format.ParseLog(log)
	if err != nil {
		t.Fatal(err)
	}
	frames := l.Frames()
	for frames.Next() {
		if p, err := format.ParsePayload(frames.Frame().Payload); err == nil && p.NumArgs() > 0 {
			return resealed(log, l.LenHeader()+int(frames.Frame().Offset)+l.LenFrameHeader()+format.PayloadHeaderSize, to)
		}
	}
	t.Fatal("got no frame with an argument, want one")
	return nil
}
