package spec

import "math/big"

// layout computes where the fields of t lie, and refuses what cannot lie so.
func (c *checker) layout(t *Type) {
	l := layout{checker: c, fixed: true}
	for _, a := range t.Seq {
		a.Offset = -1
		l.place(a)
	}
	if l.bits%8 != 0 {
		last := t.Seq[len(t.Seq)-1]
		c.errorf(last.Pos, last.Path, "ends in the middle of a byte: its bit fields have %d bits; make that a multiple of 8", l.bits)
	}
	t.Size, t.MinSize, t.Greedy = -1, l.least, l.greedy != nil
	if l.fixed {
		t.Size = l.size
		if l.size > maxFixed {
			c.errorf(t.Pos, t.Path, "a fixed size of %d; at most %d bytes", l.size, maxFixed)
		}
	}
	c.overlaps(t)
}

// layout is what the fields of a type so far come to.
type layout struct {
	*checker
	fixed       bool  // all of them have a fixed size
	size, least int   // bytes: of the fixed ones, and of all at least
	bits        int   // of the group of bit fields under way
	greedy      *Attr // takes all bytes up to the end; optional
}

// place adds a field.
func (l *layout) place(a *Attr) {
	if l.greedy != nil {
		if !a.broken && !l.greedy.broken {
			l.errorf(a.Pos, a.Path, "nothing is left for it: %s takes all bytes up to the end", l.greedy.ID)
			a.broken = true
		}
		return
	}
	if a.Type.Kind != Bits && l.bits%8 != 0 {
		if !a.broken {
			l.errorf(a.Pos, a.Path, "begins in the middle of a byte: the bit fields before it have %d bits; make that a multiple of 8", l.bits)
		}
		l.bits = 0
	}

	if l.fixed {
		a.Offset = l.size + l.bits/8
	}
	if a.Type.Kind == Bits {
		a.Bit = l.bits % 8
		if l.bits += a.Type.Width; l.bits%8 == 0 {
			l.size, l.least, l.bits = l.size+l.bits/8, l.least+l.bits/8, 0
		}
		return
	}

	n, least := a.size()
	if n < 0 {
		l.fixed = false
	} else {
		l.size = clamp(l.size + n)
	}

	l.least = clamp(l.least + least)
	l.progress(a)
	if a.greedy() {
		l.greedy = a
	}
}

// clamp keeps sums of sizes far from overflow.
func clamp(n int) int { return min(n, 1<<40) }

// size returns how many bytes a takes, -1 when that depends on the bytes, and
// how many at least.
func (a *Attr) size() (n, least int) {
	if a.broken {
		return -1, 0
	}
	n, least = a.Type.size(a)
	switch {
	case a.If != nil || a.Repeat == RepeatEOS:
		return -1, 0
	case a.Repeat == RepeatExpr:
		if a.Count == nil || a.Count.Value().Kind != IntValue {
			return -1, 0
		}
		times := a.Count.Value().Lo
		if !times.IsInt64() {
			return -1, 0
		}
		return -1, clamp(int(min(times.Int64(), 1<<20)) * least)
	case a.Repeat == RepeatUntil:
		return -1, least
	}
	return n, least
}

// size is the size of one value of type d in a field a.
func (d *DataType) size(a *Attr) (n, least int) {
	switch {
	case len(a.Contents) > 0:
		return len(a.Contents), len(a.Contents)
	case a.SizeEOS:
		return -1, 0
	case a.Size != nil:
		if k, ok := Const(a.Size); ok && k.IsInt64() {
			return int(k.Int64()), int(k.Int64())
		}
		if v := a.Size.Value(); v.Kind == IntValue && v.Lo.IsInt64() {
			return -1, clamp(int(min(max(v.Lo.Int64(), 0), 1<<40)))
		}
		return -1, 0
	}

	switch d.Kind {
	case Int, Float:
		return d.Width, d.Width
	case TextNUL:
		return -1, 1
	case User:
		if d.User != nil {
			return d.User.Size, d.User.MinSize
		}
	case Switch:
		least = -1
		var covered int64
		for i := range d.Cases {
			cs := &d.Cases[i]
			if _, m := cs.Type.size(&Attr{}); least < 0 || m < least {
				least = m
			}
			if covered++; cs.Value == nil {
				covered = 1 << 62
			}
		}

		if v := d.On.Value(); v.Kind == IntValue {
			span := new(big.Int).Sub(v.Hi, v.Lo)
			if span.Cmp(big.NewInt(covered)) < 0 {
				return -1, max(least, 0)
			}
		}

		return -1, 0 // a value without a case: nothing is read
	}
	return -1, 0
}

// greedy says whether a takes all bytes up to the end of its stream.
func (a *Attr) greedy() bool {
	switch {
	case a.SizeEOS || a.Repeat == RepeatEOS:
		return true
	case a.Size != nil:
		return false
	}
	for _, u := range uses(&a.Node, &a.Type) {
		if u.as.User.Greedy {
			return true
		}
	}
	return false
}

// progress makes sure that a repetition ends: with each element some bytes go,
// or the count is small.
func (c *checker) progress(a *Attr) {
	if a.Repeat == RepeatNone || a.broken {
		return
	}
	_, least := a.Type.size(a)
	if a.greedy() && a.Repeat != RepeatEOS {
		c.at(&a.Node, "repeat", "the first element takes all bytes up to the end; give it a size")
		return
	}
	if least > 0 {
		return
	}
	const many = 1 << 16
	switch {
	case a.Repeat == RepeatEOS && a.SizeEOS:
		c.at(&a.Node, "repeat", "the first element takes all bytes up to the end; give it a size")
	case a.Repeat != RepeatExpr:
		c.at(&a.Node, "repeat", "an element may have no bytes, so this may never end")
	case a.Count.Value().Kind == IntValue && a.Count.Value().Hi.Cmp(big.NewInt(many)) > 0:
		c.at(&a.Node, "repeat-expr", "an element may have no bytes and the count may be %s; at most %d then", a.Count.Value().Hi, many)
	}
}

// overlaps makes sure that no byte has two names: an instance at a fixed place
// lies beside the fixed fields of the seq and beside other instances. Before a
// field whose size is not fixed it may look ahead, to choose its type.
func (c *checker) overlaps(t *Type) {
	type extent struct {
		id       string
		from, to int
	}
	var taken []extent
	for _, a := range t.Seq {
		if n, _ := a.size(); a.Offset >= 0 && n > 0 && a.Type.Kind != Bits {
			taken = append(taken, extent{a.ID, a.Offset, a.Offset + n})
		} else if a.Offset >= 0 && a.Type.Kind == Bits {
			taken = append(taken, extent{a.ID, a.Offset, a.Offset + (a.Bit+a.Type.Width+7)/8})
		}
	}

	for _, i := range t.Instances {
		if i.Place == nil || i.broken {
			continue
		}

		n, _ := i.Type.size(&Attr{Size: i.Size})
		if n < 0 || i.Type.Kind == Bits {
			c.errorf(i.Pos, i.Path, "the bytes at a place have a fixed size: a number, a fixed type, or bytes with a constant size")
			continue
		}
		at, ok := Const(i.Place)
		if !ok || !at.IsInt64() || at.Int64() > maxFixed {
			continue
		}
		from := int(at.Int64())
		for _, e := range taken {
			if from < e.to && e.from < from+n {
				c.at(&i.Node, "pos", "overlaps %s, which has size %d at offset %d", e.id, e.to-e.from, e.from)
				break
			}
		}

		taken = append(taken, extent{i.ID, from, from + n})
	}
}
