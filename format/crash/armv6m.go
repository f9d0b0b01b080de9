package crash

import "fmt"

// withoutFaultRegisters tells the reason of a fault from the instruction at pc
// and the registers, as cores without fault registers leave it to software: in
// a sentence, and in a few words. Both are empty if nothing is plain.
//
// Source: Armv6-M ARM, B1.5.6 (what is a HardFault) and A3.2.1 (alignment).
func (e *explainer) withoutFaultRegisters() (sentence, short string) {
	xpsr := e.d.Registers.XPSR()
	if !e.d.Known(placePC) || !e.d.Known(placePSR) {
		return "", ""
	}
	if xpsr&thumbBit == 0 {
		sentence = fmt.Sprintf("The Thumb bit of xpsr is clear: the code jumped to pc 0x%08x through an address with bit 0 clear, usually a function pointer that is null or was never set, or a return address that was overwritten.", e.pc)
		if e.pc < 0x100 {
			return sentence, "Call through a null pointer"
		}
		return sentence, fmt.Sprintf("Jump to 0x%08x without the Thumb bit", e.pc)
	}

	if e.fw != nil && !e.fw.hasCode(e.pc) && e.d.mem.from(e.pc) == nil {
		return fmt.Sprintf("The processor jumped to pc 0x%08x, %s, where there is no code: usually a call through a bad function pointer, or a return address that was overwritten.", e.pc, place(e.pc)),
			fmt.Sprintf("Jump to 0x%08x, where no code can run", e.pc)
	}

	i := e.fw.decode(e.pc)
	switch i.operation {
	case trap:
		return "The instruction at pc is UDF, a trap: compilers put it where code must not get to, such as a null pointer that is sure to be used, __builtin_trap or a failed assertion.",
			"Trap instruction (UDF)"
	case breakpoint:
		return "The instruction at pc is BKPT: without a debugger it is a fault. Assertions may end in one.", "Breakpoint without a debugger, as of an assertion"
	case load, store:
		return e.access6(i)
	}
	return "", ""
}

// access6 says what is wrong with the address that an instruction uses.
func (e *explainer) access6(i instruction) (sentence, short string) {
	if !i.accesses() || i.register == regSP && i.offset == 0 && e.d.mem.from(e.r[regSP]) != nil {
		return "", ""
	}
	base := e.r[i.register]
	addr := base + i.offset
	if i.indexed {
		addr = base + e.r[i.index]
	}

	through := fmt.Sprintf("The instruction at pc %s through %s, which is 0x%08x", i.verb, registerName(i.register), base)
	if addr != base {
		through += fmt.Sprintf(", at 0x%08x", addr)
	}

	switch {
	case i.size > 1 && addr%i.size != 0:
		return fmt.Sprintf("%s: that is not a multiple of %d, as this core needs it.", through, i.size), "Unaligned access to memory"
	case e.d.mem.from(addr) != nil || e.fw.bytes(addr) != nil:
		return "", "" // there is memory
	case addr >= 0x4000_0000 && addr < 0x6000_0000, addr >= systemRegion:
		return fmt.Sprintf("%s, %s: the clock or the power of the peripheral may be off.", through, place(addr)), access(i, addr)
	}
	return fmt.Sprintf("%s, %s: there is usually nothing at that address.", through, place(addr)), access(i, addr)
}
