package text

import (
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

// How much of a file is judged, in bytes, and how many addresses its refusal lists
// (package choose).
const (
	lenJudged    = 1 << 16
	lenUndecided = 1 << 12
	maxEvidence  = 5
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

func TestWrongDictionaryIsRefused(t *testing.T) {
	for _, n := range []int{1, 2, 5, 40} {
		right, b := build(t, n, "")
		other, _ := build(t, n, " now")
		if _, _, err := tryDecode(t, Config{Dictionaries: []Dictionary{right}}, bytes.NewReader(b)); err != nil {
			t.Errorf("%d statements: got error %v, want none", n, err)
		}
		if n < 5 {
			continue // before the change all builds are the same
		}

		out, report, err := tryDecode(t, Config{Dictionaries: []Dictionary{other}}, bytes.NewReader(b))
		wrong := (*WrongDictionaryError)(nil)
		if !errors.Is(err, ErrWrongDictionary) || !errors.As(err, &wrong) || out != "" || report.Shown != 0 {
			t.Errorf("%d statements: got error %v, output %q, %d records shown; want a WrongDictionaryError, no output, none shown", n, err, out, report.Shown)
			continue
		}

		if wrong.Addresses != n || wrong.Bad+wrong.Inside < n/2 || len(wrong.Evidence) == 0 || len(wrong.Evidence) > maxEvidence {
			t.Errorf("%d statements: got %+v, want %d addresses, at least %d of them bad or inside, and 1 to %d pieces of evidence", n, wrong, n, n/2, maxEvidence)
		}

		// With both at hand the right one is taken, and on request any.
		out, _ = decode(t, Config{Dictionaries: []Dictionary{other, right}}, b)
		if want := fmt.Sprintf("statement number %d says %d and x\n", n-1, n-1); !strings.HasSuffix(out, want) {
			t.Errorf("%d statements: got output that ends in %q, want %q", n, out[max(0, len(out)-60):], want)
		}
		if _, report := decode(t, Config{Dictionaries: []Dictionary{other}, Force: true}, b); report.Shown != int64(n) || report.Unknown+report.Misfits == 0 && n > 5 {
			t.Errorf("%d statements, forced: got report %+v, want %d shown, and some of more than 5 unknown or misfits", n, report, n)
		}
	}
}

// TestRefusalListsTheEvidence names what speaks against a dictionary.
func TestRefusalListsTheEvidence(t *testing.T) {
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
	// An address counts once, as the worst of its records.
	b = logOf(t, 3, record1(0x1107), record1(0x1107, format.ArgI32(1)), record1(0x1107))
	_, _, err = tryDecode(t, Config{Dictionaries: []Dictionary{d}}, bytes.NewReader(b))
	want = `the firmware file is not the one of this log: of 1 format addresses in its first records 1 have no string that fits, 0 lie inside of one:
  0x00001107: "suffix" does not take the recorded i32`
	if err == nil || err.Error() != want {
		t.Errorf("error is\n%v\nwant\n%s", err, want)
	}
}

// TestEvidenceHasEachAddressOnce has each address once, with the build of its log, and the
// same each time.
func TestEvidenceHasEachAddressOnce(t *testing.T) {
	first := dictionaryOf(t, map[uint32]string{0x1000: "one %d", 0x1100: "takes %s"})
	second := dictionaryOf(t, map[uint32]string{0x1040: "two %d", 0x1200: "z"})
	one := format.ArgI32(1)
	bad := []format.Record{record1(0x1100, one), record1(0x1300, one), record1(0x1340, one)}
	file := slices.Concat(
		logOf(t, 3, append(bad, record1(0x1000, one))...), logOf(t, 3, append(bad, record1(0x1040, one))...),
		logOf(t, 3, append(bad, record1(0x1040, one), record1(0x1380))...))
	const want = `the firmware file is not the one of this log: of 6 format addresses in its first records 4 have no string that fits, 0 lie inside of one:
  0x00001100: "takes %s" does not take the recorded i32, in firmware 1 of 2
  0x00001300: no string is there, in firmware 1 of 2
  0x00001340: no string is there, in firmware 1 of 2
  0x00001380: no string is there, in firmware 2 of 2`
	for range 20 {
		_, _, err := tryDecode(t, Config{Dictionaries: []Dictionary{first, second}}, bytes.NewReader(file))
		if err == nil || err.Error() != want {
			t.Fatalf("error is\n%v\nwant\n%s", err, want)
		}
	}
}

// TestVectorsFitOnlyTheirOwnFirmware holds the right dictionary to pass with everything
// that real agents do, and the other agent's to fail.
func TestVectorsFitOnlyTheirOwnFirmware(t *testing.T) {
	agents := []string{"agent-1.0.2", "agent-1.2.2"}
	for i, agent := range agents {
		b := vectorLog(t, agent)
		if _, _, err := tryDecode(t, Config{Dictionaries: []Dictionary{vectorDictionary(t, agent)}}, bytes.NewReader(b)); err != nil {
			t.Errorf("%s with its own dictionary: got error %v, want none", agent, err)
		}
		_, _, err := tryDecode(t, Config{Dictionaries: []Dictionary{vectorDictionary(t, agents[1-i])}}, bytes.NewReader(b))
		if !errors.Is(err, ErrWrongDictionary) {
			t.Errorf("%s with the other firmware: got error %v, want %v", agent, err, ErrWrongDictionary)
		}
	}
}

// TestNoiseCondemnsNoDictionary holds one address that damage has left to not condemn a
// dictionary. The record is lost.
func TestNoiseCondemnsNoDictionary(t *testing.T) {
	right, good := build(t, 40, "")
	for _, tt := range []struct {
		noise            format.Record
		unknown, misfits int64
	}{{record1(0x1234), 1, 0}, {record1(0x0800_1000, format.ArgI32(0), format.ArgString("x"), format.ArgI32(1)), 0, 1}} {
		_, report, err := tryDecode(t, Config{Dictionaries: []Dictionary{right}}, bytes.NewReader(slices.Concat(good, logOf(t, 3, tt.noise))))
		if err != nil || report.Unknown != tt.unknown || report.Misfits != tt.misfits || !report.Lost() {
			t.Errorf("got error %v, report %+v; want no error, Unknown %d, Misfits %d, Lost", err, report, tt.unknown, tt.misfits)
		}
	}
}

// TestVerdictIsTheSameHoweverRead refuses and accepts files however they are read: evidence
// is waited for as long as it may change the verdict.
func TestVerdictIsTheSameHoweverRead(t *testing.T) {
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
						t.Errorf("in pieces of %d, parallel %d: got %d lines, report %+v; want Shown to be that", size, parallel, strings.Count(out, "\n"), report)
					}
				}
			}
		})
	}
}

// TestVerdictComesAsSoonAsCertain refuses a file as soon as more of it cannot change that.
func TestVerdictComesAsSoonAsCertain(t *testing.T) {
	right, _ := build(t, 40, "")
	_, wrong := build(t, 40, " now")
	noise := logOf(t, 3, record1(0x1234))
	overlong := bytes.Clone(noise) // its frame does not fit, though its checksum is right
	overlong[17] ^= 0x40           // len_payload of the frame
	overlong[15] ^= 0x40           // checksum
	for name, b := range map[string][]byte{"wrong": wrong, "damage": slices.Concat(noise, overlong), "enough": bytes.Repeat(noise, lenJudged/len(noise)+1)} {
		r := io.MultiReader(bytes.NewReader(b), readerFunc(func([]byte) (int, error) {
			t.Errorf("%s: got another read, want none after the verdict", name)
			return 0, io.EOF
		}))
		if out, _, err := tryDecode(t, Config{Dictionaries: []Dictionary{right}}, r); !errors.Is(err, ErrWrongDictionary) || out != "" {
			t.Errorf("%s: got error %v, output %q; want %v and none", name, err, out, ErrWrongDictionary)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
