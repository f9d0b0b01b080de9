package text

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/ulogkit/ulogkit/format"
)

// TestRowForms decodes rows however another program has written them.
func TestRowForms(t *testing.T) {
	d := dictionaryOf(t, map[uint32]string{0x1000: "n %d"})
	rows, _ := decode(t, Config{JSON: true, Dictionaries: []Dictionary{d}}, timedLog(t, 2010, 1, 2))
	lines := strings.Split(strings.TrimSpace(rows), "\n")
	var pretty bytes.Buffer
	for _, l := range lines {
		if err := json.Indent(&pretty, []byte(l), "", "  "); err != nil {
			t.Fatal(err)
		}
		pretty.WriteByte('\n')
	}
	wide := func(high, low int, s string) (b []byte) {
		for _, unit := range utf16.Encode([]rune(s)) {
			pair := [2]byte{}
			pair[high], pair[low] = byte(unit>>8), byte(unit)
			b = append(b, pair[:]...)
		}
		return b
	}
	line, err := ParseLine("{text}", false)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"as written":     []byte(rows),
		"mark":           []byte("\ufeff" + rows),
		"blank lines":    []byte("\n \n" + strings.Join(lines, "\n\n\n")),
		"tab":            []byte("\t" + rows),
		"CRLF":           []byte(strings.ReplaceAll(rows, "\n", "\r\n")),
		"over lines":     pretty.Bytes(),
		"array":          []byte("[\n" + strings.Join(lines, ",\n") + "\n]\n"),
		"UTF-16, little": wide(1, 0, "\ufeff"+rows),
		"UTF-16, big":    wide(0, 1, "\ufeff"+rows),
		"UTF-16, bare":   wide(1, 0, rows),
		"UTF-16, array":  wide(1, 0, "\ufeff["+strings.Join(lines, ",")+"]"),
	} {
		for _, parallel := range []int{1, 4} {
			cfg := Config{Line: line, Dictionaries: []Dictionary{d}, Parallel: parallel}
			got, report, err := tryDecode(t, cfg, bytes.NewReader(b))
			if err != nil || got != "n 1\nn 2\n" || report.Lost() {
				t.Errorf("%s: got %q, error %v, report %+v", name, got, err, report)
			}
			if got, _, err := tryDecode(t, cfg, iotest.OneByteReader(bytes.NewReader(b))); name != "UTF-16, bare" && (err != nil || got != "n 1\nn 2\n") {
				t.Errorf("%s, byte by byte: got %q, error %v", name, got, err)
			}
		}
	}
	if _, _, err := tryDecode(t, Config{Line: line}, strings.NewReader("[{\"v\":1,}]")); err == nil {
		t.Error("an array that is no JSON gives no error")
	}
}

// TestModuleLevels shows single modules from another level on.
func TestModuleLevels(t *testing.T) {
	d := dictionaryOf(t, map[uint32]string{0x1000: "x"})
	d.SetModules(map[uint8]string{1: "NET"})
	var records []format.Record
	for module := range uint8(3) {
		for level := format.LevelDebug; level <= format.LevelCritical; level++ {
			records = append(records, format.Record{Module: module, Level: level, FmtAddr: 0x1000})
		}
	}
	line, err := ParseLine("{module}{level}", false)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := decode(t, Config{
		Line: line, Dictionaries: []Dictionary{d},
		Filter: Filter{Levels: LevelsFrom(format.LevelError), ModuleLevels: map[string]uint8{"net": LevelsFrom(format.LevelDebug), "2": LevelsFrom(format.LevelCritical)}},
	}, logOf(t, 3, records...))
	want := "0error\n0critical\nNETdebug\nNETinfo\nNETwarning\nNETerror\nNETcritical\n2critical\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSteersNoTerminal shows nothing that could steer a terminal.
func TestSteersNoTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"a\tb":               "a\tb",
		"a\nb\r":             `a\nb\r`,
		"\x1b[31m":           `\x1b[31m`,
		"\x9b31m":            `\x9b31m`,
		"\u009b31m":          `\u009b31m`,
		"\u202eabc":          `\u202eabc`,
		"\u2066\u2069":       `\u2066\u2069`,
		"\u2028\u2029":       `\u2028\u2029`,
		"\ufeff":             `\ufeff`,
		"\U000e0001":         `\U000e0001`,
		"h\u00e9llo \u00b0C": "h\u00e9llo \u00b0C",
		"\u65e5\u672c":       "\u65e5\u672c",
	} {
		if got := Printable(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}

// TestForTerminal leaves out what formats bring for a terminal.
func TestForTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                         "plain",
		"line\r\n":                      "line",
		"a\nb\n":                        "a\nb",
		"\x1b[1;31merror\x1b[0m\n":      "error",
		"\x1b[0;32mI (%s) x\x1b[0m":     "I (%s) x",
		"\x1b]0;title\a \x1b[2J \x1b[3": "\x1b]0;title\a \x1b[2J \x1b[3",
	} {
		if got := forTerminal([]byte(in)); string(got) != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
