package firmware

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Lines is the DWARF line table of a firmware: the programs of its compilation
// units, one after the other, and the strings they refer to.
//
// Source: DWARF 5, section 6.2; the versions 2 to 4 differ in the header.
type Lines struct {
	Lost error // why parts of it could not be read, which is told and no more

	program     []byte // .debug_line
	lineStrings string // .debug_line_str
	strings     string // .debug_str
}

// Position is a line of source code. Line is 0 where there is none.
type Position struct {
	File string // as the compiler was given it
	Line int
}

// Lines reads the line table. Source lines are a convenience: what is too large,
// or compressed in a way that cannot be read, is left out rather than an error.
func (f *File) Lines() (t Lines, err error) {
	read := func(name string) (b []byte) {
		if err != nil {
			return nil
		}
		s := f.Section("."+name, maxTable)
		if s != nil && s.flags&flagCompressed == 0 {
			if b, err = f.Read(s); err != nil {
				err = fmt.Errorf("section %d: %w", s.Index, err)
			}
			return b
		}
		b, lost := f.Debug(name, "")
		if lost != nil && t.Lost == nil {
			t.Lost = fmt.Errorf("section .%s: %w", name, lost)
		}
		return b
	}
	t.program = read("debug_line")
	t.lineStrings, t.strings = string(read("debug_line_str")), string(read("debug_str"))
	return t, err
}

// Empty reports whether the firmware has no line table.
func (t *Lines) Empty() bool { return len(t.program) == 0 }

// unitAt returns the files of the unit whose program is at an offset.
func (t *Lines) unitAt(offset uint32) *lineUnit {
	u := &lineUnit{table: t}
	if int64(offset) >= int64(len(t.program)) {
		return u
	}
	c := Cursor{B: t.program[offset:]}
	unit := Cursor{B: c.Take(int64(c.U32()))}
	if c.Bad || !u.readHeader(&unit) {
		u.files = nil
	}
	return u
}

// nameOf returns the name of a file, or nothing.
func (u *lineUnit) nameOf(i uint64) string {
	if i >= uint64(len(u.files)) {
		return ""
	}
	return u.filePath(i)
}

// Locate returns the source line of each pc, which must be in order. It ends at
// what it cannot read, since the lines after it would be guesses.
func (t *Lines) Locate(pcs []uint32) []Position {
	found := make([]Position, len(pcs))
	rest := Cursor{B: t.program}
	for len(rest.B) >= 4 {
		n := rest.U32()
		if n >= 0xfffffff0 { // 64-bit DWARF, which no 32-bit firmware has
			break
		}
		unit := Cursor{B: rest.Take(int64(n))}
		if rest.Bad {
			break
		}
		u := lineUnit{table: t}
		if u.readHeader(&unit) {
			u.run(&unit, pcs, found)
		}
	}
	return found
}

// lineUnit is one compilation unit of the table.
type lineUnit struct {
	table       *Lines
	version     uint16
	minLength   uint32
	stmt        bool // default of is_stmt
	lineBase    int8
	lineRange   uint8
	opcodeBase  uint8
	lenOperands []byte // number of operands by standard opcode
	dirs        []lineFile
	files       []lineFile
}

// lineFile is a directory or a file.
type lineFile struct {
	name string
	dir  uint64 // index of the directory
	path string // of both together, once it was asked for
}

// readHeader reads the header of a unit of DWARF's line table, of versions 2 to 5.
func (u *lineUnit) readHeader(c *Cursor) bool {
	u.version = c.U16()
	if u.version < 2 || u.version > 5 {
		return false
	}
	if u.version == 5 {
		c.Take(2) // sizes of address and segment selector
	}

	lenHeader := c.U32()
	if int64(lenHeader) > int64(len(c.B)) {
		return false
	}
	program := Cursor{B: c.B[lenHeader:]}
	u.minLength = uint32(c.U8())
	if u.version >= 4 {
		c.Take(1) // operations per instruction, which is 1 but for VLIW
	}

	u.stmt = c.U8() != 0
	u.lineBase, u.lineRange, u.opcodeBase = int8(c.U8()), c.U8(), c.U8()
	if u.opcodeBase == 0 || u.lineRange == 0 {
		return false
	}
	u.lenOperands = c.Take(int64(u.opcodeBase) - 1)
	if u.version == 5 {
		u.dirs, u.files = u.readEntries(c), u.readEntries(c)
	} else {
		u.readNames(c)
	}

	ok := !c.Bad
	*c = program
	return ok
}

// readNames reads the directories and files of the versions 2 to 4, which
// count from 1.
func (u *lineUnit) readNames(c *Cursor) {
	u.dirs = []lineFile{{}}
	for s := c.Text(); s != "" && !c.Bad; s = c.Text() {
		u.dirs = addEntry(c, u.dirs, lineFile{name: s})
	}
	u.files = []lineFile{{}}
	for s := c.Text(); s != "" && !c.Bad; s = c.Text() {
		u.files = addEntry(c, u.files, lineFile{name: s, dir: c.Uleb()})
		c.Uleb() // time
		c.Uleb() // size
	}
}

// maxEntries is how many directories or files a unit may have: an entry of a
// byte or two in the file takes many times as much in memory.
const maxEntries = 1 << 16

func addEntry(c *Cursor, entries []lineFile, entry lineFile) []lineFile {
	if len(entries) == maxEntries {
		c.Bad = true
		return entries
	}
	entry.name = entry.name[:min(len(entry.name), maxPath)]
	return append(entries, entry)
}

// Content types and forms of the entries of version 5.
const (
	contentPath, contentDir = 1, 2

	formBlock2, formBlock4, formData2, formData4, formData8 = 0x03, 0x04, 0x05, 0x06, 0x07
	formString, formBlock, formBlock1, formData1            = 0x08, 0x09, 0x0a, 0x0b
	formStrp, formUdata, formData16, formLineStrp           = 0x0e, 0x0f, 0x1e, 0x1f
)

// readEntries reads the directories or the files of version 5.
func (u *lineUnit) readEntries(c *Cursor) (entries []lineFile) {
	var content, form [256]uint64
	n := int(c.U8())
	for i := range n {
		content[i], form[i] = c.Uleb(), c.Uleb()
	}

	for count := c.Uleb(); count > 0 && !c.Bad && len(c.B) > 0; count-- {
		var entry lineFile
		for i := range n {
			text, number := u.readForm(c, form[i])
			switch content[i] {
			case contentPath:
				entry.name = text
			case contentDir:
				entry.dir = number
			}
		}

		entries = addEntry(c, entries, entry)
		if n == 0 { // of no bytes
			c.Bad = true
		}
	}
	return entries
}

// readForm reads one value of the tables of files and folders, a text or a number.
func (u *lineUnit) readForm(c *Cursor, form uint64) (text string, number uint64) {
	switch form {
	case formString:
		return c.Text(), 0
	case formLineStrp:
		return textAt(u.table.lineStrings, c.U32()), 0
	case formStrp:
		return textAt(u.table.strings, c.U32()), 0
	case formUdata:
		return "", c.Uleb()
	case formData1:
		return "", uint64(c.U8())
	case formData2:
		return "", uint64(c.U16())
	case formData4:
		return "", uint64(c.U32())
	case formData8:
		c.Take(8)
	case formData16:
		c.Take(16)
	case formBlock:
		c.Take(int64(min(c.Uleb(), 1<<32)))
	case formBlock1:
		c.Take(int64(c.U8()))
	case formBlock2:
		c.Take(int64(c.U16()))
	case formBlock4:
		c.Take(int64(c.U32()))
	default:
		c.Bad = true
	}

	return "", 0
}

// filePath returns the name of a file with its directory. The first directory
// is where the compiler ran, which says nothing about the source tree.
func (u *lineUnit) filePath(i uint64) string {
	f := &u.files[i]
	if f.path == "" {
		f.path = f.name
		if f.dir > 0 && f.dir < uint64(len(u.dirs)) && !path.IsAbs(f.name) {
			f.path = path.Join(u.dirs[f.dir].name, f.name)
		}
	}
	return f.path
}

// run runs the unit's line program and gives each pc that a row covers the
// row's line.
func (u *lineUnit) run(c *Cursor, pcs []uint32, found []Position) {
	row := lineRow{file: 1, line: 1, stmt: u.stmt}
	last, begun := row, false
	emit := func(end bool) {
		// Of several rows for one address the last statement is meant; code
		// that is of no line goes on with the one before.
		if begun && !end && (row.addr == last.addr && last.stmt && !row.stmt || row.line == 0) {
			return
		}
		// Code that the linker left out stays in the table at address 0.
		if begun && last.start != 0 && last.addr < row.addr {
			u.cover(last, row.addr, pcs, found)
		}
		if !begun {
			row.start = row.addr
		}

		last, begun = row, !end
		if end {
			row = lineRow{file: 1, line: 1, stmt: u.stmt}
		}
	}
	for len(c.B) > 0 && !c.Bad {
		op := c.U8()
		if op >= u.opcodeBase {
			adjusted := uint32(op - u.opcodeBase)
			row.addr += adjusted / uint32(u.lineRange) * u.minLength
			row.line += int64(u.lineBase) + int64(adjusted%uint32(u.lineRange))
			emit(false)
			continue
		}

		switch op {
		case 0: // extended
			n := c.Uleb()
			ext := Cursor{B: c.Take(int64(min(n, 1<<32)))}
			switch ext.U8() {
			case 1: // end_sequence
				emit(true)
			case 2: // set_address
				row.addr = ext.U32()
			}
		case 1: // copy
			emit(false)
		case 2: // advance_pc
			row.addr += uint32(c.Uleb()) * u.minLength
		case 3: // advance_line
			row.line += c.Sleb()
		case 4: // set_file
			row.file = c.Uleb()
		case 6: // negate_stmt
			row.stmt = !row.stmt
		case 8: // const_add_pc
			row.addr += uint32(255-u.opcodeBase) / uint32(u.lineRange) * u.minLength
		case 9: // fixed_advance_pc
			row.addr += uint32(c.U16())
		default: // nothing that matters here
			for range u.lenOperands[op-1] {
				c.Uleb()
			}
		}
	}
}

type lineRow struct {
	start uint32 // of the sequence
	addr  uint32
	file  uint64
	line  int64
	stmt  bool // a good place for a breakpoint
}

// cover sets the line of the pcs from row's address to end. It looks at no more
// of them than it sets and one that has a line already: the rest was covered
// with that one.
func (u *lineUnit) cover(row lineRow, end uint32, pcs []uint32, found []Position) {
	if row.file >= uint64(len(u.files)) || row.line <= 0 || row.line >= 1<<31 {
		return
	}
	i, _ := slices.BinarySearch(pcs, row.addr)
	for ; i < len(pcs) && pcs[i] < end && found[i].Line == 0; i++ {
		found[i] = Position{File: u.filePath(row.file), Line: int(row.line)}
	}
}

// textAt returns the text at offset of s up to a NUL.
func textAt(s string, offset uint32) string {
	if int64(offset) >= int64(len(s)) {
		return ""
	}
	s, _, _ = strings.Cut(s[offset:min(int64(len(s)), int64(offset)+maxPath)], "\x00")
	return s
}

// maxPath is the length of the longest name of a file or function, so that
// those which refer to one long text cannot multiply it.
const maxPath = 512
