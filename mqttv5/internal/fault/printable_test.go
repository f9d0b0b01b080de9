package fault

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPrintableHarmsNoTerminal(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{" quota exceeded\r\n", "quota exceeded"},
		{"Überlast 世界", "Überlast 世界"},
		{"a\x1b[31m\nb\x7f\u0085\u009bc", "a?[31m?b???c"},
		{"cut \xe4 short \xc3", "cut ? short ?"},
		{"\u202etxt.exe\u2028next", "?txt.exe?next"},
		{strings.Repeat("x", 200), strings.Repeat("x", 200)},
		{strings.Repeat("x", 201), strings.Repeat("x", 200) + "..."},
		{strings.Repeat("x", 199) + "ü", strings.Repeat("x", 199) + "..."},
	} {
		got := Printable(c.in)
		if got != c.want || !utf8.ValidString(got) {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}
