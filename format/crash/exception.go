package crash

import "encoding/binary"

// isExceptionReturn reports whether the value in lr is not an address but says
// where the processor saved the registers of the code that it interrupted.
//
// Source: Armv7-M ARM, B1.5.8; Armv8-M clears more of the low bits.
func isExceptionReturn(lr uint32) bool { return lr >= 0xffffff80 && lr&2 == 0 }

// exceptionFrame is what the processor saved of the code that it interrupted.
type exceptionFrame struct {
	scratch [5]uint32 // r0 to r3, r12
	lr, pc  uint32
	sp      uint32 // after the frame is taken off
}

// readException reads the frame at base, if it can be one.
//
// Source: Armv7-M ARM, B1.5.6 and B1.5.7; Armv8-M ARM, B3.19.
func (u *unwinder) readException(lr, base uint32) (f exceptionFrame, ok bool) {
	const lenBasic, lenExtended, lenCallee = 8 * 4, 26 * 4, 10 * 4
	// Secure code of Armv8-M also has the other registers saved, behind a mark.
	if mark, _ := u.mem.word(base); lr&(1<<5) == 0 && mark&^1 == 0xfefa125a {
		base += lenCallee
	}
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
