package filesink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// testRecord returns the n-th record, whose every byte follows from n.
func testRecord(n uint64) ingest.Record {
	rnd := rand.New(rand.NewPCG(n, 1))
	r := ingest.Record{
		Time: time.Unix(1_700_000_000, int64(n)), Kind: ingest.Kind(1 + n%2),
		Topic: fmt.Sprintf("binlog/v0/7/%d", n%5), Payload: make([]byte, rnd.IntN(3000)),
	}
	for i := range r.Key {
		r.Key[i] = byte(rnd.Uint32())
	}
	for i := range r.Payload {
		r.Payload[i] = byte(rnd.Uint32())
	}
	if n%3 == 0 {
		r.ID = fmt.Sprintf("id-%d", n)
	}
	if n%7 == 0 {
		r.Reason = "because of " + strings.Repeat("x", rnd.IntN(20))
	}
	return r
}

func testRecords(first, n uint64) []ingest.Record {
	var all []ingest.Record
	for i := range n {
		all = append(all, testRecord(first+i))
	}
	return all
}

func open(t testing.TB, cfg Config) *Sink {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func appendAll(t testing.TB, s *Sink, records []ingest.Record) {
	t.Helper()
	if err := s.Append(context.Background(), records); err != nil {
		t.Fatal(err)
	}
}

// readAll returns what a directory holds from a sequence number on, and what it
// has lost.
func readAll(t testing.TB, dir string, from uint64) (all []ingest.Record, lost []*ingest.LossError) {
	t.Helper()
	r, err := OpenReader(dir, from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()

	for {
		rec, err := r.Next(t.Context())
		loss := (*ingest.LossError)(nil)
		switch {
		case errors.Is(err, ingest.ErrEnd):
			return all, lost
		case errors.As(err, &loss):
			lost = append(lost, loss)
		case err != nil:
			t.Fatal(err)
		default:
			all = append(all, rec)
		}
		if len(all)+len(lost) > 1e6 {
			t.Fatalf("got %d records and %d losses, want the end before that", len(all), len(lost))
		}
	}
}
