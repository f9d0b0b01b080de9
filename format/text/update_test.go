package text

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"weak"

	"github.com/google/go-cmp/cmp"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
)

// builds are two builds of a firmware, with the file of a device that runs the
// first and is then updated and set back often, and its text. What is "opened"
// in the first is "battery" in the second, at the same address.
func builds(t testing.TB) (a, b *dict.Dictionary, file []byte, text string) {
	a = dictionaryOf(t, map[uint32]string{0x1000: "opened", 0x2000: "of a: %d", 0x3000: "of both"})
	b = dictionaryOf(t, map[uint32]string{0x1000: "battery", 0x2800: "of b: %d", 0x3000: "of both"})
	b.SetModules(map[uint8]string{0: "CORE"})
	either := logOf(t, 3, record1(0x1000), record1(0x3000)) // the logs around it tell
	ofA := logOf(t, 3, record1(0x1000), record1(0x2000, format.ArgI32(7)))
	ofB := logOf(t, 1, record1(0x1000), record1(0x2800, format.ArgI32(7)))
	file = slices.Concat(either, bytes.Repeat(ofA, 6000), either, bytes.Repeat(slices.Concat(ofB, either, ofA), 20))
	const textOfA = "MAIN opened\nMAIN of a: 7\n"
	const eitherOfA, eitherOfB = "MAIN opened\nMAIN of both\n", "CORE battery\nCORE of both\n"
	text = eitherOfA + strings.Repeat(textOfA, 6000) + eitherOfA + strings.Repeat("CORE battery\nCORE of b: 7\n"+eitherOfB+textOfA, 20)
	return a, b, file, text
}

// TestFileOfTwoBuildsIsDecodedByBoth decodes a file that two builds have written.
func TestFileOfTwoBuildsIsDecodedByBoth(t *testing.T) {
	a, b, file, want := builds(t)
	line, err := ParseLine("{module} {text}", false)
	if err != nil {
		t.Fatal(err)
	}

	for _, dicts := range [][]Dictionary{{a, b}, {b, a}} {
		for _, parallel := range []int{1, 4} {
			for _, size := range []int{len(file), 1000, 29} {
				cfg := Config{Dictionaries: dicts, Line: line, Parallel: parallel}
				got, report, err := tryDecode(t, cfg, &slowReader{b: file, n: size})
				if err != nil || report.Lost() || got != want {
					t.Errorf("in pieces of %d, parallel %d: error %v, report %+v, %d bytes of output, want %d", size, parallel, err, report, len(got), len(want))
				}
			}
		}
	}

	rows, report := decode(t, Config{Dictionaries: []Dictionary{a, b}, JSON: true}, file)
	again, reportAgain := decode(t, Config{Dictionaries: []Dictionary{a, b}, JSON: true, Parallel: 4}, file)
	if diff := cmp.Diff(report, reportAgain, wholeReport); rows != again || diff != "" {
		t.Errorf("got %d bytes of JSON by 4 goroutines, want the same %d as by one, and the same report (-one +four):\n%s", len(again), len(rows), diff)
	}

	// The build that is missing has records that are lost.
	_, report = decode(t, Config{Dictionaries: []Dictionary{a}}, file)
	if !report.Lost() || report.Unknown != 20 {
		t.Errorf("with one of two builds: got report %+v, want Lost and Unknown 20", report)
	}
}

// TestRowsOfTwoBuildsAreDecodedByBoth decodes rows of two builds, of which each is by
// itself.
func TestRowsOfTwoBuildsAreDecodedByBoth(t *testing.T) {
	a, b, _, _ := builds(t)
	number := format.ArgI32(7)
	rows, _ := decode(t, Config{JSON: true}, logOf(t, 3, record1(0x1000), record1(0x2800, number), record1(0x1000), record1(0x2000, number), record1(0x1000)))
	const want = "battery of b: 7 battery of a: 7 opened"
	line, err := ParseLine("{text}", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{len(rows), 100, 1} {
		got, report, err := tryDecode(t, Config{Dictionaries: []Dictionary{a, b}, Line: line}, &slowReader{b: []byte(rows), n: size})
		if err != nil || report.Lost() || strings.Join(strings.Split(strings.TrimSpace(got), "\n"), " ") != want {
			t.Errorf("in pieces of %d: got %q, error %v, report %+v; want the lines %q, no error, nothing lost", size, got, err, report, want)
		}
	}
}

// TestUnclearLogIsOfTheBuildBefore has logs that speak equally against two builds: they
// are of that of the log before.
func TestUnclearLogIsOfTheBuildBefore(t *testing.T) {
	a, b, _, _ := builds(t)
	unclear := logOf(t, 3, record1(0x1000), record1(0x9000))
	ofA, ofB := logOf(t, 3, record1(0x2000, format.ArgI32(7))), logOf(t, 3, record1(0x2800, format.ArgI32(7)))
	for _, dicts := range [][]Dictionary{{a, b}, {b, a}} {
		out, report := decode(t, Config{Dictionaries: dicts, Force: true}, slices.Concat(ofA, unclear, ofB, unclear))
		if report.Unknown != 2 || strings.Count(out, "opened") != 1 || strings.Count(out, "battery") != 1 || strings.Index(out, "opened") > strings.Index(out, "battery") {
			t.Errorf("got report %+v, output %q; want Unknown 2, and a line with \"opened\" before one with \"battery\"", report, out)
		}
	}
}

// TestDamagedLogsAreFoundInEachBuild finds the records of each build in damaged logs.
func TestDamagedLogsAreFoundInEachBuild(t *testing.T) {
	a, b, _, _ := builds(t)
	bad := logOf(t, 3, record1(0x1000), record1(0x2800, format.ArgI32(7)), record1(0x2800, format.ArgI32(7)))
	bad[15] ^= 1 // the checksum
	for _, dicts := range [][]Dictionary{{a, b}, {b, a}} {
		_, report := decode(t, Config{Dictionaries: dicts}, bad)
		if report.DamagedCount != 1 || report.Damages[0].Records != 3 {
			t.Errorf("report %+v, want DamagedCount 1 and Records 3", report)
		}
	}
}

// sourced is a dictionary that knows the line of all strings.
type sourced struct {
	*dict.Dictionary
	line int
}

func (s sourced) Source(uint32) (string, int, bool) { return "main.c", s.line, true }

// TestUndecidedLogsWaitForTheirBuild has a device whose first logs do not tell which of
// two builds it runs: they wait for those that do, where that shows.
func TestUndecidedLogsWaitForTheirBuild(t *testing.T) {
	a, b, _, _ := builds(t)
	lineOf := func(s string) *Line {
		line, err := ParseLine(s, false)
		if err != nil {
			t.Fatal(err)
		}
		return line
	}

	sameModules := dictionaryOf(t, map[uint32]string{0x2800: "of b: %d", 0x3000: "of both"})
	either, ofB := logOf(t, 3, record1(0x3000)), logOf(t, 3, record1(0x2800, format.ArgI32(7)))
	tests := []struct {
		name  string
		dicts []Dictionary
		line  string
		want  string
	}{
		{"module", []Dictionary{a, b}, "{module} {text}", "CORE of both\nCORE of b: 7\n"},
		{"source", []Dictionary{sourced{a, 1}, sourced{sameModules, 2}}, "{source} {text}", "main.c:2 of both\nmain.c:2 of b: 7\n"},
	}

	for _, tt := range tests {
		for _, size := range []int{100, 7} {
			got, report, err := tryDecode(t, Config{Dictionaries: tt.dicts, Line: lineOf(tt.line)}, &slowReader{b: slices.Concat(either, ofB), n: size})
			if err != nil || report.Lost() || got != tt.want {
				t.Errorf("%s in pieces of %d: error %v, report %+v, output %q, want %q", tt.name, size, err, report, got, tt.want)
			}
		}
	}
}

// TestUndecidedLogsDoNotWaitForever has a device of which no record tells which build it
// runs. The first is taken, when the input ends, after a while, and at once where
// both show the same.
func TestUndecidedLogsDoNotWaitForever(t *testing.T) {
	a, b, _, _ := builds(t)
	log := logOf(t, 3, record1(0x1000))
	long := bytes.Repeat(log, lenUndecided/len(log)+1)

	for name, tt := range map[string]struct {
		b     []byte
		dicts []Dictionary
		want  int // lines before the end
	}{
		"end":   {log, []Dictionary{a, b}, 0},
		"long":  {long, []Dictionary{a, b}, len(long) / len(log)},
		"alike": {log, []Dictionary{a, a}, 1},
	} {
		decoder, err := NewDecoder(Config{Dictionaries: tt.dicts})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		end := readerFunc(func([]byte) (int, error) {
			if n := bytes.Count(out.Bytes(), []byte("opened\n")); n != tt.want {
				t.Errorf("%s: %d lines before the end, want %d", name, n, tt.want)
			}
			return 0, io.EOF
		})
		if _, err := decoder.Decode(t.Context(), "x", io.MultiReader(bytes.NewReader(tt.b), end), &out); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(out.Bytes(), []byte("opened\n")); n != len(tt.b)/len(log) {
			t.Errorf("%s: got %d lines, want %d, one for each log", name, n, len(tt.b)/len(log))
		}
	}
}

// TestInterruptWritesWhatWaits writes what waits when the reading is interrupted.
func TestInterruptWritesWhatWaits(t *testing.T) {
	a, b, _, _ := builds(t)
	decoder, err := NewDecoder(Config{Dictionaries: []Dictionary{a, b}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := readerFunc(func(b []byte) (int, error) {
		cancel()
		return copy(b, logOf(t, 3, record1(0x1000))), nil
	})
	var out bytes.Buffer
	if _, err := decoder.Decode(ctx, "x", r, &out); !errors.Is(err, context.Canceled) || !strings.HasSuffix(out.String(), "opened\n") {
		t.Errorf("got error %v, output %q; want %v, and \"opened\\n\" at its end", err, out.String(), context.Canceled)
	}
}

// TestReloadTakesANewBuild has a new build appear while the device still runs the old one,
// which it then updates to.
func TestReloadTakesANewBuild(t *testing.T) {
	before, old := build(t, 5, "")
	after, updated := build(t, 5, " now")
	b := slices.Concat(old, old, updated)
	for _, parallel := range []int{1, 2} {
		reads := 0
		cfg := Config{Dictionaries: []Dictionary{before}, Parallel: parallel, Reload: func() []Dictionary {
			if reads++; reads == 2 {
				return []Dictionary{after}
			}
			return nil
		}}
		out, report, err := tryDecode(t, cfg, &slowReader{b: b, n: len(old)})
		if err != nil || report.Shown != 15 || report.Unknown+report.Misfits != 0 || strings.Count(out, " now") != 1 {
			t.Errorf("parallel %d: got error %v, report %+v, output %q; want no error, Shown 15, Unknown and Misfits 0, and \" now\" once", parallel, err, report, out)
		}
	}
}

// TestReloadChoosesAmongOldAndNewBuilds has builds appear beside the old one or in its
// place, for a device whose logs have waited, and then fit several or none.
func TestReloadChoosesAmongOldAndNewBuilds(t *testing.T) {
	a, b, _, _ := builds(t)
	likeA := dictionaryOf(t, map[uint32]string{0x1000: "like a", 0x2000: "of like a: %d"})
	likeB := dictionaryOf(t, map[uint32]string{0x1000: "battery", 0x2800: "of b: %d", 0x3000: "of both"})
	likeB.SetModules(map[uint8]string{0: "CORE"})
	c := dictionaryOf(t, map[uint32]string{0x1000: "of c"})
	ofA, ofB := logOf(t, 3, record1(0x2000, format.ArgI32(1))), logOf(t, 3, record1(0x2800, format.ArgI32(2)))
	either, neither := logOf(t, 3, record1(0x1000)), logOf(t, 3, record1(0x9000))
	line, err := ParseLine("{text}", false)
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name  string
		there [][]Dictionary // at first, and after each part
		parts [][]byte
		want  string
	}{
		{"the old one stays", [][]Dictionary{{a}, nil, {b, a}}, [][]byte{ofA, either}, "of a: 1 opened "},
		{"the old one stays, named first", [][]Dictionary{{a}, nil, {a, b}}, [][]byte{ofA, either}, "of a: 1 opened "},
		{"its file is replaced", [][]Dictionary{{a}, nil, {b}}, [][]byte{ofA, either}, "of a: 1 battery "},
		{"its file is removed", [][]Dictionary{{a}, {a, b}, {b}}, [][]byte{ofA, either}, "of a: 1 opened "},
		{"what is not known to run is removed", [][]Dictionary{{a}, nil, {b, c}, {c}}, [][]byte{ofA, either, either}, "of a: 1 of c of c "},
		{"not what the device does not run", [][]Dictionary{{a}, nil, {b}}, [][]byte{ofA, ofA, either, ofB, either, ofA}, "of a: 1 of a: 1 opened of b: 2 battery of a: 1 "},
		{"replaced twice", [][]Dictionary{{a}, nil, {likeA}, {c}}, [][]byte{ofA, either, either, ofA}, "of a: 1 like a of c of a: 1 "},
		{"replaced often", [][]Dictionary{{a}, nil, {b}, {c}, {b}, {likeA}, {c}}, [][]byte{ofA, either, either, either, either, either, ofA}, "of a: 1 battery of c battery like a of c of a: 1 "},
		{"what waited is of the new one", [][]Dictionary{{a}, nil, {b}}, [][]byte{ofB, either}, "of b: 2 battery "},
		{"neither", [][]Dictionary{{a}, nil, {b}}, [][]byte{ofA, neither, neither, ofB}, "of a: 1 0x00009000 0x00009000 of b: 2 "},
		{"before the first log, which waits", [][]Dictionary{{a}, {a, b}}, [][]byte{either, ofA}, "opened of a: 1 "},
		{"before the first log, of the new one", [][]Dictionary{{a}, {a, b}}, [][]byte{either, ofB}, "battery of b: 2 "},
		{"one of twins is replaced", [][]Dictionary{{b, likeB}, nil, {a}}, [][]byte{either, either, ofB}, "battery opened of b: 2 "},
		{"one of twins is removed, the other replaced twice", [][]Dictionary{{b, likeB}, nil, {b}, {a}, {c}}, [][]byte{either, either, either, either, ofB}, "battery battery opened of c of b: 2 "},
		{"twice before the first log", [][]Dictionary{{a}, {likeA}, {c}}, [][]byte{ofA[:5], ofA[5:], ofA}, "of a: 1 of a: 1 "},
	}

	for _, tt := range tests {
		for _, parallel := range []int{1, 2} {
			reads, cfg := 0, Config{Dictionaries: tt.there[0], Line: line, Parallel: parallel}
			cfg.Reload = func() (dicts []Dictionary) {
				if reads++; reads < len(tt.there) {
					dicts = tt.there[reads]
				}
				return dicts
			}
			var parts []io.Reader
			for _, b := range tt.parts {
				parts = append(parts, bytes.NewReader(b))
			}
			out, _, err := tryDecode(t, cfg, io.MultiReader(parts...))
			if got := strings.ReplaceAll(out, "\n", " "); err != nil || got != tt.want {
				t.Errorf("%s, parallel %d: error %v, output %q, want %q", tt.name, parallel, err, got, tt.want)
			}
		}
	}
}

// TestAmbiguousRecordsAreCountedNotLost counts the records that a build which fits
// their log as well reads differently. Nothing of them is lost.
func TestAmbiguousRecordsAreCountedNotLost(t *testing.T) {
	a, b, _, _ := builds(t)
	otherModules := dictionaryOf(t, map[uint32]string{0x1000: "opened", 0x3000: "of both"})
	otherModules.SetModules(map[uint8]string{0: "CORE"})
	ofA, either := logOf(t, 3, record1(0x1000), record1(0x2000, format.ArgI32(7))), logOf(t, 3, record1(0x1000), record1(0x3000))
	sameModules := dictionaryOf(t, map[uint32]string{0x1000: "opened", 0x3000: "of both"})
	tests := []struct {
		name  string
		dicts []Dictionary
		file  []byte
		want  int64
	}{
		{"one build", []Dictionary{a}, either, 0},
		{"the same twice", []Dictionary{a, a}, either, 0},
		{"in the same words", []Dictionary{a, sameModules}, either, 0},
		{"no log fits both", []Dictionary{a, b}, bytes.Repeat(ofA, 3), 0},
		{"modules", []Dictionary{a, otherModules}, slices.Concat(ofA, either, either), 4},
		{"words", []Dictionary{sameModules, a, dictionaryOf(t, map[uint32]string{0x1000: "x", 0x3000: "of both"})}, either, 1},
		{"in turns", []Dictionary{a, b, sameModules}, slices.Concat(either, ofA, either), 4},
	}

	for _, tt := range tests {
		for _, parallel := range []int{1, 2} {
			for _, size := range []int{len(tt.file), 7} {
				_, report, err := tryDecode(t, Config{Dictionaries: tt.dicts, Parallel: parallel}, &slowReader{b: tt.file, n: size})
				if err != nil || report.Ambiguous != tt.want || report.Lost() {
					t.Errorf("%s, parallel %d, in pieces of %d: error %v, report %+v, want %d", tt.name, parallel, size, err, report, tt.want)
				}
			}
		}
	}

	var told strings.Builder
	report := Report{Ambiguous: 2, Tied: []string{"a.elf", "b\x1b.elf"}}
	want := "x: 2 records read differently in another build that fits as well\nx: builds that fit equally: a.elf, " + Printable("b\x1b.elf") + "\n"
	if err := report.Write(&told, "x"); err != nil || told.String() != want {
		t.Errorf("got %q, error %v; want %q", told.String(), err, want)
	}
}

// TestReloadLetsOldBuildsGo has a new build at every read: those before are let go.
func TestReloadLetsOldBuildsGo(t *testing.T) {
	log := logOf(t, 3, record1(0x1000))
	for _, parallel := range []int{1, 2} {
		var built []weak.Pointer[dict.Dictionary]
		alive := 0
		cfg := Config{Dictionaries: []Dictionary{dictionaryOf(t, map[uint32]string{0x1000: "x"})}, Parallel: parallel}
		cfg.Reload = func() []Dictionary {
			runtime.GC()
			n := 0
			for _, p := range built {
				if p.Value() != nil {
					n++
				}
			}
			alive = max(alive, n)
			d := dictionaryOf(t, map[uint32]string{0x1000: "x"})
			built = append(built, weak.Make(d))
			return []Dictionary{d}
		}

		if _, report, err := tryDecode(t, cfg, &slowReader{b: bytes.Repeat(log, 50), n: len(log)}); err != nil || report.Records != 50 {
			t.Errorf("parallel %d: got error %v, report %+v; want no error and 50 records", parallel, err, report)
		}

		// The judge has two, and each goroutine and each part on its way one.
		if most := 2 + 5*parallel; alive > most {
			t.Errorf("parallel %d: %d dictionaries are kept, want %d at most", parallel, alive, most)
		}
	}
}
