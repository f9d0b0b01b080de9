package text

import (
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// call is a log call as an agent recorded it, and what printf shows for it.
type call struct {
	Fmt     string `json:"fmt"`
	Args    string `json:"args"`
	Payload string `json:"payload_hex"`
	Text    string `json:"text"`
}

// readCalls reads the calls of a file in testdata.
func readCalls(t testing.TB, file string) []call {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Calls []call `json:"calls"`
	}
	if err := json.NewDecoder(z).Decode(&v); err != nil {
		t.Fatal(err)
	}
	if len(v.Calls) == 0 {
		t.Fatalf("%s: got no calls, want some", file)
	}
	return v.Calls
}

func (c *call) payload(t testing.TB) format.Payload {
	t.Helper()
	b, err := hex.DecodeString(c.Payload)
	if err != nil {
		t.Fatal(err)
	}
	p, err := format.ParsePayload(b)
	if err != nil {
		t.Fatalf("payload of %q: got error %v, want none", c.Fmt, err)
	}
	return p
}

// A model of the rule, apart from the plan: it writes down byte by byte of the
// argument list who owns it and whether an agent recorded it.
var (
	callerConversion = regexp.MustCompile(`%[-+ #0']*(\*|\d+)?(\.(\*|\d*))?(hh|hl|h|ll|lh|l|q|j|z|t|L)?([a-zA-Z%])`)
	agentConversionR = regexp.MustCompile(`^[-+ #0]*\d*(\.\d*)?(l{0,2})([diuxXocpseEfgG])`)
)

// lists walks both lists and returns, for each value that printf shows, whether
// all its bytes were recorded. With words set a word counts as recorded where but
// one of its bytes was, under %c.
func lists(printf string, words bool) (whole []bool) {
	const origin = 4
	at := func(address, size int) int { return (address + size - 1) / size * size }

	bytes := map[int]bool{}    // recorded ones
	strings_ := map[int]bool{} // addresses of pointers whose text was
	address, n := origin, 0
	for rest := printf; n < 8; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			break
		}
		rest = after
		if strings.HasPrefix(rest, "%") {
			rest = rest[1:]
			continue
		}
		m := agentConversionR.FindStringSubmatch(rest)
		if m == nil {
			continue
		}
		rest = rest[len(m[0]):]
		size, stored := 4, 4
		switch {
		case strings.Contains("eEfgG", m[3]), m[2] != "" && strings.Contains("diuxXo", m[3]):
			size, stored = 8, 8
		case m[3] == "c" && !words:
			stored = 1
		case m[3] == "s":
			stored = 0
		}
		address = at(address, size)
		for i := range stored {
			bytes[address+i] = true
		}
		if m[3] == "s" {
			strings_[address] = true
		}
		address += size
		n++
	}

	address = origin
	all := func(size, needed int) bool {
		address = at(address, size)
		ok := true
		for i := range needed {
			ok = ok && bytes[address+i]
		}
		address += size
		return ok
	}
	for _, m := range callerConversion.FindAllStringSubmatch(printf, -1) {
		width, prec, length, verb := m[1], m[3], m[4], m[5]
		if verb == "%" {
			continue
		}
		ok := true
		if width == "*" {
			ok = all(4, 4)
		}
		if prec == "*" {
			ok = all(4, 4) && ok
		}
		switch {
		case verb == "n":
			all(4, 0)
			continue
		case verb == "s":
			ok = strings_[address] && ok
			all(4, 0)
		case strings.Contains("eEfFgGaA", verb), length == "ll", length == "q", length == "j":
			ok = all(8, 8) && ok
		case verb == "c", length == "hh":
			ok = all(4, 1) && ok
		case length == "h":
			ok = all(4, 2) && ok
		default:
			ok = all(4, 4) && ok
		}
		whole = append(whole, ok)
	}
	return whole
}

// shown is what a text says of printf's text: where it has neither marks nor gaps
// it has to be the same.
func shown(text string) *regexp.Regexp {
	s := regexp.QuoteMeta(text)
	s = strings.ReplaceAll(s, "<missing>", `(?s:.*)`)
	s = regexp.MustCompile(` *[^ =:]*\\\? *`).ReplaceAllString(s, `(?s:.*)`)
	return regexp.MustCompile("^" + s + "$")
}

// TestRecordedCallsReadAsPrinted renders calls that a real agent recorded, half of the
// first file with conversions that it skips or misreads. Of those that had each word
// recorded some have a value of which one byte was, under another one's %c: nobody can
// tell it.
func TestRecordedCallsReadAsPrinted(t *testing.T) {
	for file, want := range map[string]struct{ calls, words, whole int }{
		"calls.json.gz": {1800, 894, 891},
		"kinds.json.gz": {1600, 212, 211},
	} {
		t.Run(file, func(t *testing.T) {
			calls := readCalls(t, file)
			words, whole := 0, 0
			for i := range calls {
				c := &calls[i]
				if !slices.Contains(lists(c.Fmt, true), false) {
					words++
				}
				if c.check(t) {
					whole++
				}
			}
			if len(calls) != want.calls || words != want.words || whole != want.whole {
				t.Errorf("of %d calls %d had each word recorded and %d each byte, want %+v", len(calls), words, whole, want)
			}
		})
	}
}

// check renders the call, and tells whether all of it was recorded.
func (c *call) check(t *testing.T) (whole bool) {
	template, p := ParseTemplate(c.Fmt), c.payload(t)
	if !template.Fits(p) {
		t.Errorf("%q with (%s): got a record that does not fit, want its own to fit", c.Fmt, c.Args)
	}
	got, out := template.append(nil, p)
	unknown := 0
	for _, ok := range lists(c.Fmt, false) {
		if !ok {
			unknown++
		}
	}

	switch {
	case unknown == 0 && out.dropped+out.uncertain == 0:
		if string(got) != c.Text {
			t.Errorf("%q with (%s): got %q, want %q", c.Fmt, c.Args, got, c.Text)
		}
	case out.dropped == 0 && out.notRecorded+out.uncertain != unknown:
		t.Errorf("%q with (%s): got %q, %d values not recorded and %d uncertain, want %d of both", c.Fmt, c.Args, got, out.notRecorded, out.uncertain, unknown)
	case !shown(string(got)).MatchString(c.Text):
		t.Errorf("%q with (%s) gives %q, want %q but for what is marked", c.Fmt, c.Args, got, c.Text)
	}

	return unknown == 0
}

// TestMisreadConversionsAreNamedMissing renders what a real agent recorded of calls
// with conversions that it skips (skipped.bin) or for which it takes eight bytes
// (long.bin): cases skipped-conversions and long-conversions.
func TestMisreadConversionsAreNamedMissing(t *testing.T) {
	for file, calls := range map[string][][2]string{
		"skipped.bin": {
			{"ch %hhu: %.2f V", "ch <missing>: 2.50 V"},
			{"dev %hu id %lld", "dev <missing> id 70"},
			{"sent %zu bytes at %p", "sent 64 bytes at <missing>"},
			{"len %zu c %c", "len 64? c <missing>"},
			{"temp %hd state %d err %d", "temp -5 state 2 err <missing>"},
			{"rssi %hhd snr %d", "rssi -70 snr <missing>"},
			{"%hd %x", "-1 <missing>"},
			{"w %*d v %d", "w <missing> v <missing>"},
			{"buf %.*s len %d", "buf <missing> len <missing>"},
			{"buf %.*s x %s", "buf <missing> x <missing>"},
			{"off %td of %u", "off -4 of <missing>"},
			{"j %jd n %d", "j <missing> n <missing>"},
			{"a %d %hd %f", "a 1 2 <missing>"},
			{"nine %d %d %d %d %d %d %d %d %d", "nine 1 2 3 4 5 6 7 8 <missing>"},
			{"x %hhx:%hhx:%d", "x aa:<missing>:<missing>"},
			{"f %F then %d", "f <missing> then <missing>"},
			{"tick %'u s %d", "tick 1234 s <missing>"},
			{"st %-8s|%8.3s|%s", "st ab      |     cde|"},
			{"p %08lx v %d", "p <missing> v 7"},
			{"v %d l %ld", "v 7 l 4660"},
			{"u %u v %lu w %lu x %s", "u 1 v 2 w 3 x <missing>"},
		},
		"long.bin": {
			{"id %lu ok", "id <missing> ok"},
			{"id %lu n %d", "id <missing> n 7"},
			{"n %d id %lu", "n 7 id 5"},
			{"a %lx b %lx c %d", "a <missing> b 2 c 3"},
			{"a %d b %d l %ld d %d", "a 1 b 2 l <missing> d 4"},
		},
	} {
		b, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for len(b) > 0 {
			l, rest, err := format.ParseLog(b)
			if err != nil {
				t.Fatal(err)
			}
			b = rest
			frames := l.Frames()
			for f := range frames.All() {
				p, err := format.ParsePayload(f.Payload)
				if err != nil || n == len(calls) {
					t.Fatalf("%s: record %d: got error %v, want none, and %d records in all", file, n, err, len(calls))
				}
				template := ParseTemplate(calls[n][0])
				if got := string(template.Append(nil, p)); got != calls[n][1] || !template.Fits(p) {
					t.Errorf("%s: %q gives %q, want %q", file, calls[n][0], got, calls[n][1])
				}
				n++
			}
		}

		if n != len(calls) {
			t.Errorf("%s: %d records, want %d", file, n, len(calls))
		}
	}
}
