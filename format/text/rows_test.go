package text

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ulogkit/ulogkit/format"
)

// TestRowsReadLikeTheirLog renders records later: decoded without firmware to JSON, and
// that with it, they are what they would have been at once.
func TestRowsReadLikeTheirLog(t *testing.T) {
	mixed, d := mixedFile(t, 5, 40, true)
	files := map[string]struct {
		b    []byte
		dict Dictionary
	}{
		"mixed": {mixed, d},
		"old":   {vectorLog(t, "agent-1.0.2"), vectorDictionary(t, "agent-1.0.2")},
		"new":   {vectorLog(t, "agent-1.2.2"), vectorDictionary(t, "agent-1.2.2")},
	}

	for name, f := range files {
		rows, _ := decode(t, Config{JSON: true}, f.b)
		for _, asJSON := range []bool{false, true} {
			cfg := Config{Dictionaries: []Dictionary{f.dict}, JSON: asJSON, Filter: Filter{Since: 0.001}}
			if name != "new" {
				cfg.Filter = Filter{}
			}

			// What is damaged is found by its looks; without firmware other
			// addresses pass.
			want, _ := decode(t, cfg, f.b)
			if name == "mixed" {
				good, _ := mixedFile(t, 5, 40, false)
				want, _ = decode(t, cfg, good)
				rows, _ = decode(t, Config{JSON: true}, good)
			}

			got, report := decode(t, cfg, []byte(rows))
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s, JSON %v: got other lines of the rows than want, those of the log (-want +got):\n%.2000s", name, asJSON, diff)
			}
			if report.DamagedCount != 0 || report.Bytes != int64(len(rows)) {
				t.Errorf("%s: got report %+v, want DamagedCount 0 and Bytes %d", name, report, len(rows))
			}

			if pieces, _, err := tryDecode(t, cfg, &slowReader{b: []byte(rows), n: 1000}); err != nil || pieces != got {
				t.Errorf("%s, in pieces: got %d bytes, error %v; want the same %d bytes as at once, and no error", name, len(pieces), err, len(got))
			}
		}
	}
}

// TestRowsOfOddRecordsComeBackUnchanged has records that can be read, but that no agent
// makes: their values are too large for their types, or they have too many arguments.
func TestRowsOfOddRecordsComeBackUnchanged(t *testing.T) {
	payload := func(types []byte, values ...byte) []byte {
		return slices.Concat([]byte{0x20, 0, 0x10, 0, 0, byte(len(types))}, types, values)
	}
	var data []byte
	for _, p := range [][]byte{
		payload([]byte{0x28}, 1, 2, 3, 4, 5, 6, 7, 8),                                      // u32
		payload([]byte{0x18}, 1, 2, 3, 4, 5, 6, 7, 8),                                      // i32
		payload([]byte{0x58}, 1, 2, 3, 4, 5, 6, 7, 8),                                      // pointer
		payload([]byte{0x62}, 'a', 'b'),                                                    // char
		payload(bytes.Repeat([]byte{0x11}, 9), bytes.Repeat([]byte{7}, 9)...),              // nine arguments
		payload([]byte{0x14, 0x24, 0x54, 0x64}, append(make([]byte, 15), []byte{0}...)...), // untrimmed, but of its type
	} {
		data = binary.LittleEndian.AppendUint16(data, uint16(len(p)))
		data = append(binary.LittleEndian.AppendUint32(data, 1), p...)
	}

	b, err := new(format.LogBuilder).AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, data...)
	l, _, err := format.ParseLog(b)
	if err != nil {
		t.Fatal(err)
	}

	l.SetLenData(uint16(len(data)))
	if l, _, err = format.ParseLog(b); err != nil {
		t.Fatal(err)
	}
	l.Seal()
	want, report := decode(t, Config{JSON: true}, b)
	if n := strings.Count(want, `"payload_hex":`); report.Records != 6 || n != 5 {
		t.Errorf("got %d records, %d with payload; want 6, 5 with payload:\n%s", report.Records, n, want)
	}

	got, report := decode(t, Config{JSON: true}, []byte(want))
	if got != want || report.Lost() {
		t.Errorf("got report %+v and\n%swant nothing lost and\n%s", report, got, want)
	}
}

// TestRowsOfAnotherFirmwareAreRefused judges rows as it does logs.
func TestRowsOfAnotherFirmwareAreRefused(t *testing.T) {
	rows, _ := decode(t, Config{JSON: true}, vectorLog(t, "agent-1.2.2"))
	first, _, _ := strings.Cut(rows, "\n")
	for _, in := range []string{rows, first} {
		_, _, err := tryDecode(t, Config{Dictionaries: []Dictionary{vectorDictionary(t, "agent-1.0.2")}}, strings.NewReader(in))
		if !errors.Is(err, ErrWrongDictionary) {
			t.Errorf("got error %v, want %v", err, ErrWrongDictionary)
		}
	}
}

func TestBadRowsAreToldAndOthersShown(t *testing.T) {
	good := `{"v":1,"index":7,"sequence":3,"level":"info","module":2,"fmt_addr":4096,"args":[{"type":"i32","value":-5}]}` + "\n"
	tests := []struct{ row, want string }{
		{`{`, "unexpected end of JSON input"},
		{`{}`, "not a record that decode wrote"},
		{`{"v":2,"sequence":1,"level":"info"}`, "not a record that decode wrote"},
		{`{"v":1,"sequence":1,"level":"loud"}`, `not a record that decode wrote: level "loud"`},
		{`{"v":1,"sequence":1,"level":"info","module":32}`, "module"},
		{`{"v":1,"sequence":70000,"level":"info"}`, "sequence"},
		{`{"v":1,"sequence":1,"level":"info","fmt_addr":4294967296}`, "fmt_addr"},
		{`{"v":1,"sequence":1,"level":"info","args":[{"type":"i32","value":1e400}]}`, "argument 1: "},
		{`{"v":1,"sequence":1,"level":"info","args":[{"type":"i32","value":2147483648}]}`, "argument 1: "},
		{`{"v":1,"sequence":1,"level":"info","args":[{"type":"pigs","value":1}]}`, `argument 1: not a record that decode wrote: type "pigs"`},
		{`{"v":1,"sequence":1,"level":"info","args":[{"type":"string","value":5}]}`, "argument 1: "},
		{`{"v":1,"sequence":1,"level":"info","args":[` + strings.Repeat(`{"type":"u32","value":1},`, 8) + `{"type":"u32","value":1}]}`, "9 arguments"},
		{`{"v":1,"sequence":1,"payload_hex":"zz"}`, "invalid byte"},
		{`{"v":1,"sequence":1.5,"level":"info"}`, "sequence"},
		{`{"v":1,"sequence":"one","level":"info"}`, "sequence"},
		{`{"v":1,"tick":1e99999999999999999999,"level":"info"}`, "tick"},
		{`{"v":1,"tick":1e9223372036854775807,"level":"info"}`, "tick"},
		{`{"v":1,"tick":9007199254740994.0,"level":"info"}`, "tick: 9007199254740994.0 was an integer, and is a float too large to tell which"},
		{`{"v":1,"tick":1,` + strings.Repeat(`"tick":1.0,`, 100) + `"level":"info"}`, "tick"},
		{`{"v":1,"sequence":1,"level":"info","args":[{"type":"i64","value":9.223372036854776e+18}]}`, "argument 1: 9.223372036854776e+18 was an integer, and is a float"},
		{`{"v":1,"sequence":1,"level":"info","args":[{"type":"u32","value":0.5}]}`, "argument 1: "},
		{`{"v":1,"sequence":1,"level":"info","args":[{"type":"u32","value":"-"}]}`, "argument 1: "},
		{strings.Repeat(`{"v":`, 20_000), "row 2: "},
	}

	for _, tt := range tests {
		out, report := decode(t, Config{}, []byte(good+tt.row+"\n"+good))
		if want := strings.Repeat("          #3 info     2        0x00001000 <i32 -5>\n", 2); out != want {
			t.Errorf("%.60s: got output %q, want %q", tt.row, out, want)
		}
		if report.DamagedCount != 1 || !strings.Contains(report.Damages[0].Reason, tt.want) || report.Damages[0].Offset != int64(len(good)) {
			t.Errorf("%.60s: got report %+v, want one damage, at %d, whose reason says %q", tt.row, report, len(good), tt.want)
		}
	}
}

// Rows whose integers a program has written as floats, or as strings, are read as they
// were (case rows-bom-blank-pretty, r_f.json).
func TestRowsOfFloatsReadAsIntegers(t *testing.T) {
	const want = `{"v":1,"index":7,"tick":4294967296,"level":"info","module":2,"fmt_addr":134218140,"args":[` +
		`{"type":"i32","value":-1700000000},{"type":"u32","value":4000000000},{"type":"i64","value":-9007199254740992},{"type":"u64","value":9007199254740992},` +
		`{"type":"ptr","value":536870912},{"type":"char","value":120},{"type":"double","value":1700000000},{"type":"i32","value":0}]}`
	shown, report := decode(t, Config{}, []byte(want))
	if report.Lost() || shown == "" {
		t.Fatalf("got %q, report %+v; want a line and nothing lost", shown, report)
	}

	for name, float := range map[string]func(string) string{
		"an exponent": func(s string) string {
			digits := s[:1] + strings.TrimRight(s[1:], "0")
			return digits + "e+" + strconv.Itoa(len(s)-len(digits))
		},
		"with a point": func(s string) string { return s + ".000" },
		"scientific": func(s string) string {
			x, _ := strconv.ParseFloat(s, 64)
			return strconv.FormatFloat(x, 'E', -1, 64)
		},
		"strings": func(s string) string { return strconv.Quote(s) },
	} {
		row := regexp.MustCompile(`:(-?[0-9]+)`).ReplaceAllStringFunc(want, func(s string) string {
			if s == ":1" && name == "strings" {
				return s
			}
			return ":" + float(s[1:])
		})
		if name == "strings" { // never of a double
			row = strings.Replace(row, `"1700000000"`, "1700000000", 1)
		}
		if got, report := decode(t, Config{}, []byte(row)); got != shown || report.Lost() {
			t.Errorf("%s: got %q, want %q; report %+v, row %s", name, got, shown, report, row)
		}
	}
}

// TestEndlessRowIsGivenUpNotCollected has a row without an end, which is given up, not
// collected.
func TestEndlessRowIsGivenUpNotCollected(t *testing.T) {
	const size = 32 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := io.MultiReader(strings.NewReader(`{"v":1,"level":"`), &endless{b: bytes.Repeat([]byte("x"), 4096), n: size})
	_, report, err := tryDecode(t, Config{}, r)
	runtime.ReadMemStats(&after)
	if err != nil || !report.Lost() || report.Bytes < size {
		t.Errorf("got error %v, report %+v; want no error, Lost, Bytes %d or more", err, report, size)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > size {
		t.Errorf("got %d bytes allocated for a row of %d, want no more than it has", used, size)
	}
}

// TestRowsReadTimesOfOtherPrograms reads times that other programs have written, and tells
// those that are none.
func TestRowsReadTimesOfOtherPrograms(t *testing.T) {
	row := func(time string) string {
		return `{"v":1,"kind":"record","index":0,"tick":1,"time":"` + time + `","time_error_us":7,"level":"info","module":1,"fmt_addr":4096,"args":[]}` + "\n"
	}
	for in, want := range map[string]string{
		"2026-11-28T10:30:00.25+01:00": "2026-11-28T09:30:00.250000Z",
		"0001-01-01T00:00:00Z":         "0001-01-01T00:00:00.000000Z",
		"1969-12-31T23:59:59.9Z":       "1969-12-31T23:59:59.900000Z",
		"9999-12-31T23:59:59.999999Z":  "9999-12-31T23:59:59.999999Z",
		"9999-12-31T23:59:59-01:00":    "",
		"43075-03-09T10:16:54.078976Z": "",
		"0000-01-01T00:00:00Z":         "",
		"yesterday":                    "",
	} {
		line, err := ParseLine("{wall}", false)
		if err != nil {
			t.Fatal(err)
		}
		got, report := decode(t, Config{Line: line}, []byte(row(in)))
		if got != want+"\n" || report.Shown != 1 {
			t.Errorf("time %q: got %q, %d records; want %q, 1", in, got, report.Shown, want+"\n")
		}
		var told strings.Builder
		if err := report.Write(&told, "rows"); err != nil {
			t.Fatal(err)
		}
		if (want == "") != strings.Contains(told.String(), in) || report.Lost() {
			t.Errorf("time %q: got the report %q, lost: %v; want the time in it: %v, and nothing lost", in, told.String(), report.Lost(), want == "")
		}
	}
}
