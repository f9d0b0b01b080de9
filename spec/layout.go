package spec

import "math/big"

// layout computes where the fields of t lie, and refuses what cannot lie so.
func (c *checker) layout(t *Type) {
	bits := 0     // of the group of bit fields under way
	fixed := true // nothing of unknown size yet
	size, least := 0, 0
	var greedy *Attr
	for _, a := range t.Seq {
		a.Offset = -1
		if greedy != nil && !a.broken {
			c.errorf(a.Pos, a.Path, "nothing is left for it: %s takes all bytes up to the end", greedy.ID)
			return
		}
		if a.Type.Kind != Bits && bits%8 != 0 {
			c.errorf(a.Pos, a.Path, "begins in the middle of a byte: the bit fields before it have %d bits; make that a multiple of 8", bits)
			return
		}
		if fixed {
			a.Offset = size + bits/8
		}
		if a.Type.Kind == Bits && len(a.Contents) == 0 {
			a.Bit = bits % 8
			bits += a.Type.Width
			if bits%8 == 0 {
				size, least, bits = size+bits/8, least+bits/8, 0
			}
			continue
		}
		bits = 0
		n, m := a.size()
		if n < 0 {
			fixed = false
		} else {
			size += n
		}
		least = clamp(least + m)
		c.progress(a)
		if a.greedy() {
			greedy = a
		}
	}
	if bits%8 != 0 {
		last := t.Seq[len(t.Seq)-1]
		c.errorf(last.Pos, last.Path, "ends in the middle of a byte: its bit fields have %d bits; make that a multiple of 8", bits)
	}
	t.Size, t.MinSize, t.Greedy = -1, least, greedy != nil
	if fixed {
		t.Size = size
		if size > maxFixed {
			c.errorf(t.Pos, t.Path, "a fixed size of %d; at most %d bytes", size, maxFixed)
		}
	}
	c.overlaps(t)
}

// clamp keeps sums of sizes far from overflow.
func clamp(n int) int { return min(n, 1<<40) }

// size returns how many bytes a takes, -1 when that depends on the bytes, and
// how many at least.
func (a *Attr) size() (n, least int) {
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
				c.at(&i.Node, "pos", "overlaps %s, which has bytes %d to %d", e.id, e.from, e.to-1)
				break
			}
		}
		taken = append(taken, extent{i.ID, from, from + n})
	}
}
