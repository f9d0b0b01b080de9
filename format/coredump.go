package format

import (
	"encoding/binary"
	"iter"
)

// stackOverflow is the word that CrashCatcher appends to a dump when it found
// that its own stack had overflowed: the bytes AC CE 55 ED in this order.
const stackOverflow = 0xed55ceac

// flagFPRegisters is the bit of CrashHeader.Flags that says that
// floating-point registers follow the integer ones.
const flagFPRegisters = 1

// regionHeaderSize is the length in bytes of a MemoryRegion without its data.
const regionHeaderSize = 8

var errStackOverflow = &Error{Type: "crash_catcher", Field: "stack_overflow", Offset: -1, Err: ErrValue}

// CrashCatcher is a view of the dump inside a crash dump: registers and memory
// at the moment of the fault.
//
// Source: FORMAT section 3.
type CrashCatcher struct {
	Header      *CrashHeader
	Registers   *Registers
	FPRegisters *FPRegisters // nil when the device recorded none

	// StackOverflow is true when the device found that its stack had
	// overflowed; the registers and regions may then be damaged.
	StackOverflow bool

	regions []byte // checked by ParseCrashCatcher
}

// ParseCrashCatcher returns a view of the dump that is the whole of b, the
// Crash of a CoreDump. All regions are checked here.
func ParseCrashCatcher(b []byte) (CrashCatcher, error) {
	c, _, err := parseCrashCatcher(b)
	return c, err
}

// parseCrashCatcher also returns the offset of the part that it refuses.
func parseCrashCatcher(b []byte) (c CrashCatcher, at int, err error) {
	var rest []byte
	if c.Header, rest, err = ParseCrashHeader(b); err != nil {
		return CrashCatcher{}, at, err
	}

	at += CrashHeaderSize
	if c.Registers, rest, err = ParseRegisters(rest); err != nil {
		return CrashCatcher{}, at, err
	}
	at += RegistersSize
	if c.Header.Flags()&flagFPRegisters != 0 {
		if c.FPRegisters, rest, err = ParseFPRegisters(rest); err != nil {
			return CrashCatcher{}, at, err
		}
		at += FPRegistersSize
	}

	start := at
	for len(rest) >= regionHeaderSize {
		if _, rest, err = ParseMemoryRegion(rest); err != nil {
			return CrashCatcher{}, at, err
		}
		at = len(b) - len(rest)
	}

	c.regions = b[start:at:at]
	if len(rest) > 0 {
		if len(rest) != 4 || binary.LittleEndian.Uint32(rest) != stackOverflow {
			return CrashCatcher{}, at, errStackOverflow
		}
		c.StackOverflow = true
	}
	return c, at, nil
}

// Regions returns an iterator over the dumped pieces of memory.
func (c CrashCatcher) Regions() iter.Seq[MemoryRegion] {
	return func(yield func(MemoryRegion) bool) {
		for rest := c.regions; len(rest) > 0; {
			region, after, err := ParseMemoryRegion(rest)
			if err != nil || !yield(region) {
				return
			}
			rest = after
		}
	}
}

// FaultRegisters returns a view of the fault status registers, or nil if no
// region holds them.
func (c CrashCatcher) FaultRegisters() *FaultRegisters {
	const address = 0xe000ed28
	for region := range c.Regions() {
		if region.Start == address {
			if faults, _, err := ParseFaultRegisters(region.Data); err == nil {
				return faults
			}
		}
	}
	return nil
}
