package crash

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ulogkit/ulogkit/format"
)

// ErrNoDump means bytes in which there are no registers of a crash dump.
var ErrNoDump = errors.New("no crash dump: found neither the 264 bytes of its header with CrashCatcher's mark behind it, nor that mark at the beginning, nor its hexadecimal digits (63430300)")

// Dump is what can be read of a crash dump, whole or not.
type Dump struct {
	Header    *format.CoreDumpHeader // nil if there was none, as in what CrashCatcher itself writes
	Flags     uint32                 // of CrashCatcher
	Registers *format.Registers      // zero where they are not known
	FP        *format.FPRegisters    // nil if the device recorded none
	Regions   []format.MemoryRegion  // as they stand there, with the bytes that there are

	// StackOverflow is true if the device found that its stack had overflowed.
	StackOverflow bool
	// Lost says what is missing or broken, in sentences. Of a good dump it is
	// empty.
	Lost []string
	// Notes says what is worth to know and is no damage.
	Notes []string

	// Bytes is the dump itself, with its header if it has one: what was read, but
	// for hexadecimal digits. Empty of what [Of] returns.
	Bytes []byte

	known uint32 // a bit for each of the 20 registers that the dump holds
	mem   memory
}

// numRegisters is how many integer registers a dump has.
const numRegisters = format.RegistersSize / 4

// Known reports whether the dump holds a register, by its place in it: r0 to
// r12, sp, lr, pc, xpsr, msp, psp and exception_psr.
func (d *Dump) Known(register int) bool { return d.known>>register&1 != 0 }

// The places of the last registers, behind lr.
const (
	placePC  = 15
	placePSR = 16
	placeMSP = 17
	placePSP = 18
)

// mark is what a CrashCatcher dump begins with: its name and its version.
const mark = "\x63\x43\x03\x00"

// markOverflow is what CrashCatcher writes last when its stack had overflowed.
// Until it was measured, it was taken for the other order of bytes.
const (
	markOverflow        = "\xac\xce\x55\xed"
	markOverflowSwapped = "\xed\x55\xce\xac"
)

// Read reads what can be read of a crash dump: one with its header, of any
// version, cut or damaged; what CrashCatcher itself writes; and the hexadecimal
// digits of either, as a serial console shows them, also as the UTF-16 with a byte
// order mark that PowerShell makes of it. The bytes are not copied.
// The error is ErrNoDump if not even one register is there.
func Read(b []byte) (*Dump, error) {
	at := format.CoreDumpHeaderSize
	switch {
	case len(b) >= at+len(mark) && isMark(b[at:]):
		return readWithHeader(b, at)
	case isMark(b):
		d := &Dump{Bytes: b, Notes: []string{"The dump has no header of the agent: which device and firmware it is of is not known."}}
		return d, d.read(b, 0)
	}

	if text := fromHex(narrow(b)); text != nil {
		d, err := Read(text)
		if err == nil {
			d.Notes = append(d.Notes, fmt.Sprintf("The dump was read from hexadecimal digits: %d bytes.", len(text)))
		}
		return d, err
	}

	// A header of another version may have another length.
	const farthest = 4096
	if i := bytes.Index(b[:min(len(b), farthest)], []byte(mark)); i >= 16 && binary.LittleEndian.Uint32(b[8:]) != 1 {
		return readWithHeader(b, i)
	}
	return nil, ErrNoDump
}

// isMark reports whether b begins with the mark, of any version of CrashCatcher.
func isMark(b []byte) bool {
	return len(b) >= len(mark) && b[0] == mark[0] && b[1] == mark[1] && b[2] > 0 && b[2] < 16 && b[3] < 16
}

// readWithHeader reads a dump that begins at an offset, behind its header.
func readWithHeader(b []byte, at int) (*Dump, error) {
	d := &Dump{Bytes: b}
	if at >= format.CoreDumpHeaderSize {
		d.Header = (*format.CoreDumpHeader)(b)
	} else {
		padded := make([]byte, format.CoreDumpHeaderSize)
		copy(padded, b[:at])
		d.Header = (*format.CoreDumpHeader)(padded)
	}

	if version := d.Header.Version(); version != 1 {
		d.Notes = append(d.Notes, fmt.Sprintf("The header is of version %d, which is not known: its texts are read as those of version 1.", version))
	}
	if at != format.CoreDumpHeaderSize {
		d.Notes = append(d.Notes, fmt.Sprintf("CrashCatcher's mark was found at offset %d, in version 1 it is at %d.", at, format.CoreDumpHeaderSize))
	}

	total := int64(d.Header.LenTotal())
	body := b[at:]
	switch {
	case total > int64(len(b)):
		d.lose("The file ends after %d of %d bytes.", len(b), total)
	case total == int64(len(b)):
	case total < int64(at+format.CrashHeaderSize+format.RegistersSize):
		d.lose("The header says that the dump has %d bytes, which is too few: all %d of the file were read.", total, len(b))
	default:
		d.lose("%d bytes follow after the end of the dump at offset %d, and were not read.", int64(len(b))-total, total)
		body = b[at:total]
	}

	if sum := format.Sum32(body); sum != d.Header.Checksum() && total <= int64(len(b)) {
		d.lose("The checksum of the bytes is 0x%08x, the header says 0x%08x: some bytes are wrong, which ones is not known.", sum, d.Header.Checksum())
	}
	return d, d.read(body, at)
}

func (d *Dump) lose(format string, args ...any) {
	d.Lost = append(d.Lost, fmt.Sprintf(format, args...))
}

// read reads a CrashCatcher dump that stands at offset at of the file.
func (d *Dump) read(b []byte, at int) error {
	if b[2] != mark[2] || b[3] != mark[3] {
		d.Notes = append(d.Notes, fmt.Sprintf("CrashCatcher's version is %d.%d, it was read as 3.0.", b[2], b[3]))
	}
	if len(b) < format.CrashHeaderSize+4 {
		return fmt.Errorf("%w: the bytes end at offset %d, before the first register", ErrNoDump, at+len(b))
	}

	d.Flags = binary.LittleEndian.Uint32(b[4:])
	rest := b[format.CrashHeaderSize:]
	registers := make([]byte, format.RegistersSize)
	n := copy(registers, rest) / 4
	clear(registers[n*4:])
	d.Registers = (*format.Registers)(registers)
	d.known = 1<<n - 1
	if n < numRegisters {
		d.lose("The dump ends after %d of %d registers, and holds no memory.", n, numRegisters)
		d.finish()
		return nil
	}

	rest = rest[format.RegistersSize:]
	rest = d.readFP(rest)
	d.readRegions(rest, at+len(b)-len(rest))
	d.finish()
	return nil
}

// readFP reads the floating-point registers, if there are any. The flag that
// says so is not believed where the rest makes sense without it alone.
func (d *Dump) readFP(b []byte) []byte {
	const flag = 1
	flagged := d.Flags&flag != 0
	if whole := len(b) >= format.FPRegistersSize; flagged && !whole && !chained(b) {
		d.lose("The dump ends within the floating-point registers, and holds no memory.")
		return nil
	}
	with := len(b) >= format.FPRegistersSize && chained(b[format.FPRegistersSize:])
	without := chained(b)
	switch {
	case flagged && !with && without:
		d.lose("The dump says that it holds floating-point registers, but the memory follows at once: there are none.")
		return b
	case !flagged && with && !without:
		d.lose("The dump says that it holds no floating-point registers, but has 132 bytes of them.")
	case !flagged:
		return b
	}
	d.FP = (*format.FPRegisters)(b)
	return b[format.FPRegistersSize:]
}

// regionHeader is the length of a region without its bytes.
const regionHeader = 8

// chained reports whether b is whole regions to its end, and the mark of an
// overflow perhaps.
func chained(b []byte) bool {
	for len(b) >= regionHeader {
		start, end := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if string(b[:4]) == markOverflow || end < start || int64(end-start) > int64(len(b)-regionHeader) {
			return false
		}
		b = b[regionHeader+end-start:]
	}
	return len(b) == 0 || string(b) == markOverflow || string(b) == markOverflowSwapped
}

// anchor is the beginning of the region of the fault registers, which every dump
// of a core that has them ends with.
const anchor = "\x28\xed\x00\xe0\x3c\xed\x00\xe0"

// readRegions reads the regions from offset at of the file. Behind one that
// makes no sense it goes on where the rest does.
func (d *Dump) readRegions(b []byte, at int) {
	for len(b) > 0 {
		if string(b[:min(4, len(b))]) == markOverflow || string(b) == markOverflowSwapped {
			d.StackOverflow = true
			if b, at = b[4:], at+4; len(b) > 0 {
				d.afterEnd(b, at)
			}
			return
		}
		if len(b) < regionHeader {
			d.lose("%d bytes at offset %d are no region of memory.", len(b), at)
			return
		}

		start, end := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		data := b[regionHeader:]
		size := int64(end) - int64(start)
		switch {
		case size >= 0 && size <= int64(len(data)):
			d.Regions = append(d.Regions, format.MemoryRegion{Start: start, End: end, Data: data[:size:size]})
		case size < 0:
			d.lose("The region at offset %d ends at 0x%08x, before its start 0x%08x: it was left out.", at, end, start)
			if size = int64(resume(data, int64(end-start))); size < 0 {
				d.lose("What follows it, %d bytes at offset %d, cannot be told apart.", len(data), at+regionHeader)
				return
			}
		default:
			// Cut, or the end is wrong: the fault registers cannot be within.
			there := int64(len(data))
			if i := bytes.Index(data, []byte(anchor)); i >= 0 {
				there = int64(i)
			}
			d.lose("Of the memory from 0x%08x to 0x%08x only the first %d of %d bytes are there (offset %d).", start, end, there, size, at)
			d.Regions = append(d.Regions, format.MemoryRegion{Start: start, End: uint32(min(int64(start)+there, 1<<32-1)), Data: data[:there:there]})
			size = there
		}

		b, at = data[size:], at+regionHeader+int(size)
	}
}

// resume returns how many bytes follow a region whose addresses make no sense
// before what does, or -1.
func resume(b []byte, size int64) int {
	if chained(b) {
		return 0
	}
	if size <= int64(len(b)) && chained(b[size:]) { // past the end of memory
		return int(size)
	}
	return bytes.Index(b, []byte(anchor))
}

// afterEnd says what follows the mark of an overflow, which is the end.
func (d *Dump) afterEnd(b []byte, at int) {
	if isMark(b) {
		d.lose("Another dump of %d bytes follows at offset %d, and was not read.", len(b), at)
		return
	}
	d.lose("%d bytes at offset %d follow the mark of a stack overflow, which is the end of a dump.", len(b), at)
}

// finish puts the memory in order.
func (d *Dump) finish() {
	var differ int
	if d.mem, differ = memoryOf(d.Regions); differ > 0 {
		d.lose("Regions of memory overlap and differ in %d bytes: of these the one that is not zero was taken.", differ)
	}
	if d.known == 1<<numRegisters-1 && len(d.Regions) == 0 {
		d.lose("The dump holds no memory: there are registers alone.")
	}
}
