package crash

import (
	"encoding/binary"
	"iter"
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
	fw     *Firmware
	mem    memory
	reg    [16]uint32
	known  uint16 // a bit for each register whose value is known
	pc     uint32
	exact  bool   // pc is an instruction that runs next, not one after a call
	psp    uint32 // stack of the tasks
	tasks  bool   // that stack was reached
	floor  uint64 // the next sp is not below this
	whole  bool   // there are no more callers
	frames []Frame
}

// Backtrace returns the functions that were running, the innermost first. The
// first frame is where the processor stopped. On a nil Firmware that is pc and
// lr alone, without names.
func (fw *Firmware) Backtrace(c format.CrashCatcher) []Frame {
	u := newUnwinder(fw, c)
	confidence := Unwound
	if f := c.FaultRegisters(); f != nil && f.CFSR()&savingBits != 0 {
		confidence = Scanned // the registers may be of anything
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
		fw: fw, mem: memoryOf(c), known: 1<<15 - 1, pc: r.PC() &^ 1, exact: true, psp: r.PSP(), floor: uint64(r.SP()),
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

// isExceptionReturn reports whether the value in lr is not an address but says
// where the processor saved the registers of the code that it interrupted.
//
// Source: Armv7-M ARM, B1.5.8; Armv8-M clears more of the low bits.
func isExceptionReturn(lr uint32) bool { return lr >= 0xffffff80 && lr&2 == 0 }

// isBottom reports whether a return address is what lr holds in code that
// nothing called: its value after reset, or none.
func isBottom(lr uint32) bool { return lr == 0xffffffff || lr&^1 == 0 }

// step goes to the caller.
func (u *unwinder) step() (how How, ok bool) {
	at := u.pc
	if !u.exact {
		at-- // a call may be the last instruction of its function
	}
	r, ok := rules{}, false
	if u.fw != nil {
		r, ok = u.fw.rules.at(at)
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
		if len(u.frames) == 1 && lr&1 != 0 && !isExceptionReturn(lr) && !isBottom(lr) && lr&^1 != u.pc {
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
	case nowhere && u.jumped():
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

// jumped reports whether a register holds the pc: a call or jump through it led
// there, and not a return.
func (u *unwinder) jumped() bool {
	for reg := range uint64(regSP) {
		if value, ok := u.get(reg); ok && value&^1 == u.pc {
			return true
		}
	}
	return false
}

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
	cfa, ok := u.sum(r.cfa.Reg, r.cfa.Offset)
	if !ok || r.cfa.Rule != frame.RuleCFA || cfa&3 != 0 || uint64(cfa) < u.floor || r.returnAddress != regLR {
		return "", false
	}
	ret, ok := u.value(r.of(regLR), regLR, cfa)
	switch {
	case r.of(regLR).Rule == frame.RuleUndefined:
		u.whole = true
		return "", false
	case !ok:
		return "", false
	case r.of(regLR).Rule == frame.RuleSameVal && !u.fresh(ret):
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
	case isBottom(ret):
		u.whole = true
		return "", false
	case isExceptionReturn(ret):
		return u.fromException(ret)
	case !u.fw.isReturn(ret):
		// An operating system gives tasks the address of a function to end in.
		f := u.fw.function(ret &^ 1)
		u.whole = f != nil && f.Addr == ret&^1
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

// exceptionFrame is what the processor saved of the code that it interrupted.
type exceptionFrame struct {
	scratch [5]uint32 // r0 to r3, r12
	lr, pc  uint32
	sp      uint32 // after the frame is taken off
}

// readException reads the frame at base, if it can be one.
//
// Source: Armv7-M ARM, B1.5.6 and B1.5.7.
func (u *unwinder) readException(lr, base uint32) (f exceptionFrame, ok bool) {
	const lenBasic, lenExtended = 8 * 4, 26 * 4
	b := u.mem.from(base)
	if len(b) < lenBasic {
		return f, false
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(b[i*4:]) }
	for i := range f.scratch {
		f.scratch[i] = word(i)
	}
	f.lr, f.pc = word(5), word(6)
	xpsr := word(7)
	size := uint32(lenBasic)
	if lr&(1<<4) == 0 { // with floating-point registers
		size = lenExtended
	}
	if xpsr&(1<<9) != 0 { // a word to align the stack to 8 bytes
		size += 4
	}
	f.sp = base + size
	// Code that was interrupted is Thumb code, and lr says of which kind: of a
	// handler, which has a number, or of a thread, which has none.
	isThread, number := lr&(1<<3) != 0, xpsr&maskIPSR
	return f, xpsr&thumbBit != 0 && isThread == (number == 0) && f.sp > base
}

// fromException goes to the code that an exception interrupted.
func (u *unwinder) fromException(lr uint32) (How, bool) {
	base, ok := u.get(regSP)
	if lr&(1<<2) != 0 { // it ran on the stack of the tasks
		if u.tasks {
			return "", false // tasks interrupt nothing
		}
		u.tasks = true
		base = u.psp
	}
	if !ok {
		return "", false
	}
	f, ok := u.readException(lr, base)
	if !ok {
		return "", false
	}
	for reg, value := range f.scratch[:4] {
		u.set(uint64(reg), value)
	}
	u.set(regR12, f.scratch[4])
	u.set(regLR, f.lr)
	u.set(regSP, f.sp)
	u.pc, u.exact, u.floor = f.pc&^1, true, uint64(f.sp)
	return FromException, true
}

// words iterates over the words of b.
func words(b []byte) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for ; len(b) >= 4; b = b[4:] {
			if !yield(binary.LittleEndian.Uint32(b)) {
				return
			}
		}
	}
}

// scan looks for return addresses in the rest of the stack, and for the place
// where an exception was taken.
func (u *unwinder) scan() {
	sp, ok := u.get(regSP)
	if u.fw == nil || !ok {
		return
	}
	addr, b := (sp+3)&^3, u.mem.from((sp+3)&^3)
	if len(u.frames) == 1 { // nothing was read of the stack yet
		addr, b = u.mem.stack(addr)
	}
	last := &u.frames[len(u.frames)-1]
	for found := 0; len(b) >= 4 && found < maxScanned; addr, b = addr+4, b[4:] {
		word := binary.LittleEndian.Uint32(b)
		switch {
		case u.fw.isReturn(word):
			if found == 0 && last.How == FromLR && last.PC == word&^1 {
				continue // where the function has saved it
			}
			u.frames = append(u.frames, Frame{PC: word &^ 1, How: FromStack, Confidence: Scanned})
			found++
		case isExceptionReturn(word) && word&1 != 0:
			// lr is the last that a function saves, next to what the processor
			// saved before.
			f, base, ok := u.interrupted(word, addr+4, 1)
			for ok && found < maxScanned {
				u.frames = append(u.frames, Frame{PC: f.pc, How: FromException, Confidence: Scanned})
				found++
				// lr is next, and it may be the caller. Or else the code was a
				// handler that calls nothing, with little on the stack.
				addr = base + 16
				b = u.mem.from(addr)
				f, base, ok = u.interrupted(f.lr, f.sp, maxLeaf)
			}
		}
	}
}

// maxLeaf is how many words a handler that calls nothing is expected to have
// on the stack at most.
const maxLeaf = 16

// interrupted returns what the processor saved of the code that lr goes back
// to: at base or one of the n words from there, or on the stack of the tasks.
func (u *unwinder) interrupted(lr, base uint32, n uint32) (f exceptionFrame, at uint32, ok bool) {
	tasks := lr&(1<<2) != 0
	if !isExceptionReturn(lr) || tasks && u.tasks {
		return f, 0, false
	}
	if tasks {
		base, n = u.psp, 1
	}
	for at = base; at-base < n*4; at += 4 {
		if f, ok = u.readException(lr, at); ok && f.pc&1 == 0 && u.fw.code(f.pc) != nil {
			u.tasks = u.tasks || tasks
			return f, at, true
		}
	}
	return f, 0, false
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
