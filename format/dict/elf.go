package dict

import (
	"io"

	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// Limits of what is read.
const (
	// MaxFile is the largest file that is opened, in bytes. Debug information
	// makes most of it; a device has a few MiB.
	MaxFile = firmware.MaxFile
	// MaxLoaded is the largest sum of what is read of a file, in bytes: what is
	// loaded to the device, symbols and lines. Sections on top of each other
	// cannot multiply the file beyond it.
	MaxLoaded = firmware.MaxLoaded
	// MaxString is the length of the longest string, in bytes.
	MaxString = 1<<16 - 1
)

// What can be wrong with a file; every error of its contents is one of these.
var (
	// ErrNotELF means that the file is neither firmware nor a dictionary.
	ErrNotELF = firmware.ErrNotELF
	// ErrUnsupported means an ELF file that no device of ours runs.
	ErrUnsupported = firmware.ErrUnsupported
	// ErrDamaged means a file that contradicts itself.
	ErrDamaged = firmware.ErrDamaged
	// ErrTooLarge means a file beyond the limits above.
	ErrTooLarge = firmware.ErrTooLarge
	// ErrNoStrings means a file in which no string can be.
	ErrNoStrings = firmware.ErrNothing
)

// ReadELF reads the firmware of size bytes in r, which is not used after the
// call.
func ReadELF(r io.ReaderAt, size int64) (*Dictionary, error) {
	f, err := firmware.Open(r, size)
	if err != nil {
		return nil, err
	}
	blocks, err := f.Blocks()
	if err != nil {
		return nil, err
	}
	d := &Dictionary{thumb: f.Thumb(), blocks: make([]block, len(blocks))}
	for i, b := range blocks {
		d.blocks[i] = block{addr: b.Addr, data: b.Data, code: b.Code}
	}
	for _, b := range f.Overlays() {
		d.overlays = append(d.overlays, block{addr: b.Addr, data: b.Data, code: b.Code})
	}
	if err := d.loadModules(f); err != nil {
		return nil, err
	}
	if d.lines, err = f.Lines(); err != nil {
		return nil, err
	}
	return d, nil
}
