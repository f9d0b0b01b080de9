package ingest

import (
	"context"
	"errors"
	"log/slog"
	"testing"
)

// limited is a sink that takes records with short payloads only.
type limited struct {
	limit int
	got   []Record
}

func (s *limited) Append(_ context.Context, records []Record) error {
	for i := range records {
		if len(records[i].Payload) > s.limit {
			return &TooLargeError{Index: i, Err: errors.New("maximum payload exceeded")}
		}
	}
	s.got = append(s.got, records...)
	return nil
}

func payloads(sizes ...int) (records []Record) {
	for _, n := range sizes {
		records = append(records, Record{Payload: make([]byte, n)})
	}
	return records
}

// F51, case nats-max-payload: what is too large for the sink goes into quarantine with that reason, and from
// there to where there is room, and the worker goes on.
func TestTooLargeGoesIntoQuarantine(t *testing.T) {
	sink, quarantine, disk := &limited{limit: 10}, &limited{limit: 100}, &limited{limit: 1 << 20}
	opened, full := 0, true
	count := newCounters("w")
	p := newPipeline(&Config{Sink: sink, Quarantine: Overflow(quarantine, func() (Sink, error) {
		if opened++; full {
			full = false
			return nil, errors.New("no space left on device")
		}
		return disk, nil
	}), ReceiveMaximum: 1, Window: 1}, &status{log: slog.New(slog.DiscardHandler), count: count}, count)

	p.minRetry = 0
	p.good = payloads(1, 50, 2, 500, 3)
	if !p.store(t.Context()) {
		t.Fatal("got a batch that was not stored, want it stored")
	}
	if len(sink.got) != 3 || len(quarantine.got) != 1 || len(disk.got) != 1 {
		t.Errorf("got %d in the sink, %d in quarantine, %d on disk; want 3, 1 and 1", len(sink.got), len(quarantine.got), len(disk.got))
	}

	if opened != 2 {
		t.Errorf("got the disk opened %d times, want 2: again after its error and then never", opened)
	}
	for _, r := range append(quarantine.got, disk.got...) {
		if r.Reason != "record is too large for the sink: maximum payload exceeded" {
			t.Errorf("reason %q, want \"record is too large for the sink: maximum payload exceeded\"", r.Reason)
		}
	}
}
