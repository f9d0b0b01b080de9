package firmware

import "encoding/binary"

// Split names a file in which the compiler has put the debug information of a
// unit (-gsplit-dwarf).
type Split struct {
	Name, Dir string // Dir is where the compiler ran
	ID        uint64
}

// Splits returns the files that the debug information refers to.
func (d *Debug) Splits() (all []Split) {
	look := *d
	look.data.prepare()
	look.steps = len(d.data.info) + 1<<16
	for _, u := range d.units {
		x, root, _, ok := look.context(&look.data, u)
		if ok && root.dwoName.form != 0 {
			id := u.id
			if id == 0 {
				id = root.dwoID
			}
			all = append(all, Split{Name: x.text(root.dwoName), Dir: x.text(root.compDir), ID: id})
		}
	}
	return all
}

// AddSplit adds the units of a split file (.dwo), or of many in one (.dwp).
func (d *Debug) AddSplit(f *File) error {
	const suffix = ".dwo"
	var data unitData
	var str []byte
	for name, b := range map[string]*[]byte{
		"debug_info": &data.info, "debug_abbrev": &data.abbrev, "debug_str_offsets": &data.strOffsets, "debug_rnglists": &data.rnglists, "debug_str": &str,
	} {
		var err error
		if *b, err = f.Debug(name, suffix); err != nil {
			return err
		}
	}

	data.str = string(str)
	index, err := f.Debug("debug_cu_index", "")
	if err != nil {
		return err
	}
	if index == nil {
		d.addUnits(&data)
		return nil
	}
	return d.addPackage(&data, index)
}

// addUnits adds the units of one file.
func (d *Debug) addUnits(data *unitData) {
	data.prepare()
	look := Debug{steps: len(data.info) + 1<<16}
	for _, u := range data.readUnits() {
		id := u.id
		if u.version < 5 {
			if _, root, _, ok := look.context(data, u); ok {
				id = root.dwoID
			}
		}
		if _, twice := d.split[id]; !twice && id != 0 {
			d.split[id] = &splitUnit{data, u}
		}
	}
}

// Columns of the index of a package.
const (
	columnInfo, columnAbbrev, columnStrOffsets, columnRnglists = 1, 3, 6, 8
)

// addPackage adds the units that the index of a package lists.
//
// Source: DWARF 5, section 7.3.5.3; GNU's version 2 differs in the header.
func (d *Debug) addPackage(data *unitData, index []byte) error {
	c := Cursor{B: index}
	version := c.U32() & 0xffff
	columns, units, slots := int64(c.U32()), int64(c.U32()), int64(c.U32())
	if version != 2 && version != 5 || columns > 16 {
		return nil
	}
	c.Take(8 * slots)
	c.Take(4 * slots)
	ids := c.Take(4 * columns)
	offsets, sizes := c.Take(4*columns*units), c.Take(4*columns*units)
	if c.Bad {
		return nil
	}

	le := binary.LittleEndian
	for row := range units {
		part := *data
		for i := range columns {
			at := 4 * (row*columns + i)
			from, size := int64(le.Uint32(offsets[at:])), int64(le.Uint32(sizes[at:]))
			cut := func(b []byte) []byte {
				from := min(from, int64(len(b)))
				return b[from:min(from+size, int64(len(b)))]
			}
			switch le.Uint32(ids[4*i:]) {
			case columnInfo:
				part.info = cut(data.info)
			case columnAbbrev:
				part.abbrev = cut(data.abbrev)
			case columnStrOffsets:
				part.strOffsets = cut(data.strOffsets)
			case columnRnglists:
				if version == 5 {
					part.rnglists = cut(data.rnglists)
				}
			}
		}

		d.addUnits(&part)
	}
	return nil
}
