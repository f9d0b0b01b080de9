package ingest

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Health says how a worker is.
type Health struct {
	Connected      bool      `json:"connected"`
	Since          time.Time `json:"since,omitzero"`       // of the last change of Connected; zero before the first attempt
	Broker         string    `json:"broker_error"`         // why it is not connected
	Sink           string    `json:"sink_error"`           // why nothing is being acknowledged; empty if the sink works
	SinkSince      time.Time `json:"sink_since,omitzero"`  // of the last change of Sink; zero if it has always worked
	Refused        []string  `json:"refused,omitempty"`    // filters that the broker does not let the worker subscribe to; it works without them
	Unacknowledged int       `json:"unacknowledged"`       // messages being stored
	LastStored     time.Time `json:"last_stored,omitzero"` // zero before the first
	Fatal          string    `json:"fatal,omitempty"`      // why the worker has given up
}

// OK reports whether the worker is connected and its sink works.
func (h Health) OK() bool { return h.Connected && h.Sink == "" && h.Fatal == "" }

// status is a worker's Health, and tells the log of its changes.
type status struct {
	log   *slog.Logger
	count *counters

	mu sync.Mutex
	h  Health
}

func (s *status) health() Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.h
}

func (s *status) connected() {
	s.mu.Lock()
	s.h.Connected, s.h.Since, s.h.Broker = true, time.Now(), ""
	s.mu.Unlock()
	s.count.connected.Set(1)
}

// disconnected tells why there is no connection. An attempt that fails for the
// same reason as the last one is a matter of the debug log.
func (s *status) disconnected(err error, wait time.Duration) {
	s.mu.Lock()
	was, same := s.h.Connected, s.h.Broker == err.Error()
	if was || s.h.Since.IsZero() {
		s.h.Since = time.Now()
	}
	s.h.Connected, s.h.Broker, s.h.Unacknowledged = false, err.Error(), 0
	s.mu.Unlock()
	s.count.connected.Set(0)
	s.count.unacknowledged.Set(0)
	level := slog.LevelWarn
	if same {
		level = slog.LevelDebug
	}
	s.log.Log(context.Background(), level, "not connected", "error", err, "again_in", wait.Round(time.Millisecond))
}

func (s *status) fatal(err error) {
	s.mu.Lock()
	s.h.Fatal = err.Error()
	s.mu.Unlock()
	s.log.Error("worker gives up", "error", err)
}

func (s *status) refused(filters []string) {
	s.mu.Lock()
	s.h.Refused = filters
	s.mu.Unlock()
}

func (s *status) received(n int) {
	s.mu.Lock()
	s.h.Unacknowledged = n
	s.mu.Unlock()
	s.count.unacknowledged.Set(float64(n))
}

// stored is told that all that has arrived is stored and acknowledged.
func (s *status) stored() {
	s.mu.Lock()
	s.h.Unacknowledged, s.h.LastStored = 0, time.Now()
	s.mu.Unlock()
	s.count.unacknowledged.Set(0)
}

func (s *status) sinkFails(what string, err error) {
	text := what + ": " + err.Error()
	s.mu.Lock()
	was := s.h.Sink
	if was == "" {
		s.h.SinkSince = time.Now()
	}
	s.h.Sink = text
	s.mu.Unlock()
	s.count.sinkUp.Set(0)
	if was != text {
		s.log.Error("cannot store; nothing is acknowledged until it works again", "what", what, "error", err)
	}
}

func (s *status) sinkWorks(what string) {
	s.mu.Lock()
	was, since := s.h.Sink, s.h.SinkSince
	if was != "" {
		s.h.Sink, s.h.SinkSince = "", time.Now()
	}
	s.mu.Unlock()
	if was != "" {
		s.count.sinkUp.Set(1)
		s.log.Info("stores again", "what", what, "after", time.Since(since).Round(time.Millisecond))
	}
}

// ServeHTTP answers with the worker's Health as JSON, and with status 503 if it is
// not OK.
func (w *Worker) ServeHTTP(rw http.ResponseWriter, _ *http.Request) {
	h := w.Health()
	rw.Header().Set("Content-Type", "application/json")
	if !h.OK() {
		rw.WriteHeader(http.StatusServiceUnavailable)
	}
	json.NewEncoder(rw).Encode(h) // the client is gone if it fails
}
