package text

import (
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
)

// payloads returns the records of the log that the vector shows, in order.
func payloads(t testing.TB, v formattest.Log) []format.Payload {
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

// TestTextIsThatOfTheDevicesPrintf holds the text to what the device's own printf wrote.
func TestTextIsThatOfTheDevicesPrintf(t *testing.T) {
	compared := 0
	for _, v := range formattest.Logs(t) {
		payloads := payloads(t, v)
		for i, f := range v.Frames {
			template := ParseTemplate(f.Fmt)
			if !template.Fits(payloads[i]) {
				t.Errorf("%s: %q: got a record that does not fit, want its own to fit", v.Name, f.Fmt)
			}
			if f.Newlib == nil {
				continue
			}
			if got := template.Append(nil, payloads[i]); string(got) != string(*f.Newlib) {
				t.Errorf("%s: %q: got %q, want newlib's %q", v.Name, f.Fmt, got, *f.Newlib)
			}
			compared++
		}
	}
	if compared < 30 {
		t.Errorf("compared %d texts, want the vectors' 30 or more", compared)
	}
}

// TestArgumentsNotRecordedAreNamedMissing shows what agents leave out and make wrong.
func TestArgumentsNotRecordedAreNamedMissing(t *testing.T) {
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
	for _, v := range formattest.Logs(t) {
		if v.Header.Version == 4 {
			continue // its agent wrote some of the same formats with other values
		}
		payloads := payloads(t, v)
		for i, f := range v.Frames {
			if text, ok := want[f.Fmt]; ok {
				seen[f.Fmt] = true
				if got := ParseTemplate(f.Fmt).Append(nil, payloads[i]); string(got) != text {
					t.Errorf("%q: got %q, want %q", f.Fmt, got, text)
				}
			}
		}
	}

	if len(seen) != len(want) {
		t.Errorf("got %d of the formats in the vectors, want all %d", len(seen), len(want))
	}
}
