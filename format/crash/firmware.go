package crash

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

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
	// Path is the file that it was read from, "" of ReadELF.
	Path string
	// Notes says what of the file could not be read, in sentences.
	Notes []string

	blocks    []firmware.Block // by address
	functions []firmware.Function
	debug     *firmware.Debug
	rules     ruleTable
	exidx     exceptionTable
	buildID   []byte
	arch      firmware.Arch
	tasks     []taskVar
	link      string // file with the debug information, and its checksum
	linkSum   uint32
	text      []extent // where code is, if the file has not got its bytes
	blind     bool     // the bytes of the code are not in the file

	sites func() *callSites // of a blind one
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
	if fw.functions, err = f.Functions(); err != nil {
		return nil, err
	}
	fw.debug, fw.Notes = f.DebugInfo()
	fw.blocks, err = f.Blocks()
	if errors.Is(err, firmware.ErrNothing) && (len(fw.functions) > 0 || !fw.debug.Empty()) {
		// Debug information alone: what asks for the bytes of the code is left out.
		err, fw.blind = nil, true
		for _, t := range f.Text() {
			fw.text = append(fw.text, extent{t.Addr, t.Addr + t.Size})
		}
		fw.sites = sync.OnceValue(fw.readSites)
		fw.Notes = append(fw.Notes, "The file has debug information and no code: calls were checked as far as the compiler lists them.")
	}
	if err != nil {
		return nil, err
	}

	rules, err := loadRules(f)
	if err != nil {
		fw.Notes = append(fw.Notes, fmt.Sprintf("The rules to unwind could not be read: %v.", err))
	}

	fw.rules = rules
	fw.link, fw.linkSum = f.DebugLink()
	fw.buildID = f.BuildID()
	fw.arch = f.Arch()
	fw.tasks = taskVars(f)
	if s := f.Section(".ARM.exidx", maxRuleSection); s != nil {
		b := fw.bytes(s.Addr)
		fw.exidx = exceptionTable{addr: s.Addr, data: b[:min(len(b), int(s.Size))]}
	}
	return fw, nil
}

// code returns the bytes of code from addr on, or nil.
func (fw *Firmware) code(addr uint32) []byte {
	if b := fw.block(addr); b != nil && b.Code {
		return b.Data[addr-b.Addr:]
	}
	return nil
}

// hasCode reports whether there is code at addr, or was when it was linked.
func (fw *Firmware) hasCode(addr uint32) bool {
	if fw.code(addr) != nil {
		return true
	}
	return fw != nil && slices.ContainsFunc(fw.text, func(e extent) bool { return e.holds(addr) })
}

// bytes returns what is loaded to the device from addr on, or nil.
func (fw *Firmware) bytes(addr uint32) []byte {
	if b := fw.block(addr); b != nil {
		return b.Data[addr-b.Addr:]
	}
	return nil
}

// block returns the stretch of the device's memory that holds addr, or nil.
func (fw *Firmware) block(addr uint32) *firmware.Block {
	if fw == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(fw.blocks, addr, func(b firmware.Block, addr uint32) int { return cmp.Compare(b.Addr, addr) })
	if !found {
		i--
	}
	if i < 0 || uint64(addr) >= fw.blocks[i].End() {
		return nil
	}
	return &fw.blocks[i]
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
	if word&1 == 0 || word < 4 || fw == nil {
		return false
	}
	if fw.blind {
		return fw.hasCode(word) && fw.sites().canReturn(word)
	}
	at := word &^ 1
	if h := fw.half(at - 2); h&0xff87 == 0x4780 || h&0xff87 == 0x4784 {
		return true
	}
	return isBL(fw.half(at-4), fw.half(at-2))
}

// function returns the function that holds the instruction at pc, or nil.
func (fw *Firmware) function(pc uint32) *firmware.Function {
	if fw == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(fw.functions, pc, compareFunction)
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	f := &fw.functions[i]
	if pc-f.Addr < f.Size || f.Size == 0 && fw.hasCode(pc) {
		return f
	}
	return nil
}

func compareFunction(f firmware.Function, pc uint32) int { return cmp.Compare(f.Addr, pc) }
