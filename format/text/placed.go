package text

import "github.com/ulogkit/ulogkit/format"

// know says how much of an argument was recorded.
type know uint8

const (
	knowNothing know = iota
	knowPart         // not all bits that are shown
	knowAll
)

// recorded are the arguments of a record, by index.
type recorded [maxRecorded]format.Arg

func newRecorded(p format.Payload) (r recorded) {
	args := p.Args()
	for i := 0; i < len(r) && args.Next(); i++ {
		r[i] = args.Arg()
	}
	return r
}

// word returns four bytes of an argument.
func (r *recorded) word(p part) (bits uint64, k know) {
	if p.arg == none || p.typ == format.ArgTypeString {
		return 0, knowNothing
	}
	bits = r[p.arg].Uint() >> p.shift & (1<<32 - 1)
	if p.typ == format.ArgTypeChar { // of which agents record one byte
		return bits, knowPart
	}
	return bits, knowAll
}

// value returns the bits of the argument of a conversion that takes no string.
func (r *recorded) value(c *conversion, s *slot) (bits uint64, k know) {
	bits, k = r.word(s.low)
	if !s.wide {
		if k == knowPart && (c.class == classChar || c.length == lengthHH) {
			k = knowAll
		}
		return bits, k
	}
	high, kHigh := r.word(s.high)
	switch {
	case k == knowAll && kHigh == knowAll:
		return bits | high<<32, knowAll
	case c.class == classFloat || k == knowNothing:
		return 0, knowNothing
	case kHigh == knowNothing && c.class == classSigned:
		return uint64(int64(int32(bits))), knowPart
	}
	return bits | high<<32, knowPart
}

// star returns the value of a star.
func (r *recorded) star(s *slot) (value int64, k know) {
	bits, k := r.word(s.low)
	return int64(int32(bits)), k
}

// text returns the string whose pointer lies at s, nil if it was not recorded.
func (r *recorded) text(s *slot) (text []byte, dropped bool) {
	if s.low.arg == none || s.low.typ != format.ArgTypeString {
		return nil, false
	}
	text = r[s.low.arg].Text()
	return text, text == nil
}

// appendPlaced renders a record whose arguments are not in the order of the
// conversions, each where the plan has it.
func (t *Template) appendPlaced(dst []byte, p format.Payload, mixed bool, out outcome) ([]byte, outcome) {
	r := newRecorded(p)
	slots := t.plan.slots
	for i := range t.convs {
		c := &t.convs[i]
		dst = append(dst, c.lead...)
		n := c.stars() + 1
		if c.class != classNothing {
			dst = r.appendPlaced(dst, c, slots[:n], mixed, &out)
		}
		slots = slots[n:]
	}
	return append(dst, t.tail...), out
}

// appendPlaced renders one conversion, whose arguments slots are.
func (r *recorded) appendPlaced(dst []byte, c *conversion, slots []slot, mixed bool, out *outcome) []byte {
	own := *c
	least := knowAll // of what was recorded of the arguments
	for _, set := range [...]struct {
		asked bool
		to    func(*conversion, int64)
	}{{c.width == fromArg, (*conversion).setWidth}, {c.prec == fromArg, (*conversion).setPrec}} {
		if !set.asked {
			continue
		}
		v, k := r.star(&slots[0])
		least = min(least, k)
		set.to(&own, v)
		slots = slots[1:]
	}

	var text []byte
	var bits uint64
	k := knowAll
	if c.class == classString {
		var dropped bool
		text, dropped = r.text(&slots[0])
		switch {
		case dropped:
			out.dropped++
			return append(dst, missing...)
		case text == nil:
			k = knowNothing
		case mixed:
			k = knowPart
		}
	} else {
		bits, k = r.value(c, &slots[0])
	}

	least = min(least, k)
	start := len(dst)
	switch {
	case least == knowNothing:
		out.notRecorded++
		return append(dst, missing...)
	case c.class == classString:
		dst = appendString(dst, &own, text)
	default:
		dst = appendValue(dst, &own, bits)
	}

	if least == knowPart {
		out.uncertain++
		dst = appendDoubt(dst, start)
	}
	return dst
}
