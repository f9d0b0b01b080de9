// Package firmware reads what the other packages need of a linked firmware
// file: [Open] its header and sections, [File.Blocks] what is loaded to the
// device, [File.Section] a section, [File.Functions] and [File.Values] symbols,
// [File.DebugInfo] the DWARF debug information with its line table.
//
// A firmware file is foreign input. Whatever its bytes, reading it takes time
// and memory that grow with the file at most, and no more than [MaxFile] and
// [MaxLoaded] bytes of it. For that reason the package reads the few structures
// it needs itself: debug/elf and debug/dwarf are documented as not hardened,
// and take quadratic time for section names and units that overlap.
//
// Source: the ELF specification 1.2; DWARF 2 to 5, section 6.2.
package firmware

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

// Limits of what is read.
const (
	// MaxFile is the largest file that is opened, in bytes. Debug information
	// makes most of it; a device has a few MiB.
	MaxFile = 512 << 20
	// MaxLoaded is the largest sum of what is read of a file, in bytes: what is
	// loaded to the device, symbols and lines. Sections on top of each other
	// cannot multiply the file beyond it.
	MaxLoaded = 128 << 20
	// maxTable is the largest table for a purpose that can be done without, in
	// bytes: lines, symbols, rules to unwind.
	maxTable = MaxLoaded / 8
)

// What can be wrong with a file; every error of its contents is one of these.
var (
	// ErrNotELF means that the file is neither firmware nor a dictionary.
	ErrNotELF = errors.New("neither an ELF file nor a dictionary")
	// ErrUnsupported means an ELF file that no device of ours runs.
	ErrUnsupported = errors.New("not a linked 32-bit little-endian ELF file")
	// ErrDamaged means a file that contradicts itself.
	ErrDamaged = errors.New("damaged file")
	// ErrTooLarge means a file beyond the limits above.
	ErrTooLarge = errors.New("too large")
	// ErrNothing means a file in which nothing is for the device.
	ErrNothing = errors.New("nothing that is loaded to a device")
)

// Sizes and values of the ELF specification.
const (
	sizeHeader  = 52
	sizeSection = 40
	sizeSegment = 32

	typeExec, typeDyn = 2, 3
	machineARM        = 40

	sectionSymbols = 2
	sectionNote    = 7
	sectionNoBits  = 8

	flagWrite, flagAlloc, flagExec, flagCompressed = 1, 2, 4, 0x800

	segmentLoad = 1

	maxNames = 4 << 20 // bytes of section names
)

// Block is a stretch of the device's memory that the file has contents for.
type Block struct {
	Addr uint32
	Data []byte
	Code bool // holds instructions

	Writable bool // by the device, so that it holds the first value only
}

// End returns the address after the block, which may be 1<<32.
func (b *Block) End() uint64 { return uint64(b.Addr) + uint64(len(b.Data)) }

// Section is a section of a file, without its contents.
type Section struct {
	Index int
	Addr  uint32
	Size  uint32

	name, typ, flags, offset, link uint32
}

// File is a firmware file while it is read.
type File struct {
	Path string // of a file beside another; else empty

	r        io.ReaderAt
	size     int64
	machine  uint16
	sections []Section
	names    []byte
	loaded   int64 // bytes that were read
	segments func() ([]Block, error)
	split    bool
	overlays []Block
}

// OpenFile opens the file at path to be read and returns its size. Give says what
// to give instead of what is not a regular file.
func OpenFile(path, give string) (f *os.File, size int64, err error) {
	if f, err = openFile(path); err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file: give %s", path, give)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Open reads the header and the table of sections of the file of size bytes in
// r.
func Open(r io.ReaderAt, size int64) (*File, error) { return open(r, size, false) }

// OpenSplit is Open for a split file of debug information, which is not linked.
func OpenSplit(r io.ReaderAt, size int64) (*File, error) { return open(r, size, true) }

func open(r io.ReaderAt, size int64, split bool) (*File, error) {
	if size > MaxFile {
		return nil, fmt.Errorf("%w: the file has %d bytes, the limit is %d", ErrTooLarge, size, int64(MaxFile))
	}
	f := &File{r: r, size: size, split: split}
	if err := f.readHeader(); err != nil {
		return nil, err
	}
	return f, nil
}

// Thumb reports whether the code is for an Arm core, which for a microcontroller
// means Thumb instructions.
func (f *File) Thumb() bool { return f.machine == machineARM }

// Blocks reads what is loaded to the device, in the order of addresses: all
// sections with contents, or the segments of a file without sections. Of blocks
// on top of each other the first keeps its place; see Overlays.
func (f *File) Blocks() ([]Block, error) {
	blocks, err := f.loadSections()
	if err != nil {
		return nil, err
	}
	if len(blocks) == 0 {
		if blocks, err = f.segments(); err != nil {
			return nil, err
		}
	}
	if len(blocks) == 0 {
		return nil, fmt.Errorf("%w: the file has no section or segment with contents", ErrNothing)
	}
	slices.SortStableFunc(blocks, func(a, b Block) int { return cmp.Compare(a.Addr, b.Addr) })
	blocks, f.overlays = separate(blocks)
	return blocks, nil
}

// Overlays returns the blocks that lie on others, once Blocks has been called, as they
// are in the file.
func (f *File) Overlays() []Block { return f.overlays }

// readHeader reads the file header and the table of sections.
func (f *File) readHeader() error {
	h, err := f.read(0, min(sizeHeader, f.size))
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(h, []byte("\x7fELF")) {
		return ErrNotELF
	}
	if len(h) < sizeHeader {
		return fmt.Errorf("%w: the ELF header ends after %d of %d bytes", ErrDamaged, len(h), sizeHeader)
	}
	if h[4] != 1 {
		return fmt.Errorf("%w: class %d at offset 4, want 1 for 32 bits", ErrUnsupported, h[4])
	}
	if h[5] != 1 {
		return fmt.Errorf("%w: data encoding %d at offset 5, want 1 for little-endian", ErrUnsupported, h[5])
	}

	le := binary.LittleEndian
	if typ := le.Uint16(h[16:]); typ != typeExec && typ != typeDyn && !f.split {
		return fmt.Errorf("%w: type %d at offset 16, want 2: link the object files first", ErrUnsupported, typ)
	}
	f.machine = le.Uint16(h[18:])
	phoff, phentsize, phnum := le.Uint32(h[28:]), le.Uint16(h[42:]), le.Uint16(h[44:])
	shoff, shentsize, shnum, shstrndx := le.Uint32(h[32:]), le.Uint16(h[46:]), le.Uint16(h[48:]), le.Uint16(h[50:])
	f.segments = func() ([]Block, error) { return f.loadSegments(phoff, phentsize, phnum) }
	if shoff == 0 || shnum == 0 {
		return nil
	}
	if shentsize < sizeSection {
		return fmt.Errorf("%w: section headers of %d bytes, want %d", ErrDamaged, shentsize, sizeSection)
	}

	table, err := f.read(int64(shoff), int64(shentsize)*int64(shnum))
	if err != nil {
		return fmt.Errorf("table of %d sections: %w", shnum, err)
	}

	f.sections = make([]Section, shnum)
	for i := range f.sections {
		b := table[i*int(shentsize):]
		f.sections[i] = Section{
			Index: i, Addr: le.Uint32(b[12:]), Size: le.Uint32(b[20:]),
			name: le.Uint32(b), typ: le.Uint32(b[4:]), flags: le.Uint32(b[8:]), offset: le.Uint32(b[16:]), link: le.Uint32(b[24:]),
		}
	}

	if int(shstrndx) < len(f.sections) {
		if s := f.sections[shstrndx]; s.typ != sectionNoBits && s.Size <= maxNames {
			f.names, err = f.read(int64(s.offset), int64(s.Size))
		}
	}
	return err
}

// read reads a range of the file.
func (f *File) read(offset, n int64) ([]byte, error) {
	if offset < 0 || n < 0 || offset > f.size || n > f.size-offset {
		return nil, fmt.Errorf("%w: %d bytes at offset %d lie outside of its %d", ErrDamaged, n, offset, f.size)
	}
	if f.loaded += n; f.loaded > MaxLoaded {
		return nil, fmt.Errorf("%w: its sections add up to more than %d bytes", ErrTooLarge, MaxLoaded)
	}
	b := make([]byte, n)
	if got, err := f.r.ReadAt(b, offset); got < len(b) {
		return nil, fmt.Errorf("reading %d bytes at offset %d: %w", n, offset, err)
	}
	return b, nil
}

// Is reports whether s has this name.
func (f *File) Is(s *Section, name string) bool {
	if int64(s.name) >= int64(len(f.names)) {
		return false
	}
	rest, ok := bytes.CutPrefix(f.names[s.name:], []byte(name))
	return ok && len(rest) > 0 && rest[0] == 0
}

// Section returns the first section with this name that has at most limit bytes
// of contents in the file, compressed or not, or nil.
func (f *File) Section(name string, limit int64) *Section {
	for i := range f.sections {
		s := &f.sections[i]
		if f.Is(s, name) && s.typ != sectionNoBits && int64(s.Size) <= limit {
			return s
		}
	}
	return nil
}

// Text returns the sections of code, also those without contents in the file.
func (f *File) Text() (all []Section) {
	for _, s := range f.sections {
		if s.flags&flagAlloc != 0 && s.flags&flagExec != 0 && uint64(s.Addr)+uint64(s.Size) <= math.MaxUint32 {
			all = append(all, s)
		}
	}
	return all
}

// hollow reports whether the code of the file is not in it, and nothing else that is
// loaded but notes: it is debug information alone.
func (f *File) hollow() bool {
	code := false
	for _, s := range f.sections {
		switch {
		case s.flags&flagAlloc == 0 || s.Size == 0 || s.typ == 0 || s.typ == sectionNote:
		case s.typ != sectionNoBits:
			return false
		case s.flags&flagExec != 0:
			code = true
		}
	}
	return code
}

// loadSections reads all sections that are loaded to the device.
func (f *File) loadSections() (blocks []Block, err error) {
	if f.hollow() {
		return nil, fmt.Errorf("%w: it has debug information alone", ErrNothing)
	}
	for i := range f.sections {
		s := &f.sections[i]
		if s.flags&flagAlloc == 0 || s.typ == sectionNoBits || s.typ == 0 || s.Size == 0 {
			continue
		}
		b, err := f.loadBlock(s.Addr, s.offset, s.Size)
		if err != nil {
			return nil, fmt.Errorf("section %d: %w", i, err)
		}
		if s.flags&flagCompressed != 0 {
			return nil, fmt.Errorf("section %d: %w: it is loaded to the device and compressed", i, ErrDamaged)
		}
		b.Code, b.Writable = s.flags&flagExec != 0, s.flags&flagWrite != 0
		blocks = append(blocks, b)
	}
	return blocks, nil
}

// loadSegments reads the program headers: what lies where when the firmware runs.
func (f *File) loadSegments(phoff uint32, phentsize, phnum uint16) (blocks []Block, err error) {
	if phnum == 0 {
		return nil, nil
	}
	if phentsize < sizeSegment {
		return nil, fmt.Errorf("%w: program headers of %d bytes, want %d", ErrDamaged, phentsize, sizeSegment)
	}

	table, err := f.read(int64(phoff), int64(phentsize)*int64(phnum))
	if err != nil {
		return nil, fmt.Errorf("table of %d segments: %w", phnum, err)
	}

	le := binary.LittleEndian
	for i := range int(phnum) {
		b := table[i*int(phentsize):]
		size := le.Uint32(b[16:])
		if le.Uint32(b) != segmentLoad || size == 0 {
			continue
		}
		loaded, err := f.loadBlock(le.Uint32(b[8:]), le.Uint32(b[4:]), size)
		if err != nil {
			return nil, fmt.Errorf("segment %d: %w", i, err)
		}
		loaded.Code, loaded.Writable = le.Uint32(b[24:])&1 != 0, le.Uint32(b[24:])&2 != 0
		blocks = append(blocks, loaded)
	}
	return blocks, nil
}

// loadBlock reads what lies at an address.
func (f *File) loadBlock(addr, offset, size uint32) (Block, error) {
	if uint64(addr)+uint64(size) > math.MaxUint32+1 {
		return Block{}, fmt.Errorf("%w: %d bytes at address %#x pass the end of memory", ErrDamaged, size, addr)
	}
	data, err := f.read(int64(offset), int64(size))
	return Block{Addr: addr, Data: data}, err
}

// separate cuts off what lies in the block before, and returns it apart: overlays
// are the only good reason for that.
func separate(blocks []Block) (kept, under []Block) {
	end := uint64(0)
	kept = blocks[:0]
	for _, b := range blocks {
		if uint64(b.Addr) < end {
			under = append(under, b)
		}
		if b.End() <= end {
			continue
		}
		if n := end - min(end, uint64(b.Addr)); n > 0 {
			b.Addr += uint32(n)
			b.Data = b.Data[n:]
		}
		end = b.End()
		kept = append(kept, b)
	}
	return kept, under
}
