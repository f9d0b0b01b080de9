package ingest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
)

// memorySink keeps records in memory.
type memorySink struct {
	mu      sync.Mutex
	records []Record
	batches int
	err     error                       // of every Append, until it is nil
	gate    chan struct{}               // Append waits for it, if it is not nil
	before  func(context.Context) error // called first
	changed chan struct{}               // closed and renewed with each record
}

func newMemorySink() *memorySink { return &memorySink{changed: make(chan struct{})} }

func (s *memorySink) Append(ctx context.Context, records []Record) error {
	s.mu.Lock()
	gate, before := s.gate, s.before
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}

	if before != nil {
		if err := before(ctx); err != nil {
			return err
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	for _, r := range records {
		r.Payload = append([]byte(nil), r.Payload...)
		s.records = append(s.records, r)
	}

	s.batches++
	close(s.changed)
	s.changed = make(chan struct{})
	return nil
}

func (s *memorySink) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *memorySink) all() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Record(nil), s.records...)
}

// wait waits until the sink holds n records.
func (s *memorySink) wait(t testing.TB, n int) []Record {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		s.mu.Lock()
		records, changed := s.records, s.changed
		s.mu.Unlock()
		if len(records) >= n {
			return s.all()
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the sink holds %d records after two minutes, want %d", len(records), n)
		}
	}
}

// testLog returns a valid log of about size bytes whose content follows from n.
func testLog(t testing.TB, n, size int) []byte {
	t.Helper()
	b, err := format.NewLogBuilder(3)
	if err != nil {
		t.Fatal(err)
	}
	b.SessionToken, b.Tick, b.TickRateHz = uint32(n), uint32(n), 32768
	for first := true; first || b.Len() < size-40; first = false {
		text := strings.Repeat(string(rune('a'+n%26)), min(max(size-b.Len()-32, 1), 200))
		if err := b.Add(&format.Record{
			TickDelta: uint32(n), Level: format.LevelInfo, Module: 3, FmtAddr: uint32(n),
			Args: []format.Arg{format.ArgU32(uint32(n)), format.ArgString(text)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	log, err := b.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// onLoopback is the configuration for a plain broker on loopback.
func onLoopback(port int) mqttv5.Config {
	return mqttv5.Config{
		Broker: "127.0.0.1", Port: port, CustomerID: "7", InsecurePlaintext: true,
		TokenTimeout: time.Minute,
		Tuning:       mqttv5.Tuning{PublishesPerSecond: -1, BytesPerSecond: -1, MinBackoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond},
	}
}

// startWorker runs a worker until the test ends or stop is called.
func startWorker(t testing.TB, cfg Config) (w *Worker, stop func()) {
	t.Helper()
	if cfg.Group == "" {
		cfg.Group = "g"
	}
	if cfg.Name == "" {
		cfg.Name = "w"
	}
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("got %v from the worker, want no error", err)
			}
		case <-time.After(2 * time.Minute):
			t.Error("got a worker that runs on for two minutes, want it to stop")
		}
	})

	t.Cleanup(stop)
	return w, stop
}

func logTopic(app int) string { return fmt.Sprintf("binlog/v0/7/%d", app) }
