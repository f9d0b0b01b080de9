package clock

import (
	"math"
	"slices"
)

// wrap is the range of a device's counter.
const wrap = int64(1) << 32

// entry is a buffer in its boot. Ticks are counted on over wraps.
type entry struct {
	Buffer
	index  int
	tick   int64 // of the header
	rel    int64 // sum of the segment before the buffer
	before int64 // sum of the boot before the buffer, as far as it was received
	seg    *segment
	low    int64 // the least that base can be
	proved bool  // that the entry before is of the same boot
}

// upper is the most that the base can be: the last frame lies before the header.
func (e *entry) upper() int64 { return e.tick - int64(e.Sum) }

// base is where the buffer is taken to begin.
func (e *entry) base() int64 { return max(e.rel+e.seg.base, 0) }

func (e *entry) end() int64 { return e.base() + int64(e.Sum) }

// inner is the time from the first to the last frame.
func (e *entry) inner() int64 { return int64(e.Sum - e.First) }

// proves reports whether an entry is surely of the boot of the one before it: as much
// time has passed as ticks, and less than the device has been up. Without epochs two
// buffers of different boots can look like two of one when those between are lost.
func (e *entry) proves(p *entry) bool {
	if e.Epoch == 0 || p.Epoch == 0 || e.Rate == 0 || e.Rate != p.Rate {
		return false
	}
	elapsed := ticks(e.Epoch-p.Epoch, e.Rate)
	slack := max(elapsed, -elapsed)/50 + 5*int64(e.Rate)
	return e.tick > p.tick && near(elapsed, e.tick-p.tick, slack) && int64(e.Tick) > elapsed+slack
}

// ticks returns how many ticks a time in microseconds has, as many as there can be
// at most.
func ticks(us int64, rate uint32) int64 {
	t := float64(us) / 1e6 * float64(rate)
	if math.Abs(t) > longest/2 {
		return int64(math.Copysign(longest/2, t))
	}
	return us/1_000_000*int64(rate) + us%1_000_000*int64(rate)/1_000_000
}

// segment is a row of buffers of a boot between which nothing is known to be lost.
type segment struct {
	base  int64 // the most that the tick before its first buffer can be
	floor int64 // the least: the end of what is before
	tight int   // position in the boot of the last buffer that says so
}

// boot is what was received of one run of a device, in the order of ticks.
type boot struct {
	number  int
	entries []*entry
}

func (b *boot) last() *entry {
	if len(b.entries) == 0 {
		return nil
	}
	return b.entries[len(b.entries)-1]
}

// append adds an entry behind the last. It returns the time that is missing before
// it, and the position from which on the buffers belong to the new segment.
func (b *boot) append(e *entry) (missing int64, from int) {
	p := b.last()
	if p == nil {
		e.rel, e.before, e.low = 0, 0, 0
		e.seg = &segment{base: e.upper()}
		b.entries = append(b.entries, e)
		return 0, 0
	}

	n := len(b.entries)
	e.seg, e.rel, e.before = p.seg, p.rel+int64(p.Sum), p.before+int64(p.Sum)
	atMost := e.upper() - e.rel
	atLeast := p.tick - e.rel - int64(e.First) // the first frame came after the last report

	e.low, e.proved = 0, e.proves(p)
	if e.proved {
		e.low = p.low + int64(p.Sum)
	}
	if e.Frames > 0 && atLeast > e.seg.base && atLeast <= atMost {
		missing, from = atLeast-e.seg.base, max(e.seg.tight+1, 0)
		b.entries = append(b.entries, e)
		b.split(from)
		return missing, from
	}
	if atMost <= e.seg.base {
		e.seg.base, e.seg.tight = atMost, n
	}
	b.entries = append(b.entries, e)
	return 0, n
}

// split begins a segment at a position; what is before it stays as it is.
func (b *boot) split(from int) {
	seg := &segment{base: b.entries[from].upper(), tight: from}
	rel := int64(0)
	for i := from; i < len(b.entries); i++ {
		e := b.entries[i]
		e.seg, e.rel = seg, rel
		if atMost := e.upper() - rel; atMost <= seg.base {
			seg.base, seg.tight = atMost, i
		}
		rel += int64(e.Sum)
	}
	if from > 0 {
		p := b.entries[from-1]
		seg.floor = p.end()
		seg.base = max(seg.base, seg.floor) // of loss nothing runs backwards
	}
}

// rebuild makes the segments anew after an entry has come between others.
func (b *boot) rebuild() {
	all := b.entries
	b.entries = nil
	for _, e := range all {
		b.append(e)
	}
}

// verdict is what becomes of a buffer.
type verdict uint8

const (
	next    verdict = iota // of the boot, after all others
	late                   // of the boot, before another
	restart                // the first of a new boot
	discord                // the same, though its sums do not fit its tick
)

// share is the part of a time that an estimate of it may be off before something
// else explains it better.
const share = 4

// judge decides what becomes of a buffer, and sets its tick. at is the position of
// a late one.
func (b *boot) judge(e *entry) (v verdict, at int) {
	p := b.last()
	sum, rate := int64(e.Sum), int64(max(e.Rate, 1))
	canRestart := sum <= int64(e.Tick)
	if p == nil {
		e.alone() // frames that take more than the counter shows tell that it has wrapped
		return restart, 0
	}

	ahead := int64(e.Tick - p.Buffer.Tick) // wraps
	e.tick = p.tick + ahead
	for sum >= wrap/2 && e.tick-sum < p.rel+int64(p.Sum)+p.seg.floor {
		e.tick += wrap
		ahead += wrap
	}

	wrapped := p.Tick > e.Tick || ahead >= wrap
	atMost := e.upper() - p.rel - int64(p.Sum)
	canFollow := atMost >= p.seg.floor &&
		(e.inner() <= ahead || ahead <= max(2*rate, e.inner()/64))
	tolerance := sum/share + 2*rate
	fitsOn := atMost-p.seg.base <= tolerance
	// A first buffer has less time before it than one that comes after others.
	goesOn := canFollow && !wrapped && fitsOn && e.upper() > b.entries[0].upper()+tolerance

	if e.Epoch != 0 && p.Epoch != 0 && e.Rate == p.Rate && e.Rate != 0 {
		elapsed := ticks(e.Epoch-p.Epoch, e.Rate)
		slack := max(elapsed, -elapsed)/20 + 5*rate
		switch {
		case elapsed < -slack:
			// It was written before the last one, if its ticks do not tell that
			// it follows.
			following := e.tick
			if at, ok := b.earlier(e, true); ok {
				return late, at
			}
			e.tick = following
			if goesOn || canFollow && !canRestart {
				return next, 0 // the clock was set back
			}
			return e.alone()
		case near(elapsed, ahead, slack):
			if canFollow || !canRestart {
				return next, 0
			}
		case goesOn:
			return next, 0 // the clock was set
		case canRestart && elapsed+slack >= int64(e.Tick):
			return e.alone()
		}
	}

	if canFollow && (!wrapped || fitsOn) {
		return next, 0
	}
	if following := e.tick; wrapped {
		if at, ok := b.earlier(e, false); ok {
			return late, at
		}
		e.tick = following
	}

	if canFollow && !canRestart {
		return next, 0
	}
	return e.alone()
}

// alone makes an entry the first of a boot.
func (e *entry) alone() (v verdict, at int) {
	e.tick = int64(e.Tick)
	if int64(e.Sum) <= e.tick {
		return restart, 0
	}
	for e.tick < int64(e.Sum) {
		e.tick += wrap
	}
	return discord, 0
}

func near(a, b, slack int64) bool { return a-b <= slack && b-a <= slack }

// earlier looks for the gap that a late buffer fills, and sets its tick. With sure
// set it is known to be late, and any place that it fits into will do.
func (b *boot) earlier(e *entry, sure bool) (at int, ok bool) {
	p := b.last()
	e.tick = p.tick - int64(p.Buffer.Tick-e.Tick)
	sum, rate := int64(e.Sum), int64(max(e.Rate, 1))
	if e.tick < sum {
		return 0, false
	}

	at = len(b.entries)
	for at > 0 && b.entries[at-1].tick > e.tick {
		at--
	}

	if at == len(b.entries) {
		return 0, false
	}
	k := b.entries[at]
	start := int64(0) // of the gap
	if at > 0 {
		start = b.entries[at-1].end()
	}

	gap := k.upper() - start
	left := gap - sum
	tolerance := sum/share + rate
	if !sure && (left > tolerance || e.upper() < start-tolerance || e.tick > k.upper()+int64(k.First)+tolerance) {
		return 0, false
	}
	return at, left >= 0 && b.takes(e, at)
}

// takes reports whether the sums of all entries fit their ticks, and the epochs each
// other, with one more.
func (b *boot) takes(e *entry, at int) bool {
	var trial boot
	epoch := int64(0)
	for i, old := range slices.Insert(slices.Clone(b.entries), at, e) {
		c := *old
		trial.append(&c)
		if i > 0 && c.upper() < c.rel+c.seg.floor || c.Epoch != 0 && c.Epoch < epoch {
			return false
		}
		epoch = max(epoch, c.Epoch)
	}
	return true
}
