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

// lost counts what a device did not record of a call.
type lost struct {
	dropped     int // strings that it had no room for
	notRecorded int // arguments that it left out
}

func (t *Template) append(dst []byte, p format.Payload) (_ []byte, left lost) {
	args, start := p.Args(), len(dst)
	doubt := false
	for i := range t.convs {
		c := &t.convs[i]
		dst = append(dst, c.lead...)
		if c.width == fromArg || c.prec == fromArg {
			dst = appendStarred(dst, c, &args, doubt, &left)
			continue
		}
		if !args.Next() {
			dst = append(dst, missing...)
			left.notRecorded++
			continue
		}
		a := args.Arg()
		if c.length == lengthL && isWide(a.Type()) {
			doubt = true
		}
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
		dst = appendArg(dst, c, &a, &left)
		if doubt {
			dst = append(dst, '?')
		}
	}
	dst = append(dst, t.tail...)
	for args.Next() {
		a := args.Arg()
		if !a.Stored() {
			left.dropped++
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		dst = appendMarked(dst, &a)
	}
	return dst, left
}

// appendStarred renders a conversion that takes its width or precision from
// the arguments before its own.
func appendStarred(dst []byte, c *conversion, args *format.Args, doubt bool, left *lost) []byte {
	own := *c
	own.plain = false
	if c.width == fromArg {
		width, ok := nextStar(args, &dst)
		if !ok {
			left.notRecorded++
			return append(dst, missing...)
		}
		if width < 0 {
			own.flags |= flagMinus
			width = -width
		}
		own.width = int(min(width, MaxWidth))
	}
	if c.prec == fromArg {
		prec, ok := nextStar(args, &dst)
		if !ok {
			left.notRecorded++
			return append(dst, missing...)
		}
		own.prec = int(max(min(prec, MaxWidth), notGiven))
	}
	if !args.Next() {
		left.notRecorded++
		return append(dst, missing...)
	}
	a := args.Arg()
	dst = appendArg(dst, &own, &a, left)
	if doubt || own.length == lengthL && isWide(a.Type()) {
		dst = append(dst, '?')
	}
	return dst
}

// nextStar takes the next argument as a width or precision. One that is no
// integer is shown, so that it is not lost, and counts as not given.
func nextStar(args *format.Args, dst *[]byte) (value int64, ok bool) {
	if !args.Next() {
		return 0, false
	}
	a := args.Arg()
	if !isInteger(a.Type()) {
		*dst = appendMarked(*dst, &a)
		return notGiven, true
	}
	return int64(int32(a.Uint())), true
}

// appendArg renders one argument by its conversion.
func appendArg(dst []byte, c *conversion, a *format.Arg, left *lost) []byte {
	typ := a.Type()
	switch c.class {
	case classSigned:
		if isInteger(typ) {
			return appendSigned(dst, c, c.signed(a))
		}
	case classUnsigned:
		if isInteger(typ) {
			return appendInteger(dst, c, c.unsigned(a))
		}
	case classPointer:
		if isInteger(typ) {
			return appendInteger(dst, c, c.unsigned(a))
		}
	case classChar:
		if isInteger(typ) {
			start := len(dst)
			return pad(append(dst, byte(a.Uint())), start, 0, c)
		}
	case classString:
		if typ == format.ArgTypeString {
			return appendString(dst, c, a, left)
		}
	case classFloat:
		if typ == format.ArgTypeDouble {
			return appendFloat(dst, c, a.Float())
		}
	}
	if !a.Stored() {
		left.dropped++
	}
	return appendMarked(dst, a)
}

func appendString(dst []byte, c *conversion, a *format.Arg, left *lost) []byte {
	s := a.Text()
	if s == nil { // not stored
		left.dropped++
		return append(dst, missing...)
	}
	if c.prec >= 0 && c.prec < len(s) {
		s = s[:c.prec]
	}
	start := len(dst)
	return pad(append(dst, s...), start, 0, c)
}

// appendMarked shows an argument without a conversion that fits it, as
// "<type value>".
func appendMarked(dst []byte, a *format.Arg) []byte {
	if !a.Stored() {
		return append(dst, missing...)
	}
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
	v := int64(a.Uint())
	switch c.length {
	case lengthHH:
		return int64(int8(v))
	case lengthH:
		return int64(int16(v))
	case lengthL:
		return int64(int32(v))
	}
	if isWide(a.Type()) {
		return v
	}
	return int64(int32(v))
}

// unsigned returns the value that an unsigned conversion shows, like signed.
func (c *conversion) unsigned(a *format.Arg) uint64 {
	v := a.Uint()
	switch c.length {
	case lengthHH:
		return uint64(uint8(v))
	case lengthH:
		return uint64(uint16(v))
	case lengthL:
		return v & math.MaxUint32
	}
	if isWide(a.Type()) {
		return v
	}
	return v & math.MaxUint32
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
