package choose_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/format/logtest"
	"github.com/ulogkit/ulogkit/format/text"
	"github.com/ulogkit/ulogkit/format/text/choose"
)

func fromStrings(t testing.TB, strings map[uint32]string) *dict.Dictionary {
	t.Helper()
	d, err := dict.FromStrings(strings)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func at(addr uint32, args ...format.Arg) format.Record {
	return format.Record{FmtAddr: addr, Args: args}
}

// A log is of the build that its records say least against, of equals of that of the
// log before, and of none when too much speaks against all.
func TestChoiceIsTheBuildThatFitsBest(t *testing.T) {
	old := fromStrings(t, map[uint32]string{0x1000: "tick %d", 0x2000: "motor %s stopped"})
	now := fromStrings(t, map[uint32]string{0x1000: "tick %d", 0x2000: "valve %d opened"})
	builds := text.Builds([]text.Dictionary{old, now})
	var both []format.Record
	for range 64 {
		both = append(both, at(0x1000, format.ArgI32(1)))
	}
	decided := append(append([]format.Record(nil), both...), at(0x2000, format.ArgI32(7)))

	for name, c := range map[string]struct {
		log       []format.Record
		before    text.Dictionary
		want      text.Dictionary
		ambiguous int64
	}{
		"a late record decides":      {decided, nil, now, 0},
		"whatever was before":        {decided, old, now, 0},
		"equals, nothing before":     {both, nil, old, 0}, // and they read the same
		"equals, after the second":   {both, now, now, 0},
		"another build before":       {both, fromStrings(t, map[uint32]string{0x1000: "x"}), old, 0},
		"no records":                 {nil, now, now, 0},
		"none fits":                  {[]format.Record{at(0x3000)}, now, nil, 0},
		"arguments that fit neither": {[]format.Record{at(0x2000, format.ArgDouble(1))}, nil, nil, 0},
	} {
		got, err := builds.Choose(choose.RecordsOf(logtest.Log(t, c.log...)), c.before)
		if got.Dictionary != c.want || got.Ambiguous != c.ambiguous {
			t.Errorf("%s: got %v, want %v and %d ambiguous records", name, got, c.want, c.ambiguous)
		}
		if wrong := (*choose.WrongDictionaryError)(nil); (err != nil) != (c.want == nil) || err != nil && (!errors.Is(err, choose.ErrWrongDictionary) || !errors.As(err, &wrong) || len(wrong.Evidence) == 0) {
			t.Errorf("%s: got error %v, want one: %v, which is a WrongDictionaryError with evidence", name, err, c.want == nil)
		}
	}
}

func TestChooseCountsWhatEqualsReadDifferently(t *testing.T) {
	a := fromStrings(t, map[uint32]string{0x1000: "same", 0x2000: "a %d"})
	b := fromStrings(t, map[uint32]string{0x1000: "same", 0x2000: "b %d"})
	log := logtest.Log(t, at(0x1000), at(0x2000, format.ArgI32(1)), at(0x2000, format.ArgI32(2)))
	got, err := text.Builds([]text.Dictionary{a, b}).Choose(choose.RecordsOf(log), b)
	if err != nil || got.Dictionary != text.Dictionary(b) || got.Ambiguous != 2 {
		t.Errorf("got %v, %v, want the second and 2 ambiguous records", got, err)
	}
}

// named is a dictionary with the name of a file.
type named struct {
	text.Dictionary
	name string
}

func (n *named) String() string { return n.name }

func TestChooseNamesEqualsThatReadDifferently(t *testing.T) {
	build := func(name, second string) text.Dictionary {
		return &named{fromStrings(t, map[uint32]string{0x1000: "same", 0x2000: second}), name}
	}
	a, b, twin := build("a.elf", "a"), build("b.elf", "b"), build("twin.elf", "a")
	builds := text.Builds([]text.Dictionary{a, b, twin})
	for name, c := range map[string]struct {
		log    []format.Record
		before text.Dictionary
		want   []string
	}{
		"the same words":  {[]format.Record{at(0x1000)}, nil, nil},
		"other words":     {[]format.Record{at(0x1000), at(0x2000), at(0x2000)}, nil, []string{"a.elf", "b.elf"}},
		"chosen is first": {[]format.Record{at(0x2000)}, b, []string{"b.elf", "a.elf", "twin.elf"}},
	} {
		got, err := builds.Choose(choose.RecordsOf(logtest.Log(t, c.log...)), c.before)
		if err != nil || !slices.Equal(got.Tied, c.want) {
			t.Errorf("%s: got %q, %v, want %q", name, got.Tied, err, c.want)
		}
	}
}

func TestChooseAmongNoneGivesNone(t *testing.T) {
	got, err := text.Builds(nil).Choose(choose.RecordsOf(logtest.Log(t, at(0x1000))), nil)
	if got.Dictionary != nil || got.Ambiguous != 0 || got.Tied != nil || err != nil {
		t.Errorf("got %v, %v, want nothing", got, err)
	}
}

func TestRefusalNamesTheEvidence(t *testing.T) {
	d := fromStrings(t, map[uint32]string{0x1000: "tick %d"})
	_, err := text.Builds([]text.Dictionary{d}).Choose(choose.RecordsOf(logtest.Log(t, at(0x1000, format.ArgString("x")), at(0x1234))), nil)
	for _, want := range []string{"2 have no string that fits", `"tick %d" does not take the recorded string`, "0x00001234: no string is there"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

// The build that a log's session token was issued for is its build, though another fits
// as well; it is refused where the records contradict it. Without one the records tell.
func TestSessionTokenDecidesTheBuild(t *testing.T) {
	a := fromStrings(t, map[uint32]string{0x1000: "a"})
	b := fromStrings(t, map[uint32]string{0x1000: "b", 0x2000: "more"})
	gone := fromStrings(t, map[uint32]string{0x1000: "gone"})
	builds := choose.New(choose.Config{
		Dictionaries: []choose.Dictionary{a, b},
		Parse:        func(printf string) choose.Format { return text.ParseTemplate(printf) },
		Known: func(token uint32) choose.Dictionary {
			return map[uint32]choose.Dictionary{0: b, 7: b, 8: a, 9: gone}[token]
		},
	})

	for _, c := range []struct {
		token, addr uint32
		want        choose.Dictionary
		ambiguous   int64
	}{
		{7, 0x1000, b, 0},
		{8, 0x1000, a, 0},
		{8, 0x2000, nil, 0},
		{6, 0x1000, a, 1}, // not known
		{6, 0x2000, b, 0},
		{9, 0x1000, a, 1}, // none of those to choose from
		{0, 0x1000, a, 1}, // no session
	} {
		log := logtest.Log(t, at(c.addr))
		log.SetSessionToken(c.token)
		got, err := builds.Choose(choose.RecordsOf(log), nil)
		if got.Dictionary != c.want || got.Ambiguous != c.ambiguous || (err != nil) != (c.want == nil) {
			t.Errorf("token %d, address %#x: got %v, %v, want %v", c.token, c.addr, got, err, c.want)
		}
	}
}
