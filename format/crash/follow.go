package crash

// flow is where the code goes on after an instruction.
type flow struct {
	size   uint32 // of the instruction, in bytes
	ends   bool   // not with the next one
	branch bool   // at target, or there too
	target uint32
	call   bool
	jump   bool // to an address that is not known
}

// itLength returns how many instructions an IT instruction is about.
func itLength(h uint32) int {
	n := 4
	for mask := h & 15; mask&1 == 0; mask >>= 1 {
		n--
	}
	return n
}

// follow does what the instruction at an address does to the registers.
func (fw *Firmware) follow(at uint32, s *body) flow {
	h := fw.half(at)
	if h >= 0xe800 {
		return fw.followWide(at, h, fw.half(at+2), s)
	}

	f := flow{size: 2}
	low, high := h&7, h>>8&7
	switch {
	case h&0xfe00 == 0xb400:
		s.push(h&0xff | h>>8&1<<regLR)
	case h&0xfe00 == 0xbc00:
		s.pop(h & 0xff)
		if h>>8&1 != 0 {
			f.ends = true
		}
	case h&0xff80 == 0xb000:
		s.move(int32(h&0x7f) * 4)
	case h&0xff80 == 0xb080:
		s.move(-int32(h&0x7f) * 4)
	case h&0xf800 == 0xa800:
		s.reg[high] = plus(s.reg[regSP], int32(h&0xff)*4)
	case h&0xf800 == 0x9000:
		if sp := s.reg[regSP]; sp.kind == stack {
			s.save(sp.n+int32(h&0xff)*4, s.reg[high])
		}
	case h&0xf800 == 0x9800:
		v := value{}
		if sp := s.reg[regSP]; sp.kind == stack {
			v = s.load(sp.n + int32(h&0xff)*4)
		}
		s.reg[high] = v
	case h&0xff00 == 0x4600: // MOV
		rd, rm := h&7|h>>4&8, h>>3&15
		switch {
		case rd == 15:
			f.ends, f.jump = true, rm != regLR
		case rm == 15:
			s.reg[rd] = value{}
		default:
			s.reg[rd] = s.reg[rm]
		}
	case h&0xff00 == 0x4400: // ADD
		rd, rm := h&7|h>>4&8, h>>3&15
		switch {
		case rd == 15:
			f.ends, f.jump = true, true
		case rm == 15:
			s.reg[rd] = value{}
		default:
			s.reg[rd] = sum(s.reg[rd], s.reg[rm])
		}
	case h&0xff00 == 0x4700: // BX, BLX
		if h&0x80 != 0 {
			s.called()
			f.call = true
		} else {
			f.ends, f.jump = true, h>>3&15 != regLR
		}
	case h&0xf800 == 0x4800:
		s.reg[high] = fw.literal(at, h&0xff*4)
	case h&0xf800 == 0x2000:
		s.reg[high] = value{constant, int32(h & 0xff)}
	case h&0xf800 == 0x3000:
		s.reg[high] = plus(s.reg[high], int32(h&0xff))
	case h&0xf800 == 0x3800:
		s.reg[high] = plus(s.reg[high], -int32(h&0xff))
	case h&0xfe00 == 0x1c00:
		s.reg[low] = plus(s.reg[h>>3&7], int32(h>>6&7))
	case h&0xfe00 == 0x1e00:
		s.reg[low] = plus(s.reg[h>>3&7], -int32(h>>6&7))
	case h&0xffc0 == 0x4240: // RSB, a negative constant
		if v := s.reg[h>>3&7]; v.kind == constant {
			s.reg[low] = value{constant, -v.n}
		} else {
			s.reg[low] = value{}
		}
	case h&0xf000 == 0xd000 && h>>8&15 < 14:
		f.branch, f.target = true, at+4+uint32(int32(h<<24)>>23)
	case h&0xff00 == 0xde00: // UDF
		f.ends = true
	case h&0xf800 == 0xe000:
		f.ends, f.branch, f.target = true, true, at+4+uint32(int32(h<<21)>>20)
	case h&0xf500 == 0xb100: // CBZ, CBNZ
		f.branch, f.target = true, at+4+h>>3&0x1f<<1+h>>9&1<<6
	default:
		s.forget(writes(h))
	}
	return f
}

// writes returns the low registers, a bit for each, that an instruction of two
// bytes changes otherwise.
func writes(h uint32) uint32 {
	low, high := uint32(1)<<(h&7), uint32(1)<<(h>>8&7)
	switch {
	case h < 0x2000:
		return low
	case h&0xfc00 == 0x4000: // all but TST, CMP and CMN
		if op := h >> 6 & 15; op != 8 && op != 10 && op != 11 {
			return low
		}
	case h&0xf000 == 0x5000 && h>>9&7 >= 3, h>>12 >= 6 && h>>12 <= 8 && h>>11&1 == 1:
		return low
	case h&0xf800 == 0xa000:
		return high
	case h&0xff00 == 0xb200, h&0xff00 == 0xba00:
		return low
	case h&0xf800 == 0xc800:
		return h&0xff | high
	case h&0xf800 == 0xc000:
		return high
	}
	return 0
}

// literal is the constant that stands in the code at an offset.
func (fw *Firmware) literal(at, offset uint32) value {
	addr := (at+4)&^3 + offset
	if fw.code(addr) == nil || fw.code(addr+2) == nil {
		return value{}
	}
	return value{constant, int32(fw.half(addr) | fw.half(addr+2)<<16)}
}
