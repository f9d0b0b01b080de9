package clock

import (
	"math"
	"slices"
)

// Clock places buffers as they come. The zero Clock is ready.
type Clock struct {
	keep  bool // all entries, to be placed anew at the end
	count int
	boots []*boot
	now   *boot
	seen  map[uint64]int // index by ID
	notes []Note
	// What the last buffer was placed at.
	end     uint64
	rate    uint32
	shift   int64
	doubt   int64
	header  uint64 // tick
	before  change // of the rate, the last one
	anchor  Wall
	holder  Place // of the anchor
	spread  int64 // of the arrivals of a boot
	arrival bool  // the anchor is an arrival
	last    Buffer
	free    []*entry // to be used again
}

// change is what was before the rate has changed, and the ticks between which it has.
type change struct {
	rate         uint32
	shift, doubt int64
	from, latest uint64
}

// remembered is how many buffers a Clock knows again, and how many of a boot it
// keeps.
const (
	remembered = 1 << 12
	kept       = 64
)

// Next places a buffer that follows those before it, and returns what it tells.
// The notes are valid until the next call.
func (c *Clock) Next(b Buffer) (Place, []Note) {
	c.notes = c.notes[:0]
	e, v := c.add(b)
	switch {
	case e == nil && b.blind() && (b.ID == 0 || c.seen[b.ID] == c.count-1):
		return c.untimed(b), c.notes
	case e == nil:
		return Place{RepeatOf: c.seen[b.ID], Boot: c.boot()}, c.notes
	}

	if v == restart || v == discord {
		c.restart(e)
	}
	base := e.upper()
	if v == next {
		base = min(e.base(), base)
		base = max(base, int64(c.end)) // what was said stands
	} else if v == late {
		base = max(base, 0)
	}

	p := Place{Boot: c.boot(), RepeatOf: -1}
	c.finish(e, &p, base, e.upper(), v == late)
	if extra := len(c.now.entries) - kept; extra > 0 {
		c.free = append(c.free, c.now.entries[:extra]...)
		c.now.drop(extra)
	}

	if len(c.seen) > remembered {
		clear(c.seen)
	}
	return p, c.notes
}

// restart begins a boot with an entry. Where the one before had another rate, it may
// after all be a part of that, with frames from before the change: a header that came
// late after it, or one whose sums did not fit.
func (c *Clock) restart(e *entry) {
	before := change{latest: uint64(e.tick)}
	switch {
	case e.Rate == c.rate && e.Tick >= uint32(c.before.from):
		before.rate, before.from = c.before.rate, c.before.from
	case e.Rate != c.rate && e.Tick >= uint32(c.header):
		before.rate, before.from = c.rate, c.header
	}
	c.end, c.rate, c.shift, c.doubt, c.before = 0, e.Rate, 0, 0, before
	c.anchor, c.arrival = Wall{}, false
}

// drop forgets the first entries of a boot.
func (b *boot) drop(n int) {
	b.entries = append(b.entries[:0], b.entries[n:]...)
	for _, e := range b.entries {
		if e.seg.tight >= 0 {
			e.seg.tight = max(e.seg.tight-n, -1)
			break
		}
	}
}

// boot returns the number of the boot at hand.
func (c *Clock) boot() int {
	if c.now == nil {
		return 0
	}
	return c.now.number
}

func (c *Clock) begin() {
	switch old := c.now; {
	case old == nil:
		c.now = &boot{}
	case c.keep:
		c.now = &boot{number: old.number + 1}
	default: // what was said of the old one stands
		c.free = append(c.free, old.entries...)
		*old = boot{number: old.number + 1, entries: old.entries[:0]}
		return
	}
	c.boots = append(c.boots, c.now)
}

// entry returns a new one.
func (c *Clock) entry(b Buffer, index int) *entry {
	n := len(c.free)
	if n == 0 {
		return &entry{Buffer: b, index: index}
	}
	e := c.free[n-1]
	c.free = c.free[:n-1]
	*e = entry{Buffer: b, index: index}
	return e
}

// untimed places a buffer that tells no time: what it has of ticks is summed up.
func (c *Clock) untimed(b Buffer) Place {
	p := Place{Boot: c.boot(), RepeatOf: -1, Rate: b.Rate}
	if b.Timed {
		p.Base, p.Early, p.Late = c.end, c.end, uint64(wrap)
		c.end += b.Sum
	}
	return p
}

// add takes a buffer into its boot. It returns nil for one that was there before.
func (c *Clock) add(b Buffer) (*entry, verdict) {
	index := c.count
	c.count++
	if c.seen == nil {
		c.seen = map[uint64]int{}
	}
	before := -1
	if c.now != nil && c.now.last() != nil {
		before = c.now.last().index
	}
	if other, ok := c.seen[b.ID]; ok && b.ID != 0 {
		c.note(Note{Kind: Repeat, Buffer: index, Other: other})
		return nil, next
	}
	if b.ID != 0 {
		c.seen[b.ID] = index
	}
	if b.Unbelieved != 0 {
		c.note(Note{Kind: NoTime, Buffer: index, Other: before, Epoch: b.Unbelieved})
	}
	last, first := c.last, c.now == nil
	c.last = b

	switch {
	case first:
		c.begin()
	case last.Timed != b.Timed:
		c.note(Note{Kind: Restart, Buffer: index, Other: before, FromT: last.Tick, ToT: b.Tick})
		c.begin()
	case !b.Timed:
		// The frames of a boot are numbered from 0.
		if follows := last.LastSequence + 1; b.Frames > 0 && b.FirstSequence == 0 && follows != 0 {
			c.begin()
		}
	}
	if b.blind() {
		return nil, next
	}

	e := c.entry(b, index)
	v, at := c.now.judge(e)
	first = c.now.last() == nil
	switch v {
	case restart, discord:
		if v == discord {
			c.note(Note{Kind: Discord, Buffer: index, Other: before, ToT: b.Tick})
		}
		if !first {
			if v == restart {
				c.note(Note{Kind: Restart, Buffer: index, Other: before, FromT: c.now.last().Tick, ToT: b.Tick})
			}
			c.begin()
		}
		c.now.append(e)
	case late:
		other := c.now.entries[at]
		c.note(Note{Kind: Swapped, Buffer: index, Other: other.index, FromT: other.Tick, ToT: b.Tick})
		if c.keep {
			c.now.entries = slices.Insert(c.now.entries, at, e)
			c.now.rebuild()
		} else {
			e.seg = &segment{base: e.upper()}
		}
	case next:
		p := c.now.last()
		if p.Rate != b.Rate {
			c.note(Note{Kind: NewRate, Buffer: index, Other: p.index, From: p.Rate, To: b.Rate})
		}
		if missing, from := c.now.append(e); missing > 0 && !c.keep {
			c.lost(e, missing, from)
		}
	}
	return e, v
}

// lost notes that frames are missing before the segment that begins at from.
func (c *Clock) lost(e *entry, missing int64, from int) {
	n := Note{Kind: Lost, Buffer: e.index, Other: -1, Micros: micros(uint64(missing), e.Rate)}
	if from > 0 {
		n.Other = c.now.entries[from-1].index
	}
	if from < len(c.now.entries) {
		n.Buffer = c.now.entries[from].index
	}
	c.note(n)
}

func (c *Clock) note(n Note) { c.notes = append(c.notes, n) }

// drift is by how many parts in a million a device's clock may be off where nothing
// tells it, and most the most that two epochs may show before the clock was set.
const (
	drift = 500
	most  = 50_000
)

// finish makes a place of an entry whose base is known, after those before it.
func (c *Clock) finish(e *entry, p *Place, base, upper int64, aside bool) {
	p.Base = uint64(max(base, 0))
	p.Early = uint64(max(int64(p.Base)-e.low, 0))
	p.Late = uint64(max(upper-int64(p.Base), 0))
	p.Rate, p.Shift, p.Doubt = e.Rate, c.shift, c.doubt
	switch {
	case c.rate == 0 || e.Rate == 0 || e.Rate == c.rate:
	case aside && e.Rate == c.before.rate:
		p.Shift, p.Doubt = c.before.shift, c.before.doubt
	default:
		// It has changed at some tick after what was before, and up to the header.
		span := uint64(max(e.tick, int64(c.end))) - min(p.Base, c.end) + max(p.Early, p.Late)
		p.Shift += micros(c.end, c.rate) - micros(c.end, e.Rate)
		p.Shift = min(max(p.Shift, -longest), longest)
		p.Doubt = min(p.Doubt+abs(micros(span, c.rate)-micros(span, e.Rate))+1, longest)
	}
	if !aside {
		if c.rate != 0 && e.Rate != 0 && e.Rate != c.rate {
			c.before = change{c.rate, c.shift, c.doubt, c.header, uint64(e.tick)}
		}
		c.header = uint64(e.tick)
		c.shift, c.doubt = p.Shift, p.Doubt
	}

	// Frames that may lie before the change were counted at the rate before.
	if from := p.Base - min(p.Early, p.Base); c.before.rate != 0 && e.Rate != c.before.rate && from < c.before.latest {
		p.own = abs(micros(c.before.latest-from, c.before.rate) - micros(c.before.latest-from, e.Rate))
		p.own = min(p.own, longest-p.Doubt)
	}
	p.Doubt += p.own
	c.wall(e, p)
	if !aside {
		c.end = max(p.Base+e.Sum, c.end)
		if e.Rate != 0 {
			c.rate = e.Rate
		}
	}
}

func abs(x int64) int64 { return max(x, -x) }

// wall ties the place to the wall clock by the entry's epoch, or by the one before.
func (c *Clock) wall(e *entry, p *Place) {
	if e.Rate == 0 {
		return
	}
	nominal := 1e6 / float64(e.Rate)
	switch {
	case e.Epoch != 0:
		w := epochOf(e)
		if a := c.anchor; a.Known && !c.arrival && uint64(e.tick) > a.Tick {
			ticks := float64(uint64(e.tick) - a.Tick)
			slope := float64(e.Epoch-a.Time) / ticks
			off := math.Abs(slope/nominal-1) * 1e6
			step := e.Epoch - a.Time - int64(ticks*nominal)
			switch {
			case c.holder.Rate != e.Rate:
				// The change lies somewhere between.
			case off <= most:
				w.Slope, w.PPM = slope, max(drift, 2*off)
			case step > 1_000_000 || step < -1_000_000:
				c.note(Note{Kind: Stepped, Buffer: e.index, Other: -1, Micros: step})
			}
		}
		c.anchor, c.holder, c.arrival = w, *p, false

	case e.Arrival != 0 && (!c.anchor.Known || c.arrival):
		w := Wall{Known: true, Time: e.Arrival, Tick: uint64(e.tick), Slope: nominal, PPM: drift, Error: delivery}
		holder := *p
		if a := c.anchor; a.Known { // what came with the least delay tells most
			later := e.Arrival - a.Time - (p.Micros(uint64(e.tick)) - c.holder.Micros(a.Tick))
			c.spread = max(c.spread, later, -later)
			if later > 0 {
				w, holder = a, c.holder
			}
			w.Error = delivery + c.spread
		} else {
			c.spread = 0
		}
		c.anchor, c.holder, c.arrival = w, holder, true
	}

	p.Wall = c.anchor.from(&c.holder, p)
}

// delivery is how long a buffer is taken to be on its way at most, in microseconds.
const delivery = 60_000_000
