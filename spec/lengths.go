package spec

import "slices"

// boundedLengths makes sure that each length and count has bounds: by its name,
// and by its use in a size or a repeat-expr.
func (c *checker) boundedLengths(t *Type) {
	for _, a := range t.Seq {
		isNumber := a.Type.Kind == Int || a.Type.Kind == Bits
		if lengthID.MatchString(a.ID) && isNumber && !a.Valid.bounded() && !a.broken {
			key := "type"
			if a.Valid != nil {
				key = "valid"
			}
			c.at(&a.Node, key, "a length without both bounds; give it valid: with min and max")
		}
		c.length(&a.Node, "size", a.Size)
		c.length(&a.Node, "repeat-expr", a.Count)
	}
	for _, i := range t.Instances {
		c.length(&i.Node, "size", i.Size)
	}
}

func (v *Valid) bounded() bool {
	return v != nil && (v.Eq != nil || len(v.AnyOf) > 0 || v.Min != nil && v.Max != nil)
}

// length makes sure that every field a length is computed from is bounded. One
// that is itself the bound of another field of the expression needs none:
// in end - start, start bounds end.
func (c *checker) length(n *Node, key string, e Expr) {
	if e == nil || n.broken {
		return
	}

	var refs []*FieldRef
	Walk(e, func(e Expr) {
		if ref, ok := e.(*FieldRef); ok && ref.To != nil {
			refs = append(refs, ref)
		}
	})

	isBound := func(ref *FieldRef) bool {
		return slices.ContainsFunc(refs, func(o *FieldRef) bool {
			a, ok := o.To.(*Attr)
			return ok && o.X == nil && ref.X == nil && a.Valid != nil &&
				(same(a.Valid.Min, ref) || same(a.Valid.Max, ref))
		})
	}

	_, path := n.At(key)
	for _, ref := range refs {
		switch f := ref.To.(type) {
		case *Attr:
			kind := f.value.Kind
			if kind == ListValue {
				kind = f.value.Elem.Kind
			}
			if kind == IntValue && !f.Valid.bounded() && !isBound(ref) {
				c.errorf(ref.Position(), path, "a length from %s, which has no bounds; give %s valid: with min and max", f.ID, f.Path)
			}
		case *Param:
			c.lengths[f] = true
		case *Instance:
			if f.Calc != nil {
				if !f.bound { // once: instances of instances would take for ever
					f.bound = true
					c.length(&f.Node, "value", f.Calc)
				}
			} else if !f.Valid.bounded() {
				c.errorf(ref.Position(), path, "a length from %s, which has no bounds; give %s valid: with min and max", f.ID, f.Path)
			}
		}
	}
}

// lengthArgs makes sure that what is handed to a parameter used as a length is
// bounded too. Types that use others come later in done, so one pass from the
// back reaches every parameter that is handed on.
func (c *checker) lengthArgs() {
	for _, t := range slices.Backward(c.done) {
		for _, u := range t.uses() {
			for i, arg := range u.as.Args {
				if i < len(u.as.User.Params) && c.lengths[u.as.User.Params[i]] {
					c.length(u.by, "type", arg)
				}
			}
		}
	}
}

// checksums resolves -checksum: it stands on bytes, and names an unsigned
// integer outside them that is wide enough.
func (c *checker) checksums(t *Type) {
	var taken []string
	for i, a := range t.Seq {
		cs := a.Checksum
		if cs == nil {
			continue
		}
		if a.broken {
			continue
		}
		if !a.Tail() || a.If != nil || a.Repeat != RepeatNone {
			c.at(&a.Node, "-checksum", "stands on one run of bytes: a field with size or size-eos, without if and repeat")
			continue
		}

		sc := &scope{t: t, n: &a.Node, key: "-checksum.field", upto: len(t.Seq)}
		v := c.expr(sc, cs.Field)
		first := cs.Field
		for first.X != nil {
			inner, ok := first.X.(*FieldRef)
			if !ok {
				break
			}
			first = inner
		}

		field, _ := cs.Field.To.(*Attr)
		switch {
		case v.Kind == Invalid:
		case first.To == Field(t.Seq[i]):
			c.fail(sc, cs.Field, "%s lies within the bytes that it is to check", cs.Field)
		case v.Kind != IntValue || v.Enum != nil || field == nil || field.Type.Kind != Int || field.Type.Signed || field.Valid != nil:
			c.fail(sc, cs.Field, "%s must be a plain unsigned integer: no enum, no valid:", cs.Field)
		case field.Type.Width < Algorithms()[cs.Algorithm]:
			c.fail(sc, cs.Field, "%s holds %d bits, %s gives %d", cs.Field, 8*field.Type.Width, cs.Algorithm, 8*Algorithms()[cs.Algorithm])
		case slices.Contains(taken, cs.Field.String()):
			c.fail(sc, cs.Field, "%s holds another checksum already", cs.Field)
		}

		taken = append(taken, cs.Field.String())
		c.covered(a, t)
	}
}

// covered refuses a mutable field within the bytes that a checksum covers.
func (c *checker) covered(a *Attr, t *Type) {
	seen := map[*Type]bool{}
	var visit func(n *Node, d *DataType)
	visit = func(n *Node, d *DataType) {
		for _, u := range uses(n, d) {
			inner := u.as.User
			if seen[inner] {
				continue
			}
			seen[inner] = true
			for _, f := range inner.Seq {
				if f.Mutable {
					c.at(&f.Node, "-mutable", "the checksum of %s.%s covers it; to patch it would break the checksum", t.ID, a.ID)
				}
				visit(&f.Node, &f.Type)
			}
		}
	}
	visit(&a.Node, &a.Type)
}

// mutables makes sure that a field that may be patched decides nothing else.
func (c *checker) mutables(t *Type) {
	for _, a := range t.Seq {
		if !a.Mutable || a.broken {
			continue
		}
		plain := (a.Type.Kind == Int || a.Type.Kind == Float) && a.If == nil && a.Repeat == RepeatNone
		switch ref := c.referenced[a]; {
		case !plain:
			c.at(&a.Node, "-mutable", "only a number that is there once and always can be patched in place")
		case a.Valid != nil:
			c.at(&a.Node, "-mutable", "not with valid:, which a patch could break")
		case ref != nil:
			at := ref.Position()
			c.at(&a.Node, "-mutable", "other fields depend on it, at %d:%d", at.Line, at.Col)
		}
	}
}
