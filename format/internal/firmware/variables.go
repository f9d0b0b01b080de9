package firmware

import "slices"

// Step is a step from a variable to a part of it.
type Step struct {
	Offset uint32 // to add to the address, in bytes
	Load   bool   // then the word there is the next address
}

// Variable tells the way from a variable to a member of what it is, or points to.
// Members names the member of each struct on the way; of an array it is the first
// element. Size is that of a text at the end, 0 if a pointer leads to it.
//
// Source: DWARF 5, sections 5.5 and 5.7.
func (d *Debug) Variable(name string, members ...string) (way []Step, size uint32, ok bool) {
	if d.Empty() {
		return nil, 0, false
	}

	look := d.prepared()
	for _, u := range look.units {
		x, root, c, ok := look.context(&look.data, u)
		if !ok {
			continue
		}
		if x, c, ok = look.body(&x, &root, c); !ok {
			continue
		}

		var e entry
		for len(c.B) > 0 {
			is, ok := look.read(&c, &x, &e)
			if !ok {
				break
			}
			if !is || e.tag != tagVariable || e.typ.form == 0 || x.text(e.name) != name {
				continue
			}
			// Where it is declared the struct may be unknown.
			if way, size, ok := look.follow(&x, e.typ, members); ok {
				return way, size, true
			}
		}
	}
	return nil, 0, false
}

// maxSteps is how many types a way may go through.
const maxSteps = 64

// follow goes from a type to a member of it.
func (d *Debug) follow(x *context, typ constant, members []string) (way []Step, size uint32, ok bool) {
	offset := uint32(0)
	at := *x
	for range maxSteps {
		var e entry
		var c Cursor
		if at, e, c, ok = d.typeOf(&at, typ); !ok {
			return nil, 0, false
		}

		switch {
		case isQualifier(e.tag):
			typ = e.typ
		case e.tag == tagPointer:
			way, offset = append(way, Step{Offset: offset, Load: true}), 0
			if typ = e.typ; len(members) == 0 {
				return way, 0, true
			}
		case e.tag == tagArray && len(members) == 0:
			return append(way, Step{Offset: offset}), d.length(&at, c), true
		case e.tag == tagArray:
			typ = e.typ
		case e.tag == tagStruct && len(members) > 0:
			var from uint32
			if from, typ, ok = d.member(&at, c, members[0], 0); !ok {
				return nil, 0, false
			}
			offset, members = offset+from, members[1:]
		default:
			return nil, 0, false
		}
	}
	return nil, 0, false
}

func isQualifier(tag uint64) bool {
	return slices.Contains([]uint64{tagTypedef, tagConst, tagVolatile, tagRestrict, tagAtomic}, tag)
}

// typeOf returns the entry of a type, and where those below it are.
func (d *Debug) typeOf(x *context, typ constant) (y context, e entry, c Cursor, ok bool) {
	y, at, ok := d.origin(x, &entry{origin: typ})
	if !ok {
		return y, e, c, false
	}
	c = Cursor{B: y.data.info[at:y.unit.end]}
	is, ok := d.read(&c, &y, &e)
	return y, e, c, is && ok
}

// member returns where a member of a struct is, and its type. Structs and unions
// without a name are looked through.
func (d *Debug) member(x *context, c Cursor, name string, nested int) (offset uint32, typ constant, ok bool) {
	const deepest = 4
	var e entry
	for depth := 0; ; {
		is, ok := d.read(&c, x, &e)
		switch {
		case !ok, !is && depth == 0:
			return 0, typ, false
		case !is:
			depth--
			continue
		case depth > 0, e.tag != tagMember:
		case x.text(e.name) == name:
			offset, ok := e.memberAt.offset()
			return offset, e.typ, ok
		case e.name.form == 0 && nested < deepest:
			at, ok := e.memberAt.offset()
			inner := e.typ
			if !ok {
				break
			}
			if y, t, below, ok := d.typeOf(x, inner); ok && (t.tag == tagStruct || t.tag == tagUnion) {
				if from, typ, ok := d.member(&y, below, name, nested+1); ok {
					return at + from, typ, true
				}
			}
		}

		if e.children {
			depth++
		}
	}
}

// offset returns the place of a member: a number, or in DWARF 2 an expression that
// adds one.
func (v constant) offset() (uint32, bool) {
	const plusConstant = 0x23
	switch v.form {
	case formBlock, formBlock1, formExprloc:
		c := Cursor{B: v.text}
		plus := c.U8() == plusConstant
		n := c.Uleb()
		return uint32(n), plus && !c.Bad && len(c.B) == 0
	}
	return uint32(v.value), true // of a union there is none
}

// length returns how many elements an array has.
func (d *Debug) length(x *context, c Cursor) uint32 {
	var e entry
	if is, ok := d.read(&c, x, &e); !is || !ok || e.tag != tagSubrange {
		return 0
	}
	if e.count.form != 0 {
		return uint32(e.count.value)
	}
	return uint32(e.upper.value) + 1
}
