package dict

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// The section of module names and the two symbols in it.
//
// Source: FORMAT section 2.
const (
	sectionModules = ".ulogger.debug_modules"
	symbolModules  = "ulogger_debug_modules"
	symbolCount    = "ulogger_debug_modules_count"

	maxModuleName = 256
)

// loadModules reads the names of the modules. Firmware without them, or with a
// table that cannot be made out, has none. Debug has the symbols of stripped firmware.
func (d *Dictionary) loadModules(f, debug *firmware.File) error {
	s := f.Section(sectionModules, 1<<16)
	if s == nil {
		return nil
	}
	b, err := f.Read(s)
	if err != nil {
		return fmt.Errorf("section %d, %s: %w", s.Index, sectionModules, err)
	}

	symbols, err := f.Values(symbolModules, symbolCount)
	if err != nil {
		return err
	}
	if len(symbols) == 0 && debug != f {
		if symbols, err = debug.Values(symbolModules, symbolCount); err != nil {
			return err
		}
	}

	array, ok := symbols[symbolModules]
	count, ok2 := symbols[symbolCount]
	if ok && ok2 {
		if d.modules, ok = d.readModules(b, int64(array)-int64(s.Addr), int64(count)-int64(s.Addr), false); ok {
			return nil
		}
	}

	d.modules = d.guessModules(b)
	return nil
}

// guessModules finds array and count without symbols. Compilers have written
// them in both orders. An array that comes first ends where the entries stop to
// make sense, unless the count is aligned like the array.
func (d *Dictionary) guessModules(b []byte) (names modules) {
	size := int64(len(b)) &^ 3
	for _, at := range [][2]int64{
		{4, 0},
		{8, 0}, // array, count
		{0, size - 8},
		{0, -1}, // it fills the section, but for what is no entry
	} {
		if names, ok := d.readModules(b, at[0], at[1], true); ok {
			return names
		}
	}
	return modules{}
}

// readModules reads the array and the count at these offsets of b; with no
// count the array fills b. Strict asks that the array fills b and all names
// make sense.
func (d *Dictionary) readModules(b []byte, array, count int64, strict bool) (names modules, ok bool) {
	size := int64(len(b))
	const lenEntry = format.DebugModuleSize
	if array < 0 || array > size {
		return names, false
	}
	n := (size - array) / lenEntry
	if count != -1 || !strict {
		if count < 0 || count > size-4 {
			return names, false
		}
		n = int64(binary.LittleEndian.Uint32(b[count:]))
	}

	if n == 0 || n > (size-array)/lenEntry || strict && size-n*lenEntry > 8 {
		return names, false
	}
	rest := b[array:]
	for range n {
		var entry *format.DebugModule
		var err error
		if entry, rest, err = format.ParseDebugModule(rest); err != nil {
			return names, false
		}

		name, found := d.Format(entry.NameAddress())
		found = found && name != "" && len(name) <= maxModuleName
		if strict && (!found || bits.OnesCount32(entry.Mask()) != 1) {
			return modules{}, false
		}

		// Agents reduce a mask to its lowest module.
		if i := bits.TrailingZeros32(entry.Mask()) & 31; found && names[i] == "" {
			names[i] = name
		}
	}
	return names, true
}
