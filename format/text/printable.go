package text

import (
	"bytes"
	"encoding/binary"
	"unicode"
	"unicode/utf8"
)

const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// isPrintable reports whether b is ASCII without control characters, eight
// bytes at a time.
func isPrintable(b []byte) bool {
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		// The high bit of a byte is set by w where it is not ASCII, by the first
		// term where it is below a space, by the second where it is DEL.
		if (w|(w-' '*ones)|((w^0x7f*ones)-ones))&highs != 0 {
			return isPrintableSlow(b)
		}
		b = b[8:]
	}
	return isPrintableSlow(b)
}

// isPrintableSlow goes byte by byte, since a borrow in the quick test can blame
// an innocent neighbour.
func isPrintableSlow(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// appendPrintable appends s with its control characters escaped as in C, and so what
// turns the direction of text, is not UTF-8 or ends a line, so that a record stays one
// line and cannot steer a terminal. A tab stays.
func appendPrintable[T string | []byte](dst []byte, s T) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c < ' ' && c != '\t', c == 0x7f:
			dst = append(dst, '\\', 'x', digits[c>>4], digits[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			var buf [utf8.UTFMax]byte
			n := copy(buf[:], s[i:min(len(s), i+utf8.UTFMax)])
			r, size := utf8.DecodeRune(buf[:n])
			switch {
			case r == utf8.RuneError && size == 1: // some terminals obey single bytes from 0x80 on
				dst = append(dst, '\\', 'x', digits[c>>4], digits[c&15])
			case !unicode.IsGraphic(r) || r > 0xff && unicode.IsSpace(r):
				dst = append(dst, '\\')
				if r > 0xffff {
					dst = appendHexDigits(append(dst, 'U'), uint32(r), 8)
				} else {
					dst = appendHexDigits(append(dst, 'u'), uint32(r), 4)
				}
			default:
				dst = append(dst, buf[:size]...)
			}

			i += size
			continue
		}
		i++
	}
	return dst
}

const digits = "0123456789abcdef"

func appendHexDigits(dst []byte, v uint32, n int) []byte {
	for n--; n >= 0; n-- {
		dst = append(dst, digits[v>>(4*n)&15])
	}
	return dst
}

// forTerminal takes colours, ESC [ numbers m, and the ends of lines at its end out of
// a text, in place.
func forTerminal(b []byte) []byte {
	b = bytes.TrimRight(b, "\r\n")
	if bytes.IndexByte(b, 0x1b) < 0 {
		return b
	}
	kept := b[:0]
	for i := 0; i < len(b); i++ {
		if bytes.HasPrefix(b[i:], []byte("\x1b[")) {
			end := i + 2
			for end < len(b) && (b[end] == ';' || '0' <= b[end] && b[end] <= '9') {
				end++
			}
			if end < len(b) && b[end] == 'm' {
				i = end
				continue
			}
		}
		kept = append(kept, b[i])
	}
	return bytes.TrimRight(kept, "\r\n")
}

// Printable returns words of a device, a file or a firmware as a terminal can show
// them on one line.
func Printable(s string) string { return string(appendPrintable(nil, s)) }

// appendJSONString appends s as a JSON string; what is not UTF-8 becomes the
// replacement character.
func appendJSONString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		plain := i
		for i < len(s) && s[i] >= ' ' && s[i] < 0x7f && s[i] != '"' && s[i] != '\\' {
			i++
		}

		if dst = append(dst, s[plain:i]...); i == len(s) {
			break
		}
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			var buf [utf8.UTFMax]byte
			n := copy(buf[:], s[i:min(len(s), i+utf8.UTFMax)])
			r, size := utf8.DecodeRune(buf[:n])
			if r == utf8.RuneError || r < 0xa0 {
				dst = append(dst, '\\', 'u')
				for shift := 12; shift >= 0; shift -= 4 {
					dst = append(dst, digits[r>>shift&15])
				}
			} else {
				dst = append(dst, buf[:size]...)
			}

			i += size
			continue
		}
		i++
	}
	return append(dst, '"')
}
