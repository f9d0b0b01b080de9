package crash

import (
	"slices"

	"github.com/go-delve/delve/pkg/dwarf/frame"

	"github.com/ulogkit/ulogkit/format"
)

// Limits of a backtrace.
const (
	maxUnwound = 64
	maxScanned = 32
)

// Confidence is how far a frame can be trusted.
type Confidence string

const (
	// Unwound frames follow from the dump and the rules of the compiler and the
	// processor.
	Unwound Confidence = "unwound"
	// Scanned frames are return addresses that were found: calls that led here,
	// or left over from calls that had returned.
	Scanned Confidence = "scanned"
)

// How is where a frame was found.
type How string

const (
	FromPC        How = "pc"        // where the processor stopped
	FromLR        How = "lr"        // the link register
	FromCFI       How = "cfi"       // the rules of the compiler
	FromException How = "exception" // the registers saved by the processor
	FromStack     How = "stack"     // a word of the stack
)

// Frame is a function that was running.
type Frame struct {
	PC         uint32 // where it goes on; of the first frame, where it stopped
	Function   string // empty where it is not known
	Offset     uint32 // of PC in Function, in bytes
	File       string // as the compiler was given it; empty where it is not known
	Line       int    // of the call; of the first frame, where it stopped
	Confidence Confidence
	How        How
}

// Registers by their numbers, in DWARF as in the architecture.
const (
	regR3  = 3
	regR4  = 4
	regR11 = 11
	regR12 = 12
	regSP  = 13
	regLR  = 14
)

// unwinder goes from a function to its caller. Its registers are those that the
// function has, or will have when it goes on.
type unwinder struct {
	fw      *Firmware
	mem     memory
	reg     [16]uint32
	known   uint16 // a bit for each register whose value is known
	pc      uint32
	exact   bool   // pc is an instruction that runs next, not one after a call
	handler bool   // pc is of a handler, not of a thread
	psp     uint32 // stack of the tasks
	floor   uint64 // the next sp is not below this
	whole   bool   // there are no more callers
	budget  int    // for the rules
	frames  []Frame
}

// Backtrace returns the functions that were running, the innermost first. The
// first frame is where the processor stopped. On a nil Firmware that is pc and
// lr alone, without names.
func (fw *Firmware) Backtrace(c format.CrashCatcher) []Frame {
	u := newUnwinder(fw, c)
	confidence := Unwound
	if f := c.FaultRegisters(); f != nil && f.CFSR()&lostBits != 0 {
		confidence = Scanned // the registers may be of anything
		u.handler = true     // and the code
	}
	u.add(FromPC, confidence)
	for len(u.frames) < maxUnwound && !u.whole && confidence == Unwound {
		how, ok := u.step()
		if !ok {
			break
		}
		u.add(how, Unwound)
	}
	if !u.whole && len(u.frames) < maxUnwound {
		u.scan()
	}
	fw.name(u.frames)
	return u.frames
}

func newUnwinder(fw *Firmware, c format.CrashCatcher) *unwinder {
	r := c.Registers
	return &unwinder{
		fw: fw, mem: memoryOf(c), known: 1<<15 - 1, pc: r.PC() &^ 1, exact: true, psp: r.PSP(), floor: uint64(r.SP()), budget: maxCost,
		handler: r.XPSR()&maskIPSR != 0,
		reg: [16]uint32{
			r.R0(), r.R1(), r.R2(), r.R3(), r.R4(), r.R5(), r.R6(), r.R7(), r.R8(), r.R9(), r.R10(), r.R11(), r.R12(), r.SP(), r.LR(),
		},
	}
}

func (u *unwinder) add(how How, confidence Confidence) {
	u.frames = append(u.frames, Frame{PC: u.pc, How: how, Confidence: confidence})
}

func (u *unwinder) get(reg uint64) (uint32, bool) {
	if reg > regLR || u.known>>reg&1 == 0 {
		return 0, false
	}
	return u.reg[reg], true
}

func (u *unwinder) set(reg uint64, value uint32) {
	u.reg[reg] = value
	u.known |= 1 << reg
}

// forget makes a register unknown.
func (u *unwinder) forget(reg uint64) { u.known &^= 1 << reg }

// step goes to the caller.
func (u *unwinder) step() (how How, ok bool) {
	at := u.pc
	if !u.exact {
		at-- // a call may be the last instruction of its function
	}
	r, ok := rules{}, false
	if u.fw != nil {
		r, ok = u.fw.rules.at(at, &u.budget)
	}
	if !ok {
		return u.fromLR()
	}
	return u.fromRules(&r)
}

// fromLR goes to the caller that lr names, of code that no rules are known of.
// That it is the caller is sure only of code that was jumped to and that is
// nowhere: no instruction of it has run.
func (u *unwinder) fromLR() (How, bool) {
	lr, ok := u.get(regLR)
	if !u.exact || !ok {
		return "", false
	}
	if u.fw == nil {
		if len(u.frames) == 1 && lr&1 != 0 && lr != 1 && lr < systemRegion && lr&^1 != u.pc {
			u.frames = append(u.frames, Frame{PC: lr &^ 1, How: FromLR, Confidence: Scanned})
		}
		return "", false
	}
	nowhere := u.fw.code(u.pc) == nil
	switch {
	case nowhere && isExceptionReturn(lr):
		return u.fromException(lr)
	case !u.fw.isReturn(lr):
		return "", false
	case nowhere && u.jumped(lr):
		u.pc, u.exact = lr&^1, false
		u.forgetScratch()
		return FromLR, true
	}
	// A function that has called others has lr from the last of those, and a
	// return to nowhere has it from what returned.
	if f := u.fw.function(u.pc); f == nil || f != u.fw.function((lr&^1)-1) {
		u.frames = append(u.frames, Frame{PC: lr &^ 1, How: FromLR, Confidence: Scanned})
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
	at := lr &^ 1
	if h := u.fw.half(at - 2); h&0xff80 == 0x4780 {
		return through(h >> 3 & 15)
	}
	f := u.fw.function(callTarget(at, u.fw.half(at-4), u.fw.half(at-2)))
	if f == nil {
		return false
	}
	for pc := f.Addr; pc-f.Addr < min(f.Size, maxBody); pc += 2 {
		if h := u.fw.half(pc); h&0xff87 == 0x4700 && through(h>>3&15) {
			return true
		}
	}
	return false
}

// maxBody is how much of a function is searched, in bytes.
const maxBody = 64 << 10

// forgetScratch makes those registers unknown that a call does not keep.
//
// Source: Procedure Call Standard for the Arm architecture, 6.1.1.
func (u *unwinder) forgetScratch() {
	for reg := range uint64(regR3 + 1) {
		u.forget(reg)
	}
	u.forget(regR12)
	u.forget(regLR)
}

// fromRules goes to the caller by the rules for the instruction.
func (u *unwinder) fromRules(r *rules) (How, bool) {
	lr := r.of(regLR)
	if lr.Rule == frame.RuleUndefined {
		u.whole = true
		return "", false
	}
	cfa, ok := u.sum(r.cfa.Reg, r.cfa.Offset)
	if !ok || r.cfa.Rule != frame.RuleCFA || cfa&3 != 0 || uint64(cfa) < u.floor || r.returnAddress != regLR {
		return "", false
	}
	ret, ok := u.value(lr, regLR, cfa)
	if !ok || lr.Rule == frame.RuleSameVal && !u.fresh(ret) {
		return "", false
	}
	// All rules are about the registers before any of them is restored.
	before := *u
	for reg := uint64(regR4); reg <= regR11; reg++ {
		if value, ok := before.value(r.of(reg), reg, cfa); ok {
			u.set(reg, value)
		} else {
			u.forget(reg)
		}
	}
	u.forgetScratch()
	u.set(regSP, cfa)
	// A caller has saved its return address and so has a frame of its own.
	u.floor = uint64(cfa) + 4
	switch {
	case ret == 0xffffffff: // lr after reset; zero may as well be an overrun's
		u.whole = true
		return "", false
	case isExceptionReturn(ret):
		return u.fromException(ret)
	case !u.fw.isReturn(ret):
		// An operating system gives tasks the address of a function to end in.
		f := u.fw.function(ret &^ 1)
		u.whole = ret > 1 && f != nil && f.Addr == ret&^1
		return "", false
	}
	u.pc, u.exact = ret&^1, false
	return FromCFI, true
}

// fresh reports whether lr can still be the return address in a function that
// has not saved it: a call that the function made would have overwritten it, as
// functions that do not return let it be.
func (u *unwinder) fresh(lr uint32) bool {
	if !u.exact {
		return false
	}
	f := u.fw.function(u.pc)
	return f == nil || f != u.fw.function((lr&^1)-1)
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

// name gives the frames their functions and lines.
func (fw *Firmware) name(frames []Frame) {
	if fw == nil {
		return
	}
	pcs := make([]uint32, len(frames))
	for i, f := range frames {
		// A call may be the last instruction of its function.
		if pcs[i] = f.PC; f.How != FromPC && f.How != FromException {
			pcs[i]--
		}
		if function := fw.function(pcs[i]); function != nil {
			frames[i].Function, frames[i].Offset = function.Name, f.PC-function.Addr
		}
	}
	order := slices.Clone(pcs)
	slices.Sort(order)
	positions := fw.lines.Locate(order)
	for i, pc := range pcs {
		at, _ := slices.BinarySearch(order, pc)
		frames[i].File, frames[i].Line = positions[at].File, positions[at].Line
	}
}
