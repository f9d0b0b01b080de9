package text

import (
	"bytes"
	"errors"
	"fmt"
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
		cfg := Config{Dictionaries: []Dictionary{before}, Parallel: parallel, Reload: func() Dictionary {
			if reads++; reads == 2 {
				return after
			}
			return nil
		}}
		out, report, err := tryDecode(t, cfg, &slowReader{b: b, n: len(old)})
		if err != nil || report.Shown != 15 || report.Unknown+report.Misfits != 0 || strings.Count(out, " now") != 1 {
			t.Errorf("parallel %d: error %v, report %+v, output %s", parallel, err, report, out)
		}
	}
}
