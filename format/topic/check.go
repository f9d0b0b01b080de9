package topic

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Check reports what makes s unfit to be one segment of a topic: it is empty, too
// long, not UTF-8, or holds '/', '+', '#', a control character or what Unicode
// calls no character. A device named "#" would otherwise subscribe its gateway to
// what is meant for all others.
func Check(s string) error { return segmentFlaw(s).err() }

// CheckPrefix reports what makes s unfit to stand before topics. Empty is fit;
// anything else ends in '/'.
func CheckPrefix(s string) error { return prefixFlaw(s).err() }

// flaw is what is wrong with a segment or a prefix. It is a value and not an error
// so that Parse can refuse without allocating.
type flaw struct {
	why   why
	value int // length, or the character
	at    int // limit, or the character's offset
}

type why uint8

const (
	fit why = iota
	empty
	tooLong
	notUTF8
	control
	separator
	openEnd
	holdsTopic
)

func (f flaw) err() error {
	if f.why == fit {
		return nil
	}
	return f
}

// Error implements error.
func (f flaw) Error() string {
	switch f.why {
	case empty:
		return "empty"
	case tooLong:
		return fmt.Sprintf("%d bytes long, the limit is %d", f.value, f.at)
	case notUTF8:
		return "not valid UTF-8"
	case control:
		return fmt.Sprintf("character U+%04X at byte %d is not allowed", f.value, f.at)
	case separator:
		return fmt.Sprintf("character %q at byte %d is not allowed in a topic segment", rune(f.value), f.at)
	case openEnd:
		return "does not end in '/'"
	}
	return "holds the beginning of a topic itself"
}

func segmentFlaw[S ~string | ~[]byte](s S) flaw {
	if len(s) == 0 {
		return flaw{why: empty}
	}
	return textFlaw(s, MaxSegment, false)
}

func prefixFlaw[S ~string | ~[]byte](s S) flaw {
	if len(s) == 0 {
		return flaw{}
	}
	if f := textFlaw(s, MaxPrefix, true); f.why != fit {
		return f
	}
	if s[len(s)-1] != '/' {
		return flaw{why: openEnd}
	}
	if _, _, _, ok := findWord(s); ok {
		return flaw{why: holdsTopic}
	}
	return flaw{}
}

// textFlaw finds what MQTT does not allow in a name, or advises against, and,
// unless there may be levels, what separates them.
func textFlaw[S ~string | ~[]byte](s S, limit int, levels bool) flaw {
	if len(s) > limit {
		return flaw{tooLong, len(s), limit}
	}

	var text [MaxPrefix]byte // package utf8 has no functions for both types
	n := copy(text[:], s)
	for i := 0; i < n; {
		r, size := utf8.DecodeRune(text[i:n])
		switch {
		case r == utf8.RuneError && size == 1:
			return flaw{why: notUTF8}
		case unicode.IsControl(r), r == '\uFEFF', r&0xFFFE == 0xFFFE, r >= 0xFDD0 && r <= 0xFDEF:
			return flaw{control, int(r), i}
		case r == '#', r == '+', r == '/' && !levels:
			return flaw{separator, int(r), i}
		}
		i += size
	}
	return flaw{}
}
