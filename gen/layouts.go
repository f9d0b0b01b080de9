package main

import (
	"math/big"
	"strings"

	"github.com/ulogkit/ulogkit/spec"
)

// family is a type marked -layouts: a thing that comes in several versions, each
// a header of fixed size and data made of frames. For it gen writes a table that
// says where the fields lie in each version, so that hand-written code need not
// know the versions.
type family struct {
	*spec.Type
	plan      *plan
	name      string // of its Go identifiers, lower case
	versions  []*version
	frames    []*frame
	header    columns
	head      columns // of the frames' headers
	algorithm string  // of the checksum
	sum       *spec.Attr
}

// version is one case of the family's switch.
type version struct {
	number   uint64
	log      *view // of the case's type, for which only errors are written
	header   *view
	data     *spec.Attr
	checksum *spec.FieldRef
	frame    *frame
}

// frame is one type of frames; versions may share it.
type frame struct {
	*view   // of the frame's type, for which only errors are written
	header  *view
	payload *spec.Attr
	length  *spec.Attr // of the payload, in the header
	index   int
}

// columns are the numbers that some of the layouts have, in the order in which
// they first come.
type columns []*spec.Attr

func (c columns) find(id string) *spec.Attr {
	for _, a := range c {
		if a.ID == id {
			return a
		}
	}
	return nil
}

// parts are the types that belong to families.
type parts struct {
	whole   map[*spec.Type]bool    // versions and frames: no view
	headers map[*spec.Type]bool    // of versions: a view without a parser
	heads   map[*spec.Type]*family // of frames: a view for the parser alone, not exported
}

// families finds the types marked -layouts. What their cases and frames are made
// of is in the table, so that nobody need parse one version by itself. A header
// that types outside have too is theirs, and left out of the parts.
func (p *plan) families() parts {
	out := parts{map[*spec.Type]bool{}, map[*spec.Type]bool{}, map[*spec.Type]*family{}}
	data := map[*spec.Attr]bool{}
	for _, t := range p.spec.Types {
		if !t.Layouts {
			continue
		}

		f := &family{Type: t, plan: p, name: lowerFirst(p.goName(t.ID))}
		if f.read() {
			p.layouts = append(p.layouts, f)
			for _, v := range f.versions {
				out.whole[v.log.Type], out.whole[v.frame.Type] = true, true
				out.headers[v.header.Type] = true
				data[v.data] = true
			}
			for _, g := range f.frames {
				out.heads[g.header.Type] = f
			}
		}
	}

	for _, t := range p.spec.Types {
		for _, a := range t.Seq {
			if !out.whole[t] && a.Type.Kind == spec.User {
				delete(out.headers, a.Type.User)
				delete(out.heads, a.Type.User)
			}
			if a.Trailing && !data[a] && len(p.errs) == 0 {
				pos, path := a.At("-trailing")
				p.errorf(pos, path, "only on the data of a version of a type marked -layouts")
			}
		}
	}

	for t := range out.heads {
		delete(out.headers, t)
	}
	return out
}

// outOfForm reports that a type is not of the form that a table can tell.
func (p *plan) outOfForm(n *spec.Node, key, format string, args ...any) bool {
	pos, path := n.At(key)
	p.errorf(pos, path, "-layouts: "+format, args...)
	return false
}

// read reads the versions of a type that is marked -layouts, and reports whether they
// can be one table.
func (f *family) read() bool {
	p := f.plan
	if f.Manual == "" {
		return p.outOfForm(&f.Node, "-layouts", "only on a type that is -manual")
	}
	if len(f.Seq) != 1 || f.Seq[0].Type.Kind != spec.Switch {
		return p.outOfForm(&f.Node, "seq", "one field whose type is a switch is expected")
	}

	body := f.Seq[0]
	on, ok := body.Type.On.(*spec.FieldRef)
	var first *spec.Instance
	if ok && on.X == nil {
		first, _ = on.To.(*spec.Instance)
	}
	if first == nil || first.Place == nil || !isConst(first.Place, new(big.Int)) || first.Type.Kind != spec.Int || first.Type.Width != 1 || first.Type.Signed {
		return p.outOfForm(&body.Node, "type", "switch-on an instance of type u1 at pos: 0")
	}

	for _, c := range body.Type.Cases {
		number, constant := (*big.Int)(nil), false
		if c.Value != nil {
			number, constant = spec.Const(c.Value)
		}
		if !constant || c.Type.Kind != spec.User {
			return p.outOfForm(&body.Node, "type", "a constant and a type for each case, and no default")
		}

		v := &version{number: number.Uint64()}
		if !f.readVersion(v, c.Type.User, first.ID) {
			return false
		}
		f.versions = append(f.versions, v)
	}
	return len(f.versions) > 0
}

// readVersion reads the type of a case: a header, and data made of frames.
func (f *family) readVersion(v *version, t *spec.Type, number string) bool {
	p := f.plan
	if len(t.Seq) != 2 || t.Manual != "" || len(t.Params)+len(t.Instances) > 0 {
		return p.outOfForm(&t.Node, "", "%s is a case of %s: a header and its data are expected", t.ID, f.ID)
	}
	v.log = &view{Type: t, plan: p, Name: p.goName(t.ID)}
	head, length := f.headed(t)
	if head == nil {
		return false
	}
	v.header, v.data = head, t.Seq[1]
	if length == nil || v.data.Checksum == nil {
		return p.outOfForm(&v.data.Node, "", "data has a size in the header, and a -checksum")
	}
	v.checksum = v.data.Checksum.Field
	if outer, ok := v.checksum.X.(*spec.FieldRef); !ok || outer.To != spec.Field(t.Seq[0]) {
		return p.outOfForm(&v.data.Node, "-checksum", "the checksum is a field of the header")
	}
	sum := v.checksum.To.(*spec.Attr)
	own := head.Type.Seq[0]
	if own.ID != number || own.Valid == nil || own.Valid.Eq == nil || !isConst(own.Valid.Eq, new(big.Int).SetUint64(v.number)) {
		return p.outOfForm(&own.Node, "", "the first field of %s is %s with valid: %d", head.ID, number, v.number)
	}

	for _, a := range head.Type.Seq[1:] {
		if a.Valid != nil && (&field{a, head, ""}).condition() != nil {
			return p.outOfForm(&a.Node, "valid", "a header has no bounds but that of its %s", number)
		}
	}

	switch {
	case f.sum == nil:
		f.algorithm, f.sum = v.data.Checksum.Algorithm, sum
	case f.algorithm != v.data.Checksum.Algorithm || f.sum.ID != sum.ID:
		return p.outOfForm(&v.data.Node, "-checksum", "all versions have the same checksum, %s in %s", f.algorithm, f.sum.ID)
	}
	return f.header.add(p, head.Type.Seq[1:]) && f.readFrames(v)
}

// headed returns the view of the header that t begins with, and the field of it
// that gives the size of what follows.
func (f *family) headed(t *spec.Type) (head *view, length *spec.Attr) {
	p := f.plan
	a, tail := t.Seq[0], t.Seq[1]
	if a.Type.Kind != spec.User || a.Tail() || a.Type.User.Size < 0 || a.Type.User.Manual != "" {
		p.outOfForm(&a.Node, "", "%s begins with a header of fixed size", t.ID)
		return nil, nil
	}
	if ref, ok := tail.Size.(*spec.FieldRef); ok {
		if outer, ok := ref.X.(*spec.FieldRef); ok && outer.To == spec.Field(a) {
			length, _ = ref.To.(*spec.Attr)
		}
	}
	return &view{Type: a.Type.User, plan: p, Name: p.goName(a.Type.User.ID)}, length
}

// readFrames reads what the data of a version are made of.
func (f *family) readFrames(v *version) bool {
	p := f.plan
	list := v.data.Type.User
	if list == nil || len(list.Seq) != 1 || list.Seq[0].Repeat != spec.RepeatEOS || list.Seq[0].Type.Kind != spec.User {
		return p.outOfForm(&v.data.Node, "", "data of a type with one field, a type with repeat: eos")
	}
	t := list.Seq[0].Type.User
	for _, known := range f.frames {
		if known.Type == t {
			v.frame = known
			return true
		}
	}

	if len(t.Seq) != 2 || t.Manual != "" || len(t.Params)+len(t.Instances) > 0 {
		return p.outOfForm(&t.Node, "", "%s is a frame of %s: a header and a payload are expected", t.ID, f.ID)
	}
	head, length := f.headed(t)
	if head == nil {
		return false
	}
	if length == nil {
		return p.outOfForm(&t.Seq[1].Node, "", "the size of a frame's payload is a field of its header")
	}

	for _, a := range head.Type.Seq {
		if len(a.Contents) > 0 || a.Type.Kind == spec.User {
			return p.outOfForm(&a.Node, "", "the header of a frame has plain fields only")
		}
	}

	v.frame = &frame{
		view: &view{Type: t, plan: p, Name: p.goName(t.ID)}, header: head, payload: t.Seq[1], length: length, index: len(f.frames),
	}
	f.frames = append(f.frames, v.frame)
	return f.head.add(p, head.Type.Seq)
}

// add notes the numbers among the fields. The versions of a number have one type,
// so that one function reads them all; fields of other kinds are left to the view
// of their header.
func (c *columns) add(p *plan, fields []*spec.Attr) bool {
	for _, a := range fields {
		if a.Type.Kind != spec.Int || a.Enum != nil {
			continue
		}
		known := c.find(a.ID)
		if known == nil {
			*c = append(*c, a)
		} else if x, y := known.Type, a.Type; x.Width != y.Width || x.Signed != y.Signed || x.BigEndian != y.BigEndian {
			return p.outOfForm(&a.Node, "type", "%s is %s in other versions", a.ID, x.Name)
		}
	}
	return true
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// offset is where a column lies in a header; -1 in one that has it not.
func offset(head *view, id string) int {
	if a, ok := head.Type.Lookup(id).(*spec.Attr); ok {
		return a.Offset
	}
	return -1
}

func (f *family) layout() string { return f.name + "Layout" }
func (f *family) frame() string  { return f.name + "Frame" }
