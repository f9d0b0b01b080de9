package fault

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxText = 200 // bytes of Printable's result before the dots

// Printable cuts what a peer says to a length, and to characters that can neither
// harm a terminal or a log nor turn the direction of what follows.
func Printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.TrimSpace(s))
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "..."
	}
	return s
}
