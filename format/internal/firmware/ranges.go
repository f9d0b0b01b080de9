package firmware

import (
	"encoding/binary"
	"slices"
)

// covers calls hit for each of the pcs, by its place, that an entry has code at,
// and reports whether there is one. Bounded is false if the entry does not say
// where its code is.
func (d *Debug) covers(x *context, e *entry, pcs []uint32, hit func(i int)) (any, bounded bool) {
	bounded = d.cover(x, e, func(low, high uint32) {
		i, _ := slices.BinarySearch(pcs, low)
		for ; i < len(pcs) && pcs[i] < high; i++ {
			if any = true; hit == nil {
				return
			}
			if d.steps--; d.steps < 0 {
				return
			}
			hit(i)
		}
	})
	return any, bounded
}

// cover calls each for every stretch of code of an entry. It returns false if the
// entry does not say where its code is.
func (d *Debug) cover(x *context, e *entry, each func(low, high uint32)) (bounded bool) {
	sound := func(low, high uint32) {
		// Code that the linker left out stays at address 0.
		if low &^= 1; high > low && (low != 0 || e.tag != tagSubprogram) {
			each(low, high)
		}
	}
	switch {
	case e.ranges.form != 0:
		d.eachRange(x, e.ranges, sound)
		return true
	case e.high.form == 0:
		return false
	}

	low, ok := x.address(e.low)
	if !ok {
		return false
	}
	high := low + uint32(e.high.value)
	if form := e.high.form; form == formAddr || form == formAddrx || form >= formAddrx1 && form <= formAddrx4 || form == formGNUAddr {
		high, _ = x.address(e.high)
	}

	sound(low, high)
	return true
}

// Kinds of entries of a list of ranges.
const (
	rangeEnd, rangeBasex, rangeStartxEndx, rangeStartxLength = 0, 1, 2, 3
	rangeOffsets, rangeBase, rangeStartEnd, rangeStartLength = 4, 5, 6, 7
)

// eachRange calls cover for each range of a list.
//
// Source: DWARF 5, section 7.25; DWARF 4, section 2.17.3.
func (d *Debug) eachRange(x *context, v constant, cover func(low, high uint32)) {
	base := x.low
	if x.unit.version < 5 {
		at := v.value + uint64(x.rangesBase)
		for b := x.data.ranges; at+8 <= uint64(len(b)); at += 8 {
			low, high := binary.LittleEndian.Uint32(b[at:]), binary.LittleEndian.Uint32(b[at+4:])
			if d.steps--; low == 0 && high == 0 || d.steps < 0 {
				return
			}
			if low == 0xffffffff {
				base = high
				continue
			}
			cover(base+low, base+high)
		}
		return
	}

	at := v.value
	lists := x.data.rnglists
	if v.form == formRnglistx {
		entry := uint64(x.rnglistsBase) + 4*v.value
		if v.value > 1<<30 || entry+4 > uint64(len(lists)) {
			return
		}
		at = uint64(x.rnglistsBase) + uint64(binary.LittleEndian.Uint32(lists[entry:]))
	}

	if at > uint64(len(lists)) {
		return
	}
	for c := (Cursor{B: lists[at:]}); !c.Bad; {
		if d.steps--; d.steps < 0 {
			return
		}

		switch c.U8() {
		case rangeBasex:
			base, _ = x.addressAt(c.Uleb())
		case rangeStartxEndx:
			low, _ := x.addressAt(c.Uleb())
			high, _ := x.addressAt(c.Uleb())
			cover(low, high)
		case rangeStartxLength:
			low, _ := x.addressAt(c.Uleb())
			cover(low, low+uint32(c.Uleb()))
		case rangeOffsets:
			low := base + uint32(c.Uleb())
			cover(low, base+uint32(c.Uleb()))
		case rangeBase:
			base = c.U32()
		case rangeStartEnd:
			low := c.U32()
			cover(low, c.U32())
		case rangeStartLength:
			low := c.U32()
			cover(low, low+uint32(c.Uleb()))
		default: // the end, or nothing that is known
			return
		}
	}
}
