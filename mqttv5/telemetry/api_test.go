package telemetry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "ulg_secret"

// server answers with the steps in turn, the last one again and again.
func server(t *testing.T, steps ...http.HandlerFunc) (a *API, count func() int) {
	t.Helper()
	requests := make(chan int, 1000)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- 1
		steps[min(len(requests), len(steps))-1](w, r)
	}))
	t.Cleanup(s.Close)
	transport := s.Client().Transport.(*http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	return &API{Token: token, BaseURL: s.URL + "/", Pause: time.Millisecond, Transport: transport}, func() int { return len(requests) }
}

func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

var success = answer(200, `{"success":true}`)

var message = []byte(`{"device_serial":"S","metrics":[{"name":"t","value":1}]}`)

func TestSendPostsJSONWithTheToken(t *testing.T) {
	for _, how := range []Compression{CompressAuto, CompressAlways} {
		a, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			text, err := Unpack(b)
			want := `{"app_id":"7","group_id":"0","device_serial":"S","metrics":[{"name":"t","value":1}]}`
			if err != nil || string(text) != want {
				t.Errorf("got body %s, %v, want %s", text, err, want)
			}
			h := r.Header
			if r.Method != "POST" || r.URL.Path != "/publish/metrics" || h.Get("Authorization") != "Bearer "+token || h.Get("Content-Type") != "application/json" {
				t.Errorf("got %s %s, %v, want POST /publish/metrics with the token, as JSON", r.Method, r.URL, h)
			}
			if (h.Get("Content-Encoding") == "gzip") != (how == CompressAlways) {
				t.Errorf("got Content-Encoding %q, want gzip: %v", h.Get("Content-Encoding"), how == CompressAlways)
			}
			success(w, r)
		})
		if err := a.Send(t.Context(), KindMetrics, 7, message, how); err != nil {
			t.Error(err)
		}
	}
}

// Each answer, how often the report was sent then, and what the error says.
func TestSendRepeatsOnlyTemporaryFailures(t *testing.T) {
	for name, c := range map[string]struct {
		steps []http.HandlerFunc
		sent  int
		want  string
	}{
		"success":           {[]http.HandlerFunc{success}, 1, ""},
		"201":               {[]http.HandlerFunc{answer(201, `{"success":true,"stored":3}`)}, 1, ""},
		"busy once":         {[]http.HandlerFunc{answer(429, "", "Retry-After", "0"), success}, 2, ""},
		"down twice":        {[]http.HandlerFunc{answer(503, ""), answer(500, "x"), success}, 3, ""},
		"down for ever":     {[]http.HandlerFunc{answer(502, "")}, 5, "5 attempts: the cloud answered 502 Bad Gateway"},
		"offenders":         {[]http.HandlerFunc{answer(400, `{"success":false,"error":"device S"}`)}, 1, `400 Bad Request: "{\"success\":false,\"error\":\"device S\"}"`},
		"no right":          {[]http.HandlerFunc{answer(401, "")}, 1, "401 Unauthorized; check the API token"},
		"success false":     {[]http.HandlerFunc{answer(200, `{"success":false}`)}, 1, "200 OK without success"},
		"success missing":   {[]http.HandlerFunc{answer(200, `{}`)}, 1, "without success"},
		"no JSON":           {[]http.HandlerFunc{answer(200, "ok")}, 1, `without success: "ok"`},
		"empty":             {[]http.HandlerFunc{answer(202, "")}, 1, "202 Accepted without success"},
		"no content":        {[]http.HandlerFunc{answer(204, "")}, 1, "204 No Content without success"},
		"redirect":          {[]http.HandlerFunc{answer(301, "", "Location", "/elsewhere"), success}, 1, "a redirect, which is not followed"},
		"temporarily moved": {[]http.HandlerFunc{answer(307, "", "Location", "/elsewhere"), success}, 1, "not followed"},
		"control bytes":     {[]http.HandlerFunc{answer(400, "\x1b[2J")}, 1, `"\x1b[2J"`},
	} {
		t.Run(name, func(t *testing.T) {
			a, count := server(t, c.steps...)
			err := a.Send(t.Context(), KindEvents, 7, message, CompressNever)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if count() != c.sent {
				t.Errorf("got it sent %d times, want %d", count(), c.sent)
			}
			if err != nil && strings.Contains(err.Error(), token) {
				t.Errorf("got the token in the error, want it left out: %v", err)
			}
		})
	}
}

// A request that went out and was not answered may have arrived: it is not sent
// again, and the error says so. One that could not go out is.
func TestUnansweredRequestIsNotSentAgain(t *testing.T) {
	a, count := server(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if err := a.Send(t.Context(), KindMetrics, 7, message, CompressNever); !errors.Is(err, ErrUnanswered) || count() != 1 {
		t.Errorf("got it sent %d times, %v, want once and %v", count(), err, ErrUnanswered)
	}
	a.BaseURL, a.Attempts = "https://127.0.0.1:1", 3
	if err := a.Send(t.Context(), KindMetrics, 7, message, CompressNever); errors.Is(err, ErrUnanswered) || err == nil || !strings.Contains(err.Error(), "3 attempts") {
		t.Errorf("got error %v, want one that says \"3 attempts\" and is not %v", err, ErrUnanswered)
	}
}

// The wait is the one that the cloud asks for, and is not begun when it would
// outlast the caller.
func TestSendHeedsRetryAfter(t *testing.T) {
	a, count := server(t, answer(429, "", "Retry-After", "1"), success)
	begin := time.Now()
	if err := a.Send(t.Context(), KindMetrics, 7, message, CompressNever); err != nil || count() != 2 || time.Since(begin) < time.Second {
		t.Errorf("got it sent %d times in %v, %v, want twice, in %v at least, without error", count(), time.Since(begin), err, time.Second)
	}
	a, count = server(t, answer(429, "", "Retry-After", "3600"))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := a.Send(ctx, KindMetrics, 7, message, CompressNever); err == nil || count() != 1 || ctx.Err() != nil {
		t.Errorf("got it sent %d times, %v, want once, and an error while the caller still waits", count(), err)
	}

	now := time.Unix(1_000_000, 0)
	for value, want := range map[string]time.Duration{
		"": -1, "soon": -1, "-3": -1, "7": 7 * time.Second, "99999999": maxRetryAfter,
		now.Add(90 * time.Second).UTC().Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Hour).UTC().Format(http.TimeFormat):       0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: got %v, want %v", value, got, want)
		}
	}
}

func TestSendRefusesBadAddressesAndTokens(t *testing.T) {
	for name, a := range map[string]API{
		"plain http":      {Token: token, BaseURL: "http://127.0.0.1:" + strconv.Itoa(1)},
		"no URL":          {Token: token, BaseURL: "api.ulogger.ai"},
		"user in it":      {Token: token, BaseURL: "https://u:p@host"},
		"no token":        {BaseURL: "https://host"},
		"newline in it":   {Token: token + "\nX: y", BaseURL: "https://host"},
		"a query follows": {Token: token, BaseURL: "https://host/?x"},
	} {
		err := a.Send(t.Context(), KindMetrics, 7, message, CompressNever)
		if err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("%s: got error %v, want one without the token", name, err)
		}
	}
	if err := (&API{Token: token}).Send(t.Context(), KindMetrics, 7, []byte("\x1f\x8b"), CompressNever); !errors.Is(err, ErrInvalid) {
		t.Errorf("got error %v, want %v", err, ErrInvalid)
	}
}
