package crash

import "encoding/binary"

// exceptionTable is the index that C++ and -funwind-tables leave for unwinding
// at run time (.ARM.exidx): entries of two words in the order of functions. What
// it says holds behind a call, not in the first and last instructions.
//
// Source: Exception Handling ABI for the Arm architecture, sections 6 and 10.
type exceptionTable struct {
	addr uint32
	data []byte
}

const lenExidxEntry = 8

// relative returns the address that a word of 31 bits at another stands for.
func relative(word, at uint32) uint32 { return at + uint32(int32(word<<1)>>1) }

func (t *exceptionTable) entry(i int) (function, word, at uint32) {
	at = t.addr + uint32(i*lenExidxEntry)
	b := t.data[i*lenExidxEntry:]
	return relative(binary.LittleEndian.Uint32(b), at), binary.LittleEndian.Uint32(b[4:]), at + 4
}

// find returns the place of the entry for pc, and where its code ends.
func (t *exceptionTable) find(pc uint32) (i int, begin, end uint32, ok bool) {
	low, high := 0, len(t.data)/lenExidxEntry
	for n := high; low < high; {
		middle := (low + high) / 2
		if begin, _, _ := t.entry(middle); begin <= pc {
			low = middle + 1
		} else {
			high = middle
		}
		_ = n
	}
	if low == 0 {
		return 0, 0, 0, false
	}
	i = low - 1
	begin, _, _ = t.entry(i)
	end = begin + maxBody
	if low < len(t.data)/lenExidxEntry {
		end, _, _ = t.entry(low)
	}
	return i, begin, end, pc < end
}

// instructions returns what the entry for pc says is to be done, or nil.
func (fw *Firmware) instructions(pc uint32) []byte {
	const cannot = 1
	i, _, _, ok := fw.exidx.find(pc)
	if !ok {
		return nil
	}
	_, word, at := fw.exidx.entry(i)
	if word == cannot {
		return nil
	}
	if word>>31 == 1 { // in the index itself
		return []byte{byte(word >> 16), byte(word >> 8), byte(word)}
	}

	table := relative(word, at)
	b := fw.bytes(table)
	next := func() (w uint32, ok bool) {
		if len(b) < 4 {
			return 0, false
		}
		w = binary.LittleEndian.Uint32(b)
		b = b[4:]
		return w, true
	}
	w, ok := next()
	if !ok {
		return nil
	}

	var out []byte
	var more uint32
	switch {
	case w>>31 == 0: // a personality routine of its own
		if w, ok = next(); !ok {
			return nil
		}
		more = w >> 24
		out = []byte{byte(w >> 16), byte(w >> 8), byte(w)}
	case w>>24&15 == 0:
		return []byte{byte(w >> 16), byte(w >> 8), byte(w)}
	case w>>24&15 <= 2:
		more = w >> 16 & 0xff
		out = []byte{byte(w >> 8), byte(w)}
	default:
		return nil
	}

	for ; more > 0; more-- {
		if w, ok = next(); !ok {
			return nil
		}
		out = append(out, byte(w>>24), byte(w>>16), byte(w>>8), byte(w))
	}
	return out
}

// fromExidx returns the caller's registers by the table.
func (u *unwinder) fromExidx(at uint32) (c caller, ok bool) {
	if u.fw == nil || len(u.fw.exidx.data) == 0 {
		return c, false
	}

	code := u.fw.instructions(at)
	if code == nil {
		return c, false
	}

	c.reg, c.known = u.reg, u.known&^scratch
	lr, lrKnown := u.get(regLR)
	sp, ok := u.get(regSP)
	pop := func(list uint32) bool { // bit 0 is r0
		for reg := range uint32(16) {
			if list>>reg&1 == 0 {
				continue
			}

			word, ok := u.mem.word(sp)
			sp += 4
			switch {
			case reg == regLR || reg == 15:
				if lr, lrKnown = word, ok; !ok {
					return false
				}
				c.saved = true
			case reg == regSP:
				return false
			case ok:
				c.reg[reg], c.known = word, c.known|1<<reg
			default:
				c.known &^= 1 << reg
			}
		}

		return true
	}
	for ok && len(code) > 0 {
		op := uint32(code[0])
		code = code[1:]
		var second uint32
		if op>>4 == 8 || op == 0xb1 || op == 0xb3 || op == 0xc6 || op == 0xc7 || op == 0xc8 || op == 0xc9 {
			if len(code) == 0 {
				return c, false
			}
			second = uint32(code[0])
			code = code[1:]
		}

		switch {
		case op>>6 == 0:
			sp += op&0x3f<<2 + 4
		case op>>6 == 1:
			sp -= op&0x3f<<2 + 4
		case op>>4 == 8:
			list := op&15<<8 | second
			ok = list != 0 && pop(list<<4)
		case op>>4 == 9:
			from := op & 15
			ok = from != regSP && from != 15 && c.known>>from&1 == 1
			sp = c.reg[min(from, 15)]
		case op>>4 == 10:
			ok = pop((2<<(op&7)-1)<<4 | op>>3&1<<regLR)
		case op == 0xb0: // finish
			code = nil
		case op == 0xb1:
			ok = second != 0 && second>>4 == 0 && pop(second)
		case op == 0xb2:
			n, i := uint32(0), 0
			for ; i < len(code) && i < 5; i++ {
				n |= uint32(code[i]) & 0x7f << (7 * i)
				if code[i] < 0x80 {
					break
				}
			}
			code = code[min(i+1, len(code)):]
			sp += 0x204 + n<<2
		case op == 0xb3:
			sp += 8*(second&15+1) + 4
		case op == 0xb4: // the code that authenticates lr
			sp += 4
		case op >= 0xb8 && op <= 0xbf:
			sp += 8*(op&7+1) + 4
		case op == 0xc8, op == 0xc9:
			sp += 8 * (second&15 + 1)
		case op >= 0xd0 && op <= 0xd7:
			sp += 8 * (op&7 + 1)
		default:
			return c, false
		}
	}

	c.sp, c.ret, c.how = sp, lr, FromExidx
	return c, ok && lrKnown && sp&3 == 0
}
