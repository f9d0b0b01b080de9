package crash

import "fmt"

// operation is what an instruction does, as far as a fault can come of it.
type operation uint8

const (
	other operation = iota
	load
	store
	divide
	breakpoint
	trap
)

// instruction is an instruction as far as a fault can come of it.
type instruction struct {
	operation operation
	register  uint64 // base address, divisor
	verb      string // what it does: "reads 4 bytes"
	indexed   bool   // another register is added to the base
	index     uint64 // that register
	offset    uint32 // that is added to the base, where it is told
	size      uint32 // of what is read or written, in bytes; 0 if it is not told
}

// at returns the instruction with what is added to its base.
func (i instruction) at(offset uint32) instruction {
	i.offset = offset
	return i
}

// accesses reports whether it uses memory through a register other than pc.
func (i instruction) accesses() bool {
	return (i.operation == load || i.operation == store) && i.register <= regLR
}

// decode returns what the instruction at pc does; its operation is other if
// that is nothing of interest, or not known.
//
// Source: Armv7-M ARM, A5.2 and A5.3.
func (fw *Firmware) decode(pc uint32) instruction {
	h, h2 := fw.half(pc), fw.half(pc+2)
	if h >= 0xe800 {
		return decodeWide(h, h2)
	}
	low := uint64(h >> 3 & 7)
	switch {
	case h&0xf000 == 0x5000: // LDR, STR (register)
		size := [8]int{4, 2, 1, 1, 4, 2, 1, 2}[h>>9&7]
		i := memoryAccess(h>>9&7 >= 3, size, low)
		i.indexed, i.index = true, uint64(h>>6&7)
		return i
	case h&0xe000 == 0x6000: // LDR, STR, LDRB, STRB (immediate)
		size := [2]int{4, 1}[h>>12&1]
		return memoryAccess(h>>11&1 == 1, size, low).at(h >> 6 & 31 * uint32(size))
	case h&0xf000 == 0x8000: // LDRH, STRH (immediate)
		return memoryAccess(h>>11&1 == 1, 2, low).at(h >> 6 & 31 * 2)
	case h&0xf000 == 0x9000: // LDR, STR (sp)
		return memoryAccess(h>>11&1 == 1, 4, regSP).at(h & 0xff * 4)
	case h&0xfe00 == 0xb400, h&0xfe00 == 0xbc00: // PUSH, POP
		return memoryAccess(h>>11&1 == 1, 0, regSP)
	case h&0xf000 == 0xc000: // LDM, STM
		return memoryAccess(h>>11&1 == 1, 0, uint64(h>>8&7))
	case h&0xff00 == 0xbe00:
		return instruction{operation: breakpoint}
	case h&0xff00 == 0xde00: // UDF
		return instruction{operation: trap}
	}

	return instruction{}
}

// decodeWide says what an instruction of four bytes does that may fault: which memory
// it reads or writes, or that it divides or traps.
func decodeWide(h, h2 uint32) instruction {
	base := uint64(h & 15)
	isLoad := h>>4&1 == 1
	switch {
	case h&0xfe00 == 0xe800: // LDM, STM, LDRD, STRD, exclusive and table branch
		return memoryAccess(isLoad, 0, base)
	case h&0xfe00 == 0xf800: // LDR, STR of all sizes
		i := memoryAccess(isLoad, 1<<(h>>5&3), base)
		i.indexed, i.index = h&0x80 == 0 && h2&0x0fc0 == 0, uint64(h2&15)
		if h&0x80 != 0 {
			i.offset = h2 & 0xfff
		}
		return i
	case h&0xfe00 == 0xec00 && h2&0x0e00 == 0x0a00: // VLDR, VSTR, VLDM, VSTM
		return memoryAccess(isLoad, 0, base)
	case h&0xffd0 == 0xfb90 && h2&0xf0 == 0xf0: // SDIV, UDIV
		return instruction{operation: divide, register: uint64(h2 & 15)}
	case h&0xfff0 == 0xf7f0 && h2&0xf000 == 0xa000: // UDF
		return instruction{operation: trap}
	}
	return instruction{}
}

// memoryAccess is an instruction that reads or writes; size is 0 if that is
// more than one register or not told.
func memoryAccess(isLoad bool, size int, base uint64) instruction {
	i := instruction{operation: store, register: base, verb: "writes", size: uint32(size)}
	if isLoad {
		i.operation, i.verb = load, "reads"
	}
	switch size {
	case 0:
	case 1:
		i.verb += " a byte"
	default:
		i.verb += fmt.Sprintf(" %d bytes", size)
	}
	return i
}

// callTarget returns where the BL of these two halfwords before addr goes.
//
// Source: Armv7-M ARM, A7.7.18, T1.
func callTarget(addr, h, h2 uint32) uint32 {
	s, i1, i2 := h>>10&1, ^(h2>>13^h>>10)&1, ^(h2>>11^h>>10)&1
	offset := s<<24 | i1<<23 | i2<<22 | h&0x3ff<<12 | h2&0x7ff<<1
	return addr + uint32(int32(offset<<7)>>7)
}
