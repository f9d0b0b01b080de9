package dict

import (
	"fmt"
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
	return readELF(r, size, "")
}

// readELF reads firmware, and what is in files beside its own, unless path is empty.
func readELF(r io.ReaderAt, size int64, path string) (*Dictionary, error) {
	f, err := firmware.Open(r, size)
	if err != nil {
		return nil, err
	}
	blocks, err := f.Blocks()
	debug := f
	var beside []string
	if err != nil && path != "" {
		if code, end := f.CodeBeside(path); code != nil {
			defer end()
			f, beside = code, append(beside, code.Path)
			blocks, err = f.Blocks()
		}
	}
	if err != nil {
		return nil, err
	}

	d := &Dictionary{beside: beside, thumb: f.Thumb(), blocks: make([]block, len(blocks))}
	for i, b := range blocks {
		d.blocks[i] = block{addr: b.Addr, data: b.Data, code: b.Code}
	}
	for _, b := range f.Overlays() {
		d.overlays = append(d.overlays, block{addr: b.Addr, data: b.Data, code: b.Code})
	}

	if d.lines, err = debug.Lines(); err != nil {
		return nil, err
	}

	if d.lines.Empty() && debug == f && path != "" {
		other, end, missing := f.DebugBeside(path)
		switch {
		case other != nil:
			defer end()
			d.beside = append(d.beside, other.Path)
			if lines, err := other.Lines(); err == nil {
				d.lines, debug = lines, other
			}
		case missing != "":
			d.noLines = fmt.Sprintf("its debug information is in %q, which is not beside it or of another build", missing)
		}
	}

	if d.lines.Lost != nil {
		d.noLines = d.lines.Lost.Error()
	}
	if err := d.loadModules(f, debug); err != nil {
		return nil, err
	}
	return d, nil
}
