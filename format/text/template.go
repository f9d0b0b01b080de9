package text

import "strings"

// MaxWidth is the largest field width and precision that is honoured, the
// largest that the C standard guarantees for one conversion. A width is chosen
// by the format, hence by whoever made the firmware file, and sizes the output.
const MaxWidth = 4095

// What a conversion asks for.
type class uint8

const (
	classSigned class = iota
	classUnsigned
	classChar
	classString
	classPointer
	classFloat
	classNothing // %n, which takes a pointer and shows nothing
)

// Flags of a conversion.
const (
	flagMinus = 1 << iota
	flagPlus
	flagSpace
	flagAlt
	flagZero
)

// Length modifiers, by what they mean for the value; of several the last one here counts.
type length uint8

const (
	lengthNone length = iota
	lengthHH          // 8 bits
	lengthH           // 16 bits
	lengthZ           // 32 bits; z and t
	lengthL           // 32 bits on the device, recorded as 64
	lengthLL          // 64 bits
	lengthJ           // 64 bits
)

// Widths and precisions that are no number.
const (
	notGiven = -1
	fromArg  = -2 // *
)

// conversion is one %... of a format.
type conversion struct {
	lead   string // the literal text before it
	class  class
	length length
	verb   byte
	plain  bool // no flag, width, precision or narrowing: the quick path
	flags  uint8
	width  int
	prec   int
}

// Template is a printf format that was parsed once, to be rendered many times.
// The zero Template renders nothing but surplus arguments.
type Template struct {
	format string
	convs  []conversion
	tail   string // the literal text after the last conversion
	// numArgs counts the arguments that the call had, stars included.
	numArgs int
	plan    plan
}

// ParseTemplate reads a printf format. Every string is one: what is no conversion is
// literal text.
func ParseTemplate(format string) *Template {
	t := &Template{format: format}
	var lead []byte
	rest := format
	for {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			break
		}
		lead = append(lead, rest[:i]...)
		c, n := parseConversion(rest[i:])
		switch {
		case n == 0: // not a conversion that we know: show it
			lead = append(lead, '%')
			n = 1
		case c.verb == '%':
			start := len(lead)
			lead = pad(append(lead, '%'), start, 0, &c)
		default:
			c.lead = string(lead)
			lead = lead[:0]
			t.add(c)
		}
		rest = rest[i+n:]
	}

	t.tail = string(append(lead, rest...))
	t.plan = newPlan(t)
	return t
}

func (t *Template) add(c conversion) {
	t.numArgs += c.stars() + 1
	c.plain = c.flags == 0 && c.width == notGiven && c.prec == notGiven &&
		(c.length == lengthNone || c.length >= lengthLL && c.length <= lengthJ)
	t.convs = append(t.convs, c)
}

// stars counts the arguments that width and precision take.
func (c *conversion) stars() int {
	n := 0
	if c.width == fromArg {
		n++
	}
	if c.prec == fromArg {
		n++
	}
	return n
}

// wide reports whether the call passes eight bytes.
func (c *conversion) wide() bool {
	return c.class == classFloat || c.length == lengthLL || c.length == lengthJ
}

// parseConversion reads the conversion that s begins with and tells its length,
// which is 0 when it is not one. As newlib does, it takes flags, width, precision
// and length in any order.
func parseConversion(s string) (c conversion, n int) {
	c.width, c.prec = notGiven, notGiven
	for i := 1; i < len(s); {
		switch b := s[i]; b {
		case '-', '+', ' ', '#', '0':
			c.flags |= 1 << strings.IndexByte("-+ #0", b)
			i++
		case '\'': // groups digits, which the C locale does not do
			i++
		case '*', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			c.width, i = parseNumber(s, i)
		case '.':
			c.prec, i = parseNumber(s, i+1)
			if c.prec == notGiven {
				c.prec = 0
			}
		case 'h', 'l', 'q', 'j', 'z', 't', 'L':
			var l length
			if l, i = parseLength(s, i); l > c.length {
				c.length = l
			}
		default:
			c.verb = b
			if !c.classify() {
				return conversion{}, 0
			}
			return c, i + 1
		}
	}

	return conversion{}, 0
}

// classify sets the class of a conversion by its verb, if it has one.
func (c *conversion) classify() bool {
	switch c.verb {
	case 'D', 'O', 'U': // newlib's short forms of %ld, %lo and %lu
		c.verb += 'a' - 'A'
		c.length = max(c.length, lengthL)
	}

	switch c.verb {
	case 'd', 'i':
		c.class = classSigned
	case 'u', 'x', 'X', 'o':
		c.class = classUnsigned
	case 'c':
		c.class = classChar
	case 's':
		c.class = classString
	case 'p':
		c.class = classPointer
	case 'n':
		c.class = classNothing
	case 'f', 'F', 'e', 'E', 'g', 'G', 'a', 'A':
		c.class = classFloat
	case '%':
	default:
		return false
	}

	if c.class > classUnsigned {
		c.length = lengthNone // %lf is %f, and newlib on the device takes %lc and %ls as %c and %s
	}
	return true
}

// parseNumber reads a width or precision at s[i:] and tells where it ends.
func parseNumber(s string, i int) (value, end int) {
	if i < len(s) && s[i] == '*' {
		return fromArg, i + 1
	}
	value = notGiven
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		value = min(max(value, 0)*10+int(s[i]-'0'), MaxWidth)
	}
	return value, i
}

// parseLength reads a length modifier at s[i:] and tells where it ends.
func parseLength(s string, i int) (l length, end int) {
	if i >= len(s) {
		return lengthNone, i
	}

	twice := i+1 < len(s) && s[i] == s[i+1]
	switch s[i] {
	case 'h':
		if twice {
			return lengthHH, i + 2
		}
		return lengthH, i + 1
	case 'l':
		if twice {
			return lengthLL, i + 2
		}
		return lengthL, i + 1
	case 'q':
		return lengthLL, i + 1
	case 'j':
		return lengthJ, i + 1
	case 'z', 't':
		return lengthZ, i + 1
	case 'L':
		return lengthNone, i + 1
	}
	return lengthNone, i
}

// Format returns the format that the template was parsed from.
func (t *Template) Format() string { return t.format }

// NumArgs returns the number of arguments that a call with this format takes,
// those for stars included.
func (t *Template) NumArgs() int { return t.numArgs }

// Literal returns the text of a format without conversions, and whether it is
// one.
func (t *Template) Literal() (text string, ok bool) {
	return t.tail, len(t.convs) == 0
}
