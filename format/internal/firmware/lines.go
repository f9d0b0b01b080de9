package firmware

import (
	"bytes"
	"encoding/binary"
	"path"
	"slices"
	"strings"
)

// Lines is the DWARF line table of a firmware: the programs of its compilation
// units, one after the other, and the strings they refer to.
//
// Source: DWARF 5, section 6.2; the versions 2 to 4 differ in the header.
type Lines struct {
	program     []byte // .debug_line
	lineStrings string // .debug_line_str
	strings     string // .debug_str
}

// Position is a line of source code. Line is 0 where there is none.
type Position struct {
	File string // as the compiler was given it
	Line int
}

// Empty reports whether the firmware has no line table.
func (t *Lines) Empty() bool { return len(t.program) == 0 }

// Locate returns the source line of each pc, which must be in order. It ends at
// what it cannot read, since the lines after it would be guesses.
func (t *Lines) Locate(pcs []uint32) []Position {
	found := make([]Position, len(pcs))
	rest := cursor{b: t.program}
	for len(rest.b) >= 4 {
		n := rest.u32()
		if n >= 0xfffffff0 { // 64-bit DWARF, which no 32-bit firmware has
			break
		}
		unit := cursor{b: rest.take(int64(n))}
		if rest.bad {
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

func (u *lineUnit) readHeader(c *cursor) bool {
	u.version = c.u16()
	if u.version < 2 || u.version > 5 {
		return false
	}
	if u.version == 5 {
		c.take(2) // sizes of address and segment selector
	}
	lenHeader := c.u32()
	if int64(lenHeader) > int64(len(c.b)) {
		return false
	}
	program := cursor{b: c.b[lenHeader:]}
	u.minLength = uint32(c.u8())
	if u.version >= 4 {
		c.take(1) // operations per instruction, which is 1 but for VLIW
	}
	c.take(1) // default of is_stmt
	u.lineBase, u.lineRange, u.opcodeBase = int8(c.u8()), c.u8(), c.u8()
	if u.opcodeBase == 0 || u.lineRange == 0 {
		return false
	}
	u.lenOperands = c.take(int64(u.opcodeBase) - 1)
	if u.version == 5 {
		u.dirs, u.files = u.readEntries(c), u.readEntries(c)
	} else {
		u.readNames(c)
	}
	ok := !c.bad
	*c = program
	return ok
}

// readNames reads the directories and files of the versions 2 to 4, which
// count from 1.
func (u *lineUnit) readNames(c *cursor) {
	u.dirs = []lineFile{{}}
	for s := c.text(); s != "" && !c.bad; s = c.text() {
		u.dirs = append(u.dirs, lineFile{name: s})
	}
	u.files = []lineFile{{}}
	for s := c.text(); s != "" && !c.bad; s = c.text() {
		u.files = append(u.files, lineFile{name: s, dir: c.uleb()})
		c.uleb() // time
		c.uleb() // size
	}
}

// Content types and forms of the entries of version 5.
const (
	contentPath, contentDir = 1, 2

	formBlock2, formBlock4, formData2, formData4, formData8 = 0x03, 0x04, 0x05, 0x06, 0x07
	formString, formBlock, formBlock1, formData1            = 0x08, 0x09, 0x0a, 0x0b
	formStrp, formUdata, formData16, formLineStrp           = 0x0e, 0x0f, 0x1e, 0x1f
)

// readEntries reads the directories or the files of version 5.
func (u *lineUnit) readEntries(c *cursor) (entries []lineFile) {
	var content, form [256]uint64
	n := int(c.u8())
	for i := range n {
		content[i], form[i] = c.uleb(), c.uleb()
	}
	// An entry takes at least a byte, so the count is bounded by the input.
	for count := c.uleb(); count > 0 && !c.bad && len(c.b) > 0; count-- {
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
		entries = append(entries, entry)
		if n == 0 {
			c.bad = true
		}
	}
	return entries
}

func (u *lineUnit) readForm(c *cursor, form uint64) (text string, number uint64) {
	switch form {
	case formString:
		return c.text(), 0
	case formLineStrp:
		return textAt(u.table.lineStrings, c.u32()), 0
	case formStrp:
		return textAt(u.table.strings, c.u32()), 0
	case formUdata:
		return "", c.uleb()
	case formData1:
		return "", uint64(c.u8())
	case formData2:
		return "", uint64(c.u16())
	case formData4:
		return "", uint64(c.u32())
	case formData8:
		c.take(8)
	case formData16:
		c.take(16)
	case formBlock:
		c.take(int64(min(c.uleb(), 1<<32)))
	case formBlock1:
		c.take(int64(c.u8()))
	case formBlock2:
		c.take(int64(c.u16()))
	case formBlock4:
		c.take(int64(c.u32()))
	default:
		c.bad = true
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
func (u *lineUnit) run(c *cursor, pcs []uint32, found []Position) {
	row := lineRow{file: 1, line: 1}
	last, begun := row, false
	emit := func(end bool) {
		// Code that the linker left out stays in the table at address 0.
		if begun && last.start != 0 && last.addr < row.addr {
			u.cover(last, row.addr, pcs, found)
		}
		if !begun {
			row.start = row.addr
		}
		last, begun = row, !end
		if end {
			row = lineRow{file: 1, line: 1}
		}
	}
	for len(c.b) > 0 && !c.bad {
		op := c.u8()
		if op >= u.opcodeBase {
			adjusted := uint32(op - u.opcodeBase)
			row.addr += adjusted / uint32(u.lineRange) * u.minLength
			row.line += int64(u.lineBase) + int64(adjusted%uint32(u.lineRange))
			emit(false)
			continue
		}
		switch op {
		case 0: // extended
			n := c.uleb()
			ext := cursor{b: c.take(int64(min(n, 1<<32)))}
			switch ext.u8() {
			case 1: // end_sequence
				emit(true)
			case 2: // set_address
				row.addr = ext.u32()
			}
		case 1: // copy
			emit(false)
		case 2: // advance_pc
			row.addr += uint32(c.uleb()) * u.minLength
		case 3: // advance_line
			row.line += c.sleb()
		case 4: // set_file
			row.file = c.uleb()
		case 8: // const_add_pc
			row.addr += uint32(255-u.opcodeBase) / uint32(u.lineRange) * u.minLength
		case 9: // fixed_advance_pc
			row.addr += uint32(c.u16())
		default: // nothing that matters here
			for range u.lenOperands[op-1] {
				c.uleb()
			}
		}
	}
}

type lineRow struct {
	start uint32 // of the sequence
	addr  uint32
	file  uint64
	line  int64
}

// cover sets the line of the pcs from row's address to end. It ends at one
// that has a line already: the rest was covered with it.
func (u *lineUnit) cover(row lineRow, end uint32, pcs []uint32, found []Position) {
	i, _ := slices.BinarySearch(pcs, row.addr)
	for ; i < len(pcs) && pcs[i] < end && found[i].Line == 0; i++ {
		if row.file < uint64(len(u.files)) && row.line > 0 && row.line < 1<<31 {
			found[i] = Position{File: u.filePath(row.file), Line: int(row.line)}
		}
	}
}

// textAt returns the text at offset of s up to a NUL.
func textAt[T string | []byte](s T, offset uint32) string {
	if int64(offset) >= int64(len(s)) {
		return ""
	}
	text, _, _ := strings.Cut(string(s[offset:min(int64(len(s)), int64(offset)+maxPath)]), "\x00")
	return text
}

// maxPath is the length of the longest name of a file or function, so that
// those which refer to one long text cannot multiply it.
const maxPath = 512

// cursor reads from b; past its end it gives zeroes and bad is set.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int64) []byte {
	if n < 0 || n > int64(len(c.b)) {
		c.b, c.bad = nil, true
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) uleb() (v uint64) {
	for shift := 0; !c.bad; shift += 7 {
		x := c.u8()
		if shift < 64 {
			v |= uint64(x&0x7f) << shift
		}
		if x < 0x80 {
			return v
		}
	}
	return 0
}

func (c *cursor) sleb() (v int64) {
	for shift := 0; !c.bad; {
		x := c.u8()
		if shift < 64 {
			v |= int64(x&0x7f) << shift
		}
		shift += 7
		if x < 0x80 {
			if x&0x40 != 0 && shift < 64 {
				v |= -1 << shift
			}
			return v
		}
	}
	return 0
}

// text reads a text that ends in NUL.
func (c *cursor) text() string {
	n := bytes.IndexByte(c.b, 0)
	if n < 0 {
		c.b, c.bad = nil, true
		return ""
	}
	return string(c.take(int64(n) + 1)[:n])
}
