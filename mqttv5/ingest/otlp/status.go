package otlp

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Health says how an Exporter is.
type Health struct {
	Position uint64    `json:"position"`            // of the next record to export
	Receiver string    `json:"receiver_error"`      // why the last request failed; empty if it did not
	Since    time.Time `json:"since,omitzero"`      // of the last change of Receiver; zero if it has always taken all
	Taken    time.Time `json:"last_taken,omitzero"` // when the receiver last took a request; zero before the first
	Oldest   time.Time `json:"oldest,omitzero"`     // when the oldest record that was read and not exported was received; zero if there is none
}

// OK reports whether the receiver takes what it is sent.
func (h Health) OK() bool { return h.Receiver == "" }

// report is what others may look at while the Exporter works.
type report struct {
	mu    sync.Mutex
	stats Stats
	h     Health
}

// publish makes the statistics visible.
func (s *report) publish(st Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats, s.h.Position = st, st.Position
}

// behind tells of the oldest record that waits for its export; zero if there is
// none.
func (s *report) behind(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.h.Oldest = t
}

// answered tells how a request ended.
func (s *report) answered(err error) {
	text, now := "", time.Now()
	if err != nil {
		text = err.Error()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.h.Taken = now
	}
	if (text == "") != (s.h.Receiver == "") {
		s.h.Since = now
	}
	s.h.Receiver = text
}

// Stats returns what was exported so far. It can be called while the Exporter works.
func (e *Exporter) Stats() Stats {
	e.report.mu.Lock()
	defer e.report.mu.Unlock()
	return e.report.stats
}

// Health returns how the Exporter is. It can be called while the Exporter works.
func (e *Exporter) Health() Health {
	e.report.mu.Lock()
	defer e.report.mu.Unlock()
	return e.report.h
}

// ServeHTTP answers with the Exporter's Health as JSON, and with status 503 if it is
// not OK.
func (e *Exporter) ServeHTTP(rw http.ResponseWriter, _ *http.Request) {
	h := e.Health()
	rw.Header().Set("Content-Type", "application/json")
	if !h.OK() {
		rw.WriteHeader(http.StatusServiceUnavailable)
	}
	json.NewEncoder(rw).Encode(h) // the client is gone if it fails
}

// NewCollector returns a collector for the caller's own Prometheus registry. Two
// exporters in one registry need a label each, which prometheus.WrapRegistererWith gives.
func NewCollector(e *Exporter) prometheus.Collector { return collector{e} }

// collector reads the statistics when it is asked; nothing is counted twice.
type collector struct{ e *Exporter }

func metric(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("ulogkit_export_"+name, help, nil, nil)
}

// counts are the metrics of Stats that only grow.
var counts = [...]struct {
	desc *prometheus.Desc
	of   func(*Stats) uint64
}{
	{metric("messages_total", "Logs and crash dumps read from the sink, copies left out."), func(s *Stats) uint64 { return uint64(s.Messages) }},
	{metric("log_records_total", "Log records that the receiver has taken."), func(s *Stats) uint64 { return uint64(s.LogRecords) }},
	{metric("data_points_total", "Data points of metrics that the receiver has taken."), func(s *Stats) uint64 { return uint64(s.DataPoints) }},
	{metric("rejected_total", "Log records and data points that the receiver did not want."), func(s *Stats) uint64 { return uint64(s.Rejected) }},
	{metric("set_aside_total", "Log records and data points that the receiver refused one by one."), func(s *Stats) uint64 { return uint64(s.SetAside) }},
	{metric("undecoded_total", "Log records without a format string."), func(s *Stats) uint64 { return uint64(s.Undecoded) }},
	{metric("ambiguous_total", "Log records and data points that another build, which fits their log as well, reads differently."), func(s *Stats) uint64 { return uint64(s.Ambiguous) }},
	{metric("missing_frames_total", "Frames missing, by the sequence numbers of version 1 logs."), func(s *Stats) uint64 { return uint64(s.Missing) }},
	{metric("quarantined_total", "Messages left out, since they are not intact."), func(s *Stats) uint64 { return uint64(s.Quarantined) }},
	{metric("lost_records_total", "Records that the sink could not return."), func(s *Stats) uint64 { return s.Lost }},
	{metric("uncounted_losses_total", "Losses of the sink of which it is not known how many records they were."), func(s *Stats) uint64 { return uint64(s.Uncounted) }},
	{metric("failures_total", "Requests that failed and were made again."), func(s *Stats) uint64 { return uint64(s.Retries) }},
}

var (
	metricPosition = metric("position", "Sequence number of the next record to export.")
	metricLag      = metric("lag_seconds", "Age of the oldest record that was read and not exported; 0 if there is none.")
	metricUp       = metric("receiver_up", "1 if the receiver took the last request, or got none yet.")
)

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for i := range counts {
		ch <- counts[i].desc
	}
	ch <- metricPosition
	ch <- metricLag
	ch <- metricUp
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	st, h := c.e.Stats(), c.e.Health()
	for i := range counts {
		ch <- prometheus.MustNewConstMetric(counts[i].desc, prometheus.CounterValue, float64(counts[i].of(&st)))
	}
	lag, up := 0.0, 0.0
	if !h.Oldest.IsZero() {
		lag = max(time.Since(h.Oldest).Seconds(), 0)
	}
	if h.OK() {
		up = 1
	}
	for _, g := range [...]struct {
		desc  *prometheus.Desc
		value float64
	}{{metricPosition, float64(h.Position)}, {metricLag, lag}, {metricUp, up}} {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.value)
	}
}
