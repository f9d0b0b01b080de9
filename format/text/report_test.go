package text

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// numbered is a version 1 log with these sequence numbers.
func numbered(t testing.TB, numbers ...uint16) []byte {
	var records []format.Record
	for _, n := range numbers {
		r := record1(0x1000)
		r.Sequence = n
		records = append(records, r)
	}
	return logOf(t, 1, records...)
}

func TestReportTellsWhatIsLost(t *testing.T) {
	good := logOf(t, 3, record1(0x1000), record1(0x1000), record1(0x1000))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-1] ^= 0xff // the number of arguments of the last record
	changed := bytes.Clone(good)
	changed[26] ^= 1 // a bit of the first record's address
	newer := append([]byte{9}, make([]byte, 24)...)
	tests := []struct {
		name  string
		parts [][]byte
		lost  bool
		want  string
	}{
		{"good", [][]byte{good, good}, false, ""},
		{"empty", nil, false, ""},
		{"wrap", [][]byte{numbered(t, 65534, 65535, 0, 1)}, false, ""},
		{"gap", [][]byte{numbered(t, 1, 2, 5), numbered(t, 6, 9)}, true, "" +
			"x: frames lost before byte 33: 2; the sequence goes from 2 to 5\n" +
			"x: frames lost before byte 66: 2; the sequence goes from 6 to 9\n"},
		{"gap across the wrap", [][]byte{numbered(t, 65534, 2)}, true, "x: frames lost before byte 23: 3; the sequence goes from 65534 to 2\n"},
		{"restart", [][]byte{numbered(t, 700, 701), numbered(t, 0, 1)}, false, "x: the device restarted or repeated frames once\n"},
		{"restart after many", [][]byte{numbered(t, 40_000, 40_001), numbered(t, 0, 1)}, false, "x: the device restarted or repeated frames once\n"},
		{"sent twice", [][]byte{numbered(t, 7, 8), numbered(t, 7, 8, 9)}, false, "x: the device restarted or repeated frames once\n"},
		{"header alone", [][]byte{good, good[:17]}, true, "x: bytes 53 to 70 are damaged: log_v3.data at offset 17: ends too early\n"},
		{
			"cut",
			[][]byte{good, good[:40]},
			true,
			"x: bytes 53 to 93 are damaged: log_v3.data at offset 17: ends too early; records in them that may be right: 1 (--damaged shows them)\n",
		},
		{"junk between", [][]byte{good, []byte("junk"), good}, true, "x: bytes 53 to 57 are damaged: log.version at offset 0: unknown header version 106 (known are 1, 3 and 4)\n"},
		{"newer agent", [][]byte{newer}, true, "x: bytes 0 to 25 are damaged: log.version at offset 0: unknown header version 9 (known are 1, 3 and 4)\n"},
		{"flipped", [][]byte{changed, good}, true, "x: bytes 0 to 53 are damaged: at offset 15: log_v3.header.checksum: checksum mismatch"},
		{"dropped", [][]byte{logOf(t, 3, record1(0x1000, format.ArgDropped()))}, true, "x: 1 string was too long for the device to keep\n"},
		{"damage", [][]byte{flipped, good, flipped}, true, "x: bytes 106 to 159 are damaged: "},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, report := decode(t, Config{}, slices.Concat(tt.parts...))
			var b strings.Builder
			if err := report.Write(&b, "x"); err != nil {
				t.Fatal(err)
			}
			if report.Lost() != tt.lost || !strings.Contains(b.String(), tt.want) || tt.want == "" && b.Len() > 0 {
				t.Errorf("lost %v, report is\n%swant\n%s", report.Lost(), b.String(), tt.want)
			}
			if int64(strings.Count(out, "\n")) != report.Shown || report.Bytes != int64(len(slices.Concat(tt.parts...))) {
				t.Errorf("got %d records shown and %d bytes, want those of the lines and of the input:\n%s", report.Shown, report.Bytes, out)
			}
		})
	}
}

// TestDamagedRecordsAreShownOnRequest shows the records of a damaged log on request,
// marked in JSON, and still reports the damage.
func TestDamagedRecordsAreShownOnRequest(t *testing.T) {
	b := logOf(t, 3, record1(0x1000), record1(0x1000), record1(0x1000))
	b[15] ^= 1 // the checksum
	out, report := decode(t, Config{}, b)
	if out != "" || report.DamagedCount != 1 || report.Damages[0].Records != 3 {
		t.Errorf("got output %q, report %+v; want none, DamagedCount 1 and Records 3", out, report)
	}
	out, report = decode(t, Config{Damaged: true, JSON: true}, b)
	if strings.Count(out, `"damaged":true`) != 3 || report.DamagedCount != 1 || report.Damages[0].Records != 0 || !report.Lost() {
		t.Errorf("got output %q, report %+v; want 3 damaged rows, DamagedCount 1, its Records 0, Lost", out, report)
	}
	if out, _ = decode(t, Config{Damaged: true}, b); strings.Count(out, " (damaged) 0x00001000\n") != 3 {
		t.Errorf("got output %q, want 3 lines that end in %q", out, " (damaged) 0x00001000\n")
	}
}

// TestMisfitsAreCounted has a record among good ones whose argument is another.
func TestMisfitsAreCounted(t *testing.T) {
	d := dictionaryOf(t, map[uint32]string{0x1000: "number %d of %d", 0x1100: "word %s"})
	one, big, s := format.ArgI32(1), format.ArgI32(1<<20), format.ArgString("s")
	b := logOf(t, 3, record1(0x1000, one, one), record1(0x1000, one, s), record1(0x1000, big, one), record1(0x1000, one), record1(0x1100, s), record1(0x1100, one), record1(0x1100, s))
	if _, report := decode(t, Config{Dictionaries: []Dictionary{d}, Force: true}, b); report.Misfits != 3 {
		t.Errorf("report %+v, want Misfits 3", report)
	}
}

// TestLaterGapsAreSummedUp lists the first ones and sums up the others.
func TestLaterGapsAreSummedUp(t *testing.T) {
	var numbers []uint16
	for i := range 100 {
		numbers = append(numbers, uint16(3*i))
	}
	_, report := decode(t, Config{}, numbered(t, numbers...))
	var b strings.Builder
	if err := report.Write(&b, "x"); err != nil {
		t.Fatal(err)
	}
	if report.LostFrames != 198 || len(report.Gaps) != maxListed || !strings.HasSuffix(b.String(), "\nx: frames lost in later gaps: 158\n") {
		t.Errorf("got %d frames lost, %d gaps and the report below; want 198, %d, and 158 frames lost in later gaps at its end:\n%s",
			report.LostFrames, len(report.Gaps), maxListed, b.String())
	}
}

func TestStatsSumUpStatementsAndModules(t *testing.T) {
	d := dictionaryOf(t, map[uint32]string{0x1000: "often %d", 0x1100: "once\t%s"})
	var records []format.Record
	for i := range 9 {
		r := record1(0x1000, format.ArgI32(int32(i)))
		r.Module = uint8(i % 2)
		records = append(records, r)
	}
	records = append(records, record1(0x1100, format.ArgString("s")), record1(0x9000))
	for _, parallel := range []int{1, 2} {
		decoder, err := NewDecoder(Config{Dictionaries: []Dictionary{d}, Quiet: true, Parallel: parallel, Force: true})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		for range 2 { // two files are summed up
			if _, err := decoder.Decode(t.Context(), "x", bytes.NewReader(logOf(t, 3, records...)), &out); err != nil {
				t.Fatal(err)
			}
		}
		if out.Len() > 0 {
			t.Errorf("got records written, want none:\n%s", out.String())
		}
		if err := decoder.Stats().WriteTable(&out); err != nil {
			t.Fatal(err)
		}
		if err := decoder.Stats().WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
		want := `  records  bytes    share     address  format
       18    252   79.7 %  0x00001000  often %d
        2     40   12.7 %  0x00001100  once\t%s
        2     24    7.6 %  0x00009000  
       22    316  100.0 %              all

    204  64.6 %    module MAIN
    112  35.4 %    module SENSOR
{"v":1,"kind":"statement","fmt_addr":4096,"fmt":"often %d","records":18,"bytes":252,"levels":{"info":18}}
{"v":1,"kind":"statement","fmt_addr":4352,"fmt":"once\t%s","records":2,"bytes":40,"levels":{"info":2}}
{"v":1,"kind":"statement","fmt_addr":36864,"fmt":null,"records":2,"bytes":24,"levels":{"info":2}}
{"v":1,"kind":"module","module":0,"module_name":"MAIN","bytes":204}
{"v":1,"kind":"module","module":1,"module_name":"SENSOR","bytes":112}
{"v":1,"kind":"total","records":22,"bytes":316}
`
		if out.String() != want {
			t.Errorf("parallel %d:\n%swant\n%s", parallel, out.String(), want)
		}
	}
}

// TestStatsKeepBuildsApart sums up two builds that use the same addresses and module
// numbers for other things.
func TestStatsKeepBuildsApart(t *testing.T) {
	a, b, file, _ := builds(t)
	want := []string{
		`"fmt":"of a: %d","records":6020,`, `"fmt":"opened","records":6022,`, `"fmt":"battery","records":40,`,
		`"fmt":"of b: %d","records":20,`, `"fmt":"of both","records":22,`,
		`"module":0,"module_name":"MAIN","bytes":156568}`, `"module":0,"module_name":"CORE","bytes":920}`,
	}

	for _, parallel := range []int{1, 4} {
		decoder, err := NewDecoder(Config{Dictionaries: []Dictionary{a, b}, Quiet: true, Parallel: parallel})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decoder.Decode(t.Context(), "x", bytes.NewReader(file), nil); err != nil {
			t.Fatal(err)
		}

		var out strings.Builder
		if err := decoder.Stats().WriteJSON(&out); err != nil {
			t.Fatal(err)
		}

		for _, s := range want {
			if strings.Count(out.String(), s) != 1 {
				t.Errorf("parallel %d: got %d times %s, want it once in:\n%s", parallel, strings.Count(out.String(), s), s, out.String())
			}
		}

		out.Reset()
		if err := decoder.Stats().WriteTable(&out); err != nil {
			t.Fatal(err)
		}
		if strings.Count(out.String(), "\n") != 10 || !strings.Contains(out.String(), "  module CORE\n") || !strings.Contains(out.String(), "  module MAIN\n") {
			t.Errorf("parallel %d: got the table below, want 10 lines, and the modules CORE and MAIN at the end of two:\n%s", parallel, out.String())
		}
	}
}

// TestStatsOfManyAddressesStayBounded has more format addresses than are remembered.
func TestStatsOfManyAddressesStayBounded(t *testing.T) {
	decoder, err := NewDecoder(Config{Quiet: true})
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	const total = maxStatements + 5000
	for at := 0; at < total; at += 1000 {
		var records []format.Record
		for i := range 1000 {
			records = append(records, record1(uint32(at+i)*4))
		}
		b = append(b, logOf(t, 3, records...)...)
	}
	if _, err := decoder.Decode(t.Context(), "x", bytes.NewReader(b), nil); err != nil {
		t.Fatal(err)
	}
	records, _, _ := decoder.Stats().sum()
	if records < total || len(decoder.Stats().rows) > maxStatements {
		t.Errorf("got %d records in %d rows, want at least %d in at most %d", records, len(decoder.Stats().rows), total, maxStatements)
	}
}
