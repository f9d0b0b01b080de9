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
// where an exception was taken. A word counts if it is behind a call that can
// have led to the frame before; from there the rules go on as far as they do.
func (u *unwinder) scan() {
	sp, ok := u.get(regSP)
	if u.fw == nil || !ok {
		return
	}
	addr, b := (sp+3)&^3, u.mem.from((sp+3)&^3)
	if u.first == 1 { // nothing was read of the stack yet
		addr, b = u.mem.stack(addr)
	}

	u.found = true
	frames := u.trace.Frames
	last := frames[len(frames)-1]
	saved := last.How == FromLR // and the function may have saved it
	if saved && u.unmoved(last.PC) {
		return
	}

	before := u.first
	u.search(addr, b, last.PC, last.How != FromPC && last.How != FromException, saved, true)
	// The pc may be of anything: then any call will do for the first.
	if u.first == before && u.fw.hasCode(last.PC) && last.Confidence == Scanned {
		u.search(addr, b, last.PC, false, saved, false)
	}
}

// unmoved goes on from the caller that lr names as if the function had put nothing
// on the stack, and reports whether that leads to the end.
func (u *unwinder) unmoved(ret uint32) bool {
	old, trace := *u, *u.trace
	u.pc, u.exact, u.nowhere, u.known = ret, false, false, u.known&^scratch
	if u.follow(); u.whole && !u.assumed {
		return true
	}
	*u, *u.trace = old, trace
	return false
}

// search looks for the callers of the code at pc, or behind a call, in the words
// from addr on. Strict is whether a call must be able to have led there.
func (u *unwinder) search(addr uint32, b []byte, pc uint32, behind, saved, strict bool) {
	for len(b) >= 4 && u.first < maxUnwound && !u.whole {
		word := binary.LittleEndian.Uint32(b)
		addr, b = addr+4, b[4:]
		switch {
		case u.fw.isReturn(word):
			if saved && pc == word&^1 {
				saved = false
				continue
			}

			at := pc
			if behind {
				at--
			}
			if strict && !u.leads(word, at) {
				continue
			}

			u.pc, u.exact, u.nowhere = word&^1, false, false
			u.known = 1 << regSP
			u.reg[regSP], u.floor = addr, uint64(addr)
			if strict && u.graph.to(word, at).verdict == confirmed {
				u.confirmed++
			}

			before, kept := u.first, len(u.trace.Frames)
			u.add(FromStack, Scanned)
			if u.follow(); u.fw.blind && u.first == before+1 && !u.whole && kept < len(u.trace.Frames) {
				// That it is behind a call is not known: the rules must go on from it.
				u.first, u.trace.Frames = before, u.trace.Frames[:kept]
				continue
			}
		case isExceptionReturn(word):
			// lr is the last that a function saves, next to what the processor
			// saved before.
			f, from, ok := u.interrupted(word, addr, 1)
			if !ok {
				continue
			}

			for ok && u.first < maxUnwound {
				u.known = 0
				u.resume(from, f)
				u.add(FromException, Scanned)
				u.follow()
				// lr is next, behind r12, and it may be the caller. Or else the
				// code was a handler that calls nothing, with little on the stack.
				f, from, ok = u.interrupted(f.lr, f.sp, maxLeaf)
			}

			if u.pc == f.pc&^1 { // lr may be the caller
				u.reg[regSP] = f.base + 5*4
			}
		default:
			continue
		}

		strict = true
		frames := u.trace.Frames
		last := frames[len(frames)-1]
		pc, behind = last.PC, last.How != FromException
		addr = (u.reg[regSP] + 3) &^ 3
		b = u.mem.from(addr)
		if last.How == FromLR {
			addr, b = behindCopy(addr, b, last.PC)
		}
	}
}

// behindCopy goes to behind the word in which a function has saved lr, if there is
// one near: what lies before it are leftovers.
func behindCopy(addr uint32, b []byte, ret uint32) (uint32, []byte) {
	const near = 64
	n := uint32(0)
	for word := range words(b[:min(len(b), near*4)]) {
		if n += 4; word == ret|1 {
			return addr + n, b[n:]
		}
	}
	return addr, b
}

// leads reports whether the call before a return address can have led to the
// code at pc.
func (u *unwinder) leads(ret, pc uint32) bool {
	switch u.graph.to(ret, pc).verdict {
	case confirmed:
		return true
	case refuted:
		return false
	}
	if u.fw.blind {
		return true
	}
	if at := ret &^ 1; isBL(u.fw.half(at-4), u.fw.half(at-2)) {
		return !u.fw.hasCode(pc) || u.fw.function(pc) == nil
	}
	return !u.fw.hasCode(pc) || u.graph.byPointer(pc)
}

// maxLeaf is how many words a handler that calls nothing is expected to have
// on the stack at most.
const maxLeaf = 16

// interrupted returns what the processor saved of the code that lr goes back
// to: at base or one of the n words from there, or on the stack of the tasks.
func (u *unwinder) interrupted(lr, base, n uint32) (f exceptionFrame, from uint32, ok bool) {
	if !u.handler || !isExceptionReturn(lr) {
		return f, lr, false
	}
	if lr&returnTask != 0 {
		base, n = u.psp, 1
	}
	for at := base; at-base < n*4; at += 4 {
		if f, ok = u.readException(lr, at); ok && f.pc&1 == 0 && u.fw.hasCode(f.pc) {
			return f, lr, true
		}
	}
	return f, lr, false
}
