package crash

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/ulogkit/ulogkit/format"
)

// maxRegions is how many pieces of memory of a dump are looked at. Devices
// write a handful.
const maxRegions = 1024

// memory is the memory in a dump, in the order of addresses.
type memory []format.MemoryRegion

func memoryOf(c format.CrashCatcher) memory {
	var m memory
	for region := range c.Regions() {
		if len(region.Data) > 0 && len(m) < maxRegions {
			m = append(m, region)
		}
	}
	slices.SortStableFunc(m, func(a, b format.MemoryRegion) int { return cmp.Compare(a.Start, b.Start) })
	return m
}

// from returns the bytes from addr to the end of the piece that holds it.
func (m memory) from(addr uint32) []byte {
	// The last piece that begins at or before addr is the one, unless pieces
	// overlap, which devices have no reason for.
	i, found := slices.BinarySearchFunc(m, addr, func(r format.MemoryRegion, addr uint32) int { return cmp.Compare(r.Start, addr) })
	if !found {
		i--
	}
	if i < 0 || uint64(addr)-uint64(m[i].Start) >= uint64(len(m[i].Data)) {
		return nil
	}
	return m[i].Data[addr-m[i].Start:]
}

// word returns the word at addr and whether the dump holds it.
func (m memory) word(addr uint32) (uint32, bool) {
	b := m.from(addr)
	if len(b) < 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b), true
}

// maxGap is how far sp may lie below the memory that was dumped for the stack
// when it has overflowed, in bytes.
const maxGap = 64 << 10

// stack returns the address and the bytes of the stack from sp on. If sp lies
// below all of it, as after an overflow, that is the piece next above.
func (m memory) stack(sp uint32) (addr uint32, b []byte) {
	if b := m.from(sp); b != nil {
		return sp, b
	}
	for _, region := range m {
		if region.Start > sp && region.Start-sp <= maxGap && region.Start < systemRegion {
			return region.Start, region.Data
		}
	}
	return 0, nil
}
