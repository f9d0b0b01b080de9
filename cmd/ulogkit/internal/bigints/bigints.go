// Package bigints writes JSON whose large integers are strings. JSON has integers of any
// size, but programs that read them as doubles, such as jq before 1.7, JavaScript and
// most spreadsheets, round those beyond 2^53 without a word.
package bigints

import (
	"io"
	"math/big"
)

// exact is the largest integer up to which each one is a double.
var exact = new(big.Int).Lsh(big.NewInt(1), 53)

// Writer passes on JSON, however it is cut into writes, and puts quotes around integers
// beyond 2^53. What stands in strings, fractions and numbers with exponents stays as it
// is. A number ends with what follows it, so that the text must not end with one: that
// of an object or array never does.
type Writer struct {
	to       io.Writer
	inString bool
	escaped  bool
	number   []byte // that has begun
	out      []byte
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{to: w} }

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	w.out = w.out[:0]
	for _, c := range p {
		if !w.inString && inNumber(c) {
			w.number = append(w.number, c)
			continue
		}

		w.endNumber()
		w.out = append(w.out, c)
		switch {
		case w.escaped:
			w.escaped = false
		case w.inString && c == '\\':
			w.escaped = true
		case c == '"':
			w.inString = !w.inString
		}
	}

	if _, err := w.to.Write(w.out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// inNumber reports whether a byte outside of strings is part of a number. The e of true
// and false is as well, which does no harm.
func inNumber(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

func (w *Writer) endNumber() {
	if large(w.number) {
		w.out = append(w.out, '"')
		w.out = append(w.out, w.number...)
		w.out = append(w.out, '"')
	} else {
		w.out = append(w.out, w.number...)
	}
	w.number = w.number[:0]
}

func large(number []byte) bool {
	const digits = 16 // of 2^53
	if len(number) < digits {
		return false
	}
	n, ok := new(big.Int).SetString(string(number), 10)
	return ok && n.CmpAbs(exact) > 0
}
