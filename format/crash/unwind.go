package crash

// Registers by their numbers, in DWARF as in the architecture.
const (
	regR3  = 3
	regR4  = 4
	regR11 = 11
	regR12 = 12
	regSP  = 13
	regLR  = 14
)

// scratch are the registers that a call does not keep.
//
// Source: Procedure Call Standard for the Arm architecture, 6.1.1.
const scratch = 0xf | 1<<regR12 | 1<<regLR

// unwinder goes from a function to its caller. Its registers are those that the
// function has, or will have when it goes on.
type unwinder struct {
	fw           *Firmware
	mem          memory
	graph        *callGraph
	reg          [16]uint32
	known        uint32 // a bit for each register whose value is known
	pc           uint32
	exact        bool   // pc is an instruction that runs next, not one after a call
	nowhere      bool   // pc was jumped to and no instruction there has run
	handler      bool   // pc is of a handler, not of a thread
	task         bool   // on the stack of the tasks
	psp          uint32 // stack of the tasks
	floor        uint64 // the next sp is not below this
	whole        bool   // there are no more callers
	assumed      bool   // but that may be chance
	refuted      bool   // the stack contradicts the code
	confirmed    int    // calls that the code makes
	contradicted bool   // by an address of code that no such call is before
	found        bool   // a frame was scanned for, so that none is sure from there on

	cache  map[uint32]*rules
	bodies map[uint32]*body
	budget int // for the rules
	trace  *Backtrace
	first  int // frames that were found
}

func newUnwinder(fw *Firmware, d *Dump) *unwinder {
	r := d.Registers
	u := &unwinder{
		fw: fw, mem: d.mem, known: d.known & (1<<15 - 1), pc: r.PC() &^ 1, exact: true, psp: r.PSP(), floor: uint64(r.SP()), budget: maxCost,
		handler: r.XPSR()&maskIPSR != 0, cache: map[uint32]*rules{}, bodies: map[uint32]*body{}, trace: &Backtrace{},
		reg: [16]uint32{
			r.R0(), r.R1(), r.R2(), r.R3(), r.R4(), r.R5(), r.R6(), r.R7(), r.R8(), r.R9(), r.R10(), r.R11(), r.R12(), r.SP(), r.LR(),
		},
	}
	u.graph = &callGraph{fw: fw, known: map[[2]uint32]route{}, leave: map[uint32]exits{}, steps: 8 << 20}
	u.task = !u.handler && d.Known(placePSP) && onTask(r.SP(), r.MSP(), r.PSP())
	u.nowhere = fw != nil && d.neverRan(fw)
	return u
}

// onTask reports whether sp is on the stack of the tasks, which begins within a
// frame of what the processor saved.
func onTask(sp, msp, psp uint32) bool {
	const largest = 27 * 4
	return psp != 0 && sp-psp <= largest && (sp-msp > largest || sp-psp < sp-msp)
}

// neverRan reports whether the processor failed to run anything at pc, so that
// lr is still as the call or the jump left it.
func (d *Dump) neverRan(fw *Firmware) bool {
	r := d.Registers
	pc := r.PC() &^ 1
	if !fw.hasCode(pc) {
		return true
	}
	f := fault(d)
	thumb := r.XPSR()&thumbBit != 0
	switch {
	case f.CFSR&lostBits != 0 || !d.Known(placePSR):
		return false
	case !f.Recorded:
		return !thumb
	case f.CFSR&bitINVSTATE != 0:
		return !thumb
	}
	return f.CFSR&(bitIACCVIOL|bitIBUSERR) != 0
}

func (u *unwinder) get(reg uint64) (uint32, bool) {
	if reg > regLR || u.known>>reg&1 == 0 {
		return 0, false
	}
	return u.reg[reg], true
}

// step goes to the caller. Through are the functions that ended in a jump on
// the way.
func (u *unwinder) step() (how How, through []uint32, ok bool) {
	if u.fw == nil || u.nowhere {
		how, ok = u.fromLR()
		return how, nil, ok
	}

	at := u.pc
	if !u.exact {
		at-- // a call may be the last instruction of its function
	}

	for _, try := range u.ways(at) {
		c, ok := try(at)
		if u.whole {
			return "", nil, false
		}
		if !ok {
			continue
		}
		if how, through, ok = u.enter(c, at); ok || u.whole {
			return how, through, ok
		}
	}

	if how, ok = u.fromLR(); ok {
		return how, nil, true
	}
	return "", nil, false
}

// ways returns how the caller may be found, the best first.
func (u *unwinder) ways(at uint32) []func(uint32) (caller, bool) {
	switch {
	case u.fw.rules.find(at) != nil:
		return []func(uint32) (caller, bool){u.fromRules}
	case u.exact:
		return []func(uint32) (caller, bool){u.fromCode, u.fromExidx}
	}
	return []func(uint32) (caller, bool){u.fromExidx, u.fromCode}
}

// enter makes the caller the function, if the code agrees that it is.
func (u *unwinder) enter(c caller, at uint32) (how How, through []uint32, ok bool) {
	if c.sp&3 != 0 || uint64(c.sp) < u.floor || !c.saved && !u.fresh(c.ret, c.how) {
		return "", nil, false
	}

	exception := isExceptionReturn(c.ret)
	switch {
	case exception:
	case c.ret == 0xffffffff: // lr after reset; zero may as well be an overrun's
		u.whole = true
		u.assumed = u.assumed || u.graph.isCalled(at)
		return "", nil, false
	case !u.fw.isReturn(c.ret), u.fw.blind && u.task && u.begins(c.ret):
		// An operating system gives tasks the address of a function to end in.
		f := u.fw.function(c.ret &^ 1)
		u.whole = c.ret > 1 && f != nil && f.Addr == c.ret&^1
		u.assumed = u.whole && !u.task // any function may begin there
		if !u.whole && u.task && u.graph.isEntry(at) {
			u.whole, u.assumed = true, true
		}
		if !u.whole && (c.saved || c.ret > 1) {
			u.refuted = true
			u.contradicted = u.contradicted || c.ret&1 == 1 && u.fw.hasCode(c.ret)
		}
		return "", nil, false
	default:
		r := u.graph.to(c.ret, at)
		if r.verdict == refuted || c.guess && r.verdict != confirmed {
			u.refuted = u.refuted || r.verdict == refuted
			u.contradicted = u.contradicted || r.verdict == refuted
			return "", nil, false
		}
		if through = r.through; r.verdict == confirmed {
			u.confirmed++
		}
	}

	u.reg, u.known = c.reg, c.known&^scratch|1<<regSP
	u.reg[regSP] = c.sp
	// A caller has saved its return address and so has a frame of its own.
	u.floor = uint64(c.sp) + 4
	if exception {
		how, ok = u.fromException(c.ret)
		return how, nil, ok
	}
	u.pc, u.exact = c.ret&^1, false
	return c.how, through, true
}

// begins reports whether a function begins at an address, as those do in which
// tasks end.
func (u *unwinder) begins(addr uint32) bool {
	f := u.fw.function(addr &^ 1)
	return f != nil && f.Addr == addr&^1
}

// fresh reports whether lr can still be the return address in a function that
// has not saved it: a call that the function made would have overwritten it, as
// functions that do not return let it be.
func (u *unwinder) fresh(lr uint32, how How) bool {
	if !u.exact {
		return false
	}
	if how == FromCode { // was followed
		return true
	}
	e, ok := u.fw.extent(u.pc)
	if !ok || !e.holds(lr&^1-1) {
		return true
	}
	// It calls itself, or it has called and lr is of that.
	b := u.body(u.pc)
	return b != nil && !b.guess && b.reg[regLR] == value{original, regLR}
}

// fromLR goes to the caller that lr names, of code that was jumped to and that
// has not run, or that nothing else is known of.
func (u *unwinder) fromLR() (How, bool) {
	lr, ok := u.get(regLR)
	if !u.exact || !ok {
		return "", false
	}
	if u.fw == nil {
		if len(u.trace.Frames) == 1 && lr&1 != 0 && lr != 1 && lr < systemRegion && lr&^1 != u.pc {
			u.append(Frame{PC: lr &^ 1, How: FromLR, Confidence: Scanned})
		}
		return "", false
	}

	switch {
	case u.nowhere && isExceptionReturn(lr):
		return u.fromException(lr)
	case !u.fw.isReturn(lr):
		return "", false
	case u.nowhere && u.jumped(lr):
		u.confirmed++
		u.pc, u.exact, u.nowhere = lr&^1, false, false
		u.known &^= scratch
		return FromLR, true
	}

	// A function that has called others has lr from the last of those, and a
	// return to nowhere has it from what returned.
	e, ok := u.fw.extent(u.pc)
	if (!ok || !e.holds(lr&^1-1)) && (u.nowhere || u.graph.to(lr, u.pc).verdict != refuted) {
		u.append(Frame{PC: lr &^ 1, How: FromLR, Confidence: Scanned})
		u.found = true
	}
	return "", false
}

// jumped reports whether a call or a jump through a register led to the pc, and
// not a return: lr is behind a call through a register that holds the pc, or
// behind one of a function that can have jumped through such a register.
func (u *unwinder) jumped(lr uint32) bool {
	through := func(reg uint32) bool {
		value, ok := u.get(uint64(reg))
		return ok && reg < regSP && value&^1 == u.pc
	}
	if u.fw.blind { // which register it was is not known
		for reg := range uint32(regSP) {
			if through(reg) && u.reg[reg] != 0 {
				return true
			}
		}
		return u.pc == 0
	}

	at := lr &^ 1
	if h := u.fw.half(at - 2); h&0xff80 == 0x4780 {
		return through(h >> 3 & 15)
	}
	f, ok := u.fw.extent(callTarget(at, u.fw.half(at-4), u.fw.half(at-2)))
	if !ok {
		return false
	}

	// A function that calls nothing leaves lr as it was called with, also if the
	// return address that it then took from the stack was overwritten.
	if e := u.graph.exitsOf(f); !e.calls && !e.unsure && len(e.jumps) == 0 {
		return true
	}

	for pc := f.begin; pc < f.end && pc-f.begin < maxBody; pc += 2 {
		if h := u.fw.half(pc); h&0xff87 == 0x4700 && through(h>>3&15) {
			return true
		}
	}
	return false
}

// maxBody is how much of a function is searched, in bytes.
const maxBody = 64 << 10
