package crash

import "github.com/go-delve/delve/pkg/dwarf/frame"

// caller is what is known of the function that called.
type caller struct {
	reg   [16]uint32
	known uint32
	sp    uint32 // when the call is done
	ret   uint32 // where it goes on
	saved bool   // ret was on the stack, and not in lr
	how   How
	guess bool
}

// rulesAt returns the rules of the compiler for an instruction.
func (u *unwinder) rulesAt(at uint32) *rules {
	if r, ok := u.cache[at]; ok {
		return r
	}
	var kept *rules
	if r, ok := u.fw.rules.at(at, &u.budget); ok {
		kept = &r
	}
	u.cache[at] = kept
	return kept
}

// fromRules returns the caller by the rules of the compiler.
func (u *unwinder) fromRules(at uint32) (c caller, ok bool) {
	r := u.rulesAt(at)
	if r == nil {
		return c, false
	}
	lr := r.of(regLR)
	if lr.Rule == frame.RuleUndefined {
		u.whole = true
		u.assumed = u.assumed || u.graph.isCalled(at) // one that does not return
		return c, false
	}

	cfa, ok := u.sum(r.cfa.Reg, r.cfa.Offset)
	if !ok || r.cfa.Rule != frame.RuleCFA || r.returnAddress != regLR {
		return c, false
	}
	if c.ret, ok = u.value(lr, regLR, cfa); !ok {
		return c, false
	}

	// All rules are about the registers before any of them is restored.
	c.reg, c.known = u.reg, u.known
	for reg := uint64(regR4); reg <= regR11; reg++ {
		if value, ok := u.value(r.of(reg), reg, cfa); ok {
			c.reg[reg], c.known = value, c.known|1<<reg
		} else {
			c.known &^= 1 << reg
		}
	}

	c.sp, c.how, c.saved = cfa, FromCFI, lr.Rule != frame.RuleSameVal
	return c, true
}

// body returns what the instructions before pc have done.
func (u *unwinder) body(pc uint32) *body {
	b, ok := u.bodies[pc]
	if !ok {
		if e, known := u.fw.extent(pc); known {
			b = u.fw.read(e.begin, e.end, pc)
		}
		u.bodies[pc] = b
	}
	return b
}

// fromCode returns the caller by the instructions of the function itself.
func (u *unwinder) fromCode(at uint32) (c caller, ok bool) {
	// Behind a call it goes on as the call found it.
	pc := u.pc
	if !u.exact {
		if pc -= 2; u.fw.half(pc)&0xff80 != 0x4780 {
			pc -= 2
		}
	}

	b := u.body(pc)
	if b == nil {
		return c, false
	}

	if !u.exact {
		b = b.clone()
		b.called()
	}

	var entry uint32 // sp when the function began
	switch sp := b.reg[regSP]; {
	case sp.kind == stack && u.known>>regSP&1 == 1:
		entry, ok = u.reg[regSP]-uint32(sp.n), true
	default:
		for reg := regR4; reg <= regR11 && !ok; reg++ {
			if v := b.reg[reg]; v.kind == stack && u.known>>reg&1 == 1 {
				entry, ok = u.reg[reg]-uint32(v.n), true
			}
		}
	}
	if !ok {
		return c, false
	}

	c.reg, c.known, c.sp, c.how, c.guess = u.reg, u.known, entry, FromCode, b.guess
	caller := func(reg int32) (uint32, bool) {
		// On another way to this instruction the register may have changed: what
		// was saved has not.
		if offset, ok := b.saved(reg); ok {
			return u.mem.word(entry + uint32(offset))
		}
		if b.reg[reg] == (value{original, reg}) {
			return u.get(uint64(reg))
		}
		return 0, false
	}
	for reg := int32(regR4); reg <= regR11; reg++ {
		if value, ok := caller(reg); ok {
			c.reg[reg], c.known = value, c.known|1<<reg
		} else {
			c.known &^= 1 << reg
		}
	}

	_, c.saved = b.saved(regLR)
	c.ret, ok = caller(regLR)
	return c, ok
}

// sum returns the value of a register and an offset.
func (u *unwinder) sum(reg uint64, offset int64) (uint32, bool) {
	base, ok := u.get(reg)
	if sum := int64(base) + offset; ok && offset > -1<<32 && offset < 1<<32 && sum >= 0 && sum < 1<<32 {
		return uint32(sum), true
	}
	return 0, false
}

// value returns what the caller has in a register, if that is known.
func (u *unwinder) value(rule frame.DWRule, reg uint64, cfa uint32) (uint32, bool) {
	switch rule.Rule {
	case frame.RuleSameVal:
		return u.get(reg)
	case frame.RuleOffset:
		return u.mem.word(cfa + uint32(rule.Offset))
	case frame.RuleRegister:
		return u.get(rule.Reg)
	}
	return 0, false
}
