package crash

import (
	"fmt"

	"github.com/go-delve/delve/pkg/dwarf/frame"
)

// Limits of a backtrace.
const (
	// maxFrames is how many frames are kept of the innermost.
	maxFrames = 4096
	// maxOutermost is how many more are kept of the outermost.
	maxOutermost = 64
	// maxUnwound is how many callers are followed.
	maxUnwound = 64 << 10
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
	FromCFI       How = "cfi"       // the rules of the compiler for debuggers
	FromExidx     How = "exidx"     // the table for C++ exceptions
	FromCode      How = "code"      // the instructions of the function
	FromException How = "exception" // the registers saved by the processor
	FromTail      How = "tail"      // a function that ended in a jump, so that it has no frame
	FromStack     How = "stack"     // a word of the stack
)

// Frame is a function that was running.
type Frame struct {
	PC         uint32 // where it goes on; of the first frame, where it stopped
	Function   string // empty where it is not known
	Offset     uint32 // of PC in the function whose code it is, in bytes
	File       string // as the compiler was given it; empty where it is not known
	Line       int    // of the call; of the first frame, where it stopped
	Inlined    bool   // the compiler has put the function into the next frame's
	Confidence Confidence
	How        How
}

// Backtrace is the functions that were running.
type Backtrace struct {
	Frames []Frame // the innermost first

	// Omitted is how many frames are left out before the last ones, those that
	// Outermost counts.
	Omitted, Outermost int
	// Truncated is true if frames are left out, or there may be more.
	Truncated bool
	// Notes says what is missing, in sentences.
	Notes []string
	// Task is the name that the operating system has for the task that was running
	// or was interrupted: FreeRTOS, Zephyr or ThreadX, if the dump holds it and the
	// debug information tells where. Otherwise it is the function that the task
	// began with, if that is known.
	Task string
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

// Backtrace returns the functions that were running. The first frame is where
// the processor stopped. On a nil Firmware that is pc and lr alone, without
// names.
func (fw *Firmware) Backtrace(d *Dump) *Backtrace {
	u := newUnwinder(fw, d)
	u.run(d)
	if u.refuted && fw != nil {
		// What the processor saved of the code tells where sp was.
		for _, sp := range d.stackPointers() {
			again := newUnwinder(fw, d)
			again.reg[regSP], again.floor = sp, uint64(sp)
			if again.run(d); !again.refuted && again.certain() > u.certain() {
				again.trace.Notes = append(again.trace.Notes, fmt.Sprintf(
					"sp 0x%08x of the dump does not fit what the processor saved: 0x%08x was used, as msp and psp have it.", d.Registers.SP(), sp))
				u = again
				break
			}
		}
	}
	fw.name(u.trace)
	u.nameTask(d)
	return u.trace
}

// certain returns how many frames are.
func (u *unwinder) certain() (n int) {
	for _, f := range u.trace.Frames {
		if f.Confidence == Unwound {
			n++
		}
	}
	return n
}

// stackPointers returns what sp can have been, by the registers that the
// processor saved at msp or psp before the handler ran that took the dump.
func (d *Dump) stackPointers() (all []uint32) {
	r := d.Registers
	want := [8]uint32{r.R0(), r.R1(), r.R2(), r.R3(), r.R12(), r.LR(), r.PC(), r.XPSR()}
	for _, base := range []uint32{r.MSP(), r.PSP()} {
		same := base != 0
		for i, w := range want {
			got, ok := d.mem.word(base + uint32(i)*4)
			same = same && ok && got&^1 == w&^1
		}
		if !same {
			continue
		}
		var align uint32
		if r.XPSR()>>9&1 == 1 {
			align = 4
		}
		for _, size := range []uint32{8 * 4, 26 * 4} {
			if sp := base + size + align; sp != r.SP() {
				all = append(all, sp)
			}
		}
	}
	return all
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

// run follows the callers as far as they go, then looks for more on the stack.
func (u *unwinder) run(d *Dump) {
	confidence := Unwound
	if d.Known(placePC) && fault(d).CFSR&lostBits == 0 {
		u.add(FromPC, Unwound)
	} else {
		confidence = Scanned // the registers may be of anything
		u.handler, u.found, u.nowhere = true, true, false
		u.add(FromPC, Scanned)
	}
	if !d.Known(placePC) {
		u.trace.Frames = nil
		return
	}
	if confidence == Unwound {
		u.follow()
	}
	if !u.whole {
		u.scan()
	}
	u.finish()
}

// follow goes from caller to caller by what is sure.
func (u *unwinder) follow() {
	for !u.whole && u.first < maxUnwound {
		how, through, ok := u.step()
		if !ok {
			break
		}
		u.addTail(through)
		confidence := Unwound
		if u.found {
			confidence = Scanned
		}
		u.add(how, confidence)
	}
}

func (u *unwinder) add(how How, confidence Confidence) {
	u.append(Frame{PC: u.pc, How: how, Confidence: confidence})
}

// append keeps a frame: the innermost ones, and of the others the last.
func (u *unwinder) append(f Frame) {
	u.first++
	frames := u.trace.Frames
	if len(frames) == maxFrames+maxOutermost {
		copy(frames[maxFrames:], frames[maxFrames+1:])
		frames[len(frames)-1] = f
		u.trace.Omitted++
		return
	}
	u.trace.Frames = append(frames, f)
}

// finish says what is left out.
func (u *unwinder) finish() {
	t := u.trace
	if t.Omitted > 0 {
		t.Outermost = maxOutermost
		t.Truncated = true
		t.Notes = append(t.Notes, fmt.Sprintf("%d frames are left out between the %d innermost and the %d outermost.", t.Omitted, maxFrames, maxOutermost))
	}
	if u.first >= maxUnwound {
		t.Truncated = true
		t.Notes = append(t.Notes, fmt.Sprintf("There may be more: %d frames were followed.", u.first))
	}
}

// addTail adds the functions that ended in a jump to the last one.
func (u *unwinder) addTail(through []uint32) {
	last := u.trace.Frames[len(u.trace.Frames)-1].PC
	for _, pc := range through {
		confidence := Unwound
		if u.found {
			confidence = Scanned
		}
		if u.sameName(last, pc-1) {
			continue // a part of it that the compiler has put elsewhere
		}
		u.append(Frame{PC: pc, How: FromTail, Confidence: confidence})
	}
}

// sameName reports whether two addresses are in parts of one function.
func (u *unwinder) sameName(a, b uint32) bool {
	f, g := u.fw.function(a), u.fw.function(b)
	return f != nil && g != nil && plainName(f.Name) == plainName(g.Name)
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
