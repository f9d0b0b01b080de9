package text

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/ulogkit/ulogkit/format"
)

// TestRowsAreReadInEveryForm decodes rows however another program has written them (case
// rows-bom-blank-pretty).
func TestRowsAreReadInEveryForm(t *testing.T) {
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
				t.Errorf("%s, parallel %d: got %q, error %v, report %+v; want %q, no error, nothing lost", name, parallel, got, err, report, "n 1\nn 2\n")
			}
			if got, _, err := tryDecode(t, cfg, iotest.OneByteReader(bytes.NewReader(b))); name != "UTF-16, bare" && (err != nil || got != "n 1\nn 2\n") {
				t.Errorf("%s, parallel %d, byte by byte: got %q, error %v; want %q", name, parallel, got, err, "n 1\nn 2\n")
			}
		}
	}

	if _, _, err := tryDecode(t, Config{Line: line}, strings.NewReader("[{\"v\":1,}]")); err == nil {
		t.Error("got no error for an array that is no JSON, want one")
	}
}

// TestModulesHaveLevelsOfTheirOwn shows single modules from another level on.
func TestModulesHaveLevelsOfTheirOwn(t *testing.T) {
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

// TestPrintableTextSteersNoTerminal shows nothing that could steer a terminal (cases
// terminal-injection and decode-bidi-and-module-names).
func TestPrintableTextSteersNoTerminal(t *testing.T) {
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

// TestTerminalCodesOfFormatsAreLeftOut leaves out what formats bring for a terminal.
func TestTerminalCodesOfFormatsAreLeftOut(t *testing.T) {
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

// What only looks like rows is given as it is: every byte of damaged logs must be
// accounted for.
func TestWhatOnlyLooksLikeRowsIsPassedOn(t *testing.T) {
	for _, in := range []string{
		"\xff\xfe\x01\x02\x03", "\xfe\xff", "{\x00\x01\x02", "\x00{\x05\x06\x07", "{\x03\n]\nabc", " \ufeff [1,\x00", "[\x01", "\ufeff{\x00 ]\nx",
		"\xff\xfe" + strings.Repeat("\x01\x02", 50_000), "[" + strings.Repeat("\x03", 100_000),
	} {
		for _, chunk := range []int{1, 7, 1 << 20} {
			got, err := io.ReadAll(&rowSource{r: &slowly{strings.NewReader(in), chunk}})
			if err != nil || string(got) != in && strings.TrimLeft(strings.TrimPrefix(in, "\ufeff"), " \t\r\n") != string(got) {
				t.Errorf("%.20q by %d: got %d bytes, %.20q, error %v; want it as it is", in, chunk, len(got), got, err)
			}
		}
	}
}

// slowly gives so many bytes at a time.
type slowly struct {
	r     io.Reader
	chunk int
}

func (s *slowly) Read(b []byte) (int, error) { return s.r.Read(b[:min(len(b), s.chunk)]) }

// Whatever bytes rows are made of, reading ends, and gives no more than a small
// multiple of them.
func FuzzRowSource(f *testing.F) {
	for _, s := range []string{"{\"v\":1}\n", "[{\"v\":1},{}]", "\xff\xfe{\x00}\x00", "\xfe\xff\x00{\x00}", "\ufeff {\n\"a\":1\n}", "[", "{\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4<<10 {
			return
		}
		got, _ := io.ReadAll(&rowSource{r: bytes.NewReader(b)})
		if len(got) > 4*len(b)+16 {
			t.Fatalf("got %d bytes of %d, want at most four times as many and 16", len(got), len(b))
		}
	})
}
