package dict

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// block is a stretch of the device's memory that the file has contents for.
type block struct {
	addr uint32
	data []byte
	code bool // holds instructions
}

// end returns the address after the block, which may be 1<<32.
func (b *block) end() uint64 { return uint64(b.addr) + uint64(len(b.data)) }

// text returns the string of a block that is one.
func (b *block) text() []byte { return b.data[:len(b.data)-1] }

// modules are the names of the 32 modules, empty where there is none.
type modules [32]string

// Dictionary knows the strings of one firmware.
type Dictionary struct {
	// ID tells which firmware this is, as far as it is known. Dictionary files
	// hold it; a firmware file does not tell.
	ID ID

	noLines  string // why there are none
	beside   []string
	path     string  // of the file that it was loaded from, or empty
	blocks   []block // by address
	overlays []block // that lie on these
	modules  modules
	thumb    bool // code is Arm Thumb
	listed   bool // each block is one string, of a dictionary file

	lines   firmware.Lines
	imports map[uint32][]Source // of a dictionary file

	refOnce  sync.Once
	refs     []uint32 // addresses in a block that the firmware holds, in order
	lineOnce sync.Once
	uses     []use // by address once lineOnce is done
}

// ID identifies a firmware as its devices do.
type ID struct {
	GitHash    string `json:"git_hash,omitempty"`
	Version    string `json:"version,omitempty"`
	DeviceType string `json:"device_type,omitempty"`
}

// Load reads a firmware (ELF) or a dictionary file (JSON or CSV), whichever the
// file at path is. Of a stripped firmware, and of one that is debug information alone,
// it reads the rest from the file of the same build beside it, if there is one.
func Load(path string) (*Dictionary, error) {
	f, size, err := firmware.OpenFile(path, "the firmware's ELF file or a dictionary")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, err := read(f, size, filepath.Ext(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d.path = path
	return d, nil
}

// String returns the path of the file that the dictionary was loaded from, or
// nothing if it was not.
func (d *Dictionary) String() string { return d.path }

// NoSources says why there are no lines of code, of a firmware that should have some:
// its debug information cannot be read, or is in a file that is not beside it.
func (d *Dictionary) NoSources() string { return d.noLines }

// Beside returns the names of the files beside a firmware's own that were read, too:
// that of its debug information, or of its code.
func (d *Dictionary) Beside() []string { return d.beside }

func read(f *os.File, size int64, ext string) (*Dictionary, error) {
	var start [4]byte
	n, err := f.ReadAt(start[:], 0)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%w: it is empty", ErrNotELF)
	case n == 0:
		return nil, err
	case bytes.HasPrefix(start[:n], []byte("{")):
		return ReadJSON(f)
	case ext == ".csv":
		return ReadCSV(f)
	}
	return readELF(f, size, f.Name())
}

// FromStrings makes a dictionary of format strings by address.
func FromStrings(texts map[uint32]string) (*Dictionary, error) {
	d := &Dictionary{}
	for addr, text := range texts {
		if err := d.add(addr, text); err != nil {
			return nil, err
		}
	}
	return d.finish()
}

// SetModules names the modules by number, 0 to 31; other numbers are left out.
func (d *Dictionary) SetModules(names map[uint8]string) {
	for i := range d.modules {
		d.modules[i] = names[uint8(i)]
	}
}

// sort puts the blocks in order.
func (d *Dictionary) sort() {
	slices.SortStableFunc(d.blocks, func(a, b block) int { return cmp.Compare(a.addr, b.addr) })
}

// find returns the block that addr lies in and the offset in it.
func (d *Dictionary) find(addr uint32) (b *block, offset int) {
	i, found := slices.BinarySearchFunc(d.blocks, addr, func(b block, addr uint32) int { return cmp.Compare(b.addr, addr) })
	if !found {
		i--
	}
	// Blocks of a firmware do not overlap. The strings of a dictionary may,
	// where one ends like a longer one, and then they have the same end.
	if i >= 0 && uint64(addr) < d.blocks[i].end() {
		return &d.blocks[i], int(addr - d.blocks[i].addr)
	}
	return nil, 0
}

// Format returns the string at addr, and whether there is one: bytes of text
// up to a NUL. Where overlays have several, it is the first that begins there.
func (d *Dictionary) Format(addr uint32) (text string, ok bool) {
	if len(d.overlays) > 0 {
		if all := d.overlaid(addr); len(all) > 0 {
			return all[0], true
		}
		return "", false
	}
	b, offset := d.find(addr)
	if b == nil {
		return "", false
	}
	return b.format(offset)
}

// format returns the string at an offset of b, and whether there is one.
func (b *block) format(offset int) (text string, ok bool) {
	s := b.data[offset:min(len(b.data), offset+MaxString+1)]
	n := bytes.IndexByte(s, 0)
	if n < 0 {
		return "", false
	}
	if !isString(s[:n]) {
		return "", false
	}
	return string(s[:n]), true
}

// Begins reports whether a string begins at addr: the byte before is not text, or
// ends a word that is a pointer, or the firmware holds the address itself, as it must
// to use it. False for a
// string that has something before it and that nothing refers to; it may still
// be used, by code that computes the address.
func (d *Dictionary) Begins(addr uint32) bool {
	if _, ok := d.Format(addr); !ok {
		return false
	}
	if b, offset := d.find(addr); b != nil && d.begins(b, offset) {
		return true
	}
	for b, offset := range d.overlaysAt(addr) {
		if d.begins(b, offset) {
			return true
		}
	}
	d.refOnce.Do(d.findRefs)
	_, found := slices.BinarySearch(d.refs, addr)
	return found
}

// begins reports whether what is before an offset of b does not belong to the string
// there.
func (d *Dictionary) begins(b *block, offset int) bool {
	if _, ok := b.format(offset); !ok {
		return false
	}
	return offset == 0 || !isText(b.data[offset-1]) || d.isPointer(b, offset-4)
}

// isPointer reports whether an aligned word is an address of the firmware or of RAM,
// which is more than text: the end of one can look like the beginning of a string.
func (d *Dictionary) isPointer(b *block, offset int) bool {
	if d.listed { // of the word only what could be text is there
		if offset >= 0 || (b.addr+uint32(offset))&3 != 0 {
			return false
		}
		return !slices.ContainsFunc(b.data[:offset+4], func(c byte) bool { return ' ' <= c && c < 0x7f })
	}
	if offset < 0 || (b.addr+uint32(offset))&3 != 0 {
		return false
	}
	word := b.data[offset : offset+4]
	if isText(word[0]) && isText(word[1]) && isText(word[2]) {
		return false
	}
	w := uint32(word[0]) | uint32(word[1])<<8 | uint32(word[2])<<16 | uint32(word[3])<<24
	target, _ := d.find(w)
	const ram, endRAM = 0x2000_0000, 0x3000_0000 // of Cortex-M
	return target != nil || ram < w && w < endRAM
}

// findRefs collects the addresses that the firmware holds, as aligned words or
// in instructions.
func (d *Dictionary) findRefs() {
	d.findUses()
	for _, u := range d.uses {
		d.refs = append(d.refs, u.addr)
	}
	for i := range d.blocks {
		for _, w := range d.blocks[i].words() {
			if target, _ := d.find(w); target != nil {
				d.refs = append(d.refs, w)
			}
		}
	}
	slices.Sort(d.refs)
	d.refs = slices.Compact(d.refs)
}

// words iterates over the aligned words of b and their addresses.
func (b *block) words() iter.Seq2[uint32, uint32] {
	return func(yield func(addr, word uint32) bool) {
		for i := int(-b.addr & 3); i+4 <= len(b.data); i += 4 {
			w := uint32(b.data[i]) | uint32(b.data[i+1])<<8 | uint32(b.data[i+2])<<16 | uint32(b.data[i+3])<<24
			if !yield(b.addr+uint32(i), w) {
				return
			}
		}
	}
}

// Module returns the name of module n, and whether it has one.
func (d *Dictionary) Module(n uint8) (name string, ok bool) {
	if int(n) >= len(d.modules) {
		return "", false
	}
	return d.modules[n], d.modules[n] != ""
}

// Modules returns the names of the modules by number.
func (d *Dictionary) Modules() map[uint8]string {
	names := map[uint8]string{}
	for i, name := range d.modules {
		if name != "" {
			names[uint8(i)] = name
		}
	}
	return names
}

// Contains reports whether the firmware holds this text anywhere, such as the
// git hash that it was built from.
func (d *Dictionary) Contains(text string) bool {
	for i := range d.blocks {
		if bytes.Contains(d.blocks[i].data, []byte(text)) {
			return true
		}
	}
	return false
}
