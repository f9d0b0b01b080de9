package text

import (
	"math"
	"math/bits"
	"strconv"
)

// appendFloat renders the conversions of doubles with all flags.
func appendFloat(dst []byte, c *conversion, f float64) []byte {
	start := len(dst)
	if math.Signbit(f) {
		dst = append(dst, '-')
		f = -f
	} else {
		dst = appendSign(dst, c)
	}

	upper := c.verb < 'a'
	if math.IsNaN(f) || math.IsInf(f, 0) {
		dst = append(dst, nameNotFinite(f, upper)...)
		own := *c // no zeros before inf
		own.flags &^= flagZero
		return pad(dst, start, 0, &own)
	}

	prec := c.prec
	if prec < 0 {
		prec = 6
	}

	alt := c.flags&flagAlt != 0
	lenPrefix := len(dst) - start
	switch c.verb | 0x20 {
	case 'f':
		dst = appendFixed(dst, f, prec)
		if prec == 0 && alt {
			dst = append(dst, '.')
		}
	case 'e':
		dst = appendExponential(dst, f, prec, alt)
	case 'g':
		dst = appendGeneral(dst, f, max(prec, 1), alt)
	case 'a':
		lenPrefix += 2
		dst = appendHex(dst, f, c.prec, alt)
	}

	if upper {
		for i, b := range dst[start:] {
			if 'a' <= b && b <= 'z' {
				dst[start+i] = b - 'a' + 'A'
			}
		}
	}
	return pad(dst, start, lenPrefix, c)
}

func nameNotFinite(f float64, upper bool) string {
	switch {
	case math.IsNaN(f) && upper:
		return "NAN"
	case math.IsNaN(f):
		return "nan"
	case upper:
		return "INF"
	}
	return "inf"
}

// powers are the powers of ten that lenInteger compares with; all are exact.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// appendFixed appends f, which is not negative, with prec decimals.
//
// strconv's 'f' takes a slow path of arbitrary precision, its 'e' a quick one
// for up to 17 digits. So the usual values are made with 'e', whose digits are
// rounded in the same way, and the point is moved.
func appendFixed(dst []byte, f float64, prec int) []byte {
	if f < 1 || prec > 17 {
		return strconv.AppendFloat(dst, f, 'f', prec, 64)
	}

	n := 0 // digits before the point
	for n < len(powers) && powers[n] <= f {
		n++
	}
	if n == len(powers) || n+prec > 17 {
		return strconv.AppendFloat(dst, f, 'f', prec, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', n+prec-1, 64) // d.ddde+XX
	exp := int(dst[len(dst)-2]-'0')*10 + int(dst[len(dst)-1]-'0')
	dst = dst[:len(dst)-len("e+00")]
	carried := exp == n // 9.9 became 10
	if n+prec > 1 {
		// Close the gap of the first point, then open one n digits on.
		copy(dst[start+1:], dst[start+2:])
		dst = dst[:len(dst)-1]
	}

	if carried {
		dst = append(dst, '0')
		n++
	}

	if prec > 0 {
		dst = append(dst, 0)
		copy(dst[start+n+1:], dst[start+n:])
		dst[start+n] = '.'
	}
	return dst
}

// appendExponential appends f, which is not negative, as d.ddde+XX.
func appendExponential(dst []byte, f float64, prec int, alt bool) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', prec, 64)
	if prec == 0 && alt {
		dst = append(dst, 0)
		copy(dst[start+2:], dst[start+1:])
		dst[start+1] = '.'
	}
	return dst
}

// appendGeneral appends f, which is not negative, with prec significant digits
// in the shorter of both styles.
func appendGeneral(dst []byte, f float64, prec int, alt bool) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', prec-1, 64)
	mark := len(dst) - 1 // the e
	exp := 0
	for scale := 1; dst[mark] != 'e'; mark-- {
		switch b := dst[mark]; b {
		case '-':
			exp = -exp
		case '+':
		default:
			exp += scale * int(b-'0')
			scale *= 10
		}
	}

	if exp < -4 || exp >= prec {
		var tail [8]byte
		n := copy(tail[:], dst[mark:])
		dst = dst[:mark]
		switch {
		case alt && prec == 1:
			dst = append(dst, '.')
		case !alt && prec > 1:
			dst = trimZeros(dst)
		}
		return append(dst, tail[:n]...)
	}

	dst = dst[:mark]
	if prec > 1 { // take the point out
		copy(dst[start+1:], dst[start+2:])
		dst = dst[:len(dst)-1]
	}

	if exp < 0 { // 0.000ddd
		n := 1 - exp
		for range n {
			dst = append(dst, 0)
		}
		copy(dst[start+n:], dst[start:])
		for i := range n {
			dst[start+i] = '0'
		}
		dst[start+1] = '.'
	} else if exp+1 < prec || alt { // ddd.ddd
		dst = append(dst, 0)
		copy(dst[start+exp+2:], dst[start+exp+1:])
		dst[start+exp+1] = '.'
	}

	if !alt && exp+1 < prec {
		dst = trimZeros(dst)
	}
	return dst
}

// trimZeros takes the zeros after a point away, and the point with them.
func trimZeros(dst []byte) []byte {
	n := len(dst)
	for dst[n-1] == '0' {
		n--
	}
	if dst[n-1] == '.' {
		n--
	}
	return dst[:n]
}

const (
	lenMantissa  = 52 // bits of a double
	exponentBias = 1023
)

// appendHex appends f, which is not negative, as 0xh.hhhp+d; prec < 0 asks for
// as many digits as the value has.
func appendHex(dst []byte, f float64, prec int, alt bool) []byte {
	b := math.Float64bits(f)
	mantissa := b & (1<<lenMantissa - 1)
	exp := int(b >> lenMantissa)
	switch {
	case f == 0:
	case exp == 0: // subnormal
		n := bits.LeadingZeros64(mantissa) - (63 - lenMantissa)
		mantissa <<= n
		exp = 1 - n - exponentBias
	default:
		mantissa |= 1 << lenMantissa
		exp -= exponentBias
	}

	if n := 4 * prec; prec >= 0 && n < lenMantissa {
		mantissa = roundEven(mantissa, lenMantissa-n)
	}
	dst = append(dst, '0', 'x', byte('0'+mantissa>>lenMantissa))
	mantissa &= 1<<lenMantissa - 1
	if prec > 0 || prec < 0 && mantissa != 0 || alt {
		dst = append(dst, '.')
	}

	for i := 0; i < prec || prec < 0 && mantissa != 0; i++ {
		dst = append(dst, "0123456789abcdef"[mantissa>>(lenMantissa-4)&15])
		mantissa = mantissa << 4 & (1<<lenMantissa - 1)
	}

	dst = append(dst, 'p')
	if exp >= 0 {
		dst = append(dst, '+')
	}
	return appendDecimal(dst, int64(exp))
}

// roundEven rounds the low n bits of v away, ties to even.
func roundEven(v uint64, n int) uint64 {
	half := uint64(1) << (n - 1)
	low := v & (1<<n - 1)
	v &^= 1<<n - 1
	if low > half || low == half && v>>n&1 != 0 {
		v += 1 << n
	}
	return v
}
