package dict

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
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
	// MaxString is the length of the longest string, in bytes.
	MaxString = 1<<16 - 1
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
	// ErrNoStrings means a file in which no string can be.
	ErrNoStrings = errors.New("nothing that is loaded to a device")
)

// Sizes and values of the ELF specification.
const (
	sizeHeader  = 52
	sizeSection = 40
	sizeSegment = 32
	sizeSymbol  = 16

	typeExec, typeDyn = 2, 3
	machineARM        = 40

	sectionSymbols = 2
	sectionNoBits  = 8

	flagAlloc, flagExec, flagCompressed = 2, 4, 0x800

	segmentLoad = 1

	maxNames = 4 << 20 // bytes of section names
)

type section struct {
	name, typ, flags, addr, offset, size, link uint32
}

// elfFile is an ELF file while it is read.
type elfFile struct {
	r        io.ReaderAt
	size     int64
	machine  uint16
	sections []section
	names    []byte
	loaded   int64 // bytes that were read
}

// ReadELF reads the firmware of size bytes in r, which is not used after the
// call.
func ReadELF(r io.ReaderAt, size int64) (*Dictionary, error) {
	if size > MaxFile {
		return nil, fmt.Errorf("%w: the file has %d bytes, the limit is %d", ErrTooLarge, size, int64(MaxFile))
	}
	f := &elfFile{r: r, size: size}
	segments, err := f.readHeader()
	if err != nil {
		return nil, err
	}
	d := &Dictionary{thumb: f.machine == machineARM}
	if err := f.loadSections(d); err != nil {
		return nil, err
	}
	if len(d.blocks) == 0 {
		d.blocks, err = segments()
		if err != nil {
			return nil, err
		}
	}
	if len(d.blocks) == 0 {
		return nil, fmt.Errorf("%w: the file has no section or segment with contents", ErrNoStrings)
	}
	d.sort()
	d.separate()
	if err := f.loadModules(d); err != nil {
		return nil, err
	}
	if err := f.loadLines(d); err != nil {
		return nil, err
	}
	return d, nil
}

// readHeader reads the file header and the table of sections. The function it
// returns reads the segments.
func (f *elfFile) readHeader() (segments func() ([]block, error), err error) {
	h, err := f.read(0, min(sizeHeader, f.size))
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(h, []byte("\x7fELF")) {
		return nil, ErrNotELF
	}
	if len(h) < sizeHeader {
		return nil, fmt.Errorf("%w: the ELF header ends after %d of %d bytes", ErrDamaged, len(h), sizeHeader)
	}
	if h[4] != 1 {
		return nil, fmt.Errorf("%w: class %d at offset 4, want 1 for 32 bits", ErrUnsupported, h[4])
	}
	if h[5] != 1 {
		return nil, fmt.Errorf("%w: data encoding %d at offset 5, want 1 for little-endian", ErrUnsupported, h[5])
	}
	le := binary.LittleEndian
	if typ := le.Uint16(h[16:]); typ != typeExec && typ != typeDyn {
		return nil, fmt.Errorf("%w: type %d at offset 16, want 2: link the object files first", ErrUnsupported, typ)
	}
	f.machine = le.Uint16(h[18:])
	phoff, phentsize, phnum := le.Uint32(h[28:]), le.Uint16(h[42:]), le.Uint16(h[44:])
	shoff, shentsize, shnum, shstrndx := le.Uint32(h[32:]), le.Uint16(h[46:]), le.Uint16(h[48:]), le.Uint16(h[50:])
	segments = func() ([]block, error) { return f.loadSegments(phoff, phentsize, phnum) }
	if shoff == 0 || shnum == 0 {
		return segments, nil
	}
	if shentsize < sizeSection {
		return nil, fmt.Errorf("%w: section headers of %d bytes, want %d", ErrDamaged, shentsize, sizeSection)
	}
	table, err := f.read(int64(shoff), int64(shentsize)*int64(shnum))
	if err != nil {
		return nil, fmt.Errorf("table of %d sections: %w", shnum, err)
	}
	f.sections = make([]section, shnum)
	for i := range f.sections {
		b := table[i*int(shentsize):]
		f.sections[i] = section{
			name: le.Uint32(b), typ: le.Uint32(b[4:]), flags: le.Uint32(b[8:]), addr: le.Uint32(b[12:]),
			offset: le.Uint32(b[16:]), size: le.Uint32(b[20:]), link: le.Uint32(b[24:]),
		}
	}
	if int(shstrndx) < len(f.sections) {
		if s := f.sections[shstrndx]; s.typ != sectionNoBits && s.size <= maxNames {
			f.names, err = f.read(int64(s.offset), int64(s.size))
		}
	}
	return segments, err
}

// read reads a range of the file.
func (f *elfFile) read(offset, n int64) ([]byte, error) {
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

// is reports whether s has this name.
func (f *elfFile) is(s *section, name string) bool {
	if int64(s.name) >= int64(len(f.names)) {
		return false
	}
	rest, ok := bytes.CutPrefix(f.names[s.name:], []byte(name))
	return ok && len(rest) > 0 && rest[0] == 0
}

// loadSections reads all sections that are loaded to the device.
func (f *elfFile) loadSections(d *Dictionary) error {
	for i := range f.sections {
		s := &f.sections[i]
		if s.flags&flagAlloc == 0 || s.typ == sectionNoBits || s.typ == 0 || s.size == 0 {
			continue
		}
		b, err := f.loadBlock(s.addr, s.offset, s.size)
		if err != nil {
			return fmt.Errorf("section %d: %w", i, err)
		}
		if s.flags&flagCompressed != 0 {
			return fmt.Errorf("section %d: %w: it is loaded to the device and compressed", i, ErrDamaged)
		}
		b.code = s.flags&flagExec != 0
		d.blocks = append(d.blocks, b)
	}
	return nil
}

func (f *elfFile) loadSegments(phoff uint32, phentsize, phnum uint16) (blocks []block, err error) {
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
		loaded.code = le.Uint32(b[24:])&1 != 0
		blocks = append(blocks, loaded)
	}
	return blocks, nil
}

// loadBlock reads what lies at an address.
func (f *elfFile) loadBlock(addr, offset, size uint32) (block, error) {
	if uint64(addr)+uint64(size) > math.MaxUint32+1 {
		return block{}, fmt.Errorf("%w: %d bytes at address %#x pass the end of memory", ErrDamaged, size, addr)
	}
	data, err := f.read(int64(offset), int64(size))
	return block{addr: addr, data: data}, err
}

// separate cuts off what lies in the block before. Overlays are the only good
// reason for that, and of those the first is as good as any.
func (d *Dictionary) separate() {
	end := uint64(0)
	kept := d.blocks[:0]
	for _, b := range d.blocks {
		if b.end() <= end {
			continue
		}
		if n := end - min(end, uint64(b.addr)); n > 0 {
			b.addr += uint32(n)
			b.data = b.data[n:]
		}
		end = b.end()
		kept = append(kept, b)
	}
	d.blocks = kept
}

// loadLines keeps the line table for Sources.
func (f *elfFile) loadLines(d *Dictionary) error {
	for i := range f.sections {
		s := &f.sections[i]
		program := f.is(s, ".debug_line")
		lineStrings, strings := f.is(s, ".debug_line_str"), f.is(s, ".debug_str")
		// Source lines are a convenience: a table that is compressed or too
		// large is left out rather than an error.
		if !program && !lineStrings && !strings || s.flags&flagCompressed != 0 || s.typ == sectionNoBits || int64(s.size) > MaxLoaded/8 {
			continue
		}
		b, err := f.read(int64(s.offset), int64(s.size))
		if err != nil {
			return fmt.Errorf("section %d: %w", i, err)
		}
		switch {
		case program:
			d.lines.program = b
		case lineStrings:
			d.lines.lineStrings = string(b)
		default:
			d.lines.strings = string(b)
		}
	}
	return nil
}

// findSymbols returns the values of the symbols with these names.
func (f *elfFile) findSymbols(names ...string) (map[string]uint32, error) {
	values := map[string]uint32{}
	le := binary.LittleEndian
	for i := range f.sections {
		s := &f.sections[i]
		if s.typ != sectionSymbols || int64(s.link) >= int64(len(f.sections)) || int64(s.size) > MaxLoaded/8 {
			continue
		}
		text := &f.sections[s.link]
		if text.typ == sectionNoBits || int64(text.size) > MaxLoaded/8 {
			continue
		}
		table, err := f.read(int64(s.offset), int64(s.size))
		if err != nil {
			return nil, fmt.Errorf("symbol table in section %d: %w", i, err)
		}
		strtab, err := f.read(int64(text.offset), int64(text.size))
		if err != nil {
			return nil, fmt.Errorf("symbol names in section %d: %w", s.link, err)
		}
		for ; len(table) >= sizeSymbol; table = table[sizeSymbol:] {
			offset := le.Uint32(table)
			if int64(offset) >= int64(len(strtab)) {
				continue
			}
			for _, name := range names {
				rest, ok := bytes.CutPrefix(strtab[offset:], []byte(name))
				if ok && len(rest) > 0 && rest[0] == 0 {
					if _, twice := values[name]; !twice {
						values[name] = le.Uint32(table[4:])
					}
				}
			}
		}
		break // there is one symbol table at most
	}
	return values, nil
}
