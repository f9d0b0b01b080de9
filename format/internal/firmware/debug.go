package firmware

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

// DebugInfo reads the debug information of the file. What is damaged is left out,
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
