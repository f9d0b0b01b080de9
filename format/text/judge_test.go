package text

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
)

// build is a firmware with statements one after the other. A changed build has
// one string that is longer, so that what follows is elsewhere.
func build(t testing.TB, statements int, changed string) (*dict.Dictionary, []byte) {
	texts := map[uint32]string{}
	addr := uint32(0x0800_1000)
	var records []format.Record
	for i := range statements {
		s := fmt.Sprintf("statement number %d says %%d and %%s", i)
		if i == statements/4 {
			s += changed
		}
		texts[addr] = s
		records = append(records, record1(addr, format.ArgI32(int32(i)), format.ArgString("x")))
		addr += uint32(len(s)) + 1
	}
	return dictionaryOf(t, texts), logOf(t, 3, records...)
}

func TestWrongDictionary(t *testing.T) {
	for _, n := range []int{1, 2, 5, 40} {
		right, b := build(t, n, "")
		other, _ := build(t, n, " now")
		if _, _, err := tryDecode(t, Config{Dictionaries: []Dictionary{right}}, bytes.NewReader(b)); err != nil {
			t.Errorf("%d statements: %v", n, err)
		}
		if n < 5 {
			continue // before the change all builds are the same
		}
		out, report, err := tryDecode(t, Config{Dictionaries: []Dictionary{other}}, bytes.NewReader(b))
		wrong := (*WrongDictionaryError)(nil)
		if !errors.Is(err, ErrWrongDictionary) || !errors.As(err, &wrong) || out != "" || report.Shown != 0 {
			t.Errorf("%d statements: error %v, %d records shown", n, err, report.Shown)
			continue
		}
		if wrong.Addresses != n || wrong.Bad+wrong.Inside < n/2 || len(wrong.Evidence) == 0 || len(wrong.Evidence) > maxEvidence {
			t.Errorf("%d statements: %+v", n, wrong)
		}
		// With both at hand the right one is taken, and on request any.
		out, _ = decode(t, Config{Dictionaries: []Dictionary{other, right}}, b)
		if want := fmt.Sprintf("statement number %d says %d and x\n", n-1, n-1); !strings.HasSuffix(out, want) {
			t.Errorf("%d statements: output ends in %q", n, out[max(0, len(out)-60):])
		}
		if _, report := decode(t, Config{Dictionaries: []Dictionary{other}, Force: true}, b); report.Shown != int64(n) || report.Unknown+report.Misfits == 0 && n > 5 {
			t.Errorf("%d statements: forced report %+v", n, report)
		}
	}
}

// TestEvidence names what speaks against a dictionary.
func TestEvidence(t *testing.T) {
	d := dictionaryOf(t, map[uint32]string{0x1000: "takes %d", 0x1100: "prefix suffix"})
	b := logOf(t, 3, record1(0x1000, format.ArgString("x")), record1(0x1000), record1(0x1107), record1(0x9000))
	_, _, err := tryDecode(t, Config{Dictionaries: []Dictionary{d}}, bytes.NewReader(b))
	want := `the firmware file is not the one of this log: of 3 format addresses in its first records 2 have no string that fits, 1 lie inside of one:
  0x00001000: "takes %d" does not take the recorded string
  0x00009000: no string is there
  0x00001107: "suffix" is the end of a longer string`
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
}

// TestVectorsFit holds the right dictionary to pass with everything that real
// agents do, and the other agent's to fail.
func TestVectorsFit(t *testing.T) {
	agents := []string{"agent-1.0.2", "agent-1.2.2"}
	for i, agent := range agents {
		b := vectorLog(t, agent)
		if _, _, err := tryDecode(t, Config{Dictionaries: []Dictionary{vectorDictionary(t, agent)}}, bytes.NewReader(b)); err != nil {
			t.Errorf("%s: %v", agent, err)
		}
		_, _, err := tryDecode(t, Config{Dictionaries: []Dictionary{vectorDictionary(t, agents[1-i])}}, bytes.NewReader(b))
		if !errors.Is(err, ErrWrongDictionary) {
			t.Errorf("%s with the other firmware: %v", agent, err)
		}
	}
}

// TestJudgeNoise holds one address that damage has left to not condemn a
// dictionary.
func TestJudgeNoise(t *testing.T) {
	right, b := build(t, 40, "")
	b = append(b, logOf(t, 3, record1(0x1234))...)
	_, report, err := tryDecode(t, Config{Dictionaries: []Dictionary{right}}, bytes.NewReader(b))
	if err != nil || report.Unknown != 1 {
		t.Errorf("error %v, report %+v", err, report)
	}
}

// TestReload has a new build appear while the device still runs the old one,
// which it then updates to.
func TestReload(t *testing.T) {
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
			t.Errorf("parallel %d: error %v, report %+v, output %s", parallel, err, report, out)
		}
	}
}

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

// TestUpdate decodes a file that two builds have written.
func TestUpdate(t *testing.T) {
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
	// The build that is missing has records that are lost.
	_, report := decode(t, Config{Dictionaries: []Dictionary{a}}, file)
	if !report.Lost() || report.Unknown != 20 {
		t.Errorf("with one of two builds: report %+v", report)
	}
}

// TestUpdateRows decodes rows of two builds, of which each is by itself.
func TestUpdateRows(t *testing.T) {
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
			t.Errorf("in pieces of %d: error %v, report %+v, output %s", size, err, report, got)
		}
	}
}

// TestUndecided has a device of which no record tells which build it runs. Its
// logs are held back for a while, and then those of the first.
func TestUndecided(t *testing.T) {
	a, b, _, _ := builds(t)
	log := logOf(t, 3, record1(0x1000))
	for _, logs := range []int{1, lenUndecided / len(log), 2 * lenUndecided / len(log)} {
		out, report, err := tryDecode(t, Config{Dictionaries: []Dictionary{a, b}}, &slowReader{b: bytes.Repeat(log, logs), n: len(log)})
		if err != nil || report.Lost() || strings.Count(out, "opened\n") != logs {
			t.Errorf("%d logs: error %v, report %+v", logs, err, report)
		}
	}
	// What reads the same is not held back.
	r, w := io.Pipe()
	d, err := NewDecoder(Config{Dictionaries: []Dictionary{a, a}})
	if err != nil {
		t.Fatal(err)
	}
	lines, out := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := d.Decode(t.Context(), "x", r, out)
		done <- err
	}()
	if _, err := w.Write(log); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(lines).ReadString('\n'); err != nil || !strings.HasSuffix(line, "opened\n") {
		t.Errorf("line is %q, error %v", line, err)
	}
	w.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestVerdictInPieces refuses and accepts files however they are read: evidence
// is waited for as long as it may change the verdict.
func TestVerdictInPieces(t *testing.T) {
	right, good := build(t, 40, "")
	other, _ := build(t, 40, " now")
	noise := logOf(t, 3, record1(0x1234))
	one := logOf(t, 3, record1(0x0800_1000, format.ArgI32(0), format.ArgString("x")))
	tests := []struct {
		name string
		d    Dictionary
		file []byte
		want string
	}{
		{"right", right, good, ""},
		{"noise at first", right, slices.Concat(noise, good), ""},
		{"noise later", right, slices.Concat(one, noise, good), ""},
		{"noise alone", right, noise, "of 1 format addresses in its first records 1 have no string"},
		{"noise before damage", right, slices.Concat(noise, make([]byte, 100), good), "of 1 format addresses in its first records 1 have no string"},
		{"wrong", other, good, "of 40 format addresses"},
		{"wrong after a while", other, slices.Concat(bytes.Repeat(one, 10), good), "of 40 format addresses"},
		{"never settled", right, slices.Concat(bytes.Repeat(noise, 2*lenJudged/len(noise)), good), "of 1 format addresses"},
		{"long right", right, bytes.Repeat(good, 2*lenJudged/len(good)), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, parallel := range []int{1, 2} {
				for _, size := range []int{len(tt.file), 500, 7} {
					cfg := Config{Dictionaries: []Dictionary{tt.d}, Parallel: parallel}
					out, report, err := tryDecode(t, cfg, &slowReader{b: tt.file, n: size})
					if (err != nil) != (tt.want != "") || err != nil && (!errors.Is(err, ErrWrongDictionary) || !strings.Contains(err.Error(), tt.want)) {
						t.Errorf("in pieces of %d, parallel %d: error %v, want %q", size, parallel, err, tt.want)
					}
					if int64(strings.Count(out, "\n")) != report.Shown {
						t.Errorf("in pieces of %d, parallel %d: report %+v of %d lines", size, parallel, report, strings.Count(out, "\n"))
					}
				}
			}
		})
	}
}

// TestVerdictAtOnce refuses a file as soon as more of it cannot change that.
func TestVerdictAtOnce(t *testing.T) {
	right, _ := build(t, 40, "")
	_, wrong := build(t, 40, " now")
	noise := logOf(t, 3, record1(0x1234))
	overlong := bytes.Clone(noise) // its frame does not fit, though its checksum is right
	overlong[len(overlong)-format.FrameHeaderV3Size-format.PayloadHeaderSize] ^= 0x40
	overlong[15] ^= 0x40
	for name, b := range map[string][]byte{"wrong": wrong, "damage": slices.Concat(noise, overlong), "enough": bytes.Repeat(noise, lenJudged/len(noise)+1)} {
		r := io.MultiReader(bytes.NewReader(b), readerFunc(func([]byte) (int, error) {
			t.Errorf("%s: more is read", name)
			return 0, io.EOF
		}))
		if out, _, err := tryDecode(t, Config{Dictionaries: []Dictionary{right}}, r); !errors.Is(err, ErrWrongDictionary) || out != "" {
			t.Errorf("%s: error %v, output %q", name, err, out)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// TestReloadBack keeps the build at hand in play while the device runs it.
func TestReloadBack(t *testing.T) {
	a, b, _, _ := builds(t)
	ofA, ofB := logOf(t, 3, record1(0x1000), record1(0x2000, format.ArgI32(7))), logOf(t, 3, record1(0x1000), record1(0x2800, format.ArgI32(7)))
	reads := 0
	decoder, err := NewDecoder(Config{Dictionaries: []Dictionary{a}, Reload: func() []Dictionary {
		if reads++; reads == 2 {
			return []Dictionary{b}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	report, err := decoder.Decode(t.Context(), "x", &slowReader{b: slices.Concat(ofA, ofA, ofB, ofA), n: len(ofA)}, &out)
	if err != nil || report.Lost() || strings.Count(out.String(), "battery") != 1 || strings.Count(out.String(), "opened") != 3 {
		t.Errorf("error %v, report %+v, output\n%s", err, report, out.String())
	}
}
