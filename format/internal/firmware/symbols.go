package firmware

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// Sizes and values of the ELF specification.
const (
	sizeSymbol     = 16
	symbolFunction = 2
)

// symbols reads the symbol table and the names of the symbols; there is one
// such table at most. Both are empty in a stripped file.
func (f *File) symbols() (table, names []byte, err error) {
	for i := range f.sections {
		s := &f.sections[i]
		if s.typ != sectionSymbols || int64(s.link) >= int64(len(f.sections)) || int64(s.Size) > maxTable {
			continue
		}
		text := &f.sections[s.link]
		if text.typ == sectionNoBits || int64(text.Size) > maxTable {
			continue
		}
		if table, err = f.read(int64(s.offset), int64(s.Size)); err != nil {
			return nil, nil, fmt.Errorf("symbol table in section %d: %w", i, err)
		}
		if names, err = f.read(int64(text.offset), int64(text.Size)); err != nil {
			return nil, nil, fmt.Errorf("symbol names in section %d: %w", s.link, err)
		}
		return table, names, nil
	}
	return nil, nil, nil
}

// Values returns the values of the symbols with these names.
func (f *File) Values(names ...string) (map[string]uint32, error) {
	table, strtab, err := f.symbols()
	if err != nil {
		return nil, err
	}

	values := map[string]uint32{}
	le := binary.LittleEndian
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
	return values, nil
}

// Function is a function of the firmware.
type Function struct {
	Addr uint32 // without the Thumb bit
	Size uint32 // 0 where the file does not tell, as for hand-written assembly
	Name string
}

// Functions returns the functions by address. Of several names for one address
// it is the one with a size, then the global one, then the first.
func (f *File) Functions() ([]Function, error) {
	table, strtab, err := f.symbols()
	if err != nil {
		return nil, err
	}

	le := binary.LittleEndian
	type candidate struct {
		Function
		name  uint32
		local bool
	}
	var all []candidate
	for ; len(table) >= sizeSymbol; table = table[sizeSymbol:] {
		name, info, section := le.Uint32(table), table[12], le.Uint16(table[14:])
		if info&15 != symbolFunction || section == 0 || int64(name) >= int64(len(strtab)) || strtab[name] == 0 {
			continue
		}
		all = append(all, candidate{Function{Addr: le.Uint32(table[4:]) &^ 1, Size: le.Uint32(table[8:])}, name, info>>4 == 0})
	}

	order := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.Addr, b.Addr), order(a.Size == 0)-order(b.Size == 0), order(a.local)-order(b.local))
	})
	all = slices.CompactFunc(all, func(a, b candidate) bool { return a.Addr == b.Addr })
	text := string(strtab)
	functions := make([]Function, len(all))
	for i, c := range all {
		functions[i] = c.Function
		functions[i].Name = textAt(text, c.name)
	}
	return functions, nil
}
