package text

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ulogkit/ulogkit/format"
	"pgregory.net/rapid"
)

func TestLineShowsItsFields(t *testing.T) {
	d := dictionaryOf(t, map[uint32]string{0x1000: "caf\xc3\xa9 %s"})
	cfg := Config{Dictionaries: []Dictionary{d}}
	warn := format.Record{Level: format.LevelWarning, Module: 2, FmtAddr: 0x1000, TickDelta: 49152, Sequence: 7, Args: []format.Arg{format.ArgString("x\x1b[2J\u009b")}}
	v3, v1 := logOf(t, 3, warn), logOf(t, 1, warn)

	for _, tt := range []struct {
		line   string
		colour bool
		log    []byte
		want   string
	}{
		{DefaultLine, false, v3, `    1.500000 warning  BLE      café x\x1b[2J\u009b`},
		{DefaultLine, false, v1, `          #7 warning  BLE      café x\x1b[2J\u009b`},
		{"{level:-9}|{text:3}", true, v3, "\x1b[33mwarning  \x1b[0m|café x\\x1b[2J\\u009b"},
		{"{seconds}s {tick}t {sequence}# {index}", false, v3, "1.500000s 49152t # 0"},
		{"{seconds}s {tick}t {sequence}# {index}", false, v1, "s t 7# 0"},
		{"{file}: {module_number} {addr} [{fmt:9}]{source}", false, v3, "log.bin: 2 0x00001000 [  café %s]"},
		{"{{{module}}}", false, v3, "{BLE}"},
		{"", false, v3, ""},
	} {
		line, err := ParseLine(tt.line, tt.colour)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Line = line
		if out, _ := decode(t, cfg, tt.log); out != tt.want+"\n" {
			t.Errorf("%q gives %q, want %q", tt.line, out, tt.want+"\n")
		}
	}
}

func TestBadLineSaysWhatIsWrong(t *testing.T) {
	for s, want := range map[string]string{
		"{txt}":                       `no field "txt"; there are time, seconds, wall, boot, log, tick, sequence, index, file, level, module, module_number, addr, fmt, source, text`,
		"{text":                       `a brace without its partner; write two for one`,
		"text}":                       `a brace without its partner; write two for one`,
		"{}":                          `no field ""`,
		"{text:x}":                    `width "x" of field "text" is not a number up to 4095`,
		"{time:1e}":                   `width "1e" of field "time" is not a number up to 4095`,
		"{time:-9999999999999999999}": `width "-9999999999999999999" of field "time" is not a number up to 4095`,
	} {
		if _, err := ParseLine(s, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", s, err, want)
		}
	}
	if n := len(Fields()); n != 16 {
		t.Errorf("%d fields, want 16", n)
	}
}

// TestEscapedTextIsOnePrintableLine holds the quick test to the slow one, and what is
// escaped to be one printable line.
func TestEscapedTextIsOnePrintableLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0x1f, ' ', '!', 'a', 0x7e, 0x7f, 0x80, 0xff, '\n'}), 0, 40).Draw(t, "bytes")
		slow := true
		for _, c := range b {
			slow = slow && c >= ' ' && c < 0x7f
		}
		if isPrintable(b) != slow {
			t.Fatalf("%q: got printable %v, want %v", b, !slow, slow)
		}
		s := appendPrintable(nil, b)
		for _, c := range s {
			if c < ' ' || c == 0x7f {
				t.Fatalf("%q: got %q with byte %#x, want none below a space and no 0x7f", b, s, c)
			}
		}
		if slow && string(s) != string(b) {
			t.Fatalf("%q: got %q, want it as it is", b, s)
		}
	})
}

// TestPrintableSeesEachByteAtEachPlace has each byte at each place of a text.
func TestPrintableSeesEachByteAtEachPlace(t *testing.T) {
	for at := range 20 {
		for c := range 256 {
			b := []byte("the quick brown fox!")
			b[at] = byte(c)
			if want := c >= ' ' && c < 0x7f; isPrintable(b) != want {
				t.Errorf("%q: got printable %v, want %v", b, !want, want)
			}
		}
	}
}

// TestJSONStringReadsBackAsItWas holds the strings to encoding/json's reading of them.
func TestJSONStringReadsBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "s")
		quoted := appendJSONString(nil, s)
		var got string
		if err := json.Unmarshal(quoted, &got); err != nil {
			t.Fatalf("%q: got %q and error %v, want JSON", s, quoted, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && got != s || len([]rune(got)) < len([]rune(want)) {
			t.Fatalf("%q: got %q of %d runes, want it as it is, or at least %d runes where it is no UTF-8", s, got, len([]rune(got)), len([]rune(want)))
		}
	})
}

// TestSecondsAreExact holds the decimals to exact arithmetic.
func TestSecondsAreExact(t *testing.T) {
	for _, tt := range []struct {
		tick uint64
		rate uint32
		want string
	}{
		{0, 32768, "0.000000"},
		{1, 32768, "0.000030"},
		{32767, 32768, "0.999969"},
		{1 << 40, 32768, "33554432.000000"},
		{1<<64 - 1, 1, "18446744073709551615.000000"},
		{1<<64 - 1, 1<<32 - 1, "4294967297.000000"},
		{4294967294, 1<<32 - 1, "0.999999"},
	} {
		if got := string(appendSeconds(nil, tt.tick, tt.rate)); got != tt.want {
			t.Errorf("%d of %d Hz: %s, want %s", tt.tick, tt.rate, got, tt.want)
		}
	}
}
