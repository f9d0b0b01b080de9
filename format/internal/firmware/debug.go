package firmware

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// maxDebug is the largest section of debug information that is read, in bytes.
const maxDebug = MaxLoaded / 2

// Debug is the debug information of a firmware: which function an instruction is
// of, and which the compiler has put into it.
//
// Source: DWARF 5, sections 2, 3.3 and 7.5; the versions 2 to 4 differ in the
// header and in the forms.
type Debug struct {
	Lines Lines

	data  unitData
	units []unit
	split map[uint64]*splitUnit // those in files of their own, by their id
	steps int                   // attributes and ranges that a search may still read
}

// unitData is the sections that units refer to.
type unitData struct {
	info, abbrev, strOffsets, addr, ranges, rnglists []byte
	str, lineStr                                     string

	tables map[uint32]*abbreviations // by offset
	budget int                       // bytes of abbreviations that may still be read
}

// unit is what one run of the compiler wrote.
type unit struct {
	at, entries, end uint32 // offsets: of the header, of the first entry, behind the last
	version          uint16
	typ              uint8
	abbrev           uint32
	id               uint64 // of a split unit
}

// splitUnit is a unit that the compiler wrote to a file of its own.
type splitUnit struct {
	data *unitData
	unit unit
}

// context is what the entries of a unit are read with.
type context struct {
	data *unitData
	unit unit
	abbr *abbreviations

	low                           uint32 // base of ranges
	strBase, addrBase, rangesBase uint32
	rnglistsBase                  uint32
	addr                          []byte
	stmtList                      uint32
	hasLines                      bool
}

// Debug reads the debug information of the file. What is damaged is left out,
// and told in lost.
func (f *File) DebugInfo() (d *Debug, lost []string) {
	d = &Debug{split: map[uint64]*splitUnit{}}
	read := func(name string) []byte {
		b, err := f.Debug(name, "")
		if err != nil {
			lost = append(lost, err.Error())
		}
		return b
	}
	d.data.info, d.data.abbrev = read("debug_info"), read("debug_abbrev")
	d.data.strOffsets, d.data.addr = read("debug_str_offsets"), read("debug_addr")
	d.data.ranges, d.data.rnglists = read("debug_ranges"), read("debug_rnglists")
	d.data.str, d.data.lineStr = string(read("debug_str")), string(read("debug_line_str"))
	d.Lines = Lines{program: read("debug_line"), lineStrings: d.data.lineStr, strings: d.data.str}
	d.units = d.data.readUnits()
	return d, lost
}

func (u *unitData) prepare() {
	u.tables = map[uint32]*abbreviations{}
	u.budget = 4*len(u.abbrev) + 1<<12
}

// HasSplit reports whether the unit of a split file is there.
func (d *Debug) HasSplit(id uint64) bool { return d.split[id] != nil }

// Empty reports whether there is none.
func (d *Debug) Empty() bool { return d == nil || len(d.units) == 0 }

// Types of units that matter.
const (
	unitType, unitSkeleton, unitSplit, unitSplitType = 2, 4, 5, 6
)

// readUnits lists the units. It ends at what it cannot read.
func (u *unitData) readUnits() (units []unit) {
	for at := uint32(0); int64(at)+11 <= int64(len(u.info)); {
		c := Cursor{B: u.info[at:]}
		n := c.U32()
		if n >= 0xfffffff0 || int64(n) > int64(len(c.B)) {
			break
		}
		c.B = c.B[:n]
		one := unit{at: at, end: at + 4 + n, version: c.U16()}
		size := uint8(4)
		switch one.version {
		case 2, 3, 4:
			one.abbrev, size = c.U32(), c.U8()
		case 5:
			one.typ, size, one.abbrev = c.U8(), c.U8(), c.U32()
			switch one.typ {
			case unitSkeleton, unitSplit:
				one.id = uint64(c.U32()) | uint64(c.U32())<<32
			case unitType, unitSplitType:
				c.Take(12)
			}
		default:
			c.Bad = true
		}
		one.entries = one.end - uint32(len(c.B))
		if !c.Bad && size == 4 && one.typ != unitType && one.typ != unitSplitType {
			units = append(units, one)
		}
		at = one.end
	}
	return units
}

// abbreviations returns the table of a unit.
func (u *unitData) abbreviations(at uint32) *abbreviations {
	if t, ok := u.tables[at]; ok {
		return t
	}
	var t *abbreviations
	if int64(at) < int64(len(u.abbrev)) && u.budget > 0 {
		var size int
		t, size = readAbbreviations(u.abbrev[at:])
		u.budget -= size
	}
	u.tables[at] = t
	return t
}

// Tags and attributes that matter.
const (
	tagInlined, tagSubprogram = 0x1d, 0x2e

	atName, atStmtList, atLowPC, atHighPC, atCompDir  = 0x03, 0x10, 0x11, 0x12, 0x1b
	atOrigin, atSpecification, atRanges               = 0x31, 0x47, 0x55
	atCallFile, atCallLine, atLinkage, atMIPSLinkage  = 0x58, 0x59, 0x6e, 0x2007
	atStrBase, atAddrBase, atRnglistsBase, atDWOName  = 0x72, 0x73, 0x74, 0x76
	atGNUName, atGNUID, atGNURangesBase, atGNUAddrBas = 0x2130, 0x2131, 0x2132, 0x2133
)

// entry is one entry of the debug information, as far as it matters.
type entry struct {
	tag      uint64
	children bool

	name, linkage       constant
	low, high, ranges   constant
	origin              constant
	callFile, callLine  uint64
	stmtList            constant
	strBase, addrBase   constant
	rnglistsBase, gnuRB constant
	dwoName, compDir    constant
	dwoID               uint64
}

// constant is the value of an attribute. Form is 0 where there is none.
type constant struct {
	form  uint64
	value uint64
	text  []byte // of DW_FORM_string
}

// read reads the entry at the beginning of c. It returns false at the end of a
// list of children, with ok.
func (d *Debug) read(c *Cursor, x *context, e *entry) (is, ok bool) {
	*e = entry{}
	code := c.Uleb()
	if c.Bad {
		return false, false
	}
	if code == 0 {
		return false, true
	}
	a := x.abbr.get(code)
	if a == nil {
		return false, false
	}
	e.tag, e.children = a.tag, a.children
	if d.steps -= len(a.attrs) + 1; d.steps < 0 {
		return false, false
	}
	for i := range a.attrs {
		at := &a.attrs[i]
		v := readForm(c, at.form, at.constant, x.unit.version, 0)
		switch at.name {
		case atName:
			e.name = v
		case atLinkage, atMIPSLinkage:
			e.linkage = v
		case atLowPC:
			e.low = v
		case atHighPC:
			e.high = v
		case atRanges:
			e.ranges = v
		case atOrigin, atSpecification:
			e.origin = v
		case atCallFile:
			e.callFile = v.value
		case atCallLine:
			e.callLine = v.value
		case atStmtList:
			e.stmtList = v
		case atStrBase:
			e.strBase = v
		case atAddrBase, atGNUAddrBas:
			e.addrBase = v
		case atRnglistsBase:
			e.rnglistsBase = v
		case atGNURangesBase:
			e.gnuRB = v
		case atDWOName, atGNUName:
			e.dwoName = v
		case atCompDir:
			e.compDir = v
		case atGNUID:
			e.dwoID = v.value
		}
	}
	return true, !c.Bad
}

// context returns what the entries of a unit are read with, its first entry, and
// where those below it are.
func (d *Debug) context(data *unitData, u unit) (x context, root entry, c Cursor, ok bool) {
	x = context{data: data, unit: u, abbr: data.abbreviations(u.abbrev), addr: data.addr}
	if x.abbr == nil {
		return x, root, c, false
	}
	c = Cursor{B: data.info[u.entries:u.end]}
	is, ok := d.read(&c, &x, &root)
	if !is || !ok {
		return x, root, c, false
	}
	if u.version >= 5 && u.typ == unitSplit { // behind the headers
		x.strBase, x.rnglistsBase = 8, 12
	}
	if root.strBase.form != 0 {
		x.strBase = uint32(root.strBase.value)
	}
	x.addrBase = uint32(root.addrBase.value)
	if root.rnglistsBase.form != 0 {
		x.rnglistsBase = uint32(root.rnglistsBase.value)
	}
	if x.hasLines = root.stmtList.form != 0; x.hasLines {
		x.stmtList = uint32(root.stmtList.value)
	}
	x.low, _ = x.address(root.low)
	return x, root, c, true
}

// address returns the address that an attribute holds.
func (x *context) address(v constant) (uint32, bool) {
	switch v.form {
	case 0:
		return 0, false
	case formAddrx, formAddrx1, formAddrx2, formAddrx3, formAddrx4, formGNUAddr:
		return x.addressAt(v.value)
	}
	return uint32(v.value), true
}

// addressAt returns an address by its index.
func (x *context) addressAt(index uint64) (uint32, bool) {
	at := uint64(x.addrBase) + 4*index
	if index > 1<<30 || at+4 > uint64(len(x.addr)) {
		return 0, false
	}
	return binary.LittleEndian.Uint32(x.addr[at:]), true
}

// text returns the text that an attribute holds.
func (x *context) text(v constant) string {
	switch v.form {
	case 0:
		return ""
	case formString:
		return string(v.text[:min(len(v.text), maxPath)])
	case formLineStrp:
		return textAt(x.data.lineStr, uint32(v.value))
	case formStrx, formStrx1, formStrx2, formStrx3, formStrx4, formGNUStr:
		at := uint64(x.strBase) + 4*v.value
		if v.value > 1<<30 || at+4 > uint64(len(x.data.strOffsets)) {
			return ""
		}
		return textAt(x.data.str, binary.LittleEndian.Uint32(x.data.strOffsets[at:]))
	case formStrp:
		return textAt(x.data.str, uint32(v.value))
	}
	return ""
}

// Scope is a function that holds an instruction.
type Scope struct {
	Name    string // as in the source
	Linkage string // as the linker knows it, if that is another
	Addr    uint32 // of its first instruction; 0 if it is inlined
	Inlined bool
	Call    Position // of an inlined one: where it is called, in the next outer one
}

// maxScopes is how many functions may be inlined in one another at one place.
const maxScopes = 64

// Locate returns the source line of each pc, which must be in order, and the
// functions that hold it.
func (d *Debug) Locate(pcs []uint32) ([]Position, [][]Scope) {
	if d == nil {
		return make([]Position, len(pcs)), make([][]Scope, len(pcs))
	}
	look := *d
	look.data.prepare()
	look.steps = 8*(len(d.data.info)+len(d.data.ranges)+len(d.data.rnglists)) + 1<<16
	for _, s := range d.split {
		look.steps += 8 * (len(s.data.info) + len(s.data.rnglists))
	}
	return d.Lines.Locate(pcs), look.scopes(pcs)
}

// scopes returns the functions that hold each pc, which must be in order: first
// the one that has a frame, then those that are inlined in it, from the outside
// in.
func (d *Debug) scopes(pcs []uint32) [][]Scope {
	found := make([][]Scope, len(pcs))
	for _, u := range d.units {
		x, root, c, ok := d.context(&d.data, u)
		if !ok {
			continue
		}
		hit, bounded := d.covers(&x, &root, pcs, nil)
		if bounded && !hit {
			continue
		}
		if split := d.split[cmp.Or(u.id, root.dwoID)]; split != nil {
			data := *split.data
			data.prepare()
			y, _, below, ok := d.context(&data, split.unit)
			if !ok {
				continue
			}
			// The addresses are in the firmware, the rest in the file of its own.
			y.addr, y.addrBase, y.low = x.addr, x.addrBase, x.low
			y.hasLines, y.stmtList = x.hasLines, x.stmtList
			if u.version < 5 {
				y.rangesBase = uint32(root.gnuRB.value) // of the split file, not of the unit here
				data.ranges = d.data.ranges
			}
			d.walk(&y, below, pcs, found)
			continue
		}
		d.walk(&x, c, pcs, found)
	}
	return found
}

// walk looks through the entries of a unit.
func (d *Debug) walk(x *context, c Cursor, pcs []uint32, found [][]Scope) {
	var e entry
	var files *lineUnit
	before := make([]bool, len(pcs)) // those that another unit has
	for i := range found {
		before[i] = len(found[i]) > 0
	}
	for len(c.B) > 0 {
		is, ok := d.read(&c, x, &e)
		if !ok {
			return
		}
		if !is || e.tag != tagInlined && e.tag != tagSubprogram {
			continue
		}
		var scope *Scope
		d.covers(x, &e, pcs, func(i int) {
			if before[i] || len(found[i]) >= maxScopes {
				return
			}
			if scope == nil {
				scope = &Scope{Inlined: e.tag == tagInlined}
				scope.Name, scope.Linkage = d.names(x, &e, 0)
				if low, ok := x.address(e.low); ok && !scope.Inlined {
					scope.Addr = low &^ 1
				}
				if scope.Inlined && x.hasLines && e.callLine < 1<<31 {
					if files == nil {
						files = d.Lines.unitAt(x.stmtList)
					}
					scope.Call = Position{File: files.nameOf(e.callFile), Line: int(e.callLine)}
				}
			}
			if !scope.Inlined { // not within another
				found[i] = found[i][:0]
			}
			found[i] = append(found[i], *scope)
		})
	}
}

// names returns the name of an entry, which may be one that it refers to.
func (d *Debug) names(x *context, e *entry, depth int) (name, linkage string) {
	name, linkage = x.text(e.name), x.text(e.linkage)
	const deepest = 8
	if name != "" && linkage != "" || e.origin.form == 0 || depth == deepest {
		return name, linkage
	}
	other := *x
	at := uint64(x.unit.at) + e.origin.value
	if e.origin.form == formRefAddr {
		at = e.origin.value
		if at < uint64(x.unit.at) || at >= uint64(x.unit.end) {
			i, exact := slices.BinarySearchFunc(d.units, at, func(u unit, at uint64) int { return cmp.Compare(uint64(u.at), at) })
			if !exact {
				i--
			}
			if i < 0 || x.data != &d.data {
				return name, linkage
			}
			var ok bool
			if other, _, _, ok = d.context(x.data, d.units[i]); !ok {
				return name, linkage
			}
		}
	}
	if at < uint64(other.unit.entries) || at >= uint64(other.unit.end) {
		return name, linkage
	}
	var target entry
	c := Cursor{B: other.data.info[at:other.unit.end]}
	if is, ok := d.read(&c, &other, &target); !is || !ok {
		return name, linkage
	}
	n, l := d.names(&other, &target, depth+1)
	return cmp.Or(name, n), cmp.Or(linkage, l)
}
