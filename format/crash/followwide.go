package crash

// followWide does to s what the instruction of four bytes at an address does, h and h2
// being its halves, and says where it goes on.
func (fw *Firmware) followWide(at, h, h2 uint32, s *body) flow {
	f := flow{size: 4}
	rn, rt := h&15, h2>>12
	switch {
	case h == 0xe92d: // PUSH
		s.push(h2 & 0x5fff)
	case h == 0xe8bd: // POP
		s.pop(h2 & 0x7fff)
		f.ends = h2>>15 != 0
	case h == 0xf84d && h2&0xfff == 0xd04: // PUSH of one
		s.push(1 << rt)
	case h == 0xf85d && h2&0xfff == 0xb04: // POP of one
		if rt == 15 {
			f.ends = true
			s.move(4)
		} else {
			s.pop(1 << rt)
		}
	case h&0xffbf == 0xed2d && h2&0xe00 == 0xa00: // VPUSH
		s.move(-int32(h2&0xff) * 4)
	case h&0xffbf == 0xecbd && h2&0xe00 == 0xa00: // VPOP
		s.move(int32(h2&0xff) * 4)
	case h&0xfbef == 0xf10d && h2>>15 == 0, h&0xfbef == 0xf1ad && h2>>15 == 0, // ADD, SUB of sp
		h&0xfbff == 0xf20d && h2>>15 == 0, h&0xfbff == 0xf2ad && h2>>15 == 0:
		n := int32(h>>10&1<<11 | h2>>12&7<<8 | h2&0xff)
		if h&0x200 == 0 {
			n = int32(expand(uint32(n)))
		}
		if h>>7&1 == 1 {
			n = -n
		}
		s.set(h2>>8&15, plus(s.reg[regSP], n))
	case h&0xfff0 == 0xf8c0 && rn == regSP: // STR, 12 bits
		if sp := s.reg[regSP]; sp.kind == stack && rt < 15 {
			s.save(sp.n+int32(h2&0xfff), s.reg[rt])
		}
	case h&0xfff0 == 0xf8d0 && rn == regSP && rt < 15: // LDR, 12 bits
		v := value{}
		if sp := s.reg[regSP]; sp.kind == stack {
			v = s.load(sp.n + int32(h2&0xfff))
		}
		s.set(rt, v)
	case h&0xfe50 == 0xe840 && h>>5&1|h>>8&1 != 0 && rn == regSP: // STRD
		n := int32(h2&0xff) * 4
		if h>>7&1 == 0 {
			n = -n
		}

		at := s.reg[regSP]
		if h>>8&1 == 1 {
			at = plus(at, n)
		}

		if at.kind == stack && rt < 15 && h2>>8&15 < 15 {
			s.save(at.n, s.reg[rt])
			s.save(at.n+4, s.reg[h2>>8&15])
		}

		if h>>5&1 == 1 {
			s.reg[regSP] = plus(s.reg[regSP], n)
		}
	case h&0xfe50 == 0xe850 && h>>5&1|h>>8&1 != 0: // LDRD
		s.forget(1<<rt | 1<<(h2>>8&15))
		if h>>5&1 == 1 && rn == regSP {
			n := int32(h2&0xff) * 4
			if h>>7&1 == 0 {
				n = -n
			}
			s.reg[regSP] = plus(s.reg[regSP], n)
		}
	case h&0xffd0 == 0xe8d0 && h2&0xffe0 == 0xf000: // TBB, TBH
		f.ends, f.jump = true, true
	case h&0xfe50 == 0xe810: // LDM
		s.forget(h2 & 0x7fff)
		if h>>5&1 == 1 && rn != 15 {
			s.set(rn, value{})
		}
		f.ends = h2>>15 != 0
		f.jump = f.ends
	case h&0xfe50 == 0xe800: // STM
		if h>>5&1 == 1 && rn != 15 {
			s.set(rn, value{})
		}
	case h&0xf800 == 0xf000 && h2>>15 == 1: // branches and calls
		switch {
		case h2&0x5000 == 0x5000: // BL
			f.call, f.branch, f.target = true, true, callTarget(at+4, h, h2)
			s.called()
		case h2&0x5000 == 0x1000: // B
			f.ends, f.branch, f.target = true, true, callTarget(at+4, h, h2)
		case h2&0x5000 == 0 && h>>7&7 != 7: // B, conditional
			offset := h>>10&1<<20 | h2>>11&1<<19 | h2>>13&1<<18 | h&0x3f<<12 | h2&0x7ff<<1
			f.branch, f.target = true, at+4+uint32(int32(offset<<11)>>11)
		case h&0xfff0 == 0xf7f0 && h2&0xf000 == 0xa000: // UDF
			f.ends = true
		case h&0xffe0 == 0xf3e0: // MRS
			s.set(h2>>8&15, value{})
		}
	case h&0xfe00 == 0xf800: // loads and stores
		loads := h>>4&1 == 1
		if h&0x80 == 0 && h2&0x900 == 0x900 && rn < 15 { // changes its base
			n := int32(h2 & 0xff)
			if h2>>9&1 == 0 {
				n = -n
			}
			s.set(rn, plus(s.reg[rn], n))
		}

		if loads {
			f.ends = rt == 15 && h&0x60 == 0x40
			f.jump = f.ends
			s.set(rt, value{})
		}
	case h&0xfbf0 == 0xf240: // MOVW
		s.set(h2>>8&15, value{constant, int32(h&15<<12 | h>>10&1<<11 | h2>>12&7<<8 | h2&0xff)})
	case h&0xffef == 0xea4f && h2&0x70f0 == 0 && h2>>8&15 < 15 && h2&15 < 15: // MOV
		s.set(h2>>8&15, s.reg[h2&15])
	case h&0xef00 == 0xee00, h&0xee00 == 0xec00: // of a coprocessor; some write rt
		if h>>4&1 == 1 {
			s.set(rt, value{})
		}
	case h&0xff80 == 0xfb80: // long multiplications and divisions
		s.set(rt, value{})
		s.set(h2>>8&15, value{})
	default:
		s.set(h2>>8&15, value{})
	}
	return f
}

// expand returns the constant that 12 bits of an instruction stand for.
//
// Source: Armv7-M ARM, A5.3.2.
func expand(n uint32) uint32 {
	b := n & 0xff
	switch n >> 8 {
	case 0:
		return b
	case 1:
		return b<<16 | b
	case 2:
		return b<<24 | b<<8
	case 3:
		return b<<24 | b<<16 | b<<8 | b
	}
	shift := n >> 7 & 31
	b = n&0x7f | 0x80
	return b>>shift | b<<(32-shift)
}
