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

// set changes a register; those beyond lr are no registers.
func (s *body) set(reg uint32, v value) {
	if reg < 15 {
		s.reg[reg] = v
	}
}
