package dict

import (
	"cmp"
	"iter"
	"slices"
)

// maxOverlays is how many overlays are looked at for one address.
const maxOverlays = 64

// Overlays returns the further strings at addr, of sections that take turns in the
// same memory. Where some of them begin there, those that do not are left out.
func (d *Dictionary) Overlays(addr uint32) []string {
	if len(d.overlays) == 0 {
		return nil
	}
	all := d.overlaid(addr)
	return all[min(1, len(all)):]
}

// overlaid returns all strings at addr, what begins there or else what is the end of
// a longer one.
func (d *Dictionary) overlaid(addr uint32) []string {
	var begin, inside, empty []string
	add := func(b *block, offset int) {
		text, ok := b.format(offset)
		switch {
		case !ok:
		case text == "": // where one has zeros and another a text, the text is meant
			empty = []string{""}
		case d.begins(b, offset):
			if !slices.Contains(begin, text) {
				begin = append(begin, text)
			}
		case !slices.Contains(inside, text):
			inside = append(inside, text)
		}
	}
	if b, offset := d.find(addr); b != nil {
		add(b, offset)
	}

	for b, offset := range d.overlaysAt(addr) {
		add(b, offset)
	}
	for _, all := range [][]string{begin, inside} {
		if len(all) > 0 {
			return all
		}
	}
	return empty
}

// overlaysAt iterates over the overlays that addr lies in, and the offsets in them.
func (d *Dictionary) overlaysAt(addr uint32) iter.Seq2[*block, int] {
	return func(yield func(*block, int) bool) {
		// They are in the order of their addresses, and may lie on each other.
		n, _ := slices.BinarySearchFunc(d.overlays, uint64(addr)+1, func(b block, after uint64) int { return cmp.Compare(uint64(b.addr), after) })
		for i := max(n-maxOverlays, 0); i < n; i++ {
			if b := &d.overlays[i]; uint64(addr) < b.end() && !yield(b, int(addr-b.addr)) {
				return
			}
		}
	}
}
