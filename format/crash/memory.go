package crash

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/ulogkit/ulogkit/format"
)

// memory is the memory in a dump: pieces in the order of addresses that neither
// overlap nor touch.
type memory []format.MemoryRegion

// memoryOf puts regions together. Where they overlap and differ, zero gives way:
// a device that dumps a stack twice has cleared neither. It also returns how many
// bytes differ.
func memoryOf(regions []format.MemoryRegion) (m memory, differ int) {
	sorted := slices.Clone(regions)
	sorted = slices.DeleteFunc(sorted, func(r format.MemoryRegion) bool { return len(r.Data) == 0 })
	slices.SortStableFunc(sorted, func(a, b format.MemoryRegion) int { return cmp.Compare(a.Start, b.Start) })
	for _, r := range sorted {
		if len(m) == 0 {
			m = append(m, r)
			continue
		}

		last := &m[len(m)-1]
		reached := uint64(last.Start) + uint64(len(last.Data))
		if uint64(r.Start) > reached {
			m = append(m, r)
			continue
		}

		// The bytes are the caller's as long as nothing is added to them.
		shared := int(min(reached-uint64(r.Start), uint64(len(r.Data))))
		from := int(r.Start - last.Start)
		data := last.Data
		for i, c := range r.Data[:shared] {
			if old := data[from+i]; old != c {
				if differ++; old == 0 {
					if cap(data) == len(data) { // still the caller's
						data = append(make([]byte, 0, len(data)+len(r.Data)+1), data...)
					}
					data[from+i] = c
				}
			}
		}

		last.Data = append(data, r.Data[shared:]...)
		last.End = last.Start + uint32(len(last.Data))
	}
	return m, differ
}

// from returns the bytes from addr to the end of the piece that holds it.
func (m memory) from(addr uint32) []byte {
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
