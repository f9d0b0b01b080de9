package text

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// hexBytes is a byte string written as hexadecimal digits in JSON.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// logVector is what one real agent wrote, with its fields.
type logVector struct {
	Name   string   `json:"name"`
	Buffer hexBytes `json:"buffer_hex"`
	Shown  string   `json:"frames_shown"`
	Frames []struct {
		FmtAddr uint32    `json:"fmt_addr"`
		Fmt     string    `json:"fmt"`
		Newlib  *hexBytes `json:"newlib_text_hex"`
	} `json:"frames"`
}

func readLogVectors(t testing.TB) []logVector {
	t.Helper()
	b, err := os.ReadFile("../testdata/logs.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []logVector
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	return vectors
}

// payloads returns the records of the log that the vector shows, in order.
func (v *logVector) payloads(t testing.TB) []format.Payload {
	t.Helper()
	l, _, err := format.ParseLog(v.Buffer)
	if err != nil {
		t.Fatal(err)
	}
	var all []format.Payload
	frames := l.Frames()
	for frames.Next() {
		p, err := format.ParsePayload(frames.Frame().Payload)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if v.Shown != "all" {
		all = append(all[:5:5], all[len(all)-5:]...)
	}
	return all
}

// TestNewlib holds the text to what the device's own printf wrote.
func TestNewlib(t *testing.T) {
	compared := 0
	for _, v := range readLogVectors(t) {
		payloads := v.payloads(t)
		for i, f := range v.Frames {
			template := ParseTemplate(f.Fmt)
			if !template.Fits(payloads[i]) {
				t.Errorf("%s: %q does not fit its own record", v.Name, f.Fmt)
			}
			if f.Newlib == nil {
				continue
			}
			if got := template.Append(nil, payloads[i]); string(got) != string(*f.Newlib) {
				t.Errorf("%s: %q gives %q, newlib %q", v.Name, f.Fmt, got, *f.Newlib)
			}
			compared++
		}
	}
	if compared < 30 {
		t.Errorf("compared %d texts, want the vectors' 30 or more", compared)
	}
}

// TestNotRecorded shows what agents leave out and make wrong.
func TestNotRecorded(t *testing.T) {
	want := map[string]string{
		"long %ld %lu %lx":             "long <missing> 5 123456",
		"short %hd %hu %hhd %hhu %hhx": "short <missing> <missing> <missing> <missing> <missing>",
		"size %zu %zd %jd %td":         "size <missing> <missing> <missing> <missing>",
		"star [%*d][%-*d][%.*f]":       "star [<missing>][<missing>][<missing>]",
		"sprec [%.*s]":                 "sprec [<missing>]",
		"big %s end":                   "big <missing> end",
		"null %s":                      "null (null)",
		"many %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d": "many 1 2 3 4 5 6 7 8" +
			" <missing> <missing> <missing> <missing> <missing> <missing> <missing> <missing>",
		"metric_%s=%.15g":    "metric_battery_mv=3712.25",
		"metric_%s=%d":       "metric_rssi=-70",
		"metric_%s=%u":       "metric_pkts=4000000000",
		"metric_heartbeat=1": "metric_heartbeat=1",
	}
	seen := map[string]bool{}
	for _, v := range readLogVectors(t) {
		payloads := v.payloads(t)
		for i, f := range v.Frames {
			if text, ok := want[f.Fmt]; ok {
				seen[f.Fmt] = true
				if got := ParseTemplate(f.Fmt).Append(nil, payloads[i]); string(got) != text {
					t.Errorf("%q gives %q, want %q", f.Fmt, got, text)
				}
			}
		}
	}
	if len(seen) != len(want) {
		t.Errorf("found %d of %d formats in the vectors", len(seen), len(want))
	}
}
