package otlp

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// transport answers each request by a function.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

var errAway = errors.New("the receiver is away")

// A receiver that is away ends Drain when it is time, whether it refuses, says
// nothing, or asks for patience; nothing of what it was sent counts as exported.
func TestDrainGivesUpOnAReceiverThatIsAway(t *testing.T) {
	for name, answer := range map[string]transport{
		"refuses": func(*http.Request) (*http.Response, error) { return nil, errAway },
		"silent": func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, errAway
		},
		"asks for patience": func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"300"}}, Body: http.NoBody}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := &memorySource{}
				src.add(logRecord(t, 1, 3, 1, say(1)))
				e, err := New(Config{URL: "http://x", Source: src, Client: &http.Client{Transport: answer}})
				if err != nil {
					t.Fatal(err)
				}

				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				begin := time.Now()
				err = e.Drain(ctx)
				if err == nil || !strings.HasPrefix(err.Error(), "export to http://x/v1/logs: nothing was taken for 2m0s: ") ||
					!strings.HasSuffix(err.Error(), "; nothing after record 0 counts as exported") {
					t.Errorf("got %v, want one that says that nothing was taken for 2m0s and nothing after record 0 counts as exported", err)
				}

				if d := time.Since(begin); d != 2*time.Minute {
					t.Errorf("it took %v, want %v", d, 2*time.Minute)
				}
				if s := e.Stats(); s.Position != 0 || s.LogRecords != 0 {
					t.Errorf("stats %+v, want Position 0 and LogRecords 0", s)
				}
			})
		})
	}
}

// The time begins anew with each request that the receiver takes.
func TestSlowReceiverIsNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &memorySource{}
		for i := range 10 {
			src.add(logRecord(t, i, 3, 1, say(i)))
		}
		slow := transport(func(*http.Request) (*http.Response, error) {
			time.Sleep(25 * time.Second)
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {typeProtobuf}}, Body: http.NoBody}, nil
		})
		e, err := New(Config{URL: "http://x", Source: src, BatchRecords: 1, GiveUp: time.Minute, Client: &http.Client{Transport: slow}})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Drain(t.Context()); err != nil || e.Stats().LogRecords != 10 {
			t.Errorf("error %v, stats %+v, want LogRecords 10", err, e.Stats())
		}
	})
}

// Run waits for ever, and says so about once a minute.
func TestRunWaitsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &memorySource{}
		src.add(logRecord(t, 1, 3, 1, say(1)))
		var log bytes.Buffer
		away := transport(func(*http.Request) (*http.Response, error) { return nil, errAway })
		e, err := New(Config{
			URL: "http://x", Source: src, Client: &http.Client{Transport: away}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begin := time.Now()
		if err := e.Drain(ctx); !errors.Is(err, errAway) {
			t.Errorf("error %v, want %v", err, errAway)
		}

		if err := e.Run(ctx); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d != time.Hour {
			t.Errorf("got the end after %v, want it after an hour", d)
		}

		// The longest wait between two attempts is 30 s.
		if n := strings.Count(log.String(), "trying again"); n < 40 || n > 60 || e.Stats().Retries < 100 {
			t.Errorf("got it said %d times in %d attempts, want 40 to 60 times in at least 100:\n%s", n, e.Stats().Retries, &log)
		}
	})
}
