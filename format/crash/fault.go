package crash

import (
	"fmt"
	"math/bits"
	"strings"
)

// Fault is what the processor recorded of a fault.
type Fault struct {
	// Recorded is false if the dump does not hold the fault registers; they are
	// zero then.
	Recorded bool
	CFSR     uint32 // configurable faults
	HFSR     uint32 // hard fault
	DFSR     uint32 // debug events
	MMFAR    uint32 // address of a memory protection fault, if CFSR says so
	BFAR     uint32 // address of a bus fault, if CFSR says so

	// Reasons says it in sentences, the cause first.
	Reasons []string
}

// Explain says why the device stopped, from the dump alone.
func Explain(d *Dump) Fault { return (*Firmware)(nil).Explain(d) }

// Explain says why the device stopped. With a firmware it also looks at the
// instruction.
func (fw *Firmware) Explain(d *Dump) Fault {
	e := explainer{Fault: fault(d), fw: fw, d: d, r: newUnwinder(nil, d).reg, pc: d.Registers.PC() &^ 1}
	e.cause()
	e.context()
	return e.Fault
}

// fault returns what the processor recorded, without the reasons.
func fault(d *Dump) Fault {
	const address = 0xe000ed28
	var words [5]uint32
	for i := range words {
		word, ok := d.mem.word(address + uint32(i)*4)
		if !ok && i < 2 {
			return Fault{}
		}
		words[i] = word
	}
	f := Fault{Recorded: true, CFSR: words[0], HFSR: words[1], DFSR: words[2], MMFAR: words[3], BFAR: words[4]}
	if _, ok := d.mem.word(address + 3*4); !ok {
		f.CFSR &^= bitMMARVALID
	}
	if _, ok := d.mem.word(address + 4*4); !ok {
		f.CFSR &^= bitBFARVALID
	}
	return f
}

// explainer writes the reasons.
type explainer struct {
	Fault
	fw *Firmware
	d  *Dump
	r  [16]uint32
	pc uint32
}

func (e *explainer) say(format string, args ...any) {
	e.Reasons = append(e.Reasons, fmt.Sprintf(format, args...))
}

// cause says what the fault registers hold.
func (e *explainer) cause() {
	if e.lockup() {
		e.say("pc 0x%08x is no address of code: the processor was in lockup, as it is after a fault while the handler of a HardFault or of NMI runs.", e.pc)
		if !e.Recorded {
			return
		}
	}
	if !e.Recorded {
		sentence, _ := e.withoutFaultRegisters()
		if len(e.d.Lost) > 0 {
			if sentence != "" {
				e.say("%s", sentence)
			}
			e.say("The dump does not hold the fault registers: it is cut or damaged.")
			return
		}
		if sentence == "" {
			e.say("The dump does not hold the fault registers, as on cores that have none (Armv6-M, such as Cortex-M0 and M0+): it does not tell why the processor stopped.")
			return
		}

		e.say("%s", sentence)
		if p := pattern(e.pc); p != "" && e.fw != nil && !e.fw.hasCode(e.pc) {
			e.say("%s", p)
		}
		e.say("That is told from the registers and the code: the dump does not hold the fault registers, as on cores that have none (Armv6-M, such as Cortex-M0 and M0+).")
		return
	}

	if e.CFSR&^addressBits == 0 && e.HFSR == 0 {
		e.unrecorded()
	}
	for _, s := range faultSentences {
		text := s.text
		if s.bit == bitINVSTATE {
			text = e.invalidState(text)
		}
		if e.CFSR&s.bit != 0 {
			e.say("%s", strings.ReplaceAll(text, "{pc}", fmt.Sprintf("pc 0x%08x", e.pc)))
		}

		// What it was about comes next to it.
		switch e.CFSR & s.bit {
		case bitUNDEFINSTR:
			if e.fw.decode(e.pc).operation == trap {
				e.say("The instruction at pc is UDF, a trap: compilers put it where code must not get to, such as a null pointer that is sure to be used, __builtin_trap or a failed assertion.")
			}
		case bitUNALIGNED:
			if i := e.fw.decode(e.pc); i.accesses() {
				e.say("The instruction at pc %s through %s, which is 0x%08x.", i.verb, registerName(i.register), e.r[i.register])
			}
		case bitDIVBYZERO:
			if i := e.fw.decode(e.pc); i.operation == divide {
				e.say("The divisor is in %s.", registerName(i.register))
			}
		}
	}

	e.access(bitDACCVIOL, bitMMARVALID, e.MMFAR, "MMFAR", "the memory protection unit forbids it (DACCVIOL)")
	e.access(bitPRECISERR, bitBFARVALID, e.BFAR, "BFAR", "the bus answers with an error (PRECISERR)")
	if unknown := e.CFSR &^ knownBits; unknown != 0 {
		e.say("CFSR has bits set that the architecture leaves without a meaning: 0x%08x.", unknown)
	}

	e.target()
	if e.CFSR&lostBits != 0 {
		e.say("The processor could not save or read back the registers, so pc, lr, xpsr, r0 to r3 and r12 in the dump may not be those of the code that failed.")
	}

	e.hardFault()
	for _, s := range debugSentences {
		if e.DFSR&s.bit != 0 {
			e.say("%s", s.text)
		}
	}

	if unknown := e.DFSR &^ knownDFSR; unknown != 0 {
		e.say("DFSR has bits set that the architecture leaves without a meaning: 0x%08x.", unknown)
	}
	if bits.OnesCount32(e.CFSR&knownBits&^(addressBits|savingBits)) > 1 {
		e.say("More than one fault is recorded. They stay recorded until software clears them, so some may be older.")
	}
}

// lockup reports whether pc is where a processor in lockup stands.
//
// Source: Armv7-M ARM, B1.5.15, and the same of Armv8-M, which has the second address.
func (e *explainer) lockup() bool {
	return e.d.Known(placePC) && (e.pc == 0xfffffffe || e.pc == 0xeffffffe)
}

// unrecorded says who asked for the dump where neither CFSR nor HFSR does.
func (e *explainer) unrecorded() {
	handler := e.d.Registers.ExceptionPSR() & maskIPSR
	var why string
	switch {
	case handler == numberNMI:
		why = "NMI leaves no bit there, and is often a watchdog's."
	case handler == numberHardFault:
		why = "software asked for it, as a failed assertion of the agent does, or the bits were cleared before."
	case handler == numberSecureFault:
		why = "what failed is in SFSR, which the dump does not hold."
	case handler == numberDebugMonitor && e.DFSR&knownDFSR != 0:
		why = "a debug event called it."
	case handler > numberHardFault && handler < numberSecureFault, handler == numberDebugMonitor:
		why = "the bits were cleared before, or software made the exception pending."
	default:
		e.say("No fault is recorded: CFSR and HFSR are zero. Software asked for the dump, as a failed assertion does.")
		return
	}
	e.say("CFSR and HFSR are zero, yet the handler of %s took the dump: %s", exceptionName(handler), why)
}

// invalidState returns what INVSTATE means: the code went on with the Thumb bit
// clear, as text says, or with bits for conditional and interrupted instructions
// that do not suit it.
//
// Source: Armv7-M ARM, B1.4.2 and B3.2.15.
func (e *explainer) invalidState(text string) string {
	xpsr := e.d.Registers.XPSR()
	switch {
	case e.CFSR&lostBits != 0:
		return "The code went on in a state that the processor does not have, by the Thumb, IT or ICI bits of xpsr (INVSTATE): usually it jumped through an address with bit 0 clear."
	case xpsr&thumbBit != 0:
		return "The code at {pc} went on in a state that does not suit it (INVSTATE). The Thumb bit of xpsr is set, so it is the bits for conditional and interrupted instructions (IT and ICI): usually a saved xpsr or pc was overwritten."
	}
	// A handler that has called nothing yet.
	f := e.fw.function(e.pc)
	if number := xpsr & maskIPSR; number != 0 && isExceptionReturn(e.r[regLR]) && f != nil && f.Addr == e.pc {
		return "The handler of " + exceptionName(number) + " began at {pc} in a state that the processor does not have (INVSTATE): its entry in the vector table has bit 0 clear, or it jumped there through an address that does."
	}
	return text
}

// access says which address was used, for the fault that bit stands for.
func (e *explainer) access(bit, valid, addr uint32, register, why string) {
	i := e.fw.decode(e.pc)
	verb := i.verb
	if verb == "" {
		verb = "reads or writes"
	}

	switch {
	case e.CFSR&(bit|valid) == 0:
		return
	case (e.CFSR&lostBits != 0 || e.lockup()) && e.CFSR&valid != 0: // pc is not of that code
		e.say("The address that failed is 0x%08x, %s.", addr, place(addr))
		e.atStack(addr)
		return
	case e.CFSR&valid == 0:
		e.say("The code at pc 0x%08x %s memory where %s. The address is not recorded.", e.pc, verb, why)
		if i.accesses() {
			e.base(i)
		}
		return
	case e.CFSR&bit == 0:
		e.say("%s holds the address of the fault: 0x%08x, %s.", register, addr, place(addr))
	case bit == bitPRECISERR:
		e.say("The code at pc 0x%08x %s 0x%08x, %s, and %s%s.", e.pc, at(verb), addr, place(addr), why, advice(addr))
	default:
		e.say("The code at pc 0x%08x %s 0x%08x, %s, and %s.", e.pc, at(verb), addr, place(addr), why)
	}

	if p := pattern(addr); p != "" {
		e.say("%s", p)
	}
	if e.CFSR&bit != 0 && i.accesses() && (i.indexed || distance(e.r[i.register], addr) < maxNear) {
		e.base(i)
	} else { // or the firmware is another one
		e.near(addr)
	}
	e.atStack(addr)
}

// atStack says so if the address is near sp.
func (e *explainer) atStack(addr uint32) {
	if distance(e.r[regSP], addr) < maxNear && addr >= 0x100 {
		e.say("The address is near sp 0x%08x: the stack may have run out of its memory.", e.r[regSP])
	}
}

// at makes "reads" and "reads 4 bytes" go before an address.
func at(verb string) string {
	if strings.ContainsAny(verb, "0123456789") || strings.HasSuffix(verb, "byte") {
		return verb + " at"
	}
	switch verb {
	case "reads":
		return "reads from"
	case "writes":
		return "writes to"
	}
	return verb
}

// base says which register the instruction takes its address from.
func (e *explainer) base(i instruction) {
	e.say("The instruction takes the address from %s, which is 0x%08x.", registerName(i.register), e.r[i.register])
}

// distance returns how far apart two addresses are, in bytes.
func distance(a, b uint32) uint32 { return max(a, b) - min(a, b) }

// maxNear is how far from its base register an instruction reaches, in bytes.
//
// Source: Armv7-M ARM, A7.7.42 (LDR, 12 bits).
const maxNear = 4096

// near names the registers that hold the address, or else one close below it.
func (e *explainer) near(addr uint32) {
	var exact, below []string
	for reg, value := range e.r[:regSP] {
		switch {
		case value == addr:
			exact = append(exact, registerName(uint64(reg)))
		case value < addr && addr-value < maxNear:
			below = append(below, fmt.Sprintf("%s (0x%08x, %d below)", registerName(uint64(reg)), value, addr-value))
		}
	}
	switch {
	case len(exact) == 1:
		e.say("%s holds that address.", exact[0])
	case len(exact) > 1:
		e.say("%s hold that address.", list(exact))
	case len(below) > 0 && len(below) <= 4:
		e.say("Near that address: %s.", list(below))
	}
}

// target says what lies where the processor jumped to.
func (e *explainer) target() {
	fetch := e.CFSR & fetchBits
	if e.CFSR&lostBits != 0 || e.d.Registers.XPSR()&thumbBit != 0 {
		fetch &^= bitINVSTATE // no jump is sure
	}
	if fetch == 0 && e.CFSR&bitUNDEFINSTR == 0 {
		return
	}
	if fetch&bitINVSTATE != 0 {
		e.say("The Thumb bit of xpsr is clear, which confirms it.")
	}

	switch {
	case e.fw != nil && !e.fw.hasCode(e.pc):
		e.say("There is no code of the firmware at pc 0x%08x, which is %s.", e.pc, place(e.pc))
	case e.fw == nil && (e.pc < 0x100 || e.pc >= 0x2000_0000):
		e.say("pc 0x%08x is %s, where code rarely is.", e.pc, place(e.pc))
	}

	if p := pattern(e.pc); p != "" {
		e.say("%s", p)
	}
	if fetch != 0 {
		var held []string
		for reg, value := range e.r[:regSP] {
			if value&^1 == e.pc && (value != 0 || e.pc == 0) {
				held = append(held, registerName(uint64(reg)))
			}
		}

		if len(held) > 0 && len(held) <= 4 {
			verb := "holds"
			if len(held) > 1 {
				verb = "hold"
			}
			e.say("%s %s that address, so the jump may have gone through it.", list(held), verb)
		}
	}
}

// hardFault says what HFSR holds.
func (e *explainer) hardFault() {
	if e.HFSR&bitVECTTBL != 0 {
		e.say("The processor could not read the address of a handler from the vector table (VECTTBL): VTOR is usually wrong, or the table was overwritten.")
	}
	if e.HFSR&bitDEBUGEVT != 0 {
		text := "A breakpoint was hit with no debugger attached (DEBUGEVT), as assertions do that end in a breakpoint."
		if e.fw.decode(e.pc).operation == breakpoint {
			text += " The instruction at pc is BKPT."
		}
		e.say("%s", text)
	}
	switch {
	case e.HFSR&bitFORCED == 0:
	case e.CFSR&^addressBits != 0:
		e.say("The fault became a HardFault since its own handler was off or could not run at that priority (FORCED).")
	default:
		e.say("A fault became a HardFault (FORCED), but which is not recorded: its bit was cleared, code ran SVC where interrupts are off, or on Armv8-M it was a SecureFault, whose SFSR the dump does not hold.")
	}
	if unknown := e.HFSR &^ knownHFSR; unknown != 0 {
		e.say("HFSR has bits set that the architecture leaves without a meaning: 0x%08x.", unknown)
	}
}

// context says who ran, and what of the dump is not to be trusted.
func (e *explainer) context() {
	if !e.d.Known(placePSR) {
		return
	}

	code := "thread code (main or a task)"
	if number := e.d.Registers.XPSR() & maskIPSR; number != 0 {
		code = "the handler of " + exceptionName(number)
	}
	if handler := e.d.Registers.ExceptionPSR() & maskIPSR; !e.d.Known(numRegisters - 1) {
		e.say("%s was running.", capital(code))
	} else if handler != 0 {
		e.say("%s was running; the handler of %s took the dump.", capital(code), exceptionName(handler))
	} else {
		e.say("%s was running and took the dump itself.", capital(code))
	}

	sp := e.r[regSP]
	if !e.d.Known(regSP) || len(e.d.mem) == 0 {
		// That there is no memory is told elsewhere.
	} else if e.d.mem.from(sp) == nil {
		e.say("sp 0x%08x, %s, is outside of all memory in the dump: sp may be wrong, or the stack may have overflowed.", sp, place(sp))
	} else if sp&3 != 0 {
		e.say("sp 0x%08x is not a multiple of 4: it was overwritten.", sp)
	}

	if e.d.StackOverflow {
		e.say("The device found while it took the dump that its stack had overflowed: registers and memory may be damaged.")
	}
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func registerName(reg uint64) string {
	switch reg {
	case regSP:
		return "sp"
	case regLR:
		return "lr"
	}
	return fmt.Sprintf("r%d", reg)
}

// list joins words as in "r1, r2 and r3".
func list(words []string) string {
	if n := len(words) - 1; n > 0 {
		return strings.Join(words[:n], ", ") + " and " + words[n]
	}
	return strings.Join(words, "")
}
