package clock

import (
	"cmp"
	"math"
	"slices"
)

// Resolve places buffers that are all there, in the order in which they came, and
// returns their order in time and what they tell.
func Resolve(buffers []Buffer) (places []Place, order []int, notes []Note) {
	c := Clock{keep: true}
	places = make([]Place, len(buffers))
	var sequence []int // of those that have no ticks, by boot
	type spot struct{ boot, index int }
	var plain []spot
	for i := range buffers {
		e, _ := c.add(buffers[i])
		switch {
		case e == nil && buffers[i].blind() && (buffers[i].ID == 0 || c.seen[buffers[i].ID] == i):
			places[i] = c.untimed(buffers[i])
			plain = append(plain, spot{c.boot(), i})
		case e == nil:
			places[i] = Place{RepeatOf: c.seen[buffers[i].ID]}
		}
	}
	notes = c.notes

	// Repeats stand where the first is, the others in the order of their boot.
	before := Clock{}
	for _, b := range c.boots {
		final := Clock{rate: before.rate, header: before.header, before: before.before}
		b.rebuildAll(&final)
		b.place(&final, places)
		before = final
		notes = append(notes, final.notes...)
		for _, e := range b.entries {
			sequence = append(sequence, e.index)
		}
		for len(plain) > 0 && plain[0].boot <= b.number {
			i := plain[0].index
			if plain[0].boot == b.number && len(b.entries) > 0 { // they follow these
				places[i] = final.untimed(buffers[i])
			}
			sequence = append(sequence, i)
			plain = plain[1:]
		}
	}
	for _, s := range plain {
		sequence = append(sequence, s.index)
	}
	repeats := map[int][]int{}
	for i := range places {
		if of := places[i].RepeatOf; of >= 0 {
			places[i] = places[of]
			places[i].RepeatOf = of
			repeats[of] = append(repeats[of], i)
		}
	}
	for _, i := range sequence {
		order = append(append(order, i), repeats[i]...)
	}
	slices.SortStableFunc(notes, func(a, b Note) int { return cmp.Compare(a.Buffer, b.Buffer) })
	return places, order, notes
}

// rebuildAll makes the segments of a boot, and notes what is missing.
func (b *boot) rebuildAll(c *Clock) {
	all := b.entries
	b.entries = nil
	c.now = b
	for _, e := range all {
		if missing, from := b.append(e); missing > 0 {
			c.lost(e, missing, from)
		}
	}
}

// place places all entries of a boot.
func (b *boot) place(c *Clock, places []Place) {
	n := len(b.entries)
	upper, allowed := make([]int64, n), make([]int64, n)
	proved, all := int64(math.MaxInt64), int64(math.MaxInt64)
	for i := n - 1; i >= 0; i-- { // no later buffer of the boot allows more
		e := b.entries[i]
		proved, all = min(proved, e.upper()-e.before), min(all, e.upper()-e.before)
		upper[i], allowed[i] = proved+e.before, all+e.before
		if !e.proved {
			proved = math.MaxInt64
		}
	}

	b.anchors(c)
	if n > 0 {
		c.restart(b.entries[0])
	}
	for i, e := range b.entries {
		p := &places[e.index]
		*p = Place{Boot: b.number, RepeatOf: -1}
		base := min(max(e.base(), int64(c.end)), allowed[i])
		c.finish(e, p, base, upper[i], false)
	}

	if !c.anchor.Known {
		return
	}
	first, of := c.anchor, &c.holder
	for _, e := range b.entries {
		if e.Epoch != 0 && e.Rate != 0 {
			first, of = epochOf(e), &places[e.index]
			break
		}
	}

	for _, e := range b.entries { // those before the first that knows the time
		if p := &places[e.index]; p.Rate != 0 && (!p.Wall.Known || c.arrival) {
			p.Wall = first.from(of, p)
		}
	}
}

// anchors is where a boot's wall time comes from: epochs if there is one.
func (b *boot) anchors(c *Clock) {
	if slices.ContainsFunc(b.entries, func(e *entry) bool { return e.Epoch != 0 }) {
		for _, e := range b.entries {
			e.Arrival = 0
		}
	}
}

// epochOf ties an entry to its epoch.
func epochOf(e *entry) Wall {
	nominal := 1e6 / float64(e.Rate)
	return Wall{Known: true, Time: e.Epoch, Tick: uint64(e.tick), Slope: nominal, PPM: drift, Error: int64(nominal) + 1}
}
