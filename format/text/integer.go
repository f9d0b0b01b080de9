package text

const digitPairs = "0001020304050607080910111213141516171819" +
	"2021222324252627282930313233343536373839" +
	"4041424344454647484950515253545556575859" +
	"6061626364656667686970717273747576777879" +
	"8081828384858687888990919293949596979899"

// appendDecimal appends v as %d would.
func appendDecimal(dst []byte, v int64) []byte {
	if v < 0 {
		return appendUnsigned(append(dst, '-'), -uint64(v))
	}
	return appendUnsigned(dst, uint64(v))
}

// appendUnsigned appends v as %u would.
func appendUnsigned(dst []byte, v uint64) []byte {
	if v < 10 {
		return append(dst, byte('0'+v))
	}

	var buf [20]byte
	i := len(buf)
	for v > 1<<32-1 {
		pair := v % 100 * 2
		v /= 100
		i -= 2
		buf[i], buf[i+1] = digitPairs[pair], digitPairs[pair+1]
	}

	// Dividing 32 bits is quicker, and almost every value in a log has no more.
	w := uint32(v)
	for w >= 100 {
		pair := w % 100 * 2
		w /= 100
		i -= 2
		buf[i], buf[i+1] = digitPairs[pair], digitPairs[pair+1]
	}

	if w >= 10 {
		i -= 2
		buf[i], buf[i+1] = digitPairs[w*2], digitPairs[w*2+1]
	} else {
		i--
		buf[i] = byte('0' + w)
	}
	return append(dst, buf[i:]...)
}

// appendSigned renders %d and %i with all flags.
func appendSigned(dst []byte, c *conversion, v int64) []byte {
	start := len(dst)
	u := uint64(v)
	if v < 0 {
		dst = append(dst, '-')
		u = -u
	} else {
		dst = appendSign(dst, c)
	}
	return appendDigits(dst, start, c, u)
}

// appendSign appends the sign of a number that is not negative.
func appendSign(dst []byte, c *conversion) []byte {
	if c.flags&flagPlus != 0 {
		return append(dst, '+')
	}
	if c.flags&flagSpace != 0 {
		return append(dst, ' ')
	}
	return dst
}

// appendInteger renders %u, %x, %X, %o and %p with all flags.
func appendInteger(dst []byte, c *conversion, v uint64) []byte {
	start := len(dst)
	switch c.verb {
	case 'x', 'X':
		if c.flags&flagAlt != 0 && v != 0 {
			dst = append(dst, '0', c.verb)
		}
	case 'p':
		dst = append(dst, '0', 'x')
	}
	return appendDigits(dst, start, c, v)
}

// appendDigits appends the digits after a number's sign or 0x, which stands at
// dst[start:], and pads the whole.
func appendDigits(dst []byte, start int, c *conversion, v uint64) []byte {
	var buf [22]byte // 64 bits in octal
	i := len(buf)
	switch c.verb {
	case 'x', 'p':
		for ; v != 0; v >>= 4 {
			i--
			buf[i] = "0123456789abcdef"[v&15]
		}
	case 'X':
		for ; v != 0; v >>= 4 {
			i--
			buf[i] = "0123456789ABCDEF"[v&15]
		}
	case 'o':
		for ; v != 0; v >>= 3 {
			i--
			buf[i] = byte('0' + v&7)
		}
	default:
		if v != 0 {
			i = len(buf) - len(appendUnsigned(buf[:0], v))
			copy(buf[i:], buf[:len(buf)-i])
		}
	}

	lenPrefix := len(dst) - start
	atLeast := 1
	if c.prec >= 0 {
		atLeast = c.prec
	}
	if n := len(buf) - i; c.verb == 'o' && c.flags&flagAlt != 0 && atLeast <= n && (n > 0 || atLeast == 0) {
		atLeast = n + 1
	}

	for n := len(buf) - i; n < atLeast; n++ {
		dst = append(dst, '0')
	}
	dst = append(dst, buf[i:]...)
	if c.prec >= 0 && c.flags&flagZero != 0 {
		own := *c // a precision turns the zero flag off
		own.flags &^= flagZero
		c = &own
	}
	return pad(dst, start, lenPrefix, c)
}
