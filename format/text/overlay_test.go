package text

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
)

// TestOverlaysAreToldApartByArguments decodes records of sections that take turns in
// the same memory: each is shown by the string that its arguments fit, and where
// several do, that is told.
func TestOverlaysAreToldApartByArguments(t *testing.T) {
	d, err := dict.ReadCSV(strings.NewReader("addr,text\n0x1000,temp %d\n0x1000,state %s\n0x2000,first %d\n0x2000,second %i\n0x2000,third %s\n0x3000,plain\n"))
	if err != nil {
		t.Fatal(err)
	}
	b := logOf(t, 3, record1(0x1000, format.ArgI32(21)), record1(0x1000, format.ArgString("idle")), record1(0x3000), record1(0x2000, format.ArgI32(5)))

	line, err := ParseLine("{fmt}: {text}", false)
	if err != nil {
		t.Fatal(err)
	}
	got, report := decode(t, Config{Dictionaries: []Dictionary{d}, Line: line}, b)
	const want = "temp %d: temp 21\nstate %s: state idle\nplain: plain\nfirst %d: first 5\n"
	if got != want || report.Overlaid != 1 || report.Lost() || report.Misfits != 0 {
		t.Errorf("got %q, report %+v, want %q and 1 record of overlays", got, report, want)
	}
	var told strings.Builder
	if err := report.Write(&told, "log"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(told.String(), "log: 1 record fits several strings at its address, which overlays") {
		t.Errorf("told %q, want it to say \"log: 1 record fits several strings at its address, which overlays\"", told.String())
	}

	rows, _ := decode(t, Config{Dictionaries: []Dictionary{d}, JSON: true}, b)
	for i, row := range strings.Split(strings.TrimSpace(rows), "\n") {
		var r struct {
			Others []string `json:"other_fmts"`
		}
		if err := json.Unmarshal([]byte(row), &r); err != nil {
			t.Fatal(err)
		}
		if i == 3 && (len(r.Others) != 1 || r.Others[0] != "second %i") || i < 3 && r.Others != nil {
			t.Errorf("row %d: got other formats %q, want [\"second %%i\"] in row 3 and none before: %s", i, r.Others, row)
		}
	}
	if again, _ := decode(t, Config{Dictionaries: []Dictionary{d}, Line: line}, []byte(rows)); again != want {
		t.Errorf("from rows %q, want %q", again, want)
	}

	// A pattern is looked for in the text that is shown, and counts go to its format.
	decoder, err := NewDecoder(Config{Dictionaries: []Dictionary{d}, Line: line, Filter: Filter{Grep: regexp.MustCompile("state")}})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if _, err := decoder.Decode(t.Context(), "log", strings.NewReader(string(b)), &out); err != nil || out.String() != "state %s: state idle\n" {
		t.Errorf("with a pattern: got %q, error %v; want %q", out.String(), err, "state %s: state idle\n")
	}
	var table strings.Builder
	if err := decoder.Stats().WriteTable(&table); err != nil || !strings.Contains(table.String(), "state %s") || strings.Contains(table.String(), "temp") {
		t.Errorf("got table %q, error %v; want \"state %%s\" and no \"temp\" in it", table.String(), err)
	}
}
