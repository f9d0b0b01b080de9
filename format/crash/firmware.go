package crash

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// What can be wrong with a firmware file; every error of its contents is one of
// these.
var (
	// ErrNotELF means that the file is no ELF file, such as a dictionary.
	ErrNotELF = errors.New("not an ELF file")
	// ErrUnsupported means an ELF file that no device of ours runs.
	ErrUnsupported = firmware.ErrUnsupported
	// ErrDamaged means a file that contradicts itself.
	ErrDamaged = firmware.ErrDamaged
	// ErrTooLarge means a file beyond what package dict reads.
	ErrTooLarge = firmware.ErrTooLarge
	// ErrNoCode means a file without anything for a device.
	ErrNoCode = firmware.ErrNothing
)

// Firmware is what a backtrace needs of an ELF file.
type Firmware struct {
	blocks    []firmware.Block // by address
	functions []firmware.Function
	lines     firmware.Lines
	rules     ruleTable
}

// Load reads the firmware's ELF file at path.
func Load(path string) (*Firmware, error) {
	f, size, err := firmware.OpenFile(path, "the firmware's ELF file")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fw, err := ReadELF(f, size)
	if errors.Is(err, ErrNotELF) && isDictionary(f, path) {
		err = fmt.Errorf("%w but a dictionary, which holds strings and no code: give the ELF file that it was made of", ErrNotELF)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return fw, nil
}

// isDictionary tells dictionary files as package dict does.
func isDictionary(f io.ReaderAt, path string) bool {
	var start [1]byte
	_, err := f.ReadAt(start[:], 0)
	return err == nil && (start[0] == '{' || strings.EqualFold(filepath.Ext(path), ".csv"))
}

// ReadELF reads the firmware of size bytes in r, which is not used after the
// call.
func ReadELF(r io.ReaderAt, size int64) (*Firmware, error) {
	f, err := firmware.Open(r, size)
	if errors.Is(err, firmware.ErrNotELF) {
		return nil, fmt.Errorf("%w: give the file that the linker wrote", ErrNotELF)
	}
	if err != nil {
		return nil, err
	}
	if !f.Thumb() {
		return nil, fmt.Errorf("%w: it is not for an Arm core", ErrUnsupported)
	}
	fw := &Firmware{}
	if fw.blocks, err = f.Blocks(); err != nil {
		return nil, err
	}
	if fw.functions, err = f.Functions(); err != nil {
		return nil, err
	}
	if fw.lines, err = f.Lines(); err != nil {
		return nil, err
	}
	if fw.rules, err = loadRules(f); err != nil {
		return nil, err
	}
	return fw, nil
}

// code returns the bytes of code from addr on, or nil.
func (fw *Firmware) code(addr uint32) []byte {
	if fw == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(fw.blocks, addr, func(b firmware.Block, addr uint32) int { return cmp.Compare(b.Addr, addr) })
	if !found {
		i--
	}
	if i < 0 || !fw.blocks[i].Code || uint64(addr) >= fw.blocks[i].End() {
		return nil
	}
	return fw.blocks[i].Data[addr-fw.blocks[i].Addr:]
}

// half returns the halfword of code at addr, or 0, which is not the beginning
// of any instruction that is asked for here.
func (fw *Firmware) half(addr uint32) uint32 {
	b := fw.code(addr)
	if len(b) < 2 {
		return 0
	}
	return uint32(b[0]) | uint32(b[1])<<8
}

// isReturn reports whether a word is a return address: odd, and right behind an
// instruction that calls.
//
// Source: Armv7-M ARM, A7.7.18 (BL) and A7.7.19 (BLX); Armv8-M, BLXNS.
func (fw *Firmware) isReturn(word uint32) bool {
	if word&1 == 0 || word < 4 {
		return false
	}
	at := word &^ 1
	if h := fw.half(at - 2); h&0xff87 == 0x4780 || h&0xff87 == 0x4784 {
		return true
	}
	return fw.half(at-4)&0xf800 == 0xf000 && fw.half(at-2)&0xd000 == 0xd000
}

// function returns the function that holds the instruction at pc, or nil.
func (fw *Firmware) function(pc uint32) *firmware.Function {
	if fw == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(fw.functions, pc, func(f firmware.Function, pc uint32) int { return cmp.Compare(f.Addr, pc) })
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	f := &fw.functions[i]
	if pc-f.Addr < f.Size || f.Size == 0 && fw.code(pc) != nil {
		return f
	}
	return nil
}

// Fits reports whether the dump can be of a device that runs this firmware: the
// pc, lr or a return address on the stack is in its code. A dump of another
// build mostly fits as well, since its code is at the same addresses.
func (fw *Firmware) Fits(c format.CrashCatcher) bool {
	r := c.Registers
	if fw.code(r.PC()&^1) != nil || fw.code(r.LR()&^1) != nil {
		return true
	}
	_, b := memoryOf(c).stack(r.SP())
	for word := range words(b) {
		if fw.isReturn(word) {
			return true
		}
	}
	return false
}
