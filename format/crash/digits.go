package crash

import (
	"bytes"
	"strings"
)

// narrow returns text without its byte order mark, and UTF-16 that has one as ASCII:
// digits are, and what else a console writes is passed over anyway.
func narrow(b []byte) []byte {
	low := 0 // which byte of a unit is the low one
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		low = 1
	default:
		return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	}

	out := make([]byte, 0, len(b)/2)
	for b = b[2:]; len(b) >= 2; b = b[2:] {
		c := b[low]
		if b[1-low] != 0 {
			c = '?'
		}
		out = append(out, c)
	}
	return out
}

// fromHex returns the bytes of a dump that b holds as hexadecimal digits, or nil.
// A console writes lines before and after, and may begin each line with a time.
func fromHex(b []byte) []byte {
	at := findDigits(b[:min(len(b), 1<<20)])
	if at < 0 {
		return nil
	}

	// All of it may be digits, header included.
	if all := hexLine(b); all != nil {
		return all
	}

	begin := bytes.LastIndexByte(b[:at], '\n') + 1
	out := make([]byte, 0, len(b)/2)
	first := true
	for line := range bytes.Lines(b[begin:]) {
		if first {
			line, first = line[at-begin:], false
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		data := hexLine(line)
		for data == nil { // a time, or the like
			i := bytes.IndexAny(line, " \t")
			if i < 0 {
				return out
			}
			line = bytes.TrimSpace(line[i:])
			data = hexLine(line)
		}

		out = append(out, data...)
	}
	return out
}

// findDigits returns where the digits of the mark begin, with blanks between
// perhaps, or -1.
func findDigits(b []byte) int {
	const digits = "63430300"
	for at := 0; ; at++ {
		i := bytes.IndexByte(b[at:], digits[0])
		if i < 0 {
			return -1
		}
		at += i
		found, end := 0, at
		for ; end < len(b) && found < len(digits); end++ {
			if b[end] == digits[found] {
				found++
			} else if b[end] != ' ' || found%2 != 0 {
				break
			}
		}
		if found == len(digits) {
			return at
		}
	}
}

// hexLine returns the bytes of hexadecimal digits with white space between, or
// nil if there is anything else.
func hexLine(b []byte) []byte {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, len(b)/2)
	half, value := false, 0
	for _, c := range b {
		if c >= 'A' && c <= 'F' {
			c += 'a' - 'A'
		}

		digit := strings.IndexByte(digits, c)
		switch {
		case digit < 0 && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			continue
		case digit < 0:
			return nil
		case half:
			out = append(out, byte(value<<4|digit))
		default:
			value = digit
		}
		half = !half
	}

	if len(out) == 0 {
		return nil
	}
	return out
}
