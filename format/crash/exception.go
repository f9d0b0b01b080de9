package crash

import (
	"encoding/binary"
	"fmt"
)

// What an exception return says, by its bits.
//
// Source: Armv7-M ARM, B1.5.8; Armv8-M ARM, EXC_RETURN.
const (
	returnES     = 1 << 0 // the handler ran in the Secure state
	returnTask   = 1 << 2 // the frame is on the stack of the tasks
	returnThread = 1 << 3 // to thread code, not to a handler
	returnBasic  = 1 << 4 // the frame has no floating-point registers
	returnDCRS   = 1 << 5 // r4 to r11 are saved as usual
	returnSecure = 1 << 6 // the frame is on a stack of the Secure state
)

// isExceptionReturn reports whether the value in lr is not an address but says
// where the processor saved the registers of the code that it interrupted.
//
// Armv7-M sets the bits of both security states, cores with only the Non-secure
// one clear both. Where they differ, the frame is on a stack of the other state,
// whose pointer no dump has: that is taken for no exception return.
func isExceptionReturn(lr uint32) bool {
	switch secure := lr&returnSecure != 0; {
	case lr < 0xffffff80 || lr&2 != 0, secure != (lr&returnES != 0):
		return false
	case !secure && lr&returnDCRS == 0: // only of Secure code
		return false
	case lr&returnTask != 0 && lr&returnThread == 0: // handlers do not use it
		return false
	}
	return true
}

// exceptionFrame is what the processor saved of the code that it interrupted.
type exceptionFrame struct {
	base    uint32    // address of r0
	scratch [5]uint32 // r0 to r3, r12
	lr, pc  uint32
	sp      uint32 // after the frame is taken off
	handler bool   // that code was a handler
}

// readException reads the frame at base, if it can be one.
//
// Source: Armv7-M ARM, B1.5.6 and B1.5.7; Armv8-M ARM, B3.19.
func (u *unwinder) readException(lr, base uint32) (f exceptionFrame, ok bool) {
	const lenBasic, lenExtended, lenCallee = 8 * 4, 26 * 4, 10 * 4
	if lr&returnDCRS == 0 {
		// They were saved before, for a handler that is not Secure, behind a
		// mark and an unused word.
		if mark, _ := u.mem.word(base); mark != 0xfefa125a|lr>>4&1 {
			return f, false
		}
		base += lenCallee
	}

	b := u.mem.from(base)
	if len(b) < lenBasic {
		return f, false
	}
	f.base = base
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(b[i*4:]) }
	for i := range f.scratch {
		f.scratch[i] = word(i)
	}

	f.lr, f.pc = word(5), word(6)
	xpsr := word(7)
	size := uint32(lenBasic)
	if lr&returnBasic == 0 {
		size = lenExtended
	}
	if xpsr&(1<<9) != 0 { // a word to align the stack to 8 bytes
		size += 4
	}

	f.sp = base + size
	// Code that was interrupted is Thumb code, and lr says of which kind: of a
	// handler, which has a number, or of a thread, which has none.
	f.handler = xpsr&maskIPSR != 0
	return f, xpsr&thumbBit != 0 && f.handler == (lr&returnThread == 0) && f.sp > base
}

// fromException goes to the code that an exception interrupted.
func (u *unwinder) fromException(lr uint32) (How, bool) {
	base, ok := u.get(regSP)
	if lr&returnTask != 0 {
		base = u.psp
	}
	if !ok || !u.handler { // thread code interrupts nothing
		u.refuted = true
		return "", false
	}
	if u.mem.from(base) == nil {
		u.missing(lr, base)
		return "", false
	}
	f, ok := u.readException(lr, base)
	if !ok {
		u.refuted = true
		return "", false
	}
	u.resume(lr, f)
	return FromException, true
}

// resume goes on with the code that an exception interrupted.
func (u *unwinder) resume(lr uint32, f exceptionFrame) {
	copy(u.reg[:4], f.scratch[:4])
	for reg := regR4; lr&returnDCRS == 0 && reg <= regR11; reg++ {
		value, ok := u.mem.word(f.base - 4*uint32(regR12-reg))
		if u.reg[reg] = value; ok {
			u.known |= 1 << reg
		} else {
			u.known &^= 1 << reg
		}
	}
	u.reg[regR12], u.reg[regLR], u.reg[regSP] = f.scratch[4], f.lr, f.sp
	u.known |= scratch | 1<<regSP
	u.pc, u.exact, u.floor, u.handler, u.nowhere = f.pc&^1, true, uint64(f.sp), f.handler, false
	u.task = lr&returnTask != 0
}

// missing says that the stack of the interrupted code is not in the dump. There
// is nothing to look for then: what lies on this stack is from before.
func (u *unwinder) missing(lr, base uint32) {
	switch {
	case lr&returnTask != 0:
		u.trace.Notes = append(u.trace.Notes, fmt.Sprintf("The handler interrupted a task; its stack, psp 0x%08x, is not in the dump.", base))
		u.task = true
	default:
		u.trace.Notes = append(u.trace.Notes, fmt.Sprintf("What the handler interrupted is on the stack at 0x%08x, which is not in the dump.", base))
	}
	u.whole, u.trace.Truncated = true, true
}
