package crash

import (
	"encoding/binary"
	"iter"
)

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
	last := u.frames[len(u.frames)-1]
	saved := last.How == FromLR // and the function may have saved it
	for found := 0; len(b) >= 4 && found < maxScanned; {
		word := binary.LittleEndian.Uint32(b)
		addr, b = addr+4, b[4:]
		switch {
		case u.fw.isReturn(word):
			if saved && last.PC == word&^1 {
				saved = false
				continue
			}
			u.frames = append(u.frames, Frame{PC: word &^ 1, How: FromStack, Confidence: Scanned})
			found++
		case isExceptionReturn(word):
			// lr is the last that a function saves, next to what the processor
			// saved before.
			f, ok := u.interrupted(word, addr, 1)
			for ok && found < maxScanned {
				u.frames = append(u.frames, Frame{PC: f.pc, How: FromException, Confidence: Scanned})
				found++
				// lr is next, behind r12, and it may be the caller. Or else the
				// code was a handler that calls nothing, with little on the stack.
				addr = f.base + 5*4
				b = u.mem.from(addr)
				f, ok = u.interrupted(f.lr, f.sp, maxLeaf)
			}
		}
	}
}

// maxLeaf is how many words a handler that calls nothing is expected to have
// on the stack at most.
const maxLeaf = 16

// interrupted returns what the processor saved of the code that lr goes back
// to: at base or one of the n words from there, or on the stack of the tasks.
func (u *unwinder) interrupted(lr, base, n uint32) (f exceptionFrame, ok bool) {
	if !u.handler || !isExceptionReturn(lr) {
		return f, false
	}
	if lr&returnTask != 0 {
		base, n = u.psp, 1
	}
	for at := base; at-base < n*4; at += 4 {
		if f, ok = u.readException(lr, at); ok && f.pc&1 == 0 && u.fw.code(f.pc) != nil {
			u.handler = f.handler
			return f, true
		}
	}
	return f, false
}
