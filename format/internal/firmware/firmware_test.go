package firmware

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// symbolFile is a file with nothing but symbols, given as words: offset of the
// name, value, size, and type, binding and section.
func symbolFile(names string, symbols ...[4]uint32) *File {
	var b []byte
	for _, s := range symbols {
		for _, w := range s {
			b = binary.LittleEndian.AppendUint32(b, w)
		}
	}
	size := uint32(len(b))
	b = append(b, names...)
	return &File{r: bytes.NewReader(b), size: int64(len(b)), sections: []Section{
		{}, {typ: sectionSymbols, Size: size, link: 2}, {typ: 3, offset: size, Size: uint32(len(names))},
	}}
}

func TestFunctionsAreThoseOfTheSymbols(t *testing.T) {
	const local, global, object, undefined = 1<<16 | 2, 1<<16 | 0x12, 1<<16 | 1, 0x12
	f := symbolFile("\x00one\x00two\x00alias\x00",
		[4]uint32{},
		[4]uint32{5, 0x201, 0, global},    // without a size
		[4]uint32{9, 0x201, 8, local},     // and with one
		[4]uint32{1, 0x101, 4, local},     // with the Thumb bit
		[4]uint32{5, 0x100, 4, global},    // without, and global
		[4]uint32{1, 0x300, 4, object},    // no function
		[4]uint32{1, 0x400, 4, undefined}, // in no section
		[4]uint32{0, 0x500, 4, global},    // no name
		[4]uint32{99, 0x600, 4, global},   // a name outside
	)

	got, err := f.Functions()
	want := []Function{{Addr: 0x100, Size: 4, Name: "two"}, {Addr: 0x200, Size: 8, Name: "alias"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("functions are %+v, %v, want %+v", got, err, want)
	}
	values, err := f.Values("one", "ali", "alias")
	if err != nil || len(values) != 2 || values["one"] != 0x101 || values["alias"] != 0x201 {
		t.Errorf("values are %v, %v, want len(values) 2, values[\"one\"] 0x101 and values[\"alias\"] 0x201", values, err)
	}

	if got, err := (&File{}).Functions(); len(got) != 0 || err != nil {
		t.Errorf("a file without symbols: got functions %v, error %v, want neither", got, err)
	}
}

func TestSymbolsOutsideTheFileAreDamage(t *testing.T) {
	f := symbolFile("\x00", [4]uint32{})
	f.sections[1].Size = 1 << 20
	if _, err := f.Functions(); !errors.Is(err, ErrDamaged) {
		t.Errorf("error is %v, want %v", err, ErrDamaged)
	}
}

func TestCursorStopsAtTheEnd(t *testing.T) {
	c := Cursor{B: []byte("\x01\x02\x03\x04\x05\x06\x07\xe5\x8e\x26\x7f\x80\x7fabc\x00z")}
	if a, b, d := c.U8(), c.U16(), c.U32(); a != 1 || b != 0x0302 || d != 0x07060504 {
		t.Errorf("integers are %#x, %#x, %#x, want a 1, b 0x0302 and d 0x07060504", a, b, d)
	}
	if a, b, d := c.Uleb(), c.Sleb(), c.Sleb(); a != 624485 || b != -1 || d != -128 {
		t.Errorf("LEB128 are %d, %d, %d, want a 624485, b -1 and d -128", a, b, d)
	}
	if s := c.Text(); s != "abc" || c.Bad {
		t.Errorf("got text %q, bad %v, want \"abc\" and not bad", s, c.Bad)
	}
	if b := c.Take(2); b != nil || !c.Bad || c.U32() != 0 || c.Uleb() != 0 || c.Sleb() != 0 || c.Text() != "" {
		t.Errorf("past the end: got %v, bad %v, want nothing, bad, and zeroes from then on", b, c.Bad)
	}
	endless := Cursor{B: bytes.Repeat([]byte{0xff}, 100)}
	if endless.Uleb(); !endless.Bad {
		t.Error("a LEB128 without end: got not bad, want bad")
	}
}

// TestManyFilesOfLinesTakeLittleMemory has tables of millions of files, a byte or two
// each, which must not take many times as much in memory.
func TestManyFilesOfLinesTakeLittleMemory(t *testing.T) {
	const n = 4 << 20
	opcodes := []byte{1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1}
	for version, tables := range map[byte][]byte{
		4: slices.Concat([]byte{0}, bytes.Repeat([]byte("f\x00\x00\x00\x00"), n/5), []byte{0}),
		5: slices.Concat([]byte{1, 1, 0x0f, 0, 1, 2, 0x0f}, binary.AppendUvarint(nil, n), make([]byte, n)),
	} {
		lines := lineTable(version, slices.Concat(opcodes, tables), nil)
		if got := allocated(func() { lines.Locate([]uint32{0x100}) }); got > 4*n || got < maxEntries {
			t.Errorf("version %d: got %d bytes allocated for a table of %d, want from %d to %d", version, got, len(lines.program), maxEntries, 4*n)
		}
	}
}

// TestLineOfAnAddressIsGivenOnce has rows that give pcs no line, and one over pcs that
// have one: the pcs are not walked for them, or many such rows would each walk all.
// What is found is kept too short for that, so that a walk panics.
func TestLineOfAnAddressIsGivenOnce(t *testing.T) {
	u := lineUnit{files: []lineFile{{}, {name: "a.c"}}}
	pcs := []uint32{0x100, 0x102, 0x104, 0x106}
	for _, row := range []lineRow{
		{addr: 0x100, file: 1, line: 0}, {addr: 0x100, file: 1, line: -1}, {addr: 0x100, file: 1, line: 1 << 31}, {addr: 0x100, file: 2, line: 1},
	} {
		u.cover(row, 0x200, pcs, nil)
	}
	found := make([]Position, 3)
	u.cover(lineRow{addr: 0x102, file: 1, line: 7}, 0x106, pcs, found)
	u.cover(lineRow{addr: 0x100, file: 1, line: 6}, 0x200, pcs, found)
	if want := []Position{{"a.c", 6}, {"a.c", 7}, {"a.c", 7}}; !slices.Equal(found, want) {
		t.Errorf("lines are %v, want %v", found, want)
	}
}

// TestLongFolderNamesAreHeldOnce has many files in one directory of a long name, which
// must not be repeated with each of them.
func TestLongFolderNamesAreHeldOnce(t *testing.T) {
	const lenDir, numFiles = 1 << 18, 200
	dir := append(bytes.Repeat([]byte("d"), lenDir), 0)
	var program []byte
	var pcs []uint32
	for i := range uint32(numFiles) {
		program = append(program, 0, 5, 2) // set_address
		program = binary.LittleEndian.AppendUint32(program, 0x1000+i)
		program = binary.AppendUvarint(append(program, 4), uint64(i+1)) // set_file
		program = append(program, 1)                                    // copy
		pcs = append(pcs, 0x1000+i)
	}

	program = append(program, 2, 1, 0, 1, 1) // advance_pc, end_sequence
	opcodes := []byte{1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1}
	for version, tables := range map[byte][]byte{
		4: slices.Concat(dir, []byte{0}, bytes.Repeat([]byte("f\x00\x01\x00\x00"), numFiles), []byte{0}),
		5: slices.Concat([]byte{1, 1, 8, 2, 0}, dir, []byte{2, 1, 8, 2, 0x0b}, binary.AppendUvarint(nil, numFiles+1), bytes.Repeat([]byte("f\x00\x01"), numFiles+1)),
	} {
		lines := lineTable(version, slices.Concat(opcodes, tables), program)
		var found []Position
		got := allocated(func() { found = lines.Locate(pcs) })
		if got > 3*lenDir {
			t.Errorf("version %d: got %d bytes allocated for a table of %d, want at most %d", version, got, len(lines.program), 3*lenDir)
		}
		for i, at := range found {
			if want := strings.Repeat("d", maxPath) + "/f"; at.Line != 1 || at.File != want {
				t.Fatalf("version %d: at pc %d are line %d and a file of %d bytes, want %d", version, i, at.Line, len(at.File), len(want))
			}
		}
	}
}

// lineTable is a table of one unit.
func lineTable(version byte, header, program []byte) Lines {
	unit := []byte{version, 0}
	if version == 5 {
		unit = append(unit, 4, 0)
	}
	unit = slices.Concat(binary.LittleEndian.AppendUint32(unit, uint32(len(header))), header, program)
	return Lines{program: append(binary.LittleEndian.AppendUint32(nil, uint32(len(unit))), unit...)}
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
