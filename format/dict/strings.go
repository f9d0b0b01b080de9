package dict

import (
	"bytes"
	"iter"
	"slices"
)

// isString reports whether s may be a format: text, before which a few other control
// characters may stand, as the level that printk begins with, and in which they are
// rare.
func isString(s []byte) bool {
	lead := 0
	for lead < len(s) && lead < maxControls && !isText(s[lead]) {
		lead++
	}
	controls := 0
	for _, c := range s[lead:] {
		if !isText(c) {
			controls++
		}
	}
	return lead < len(s) && 8*controls <= len(s)-lead || len(s) == 0
}

// isText reports whether c may stand in a format: any character set that has
// ASCII in it, the controls that C has escapes for, and the terminal's escape.
func isText(c byte) bool {
	return c >= ' ' && c != 0x7f || '\a' <= c && c <= '\r' || c == 0x1b
}

// Strings returns an iterator over all strings by address, in order, and then over
// those of overlays. In a firmware file that is whatever looks like one, and the ends
// of strings that are referred to by themselves.
func (d *Dictionary) Strings() iter.Seq2[uint32, string] {
	return func(yield func(uint32, string) bool) {
		if d.listed {
			for _, blocks := range [][]block{d.blocks, d.overlays} {
				for i := range blocks {
					if !yield(blocks[i].addr, string(blocks[i].text())) {
						return
					}
				}
			}
			return
		}

		d.refOnce.Do(d.findRefs)
		refs := d.refs
		for i := range len(d.blocks) + len(d.overlays) {
			b := (*block)(nil)
			if i < len(d.blocks) {
				b = &d.blocks[i]
			} else {
				b = &d.overlays[i-len(d.blocks)]
			}

			for start, s := range b.runs() {
				addr, end := b.addr+uint32(start), b.addr+uint32(start+len(s))
				from, _ := slices.BinarySearch(refs, addr)
				to, _ := slices.BinarySearch(refs, end)
				tails := refs[from:to]
				used := len(tails) > 0 && tails[0] == addr
				if used {
					tails = tails[1:]
				} else if len(tails) > 0 && b.code {
					// Instructions before a string can pass for its beginning.
					s, addr, tails = s[tails[0]-addr:], tails[0], tails[1:]
				}

				// A single character is a number more often than a string.
				if b.keeps(s) && (used || len(s) > 1) && !yield(addr, string(s)) {
					return
				}

				// Foreign input could refer to each byte of a long string.
				budget := maxTails * len(s)
				for _, at := range tails {
					tail := s[at-addr:]
					if budget -= len(tail); budget < 0 {
						break
					}
					if b.keeps(tail) && !yield(at, string(tail)) {
						return
					}
				}
			}
		}
	}
}

// maxTails is how many times its own length the listed ends of a string have
// together at most.
const maxTails = 8

// minInCode is the least length of what passes for a string among
// instructions, where short ones occur by chance.
const minInCode = 4

func (b *block) keeps(s []byte) bool {
	return len(s) <= MaxString && (!b.code || len(s) >= minInCode || bytes.IndexByte(s, '%') >= 0)
}

// maxControls is how many control characters a string is looked for behind.
const maxControls = 2

// runs iterates over the stretches of text that end in NUL.
func (b *block) runs() iter.Seq2[int, []byte] {
	return func(yield func(start int, s []byte) bool) {
		start, controls := 0, 0 // of the run, with these before it
		for i, c := range b.data {
			if isText(c) {
				continue
			}
			if c == 0 && i > start {
				at := start - controls
				if !isString(b.data[at:i]) {
					at = start
				}
				if !yield(at, b.data[at:i]) {
					return
				}
			}

			// Few control characters before text are taken for a part of it.
			if c == 0 || i > start || controls == maxControls {
				controls = 0
			}
			if c != 0 && c < ' ' {
				controls++
			}

			start = i + 1
		}
	}
}

// Len returns the number of strings.
func (d *Dictionary) Len() int {
	n := 0
	for range d.Strings() {
		n++
	}
	return n
}
