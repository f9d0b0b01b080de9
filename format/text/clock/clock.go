package clock

import (
	"hash/maphash"
	"math"
	"math/bits"

	"github.com/ulogkit/ulogkit/format"
)

// Buffer is what a log says about time.
type Buffer struct {
	Timed   bool   // frames have ticks, not numbers
	Tick    uint32 // device ticks when the header was written
	Rate    uint32 // ticks a second; 0 without a clock
	Epoch   int64  // microseconds since 1970 at that tick; 0 if the device does not know
	Arrival int64  // microseconds since 1970 when the buffer came; 0 if that is not known
	// Unbelieved is what the header has in place of an epoch, if that is no time
	// before the year 10000, in microseconds since 1970.
	Unbelieved uint64
	Frames     int
	First      uint64 // ticks before the first frame
	Sum        uint64 // ticks of all frames, the first included
	// FirstSequence and LastSequence are numbers of frames without ticks.
	FirstSequence, LastSequence uint16
	// ID is the same for buffers that are equal but for the token; 0 is nobody's.
	ID uint64
}

// blind reports whether a buffer's header does not tell when it was written: whoever
// has frames with ticks has a counter that is not 0, but for one tick in a wrap.
func (b *Buffer) blind() bool {
	return !b.Timed || b.Tick == 0 && (b.Rate == 0 || b.Sum > 0)
}

var seed = maphash.MakeSeed()

// NewBuffer reads a log whose frames are sound.
func NewBuffer(l format.Log) Buffer {
	b := Buffer{Timed: l.FramesTimed()}
	b.Tick, b.Rate, _ = l.Clock()
	if epoch, _ := l.Epoch(); epoch <= latest {
		b.Epoch = int64(epoch)
	} else {
		b.Unbelieved = epoch
	}

	frames := l.Frames()
	for frames.Next() {
		f := frames.Frame()
		if b.Frames == 0 {
			b.First, b.FirstSequence = uint64(f.TickDelta), f.Sequence
		}
		b.Frames++
		b.Sum += uint64(f.TickDelta)
		b.LastSequence = f.Sequence
	}

	// Without a clock, and at the beginning of a boot without ticks, a device can
	// well write the same twice.
	if b.Frames > 0 && (b.Timed && b.Tick != 0 || !b.Timed && b.FirstSequence != 0) {
		var h maphash.Hash
		h.SetSeed(seed)
		// A gateway may have set the token in one of two equal buffers.
		before, after := format.AroundSessionToken(l.Bytes())
		h.Write(before)
		h.Write(after)
		b.ID = h.Sum64() | 1
	}

	return b
}

// earliest and latest are the first and the last moment that RFC 3339 has, in
// microseconds since 1970: the year 1, and the end of the year 9999.
const (
	earliest = -62_135_596_800_000_000
	latest   = 253_402_300_799_999_999
)

// Believed reports whether a wall time can be one, in microseconds since 1970.
func Believed(us int64) bool { return us >= earliest && us <= latest }

// Place is where a buffer lies in time. Ticks are those of the device, counted on
// where its counter wraps.
type Place struct {
	Boot int // counts the boots, from 0
	// Base is the tick before the buffer's first frame: a frame lies at Base and the
	// deltas up to its own.
	Base uint64
	// Early and Late are how many ticks the frames may lie before and after that.
	Early, Late uint64
	Rate        uint32
	// Shift is added to ticks/Rate, in microseconds, after the rate has changed, and
	// Doubt is by how much that may be wrong: when it has changed is not told.
	Shift, Doubt int64
	own          int64 // of Doubt, what is about these frames alone and not about their header
	Wall         Wall
	// RepeatOf is the index of the buffer that this one repeats, or -1.
	RepeatOf int
}

// Wall ties a device's ticks to wall time.
type Wall struct {
	Known bool
	Time  int64   // microseconds since 1970
	Tick  uint64  // the device's tick at that time
	Slope float64 // microseconds a tick
	Error int64   // of Time, in microseconds
	PPM   float64 // by how much Slope may be wrong
}

// Micros returns the device time at a tick in microseconds, rounded down.
func (p *Place) Micros(tick uint64) int64 { return micros(tick, p.Rate) + p.Shift }

// micros returns ticks in microseconds, as many as there can be at most.
func micros(tick uint64, rate uint32) int64 {
	r := uint64(max(rate, 1))
	over, us := bits.Mul64(tick/r, 1_000_000)
	us += tick % r * 1_000_000 / r
	if over != 0 || us > longest {
		return longest
	}
	return int64(us)
}

// longest is the longest time, some 73,000 years: four of them can be added.
const longest = math.MaxInt64 / 4

// Error returns how far the device times of the frames may be off, in microseconds.
func (p *Place) Error() int64 {
	return p.reach() + p.Doubt
}

// reach returns how far the frames may lie from where they are, in microseconds.
func (p *Place) reach() int64 { return micros(max(p.Early, p.Late), p.Rate) + 1 }

// WallMicros returns the wall time at a tick in microseconds since 1970, by how much
// it may be wrong, and whether it is known: a time that no calendar has is not.
func (p *Place) WallMicros(tick uint64) (us, bound int64, ok bool) {
	if !p.Wall.Known || p.Rate == 0 {
		return 0, 0, false
	}
	d := float64(int64(tick-p.Wall.Tick)) * p.Wall.Slope
	if math.Abs(d) > latest-earliest {
		return 0, 0, false
	}
	if us = p.Wall.Time + int64(d); !Believed(us) {
		return 0, 0, false
	}
	own := p.reach() + p.own
	off := float64(own) + float64(p.Wall.Error) + (math.Abs(d)+float64(own))*p.Wall.PPM/1e6 + 3
	return us, int64(min(off, longest)), true
}

// from returns the tie of one place as it is for another of its boot, where the counter
// may go at another rate.
func (w Wall) from(of, p *Place) Wall {
	if !w.Known || p.Rate == 0 || of.Rate == p.Rate && of.Shift == p.Shift {
		return w
	}
	us := p.Micros(p.Base) - of.Micros(w.Tick)
	off := float64(w.Error) + math.Abs(float64(us))*w.PPM/1e6 + math.Abs(float64(p.Doubt-of.Doubt)) + 2
	w.Time, w.Tick, w.Slope, w.Error = w.Time+us, p.Base, 1e6/float64(p.Rate), int64(min(off, longest))
	return w
}

// NoteKind says what a [Note] tells.
type NoteKind uint8

// What is told about buffers.
const (
	Restart NoteKind = iota // the device began to count anew
	Repeat                  // Buffer is Other once more
	Swapped                 // Buffer was written before Other, which came first
	Lost                    // frames are missing between Other and Buffer
	NewRate                 // the ticks of Buffer are shorter or longer than those of Other
	Stepped                 // the wall clock was set between Other and Buffer
	Discord                 // sums and ticks of Buffer contradict each other
	NoTime                  // the epoch of Buffer is no time
)

// Note tells what was found out about a buffer.
type Note struct {
	Kind          NoteKind
	Buffer, Other int // indices; Other is the one before, or -1
	// Micros is how much time is missing at least (Lost), or by how much the clock
	// was set (Stepped).
	Micros     int64
	From, To   uint32 // rates (NewRate)
	FromT, ToT uint32 // header ticks of Other and Buffer
	Epoch      uint64 // in microseconds since 1970 (NoTime)
}
