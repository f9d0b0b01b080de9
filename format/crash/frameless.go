package crash

// A function without rules for debuggers is read itself: its instructions are
// followed from its first to the pc, with where the registers of the caller are
// kept. That is exact in the first instructions, in the last ones and in
// functions that save nothing, where other tables are not.
//
// Source: Armv7-M ARM, A5.2, A5.3 and A7.7.

// value is what a register or a word of the stack holds, as far as it matters.
type value struct {
	kind valueKind
	n    int32
}

type valueKind uint8

const (
	unknown  valueKind = iota
	original           // what register n held when the function began
	stack              // sp when the function began, and n
	constant           // n
)

// body is what is known at an instruction.
type body struct {
	reg   [15]value // r0 to lr
	slots []slot    // saved registers
	guess bool      // the instruction was not reached by any path that is understood
}

// slot is a word of the stack that holds what a register held when the function
// began.
type slot struct {
	offset int32 // to sp at the beginning
	reg    int32
}

const (
	maxSlots = 32
	// maxSteps is how many instructions of a function are followed.
	maxSteps = 16 << 10
)

func beginning() *body {
	s := &body{}
	for i := range s.reg {
		s.reg[i] = value{original, int32(i)}
	}
	s.reg[regSP] = value{stack, 0}
	return s
}

func (s *body) clone() *body {
	c := *s
	c.slots = append([]slot(nil), s.slots...)
	return &c
}

// save notes what a word of the stack holds now.
func (s *body) save(offset int32, v value) {
	kept := s.slots[:0]
	for _, old := range s.slots {
		if old.offset != offset {
			kept = append(kept, old)
		}
	}
	if s.slots = kept; v.kind == original && len(kept) < maxSlots {
		s.slots = append(s.slots, slot{offset, v.n})
	}
}

// load returns what a word of the stack holds.
func (s *body) load(offset int32) value {
	for _, old := range s.slots {
		if old.offset == offset {
			return value{original, old.reg}
		}
	}
	return value{}
}

// saved returns where a register of the caller is kept, and whether it is. What
// lies below sp may have been overwritten.
func (s *body) saved(reg int32) (offset int32, ok bool) {
	sp := s.reg[regSP]
	for _, old := range s.slots {
		if sp.kind == stack && old.offset < sp.n {
			continue
		}
		if old.reg == reg && (!ok || old.offset > offset) {
			offset, ok = old.offset, true
		}
	}
	return offset, ok
}

// push saves the registers of a list below sp, the lowest first.
func (s *body) push(list uint32) {
	var n int32
	for reg := range 15 {
		n += int32(list >> reg & 1)
	}
	s.move(-4 * n)
	s.storeList(s.reg[regSP], list)
}

func (s *body) storeList(at value, list uint32) {
	for reg := range 15 {
		if list>>reg&1 == 0 {
			continue
		}
		if at.kind == stack {
			s.save(at.n, s.reg[reg])
		}
		at.n += 4
	}
}

// pop takes the registers of a list off the stack.
func (s *body) pop(list uint32) {
	at := s.reg[regSP]
	for reg := range 15 {
		if list>>reg&1 == 0 {
			continue
		}
		v := value{}
		if at.kind == stack {
			v = s.load(at.n)
		}
		if reg != regSP {
			s.reg[reg] = v
		}
		at.n += 4
	}
	s.reg[regSP] = at
}

// move adds to sp.
func (s *body) move(n int32) { s.reg[regSP].n += n }

// flow is where the code goes on after an instruction.
type flow struct {
	size   uint32 // of the instruction, in bytes
	ends   bool   // not with the next one
	branch bool   // at target, or there too
	target uint32
	call   bool
	jump   bool // to an address that is not known
}

// read follows a function from its first instruction to the one at pc. It
// returns nil if that cannot be done.
func (fw *Firmware) read(begin, end, pc uint32) *body {
	if pc < begin || pc >= end || fw.code(begin) == nil {
		return nil
	}
	type path struct {
		at    uint32
		state *body
	}
	size := end - begin
	if size > maxBody {
		return nil
	}
	visited := make([]bool, size/2+1)
	paths := []path{{begin, beginning()}}
	deepest := beginning()
	steps := 0
	for len(paths) > 0 {
		p := paths[len(paths)-1]
		paths = paths[:len(paths)-1]
		conditional := 0 // instructions of an IT block that follow
		for at := p.at; at >= begin && at < end && !visited[(at-begin)/2]; {
			if at == pc {
				return p.state
			}
			if steps++; steps > maxSteps {
				return nil
			}
			visited[(at-begin)/2] = true
			h := fw.half(at)
			if h&0xff00 == 0xbf00 && h&15 != 0 { // IT
				conditional = itLength(h)
				at += 2
				continue
			}
			// What may not be done is taken as not done if it ends the function.
			before := p.state
			if conditional > 0 {
				before = p.state.clone()
			}
			f := fw.follow(at, p.state)
			if conditional > 0 {
				conditional--
				if f.ends || p.state.reg[regSP] != before.reg[regSP] {
					p.state, f.ends = before, false
				}
			}
			if sp := p.state.reg[regSP]; sp.kind == stack && sp.n < deepest.reg[regSP].n {
				deepest = p.state.clone()
			}
			if f.branch && !f.call && f.target >= begin && f.target < end && len(paths) < 256 {
				paths = append(paths, path{f.target, p.state.clone()})
			}
			if f.ends {
				break
			}
			at += f.size
		}
	}
	// Behind a table of jumps: as in most of the function.
	deepest.guess = true
	return deepest
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

func (s *body) forget(registers uint32) {
	for reg := range 15 {
		if registers>>reg&1 != 0 {
			s.reg[reg] = value{}
		}
	}
}

// called forgets what a function that was called may change.
func (s *body) called() { s.forget(0xf | 1<<regR12 | 1<<regLR) }

// plus adds to a value.
func plus(v value, n int32) value {
	if v.kind != stack && v.kind != constant {
		return value{}
	}
	v.n += n
	return v
}

func sum(a, b value) value {
	switch {
	case b.kind == constant:
		return plus(a, b.n)
	case a.kind == constant:
		return plus(b, a.n)
	}
	return value{}
}

// literal is the constant that stands in the code at an offset.
func (fw *Firmware) literal(at, offset uint32) value {
	addr := (at+4)&^3 + offset
	if fw.code(addr) == nil || fw.code(addr+2) == nil {
		return value{}
	}
	return value{constant, int32(fw.half(addr) | fw.half(addr+2)<<16)}
}

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

// set changes a register; those beyond lr are no registers.
func (s *body) set(reg uint32, v value) {
	if reg < 15 {
		s.reg[reg] = v
	}
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
