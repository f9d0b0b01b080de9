package firmware

import (
	"cmp"
	"slices"
)

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
	look := d.prepared()
	return d.Lines.Locate(pcs), look.scopes(pcs)
}

// prepared returns a copy for one search, which reads no more than grows with the
// debug information.
func (d *Debug) prepared() *Debug {
	look := *d
	look.data.prepare()
	look.steps = 8*(len(d.data.info)+len(d.data.ranges)+len(d.data.rnglists)) + 1<<16
	for _, s := range d.split {
		look.steps += 8 * (len(s.data.info) + len(s.data.rnglists))
	}
	return &look
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
		if y, below, ok := d.body(&x, &root, c); ok {
			d.walk(&y, below, pcs, found)
		}
	}
	return found
}

// body returns what the entries below the first one of a unit are read with, and
// where they are: in the unit, or in a file of their own.
func (d *Debug) body(x *context, root *entry, c Cursor) (y context, below Cursor, ok bool) {
	split := d.split[cmp.Or(x.unit.id, root.dwoID)]
	if split == nil {
		return *x, c, true
	}
	data := *split.data
	data.prepare()
	if y, _, below, ok = d.context(&data, split.unit); !ok {
		return y, below, false
	}
	// The addresses are in the firmware, the rest in the file of its own.
	y.addr, y.addrBase, y.low = x.addr, x.addrBase, x.low
	y.hasLines, y.stmtList = x.hasLines, x.stmtList
	if x.unit.version < 5 {
		y.rangesBase = uint32(root.gnuRB.value) // of the split file, not of the unit here
		data.ranges = d.data.ranges
	}
	return y, below, true
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
			// One that is in no other is of code that the linker left out.
			if before[i] || len(found[i]) >= maxScopes || e.tag == tagInlined && len(found[i]) == 0 {
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
	other, at, ok := d.origin(x, e)
	if !ok {
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

// origin returns where the entry is that another refers to, and what it is read
// with.
func (d *Debug) origin(x *context, e *entry) (other context, at uint32, ok bool) {
	if e.origin.form == 0 {
		return other, 0, false
	}

	other = *x
	offset := uint64(x.unit.at) + e.origin.value
	if e.origin.form == formRefAddr {
		offset = e.origin.value
		if offset < uint64(x.unit.at) || offset >= uint64(x.unit.end) {
			i, exact := slices.BinarySearchFunc(d.units, offset, func(u unit, at uint64) int { return cmp.Compare(uint64(u.at), at) })
			if !exact {
				i--
			}
			if i < 0 || x.data != &d.data {
				return other, 0, false
			}
			if other, _, _, ok = d.context(x.data, d.units[i]); !ok {
				return other, 0, false
			}
		}
	}

	if offset < uint64(other.unit.entries) || offset >= uint64(other.unit.end) {
		return other, 0, false
	}
	return other, uint32(offset), true
}
