package crash

import "fmt"

// systemRegion is the first address of the processor's own registers.
const systemRegion = 0xe000_0000

// place returns what lies at an address, in words.
//
// Source: Armv7-M ARM, B3.1.
func place(addr uint32) string {
	switch {
	case addr == 0:
		return "a null pointer"
	case addr < 0x100:
		return "a null pointer with an offset, as of a member or an element"
	case addr < 0x2000_0000:
		return "in the code region"
	case addr < 0x4000_0000:
		return "in the SRAM region"
	case addr < 0x6000_0000:
		return "in the peripheral region"
	case addr < 0xa000_0000:
		return "in the external RAM region"
	case addr < systemRegion:
		return "in the external device region"
	}
	return "in the system region, where the processor's own registers are"
}

// advice returns what is usually wrong when the bus answers with an error.
func advice(addr uint32) string {
	switch {
	case addr < 0x100:
		return ""
	case addr >= 0x4000_0000 && addr < 0x6000_0000:
		return ": the clock or the power of the peripheral is usually off"
	}
	return ": there is usually nothing at that address"
}

// pattern returns what the bytes of an address look like, or nothing: text and
// fill patterns end up in pointers when memory is overwritten or was never set.
func pattern(addr uint32) string {
	text := []byte{byte(addr), byte(addr >> 8), byte(addr >> 16), byte(addr >> 24)}
	same, printable := true, true
	for _, c := range text {
		same = same && c == text[0]
		printable = printable && c >= ' ' && c < 0x7f
	}
	switch {
	case addr == 0xdeadbeef || same && addr != 0 && addr != 0xffffffff:
		return fmt.Sprintf("0x%08x looks like a fill pattern: a value that was never set, or memory that was freed.", addr)
	case printable:
		return fmt.Sprintf("The bytes of 0x%08x read as the text %q: a string may have been written over a pointer.", addr, text)
	}
	return ""
}

// exceptionName returns the name of an exception by its number, as in IPSR.
//
// Source: Armv7-M ARM, B1.5.2.
func exceptionName(number uint32) string {
	names := [...]string{
		1: "Reset", 2: "NMI", 3: "HardFault", 4: "MemManage", 5: "BusFault", 6: "UsageFault", 7: "SecureFault",
		11: "SVCall", 12: "DebugMonitor", 14: "PendSV", 15: "SysTick",
	}
	switch {
	case number >= 16:
		return fmt.Sprintf("interrupt %d (exception %d)", number-16, number)
	case names[number] == "":
		return fmt.Sprintf("exception %d", number)
	}
	return names[number]
}
