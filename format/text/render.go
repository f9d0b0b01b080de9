package text

import (
	"math"

	"github.com/ulogkit/ulogkit/format"
)

const missing = "<missing>"

// Append appends the text of the record p, which the device logged with this
// format, to dst and returns the extended buffer.
func (t *Template) Append(dst []byte, p format.Payload) []byte {
	dst, _ = t.append(dst, p)
	return dst
}

// outcome tells how well a record could be rendered.
type outcome struct {
	match       match
	dropped     int // strings that the device had no room for
	notRecorded int // arguments that it left out
	uncertain   int // values that are shown with a mark
}

// append is Append, and says how the arguments fit the conversions.
func (t *Template) append(dst []byte, p format.Payload) (_ []byte, out outcome) {
	out.match = t.compare(p.PackedTypes())
	mixed := (t.plan.texts > 1 || t.plan.open) && mixesTexts(p)
	if out.match == matchAgent && !t.plan.straight {
		return t.appendPlaced(dst, p, mixed, out)
	}

	doubt := out.match == matchNone
	args, start := p.Args(), len(dst)
	for i := range t.convs {
		c := &t.convs[i]
		dst = append(dst, c.lead...)
		if c.width == fromArg || c.prec == fromArg {
			dst = appendStarred(dst, c, &args, doubt, &out)
			continue
		}
		if !args.Next() {
			if c.class != classNothing {
				dst = append(dst, missing...)
				out.notRecorded++
			}
			continue
		}

		a := args.Arg()
		if c.plain && !doubt && isInteger(a.Type()) {
			switch c.verb {
			case 'd', 'i':
				dst = appendDecimal(dst, c.signed(&a))
				continue
			case 'u':
				dst = appendUnsigned(dst, c.unsigned(&a))
				continue
			}
		}
		dst = appendArg(dst, c, &a, doubt || mixed && c.class == classString, &out)
	}

	dst = append(dst, t.tail...)
	for args.Next() && !(t.plan.open && out.match == matchAgent) {
		a := args.Arg()
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		dst = appendMarked(dst, &a, &out)
	}
	return dst, out
}

// mixesTexts reports whether some strings of a record were dropped and others
// not: which of them it does not tell.
func mixesTexts(p format.Payload) bool {
	n := 0
	for _, packed := range p.PackedTypes() {
		n += int(packed >> 7)
	}
	stored := p.NumTexts()
	return stored > 0 && stored < n
}

// appendStarred renders a conversion that takes its width or precision from
// the arguments before its own.
func appendStarred(dst []byte, c *conversion, args *format.Args, doubt bool, out *outcome) []byte {
	own := *c
	if c.width == fromArg {
		width, ok := nextStar(args, &dst, out)
		if !ok {
			out.notRecorded++
			return append(dst, missing...)
		}
		own.setWidth(width)
	}

	if c.prec == fromArg {
		prec, ok := nextStar(args, &dst, out)
		if !ok {
			out.notRecorded++
			return append(dst, missing...)
		}
		own.setPrec(prec)
	}

	if !args.Next() {
		out.notRecorded++
		return append(dst, missing...)
	}
	a := args.Arg()
	return appendArg(dst, &own, &a, doubt, out)
}

// setWidth sets the width to the value of a star.
func (c *conversion) setWidth(width int64) {
	if width < 0 {
		c.flags |= flagMinus
		width = -width
	}
	c.width = int(min(width, MaxWidth))
}

// setPrec sets the precision to the value of a star.
func (c *conversion) setPrec(prec int64) { c.prec = int(max(min(prec, MaxWidth), notGiven)) }

// nextStar takes the next argument as a width or precision. One that is no
// integer is shown, so that it is not lost, and counts as not given.
func nextStar(args *format.Args, dst *[]byte, out *outcome) (value int64, ok bool) {
	if !args.Next() {
		return 0, false
	}
	a := args.Arg()
	if !isInteger(a.Type()) {
		*dst = appendMarked(*dst, &a, out)
		return notGiven, true
	}
	return int64(int32(a.Uint())), true
}

// doubtMark goes after a value that may be another one.
const doubtMark = '?'

// appendArg renders one argument by its conversion.
func appendArg(dst []byte, c *conversion, a *format.Arg, doubt bool, out *outcome) []byte {
	typ, start := a.Type(), len(dst)
	switch {
	case c.class == classNothing:
		return dst
	case c.class == classString && typ == format.ArgTypeString:
		text := a.Text()
		if text == nil { // not stored
			out.dropped++
			return append(dst, missing...)
		}
		dst = appendString(dst, c, text)
	case c.class == classFloat && typ == format.ArgTypeDouble:
		dst = appendFloat(dst, c, a.Float())
	case c.class == classSigned && isInteger(typ):
		dst = appendSigned(dst, c, c.signed(a))
	case c.class <= classPointer && c.class != classString && isInteger(typ):
		v := a.Uint()
		if c.class != classChar {
			v = c.unsigned(a)
		}
		dst = appendValue(dst, c, v)
	default:
		return appendMarked(dst, a, out)
	}

	if doubt {
		out.uncertain++
		dst = appendDoubt(dst, start)
	}
	return dst
}

// appendDoubt marks the value dst[start:], before the spaces that pad it.
func appendDoubt(dst []byte, start int) []byte {
	end := len(dst)
	for end > start && dst[end-1] == ' ' {
		end--
	}
	if end == start || end == len(dst) {
		return append(dst, doubtMark)
	}
	dst[end] = doubtMark
	return dst
}

// appendValue renders the bits of a value that is no string.
func appendValue(dst []byte, c *conversion, bits uint64) []byte {
	switch c.class {
	case classSigned:
		return appendSigned(dst, c, c.narrowSigned(bits))
	case classUnsigned, classPointer:
		return appendInteger(dst, c, c.narrow(bits))
	case classChar:
		start := len(dst)
		return pad(append(dst, byte(bits)), start, 0, c)
	case classFloat:
		return appendFloat(dst, c, math.Float64frombits(bits))
	}
	return dst
}

func appendString(dst []byte, c *conversion, s []byte) []byte {
	if c.prec >= 0 && c.prec < len(s) {
		s = s[:c.prec]
	}
	start := len(dst)
	return pad(append(dst, s...), start, 0, c)
}

// appendMarked shows an argument without a conversion that fits it, as
// "<type value>".
func appendMarked(dst []byte, a *format.Arg, out *outcome) []byte {
	if !a.Stored() {
		out.dropped++
		return append(dst, missing...)
	}

	out.uncertain++
	dst = append(dst, '<')
	dst = append(dst, a.Type().String()...)
	dst = append(dst, ' ')
	switch a.Type() {
	case format.ArgTypeI32, format.ArgTypeI64:
		dst = appendDecimal(dst, a.Int())
	case format.ArgTypeDouble:
		dst = appendFloat(dst, &shortest, a.Float())
	case format.ArgTypeString:
		dst = append(dst, a.Text()...)
	case format.ArgTypePointer:
		dst = appendInteger(dst, &address, a.Uint())
	default:
		dst = appendUnsigned(dst, a.Uint())
	}

	return append(dst, '>')
}

// How values are shown that no conversion asks for. 17 digits tell every
// double apart.
var (
	shortest = conversion{class: classFloat, verb: 'g', width: notGiven, prec: 17}
	address  = conversion{class: classPointer, verb: 'p', width: notGiven, prec: notGiven}
)

func isInteger(t format.ArgType) bool {
	return t-format.ArgTypeI32 <= format.ArgTypeChar-format.ArgTypeI32
}

func isWide(t format.ArgType) bool { return t == format.ArgTypeI64 || t == format.ArgTypeU64 }

// signed returns the value that a signed conversion shows. An argument recorded
// with 64 bits keeps them, except for a long, of which 32 exist.
func (c *conversion) signed(a *format.Arg) int64 {
	v := a.Uint()
	if c.length == lengthNone && isWide(a.Type()) {
		return int64(v)
	}
	return c.narrowSigned(v)
}

// unsigned returns the value that an unsigned conversion shows, like signed.
func (c *conversion) unsigned(a *format.Arg) uint64 {
	v := a.Uint()
	if c.length == lengthNone && isWide(a.Type()) {
		return v
	}
	return c.narrow(v)
}

// narrowSigned returns bits as the signed type of the conversion.
func (c *conversion) narrowSigned(bits uint64) int64 {
	switch c.length {
	case lengthHH:
		return int64(int8(bits))
	case lengthH:
		return int64(int16(bits))
	case lengthLL, lengthJ:
		return int64(bits)
	}
	return int64(int32(bits))
}

// narrow returns bits as the unsigned type of the conversion.
func (c *conversion) narrow(bits uint64) uint64 {
	switch c.length {
	case lengthHH:
		return bits & math.MaxUint8
	case lengthH:
		return bits & math.MaxUint16
	case lengthLL, lengthJ:
		return bits
	}
	return bits & math.MaxUint32
}

// pad brings dst[start:] to the conversion's width. lenPrefix is the length of
// the sign and 0x, after which zeros go.
func pad(dst []byte, start, lenPrefix int, c *conversion) []byte {
	n := c.width - (len(dst) - start)
	if n <= 0 {
		return dst
	}
	end := len(dst)
	fill := byte(' ')
	if c.flags&flagMinus == 0 && c.flags&flagZero != 0 {
		fill = '0'
		start += lenPrefix
	}
	for range n {
		dst = append(dst, fill)
	}
	if c.flags&flagMinus == 0 {
		copy(dst[start+n:], dst[start:end])
		for i := start; i < start+n; i++ {
			dst[i] = fill
		}
	}
	return dst
}
