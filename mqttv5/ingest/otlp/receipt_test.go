package otlp

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// F38: only an answer that is what its content type says counts as a receipt; any
// other leaves the position where it was.
func TestOnlyAReceiptMovesThePosition(t *testing.T) {
	for _, c := range []struct {
		status     int
		kind, body string
		taken      bool
		rejected   int
	}{
		{200, "application/x-protobuf", "", true, 0},
		{202, "application/x-protobuf; charset=x", "", true, 0},
		{204, "", "", true, 0},
		{200, "application/x-protobuf", "\x0a\x06\x08\x02\x12\x02no", true, 2},
		{200, "application/x-protobuf", "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", true, 0}, // of -1
		{200, "application/json", "{}", true, 0},
		{200, "application/json", `{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"old"}}`, true, 1},
		{200, "application/json", `{"partialSuccess":{"rejectedLogRecords":1}}`, true, 1},
		{200, "application/json", `{"partial_success":{"rejected_log_records":"1"},"x":1}`, true, 1},
		{200, "application/json", `{"partialSuccess":{"rejectedLogRecords":9223372036854775807,"rejectedDataPoints":9223372036854775807}}`, true, 2},
		{200, "application/json", `{"partialSuccess":{"rejectedLogRecords":-5,"errorMessage":null}}`, true, 0},
		{200, "application/json", `{"partialSuccess":{"rejectedLogRecords":null}}`, true, 0},
		{200, "application/json", `{"partialSuccess":null}`, true, 0},
		{200, "application/json", `{"requestId":"7"}`, true, 0},
		{200, "application/json", `{"error":"log in"}`, false, 0},
		{200, "application/json", `{"requestId":"7","errors":["log in"]}`, false, 0},
		{200, "application/json", `{"code":16,"message":"no such tenant"}`, false, 0},
		{200, "application/json", `{"partialSuccess":[]}`, false, 0},
		{200, "application/json", `{"partialSuccess":{"errorMessage":7}}`, false, 0},
		{200, "application/json", `{}{}`, false, 0},
		{200, "application/x-protobuf", "\x08\x10\x12\x0eno such tenant", false, 0}, // a Status
		{200, "text/html", "<html>login</html>", false, 0},
		{200, "application/x-protobuf", "<html>login</html>", false, 0},
		{200, "application/x-protobuf", "\x0a\x05\x08", false, 0},
		{200, "application/x-protobuf", "\x0a\x02\x08\xff", false, 0},
		{200, "application/json", "null", false, 0},
		{200, "application/json", `[]`, false, 0},
		{200, "application/json", "", false, 0},
		{200, "application/json", `{"partialSuccess":{"rejectedLogRecords":"many"}}`, false, 0},
		{200, "text/plain", "", false, 0},
		{200, "text/plain", "ok", false, 0},
		{200, "", "", false, 0},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil // or the server would guess
			if c.kind != "" {
				w.Header().Set("Content-Type", c.kind)
			}
			w.WriteHeader(c.status)
			w.Write([]byte(c.body))
		}))

		src := &memorySource{}
		src.add(logRecord(t, 1, 3, 1, say(1), say(2)))
		e := newExporter(t, Config{URL: srv.URL, Source: src, PositionFile: filepath.Join(t.TempDir(), "position")})
		err := e.Drain(t.Context())
		s := e.Stats()
		if (err == nil) != c.taken || (s.Position == 2) != c.taken {
			t.Errorf("%d %s %q: error %v, position %d, want taken %v", c.status, c.kind, c.body, err, s.Position, c.taken)
		}

		if c.taken && (s.Rejected != c.rejected || s.LogRecords != 2-c.rejected) {
			t.Errorf("%d %s %q: stats %+v, want %d rejected", c.status, c.kind, c.body, s, c.rejected)
		}
		if !c.taken && (!strings.Contains(err.Error(), "no receipt") || strings.ContainsRune(err.Error(), 0xff)) {
			t.Errorf("%d %s %q: error %v, want that it is no receipt", c.status, c.kind, c.body, err)
		}

		srv.Close()
	}
}

// Receivers that answer without a word can be believed on request.
func TestAcceptEmptyBelievesAnAnswerWithoutAWord(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	src := &memorySource{}
	src.add(logRecord(t, 1, 3, 1, say(1)))
	e := newExporter(t, Config{URL: srv.URL, Source: src, AcceptEmpty: true})
	if err := e.Drain(t.Context()); err != nil || e.Stats().LogRecords != 1 {
		t.Errorf("error %v, stats %+v, want one record taken", err, e.Stats())
	}
}

// F40: a wait is bounded, whatever the header says.
func TestRetryAfterIsBounded(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "600": maxRetryAfter, "601": maxRetryAfter,
		"18446744073709551615": maxRetryAfter, "99999999999999999999": 0, "-1": 0, "soon": 0, "1.5": 0,
		now.Add(3 * time.Second).Format(http.TimeFormat): 3 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):      0,
		now.AddDate(80, 0, 0).Format(http.TimeFormat):    maxRetryAfter,
		"Friday, 02-Jan-26 03:04:08 GMT":                 3 * time.Second,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("Retry-After %q is %v, want %v", value, got, want)
		}
	}
}

// What a refusal says is shown, its first line and only what can be printed.
func TestRefusalIsExplained(t *testing.T) {
	for _, c := range []struct{ kind, body, want string }{
		{"application/x-protobuf", "\x08\x03\x12\x0bbad request", "bad request"},
		{"application/x-protobuf", "\x08\x03\x12\x04a\x1b[2", "a?[2"},
		{"application/json", `{"code":3,"message":"bad\u001b token"}`, "bad? token"},
		{"application/json", `{"error":"no"}`, `{"error":"no"}`},
		{"text/html", "\n<html>\x1b[31m login\nmore", "<html>?[31m login"},
		{"", "", ""},
	} {
		if got := explanation(c.kind, []byte(c.body)); got != c.want {
			t.Errorf("%s %q says %q, want %q", c.kind, c.body, got, c.want)
		}
	}
}

// F39, case otlp-413-for-ever: a request that is too large is halved until its parts are taken.
func TestTooLargeIsSplit(t *testing.T) {
	r := newReceiver(t)
	r.refuse = func(body []byte) int {
		if len(body) > 3000 {
			return 413
		}
		return 0
	}

	src := &memorySource{}
	for i := range 100 {
		src.add(logRecord(t, i, 3, uint32(i%7), say(i), &format.Record{
			Level: format.LevelMetric, Module: 31, Args: []format.Arg{format.ArgString("m" + strconv.Itoa(i%3)), format.ArgI32(int32(i))},
		}))
	}

	e := newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: filepath.Join(t.TempDir(), "position")})
	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, want := r.bodies(), bodiesOf(0, 100)
	slices.Sort(got)
	slices.Sort(want)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %d records, want each of the 100 once", len(got))
	}

	points := map[int64]int{}
	for _, rm := range r.metrics {
		for _, m := range rm.ScopeMetrics[0].Metrics {
			for _, p := range m.GetGauge().DataPoints {
				if want := "ulogger.m" + strconv.FormatInt(p.GetAsInt()%3, 10); m.Name != want {
					t.Errorf("point %d: got metric %s, want %s", p.GetAsInt(), m.Name, want)
				}
				points[p.GetAsInt()]++
			}
		}
	}

	if len(points) != 100 {
		t.Errorf("got %d data points, want 100", len(points))
	}
	if s := e.Stats(); s.SetAside != 0 || s.LogRecords != 100 || s.DataPoints != 100 || s.Position != 101 {
		t.Errorf("stats %+v, want SetAside 0, LogRecords 100, DataPoints 100 and Position 101", s)
	}
}

// F39: one poisoned record is set aside with the receiver's words, whether it comes
// first, last or alone, and the others go on.
func TestPoisonedRecordIsSetAside(t *testing.T) {
	for _, n := range []int{1, 10} {
		for bad := range n {
			r := newReceiver(t)
			r.refuse = func(body []byte) int {
				if strings.Contains(string(body), "poison") {
					return 400
				}
				return 0
			}

			src := &memorySource{}
			for i := range n {
				f := say(i)
				if i == bad {
					f.Args = append(f.Args, format.ArgString("poison"))
				}
				src.add(logRecord(t, i, 3, 1, f))
			}

			position := filepath.Join(t.TempDir(), "position")
			e := newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: position})
			if err := e.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s := e.Stats(); s.SetAside != 1 || s.LogRecords != n-1 || s.Position != uint64(n+1) {
				t.Errorf("record %d of %d: got stats %+v, want 1 set aside, %d exported and position %d", bad, n, s, n-1, n+1)
			}

			if got := r.bodies(); len(got) != n-1 {
				t.Errorf("record %d of %d: got %q, want %d bodies", bad, n, got, n-1)
			}
			b, err := os.ReadFile(position + ".refused")
			if err != nil {
				t.Fatal(err)
			}

			var line struct {
				Reason  string
				Request json.RawMessage
			}

			if err := json.Unmarshal(b, &line); err != nil || !strings.Contains(line.Reason, "bad request") || !strings.Contains(string(line.Request), "poison") {
				t.Errorf("got %s set aside, error %v, want the reason bad request and a request with poison", b, err)
			}
			if info, err := os.Stat(position + ".refused"); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, error %v, want 0600", info.Mode(), err)
			}
		}
	}
}

// A receiver that refuses everything has not refused a record: nothing is set aside,
// and the position stays.
func TestReceiverThatRefusesAllSetsNothingAside(t *testing.T) {
	for _, code := range []int{400, 413} {
		r := newReceiver(t)
		r.refuse = func([]byte) int { return code }
		src := &memorySource{}
		for i := range 8 {
			src.add(logRecord(t, i, 3, 1, say(i)))
		}
		e := newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: filepath.Join(t.TempDir(), "position")})
		err := e.Drain(t.Context())
		if s := e.Stats(); err == nil || s.SetAside != 0 || s.Position != 0 {
			t.Errorf("%d: error %v, stats %+v, want nothing set aside", code, err, s)
		}
	}
}

// A request is begun anew when its records have so many bytes.
func TestBatchBytesLimitsARequest(t *testing.T) {
	r := newReceiver(t)
	largest := 0
	r.refuse = func(body []byte) int { largest = max(largest, len(body)); return 0 }
	src := &memorySource{}
	for i := range 50 {
		src.add(logRecord(t, i, 3, 1, &format.Record{Args: []format.Arg{format.ArgString(strings.Repeat("x", 500))}}))
	}
	e := newExporter(t, Config{URL: r.srv.URL, Source: src, BatchBytes: 5000})
	if err := e.Drain(t.Context()); err != nil || e.Stats().LogRecords != 50 {
		t.Fatalf("error %v, stats %+v, want LogRecords 50", err, e.Stats())
	}
	if r.requests < 5 || largest > 8000 {
		t.Errorf("%d requests, the largest of %d bytes, want more of about 5000", r.requests, largest)
	}
}

func FuzzReceipt(f *testing.F) {
	f.Add("application/x-protobuf", "\x0a\x06\x08\x02\x12\x02no", "3")
	f.Add("application/json", `{"partialSuccess":{"rejectedLogRecords":"1"}}`, "Fri, 02 Jan 2026 03:04:05 GMT")
	f.Add("text/html", "<html>", "-1")
	f.Fuzz(func(t *testing.T, kind, body, after string) {
		if _, err := parseReceipt(200, kind, []byte(body)); err == nil && kind == "" {
			t.Error("got a receipt out of an answer without a content type, want an error")
		}
		if s := explanation(kind, []byte(body)); strings.ContainsAny(s, "\x1b\n\u0085") {
			t.Errorf("got explanation %q, want no control characters in it", s)
		}
		if d := retryAfter(after, time.Unix(1_800_000_000, 0)); d < 0 || d > maxRetryAfter {
			t.Errorf("got a wait of %v, want 0 to %v", d, maxRetryAfter)
		}
	})
}

var _ ingest.Source = (*memorySource)(nil)
