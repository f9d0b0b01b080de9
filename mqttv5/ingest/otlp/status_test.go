package otlp

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

// exposed returns the metrics as Prometheus gets them.
func exposed(t testing.TB, e *Exporter) string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(NewCollector(e)); err != nil {
		t.Fatal(err)
	}
	list, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, m := range list {
		if _, err := expfmt.MetricFamilyToText(&b, m); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// healthOf returns what /healthz answers.
func healthOf(t testing.TB, e *Exporter) (code int, h Health) {
	t.Helper()
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if err := json.Unmarshal(rec.Body.Bytes(), &h); err != nil {
		t.Fatal(err)
	}
	return rec.Code, h
}

func await(t testing.TB, done <-chan error, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for !ok() {
		select {
		case err := <-done:
			t.Fatalf("got the end with %v, want %s before it", err, what)
		case <-deadline:
			t.Fatalf("got nothing in two minutes, want %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

// While the receiver takes nothing, health and metrics say so, and since when the
// oldest record waits.
func TestHealthAndMetricsTellOfAnOutage(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	r := newReceiver(t)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.ServeHTTP(w, req)
	}))

	t.Cleanup(front.Close)
	src := &lockedSource{}
	for i := range 3 {
		rec := logRecord(t, i, 3, 1, say(i))
		rec.Time = received.Add(time.Duration(i) * time.Hour)
		src.add(rec)
	}

	src.records[1].Reason = "not intact"
	e := newExporter(t, Config{URL: front.URL, Source: src, BatchRecords: 1})
	if code, h := healthOf(t, e); code != http.StatusOK || !h.Oldest.IsZero() {
		t.Errorf("before it begins: got %d, %+v, want 200 and no oldest record", code, h)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	await(t, done, "a failure", func() bool { return e.Stats().Retries > 1 })
	code, h := healthOf(t, e)
	if code != http.StatusServiceUnavailable || h.Position != 0 || !strings.Contains(h.Receiver, "503") || h.Since.IsZero() || !h.Taken.IsZero() || !h.Oldest.Equal(received) {
		t.Errorf("while the receiver is down: got %d, %+v, want 503, position 0, an error with 503 and since when, nothing taken, oldest %v",
			code, h, received)
	}

	if text := exposed(t, e); !strings.Contains(text, "ulogkit_export_receiver_up 0") || strings.Contains(text, "ulogkit_export_failures_total 0") {
		t.Errorf("while the receiver is down: got metrics\n%s\nwant ulogkit_export_receiver_up 0 and some failures", text)
	}
	down.Store(false)
	await(t, done, "the end of the sink", func() bool { return e.Health().Position == 4 && e.Health().Oldest.IsZero() })
	if code, h := healthOf(t, e); code != http.StatusOK || h.Receiver != "" || h.Taken.IsZero() {
		t.Errorf("at the end: got %d, %+v, want 200, no error and the time of the last taken", code, h)
	}

	text := exposed(t, e)
	for _, want := range []string{
		"messages_total 2", "log_records_total 2", "quarantined_total 1", "undecoded_total 2", "lost_records_total 0",
		"position 4", "lag_seconds 0", "receiver_up 1",
	} {
		if !strings.Contains(text, "\nulogkit_export_"+want+"\n") {
			t.Errorf("got metrics\n%s\nwant ulogkit_export_%s in them", text, want)
		}
	}

	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What has not happened yet has no time.
func TestHealthHasNoTimesBeforeTheBeginning(t *testing.T) {
	rec := httptest.NewRecorder()
	newExporter(t, Config{URL: "http://127.0.0.1:1", Source: &memorySource{}}).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if got, want := rec.Body.String(), `{"position":0,"receiver_error":""}`+"\n"; got != want {
		t.Errorf("health is %swant %s", got, want)
	}
}

// The age of the oldest record is that of one that waits, not of the newest.
func TestLagIsTheAgeOfTheOldestRecord(t *testing.T) {
	e := newExporter(t, Config{URL: "http://127.0.0.1:1", Source: &memorySource{}})
	e.report.behind(time.Now().Add(-time.Hour))
	text := exposed(t, e)
	if !strings.Contains(text, "ulogkit_export_lag_seconds 36") { // 3,600 s and what has passed since
		t.Errorf("got metrics\n%s\nwant a lag of at least 3,600 seconds", text)
	}
}
