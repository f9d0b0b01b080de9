package natssink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// testRecord returns the n-th record, whose every byte follows from n.
func testRecord(n int) ingest.Record {
	rnd := rand.New(rand.NewPCG(uint64(n), 3))
	r := ingest.Record{
		Time: time.Unix(1_700_000_000, int64(n)), Kind: ingest.Kind(1 + n%2),
		Topic: fmt.Sprintf("binlog/v0/7/%d", n), Payload: make([]byte, rnd.IntN(2000)),
	}
	for i := range r.Payload {
		r.Payload[i] = byte(rnd.Uint32())
	}
	for i := range r.Key {
		r.Key[i] = byte(rnd.Uint32())
	}
	switch n % 4 {
	case 1:
		r.ID = "0123456789abcdef-1"
	case 2:
		r.Topic, r.ID, r.Reason = "a b/\r\nX: y/\u00e4%41", " \t", "it \"broke\"\n"
	}
	return r
}

func testRecords(first, n int) (all []ingest.Record) {
	for i := range n {
		all = append(all, testRecord(first+i))
	}
	return all
}

func open(t testing.TB, cfg Config) *Sink {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// readAll returns what the stream holds from a sequence number on.
func readAll(t testing.TB, s ingest.Source, from uint64) (all []ingest.Record) {
	t.Helper()
	r, err := s.Read(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		rec, err := r.Next(t.Context())
		if errors.Is(err, ingest.ErrEnd) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rec)
	}
}

func TestEachRecordIsReadBackOnceAsWritten(t *testing.T) {
	c := startCluster(t, 3)
	s := open(t, Config{URL: c.url()})
	info, err := s.js.Stream(t.Context(), "ULOGKIT")
	if err != nil {
		t.Fatal(err)
	}

	if got := info.CachedInfo().Config; got.Storage != jetstream.FileStorage || got.Replicas != 3 || got.Duplicates != 2*time.Minute {
		t.Errorf("stream is %+v, want Storage %v, Replicas 3 and Duplicates %v", got, jetstream.FileStorage, 2*time.Minute)
	}
	const n = 600 // more than a fetch
	for i := 0; i < n; i += 100 {
		batch := testRecords(i, 100)
		for range 2 { // the second time as after a lost acknowledgement
			if err := s.Append(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
	}

	for _, from := range []uint64{0, 1, 2, 500, 600} {
		got := readAll(t, s, from)
		var want []ingest.Record
		for i := max(int(from), 1); i <= n; i++ {
			r := testRecord(i - 1)
			r.Sequence = uint64(i)
			if len(r.Payload) == 0 {
				r.Payload = got[len(want)].Payload // nil or empty
			}
			want = append(want, r)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("from %d: got %d records, want %d and the same", from, len(got), len(want))
		}
	}

	// A reader that is at the end goes on.
	r, err := s.Read(t.Context(), n+1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(t.Context()); !errors.Is(err, ingest.ErrEnd) {
		t.Fatalf("error %v, want ErrEnd", err)
	}

	if err := s.Append(t.Context(), testRecords(n, 1)); err != nil {
		t.Fatal(err)
	}
	if rec, err := r.Next(t.Context()); err != nil || rec.Sequence != n+1 || !bytes.Equal(rec.Payload, testRecord(n).Payload) {
		t.Fatalf("got record %d, error %v, payload %q, want record %d with %q", rec.Sequence, err, rec.Payload, n+1, testRecord(n).Payload)
	}

	// Deleted records are reported, and so is what others put into the stream.
	if err := info.DeleteMsg(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if _, err := s.js.Publish(t.Context(), "ULOGKIT.other", []byte("x")); err != nil {
		t.Fatal(err)
	}

	r2, err := s.Read(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	defer r2.Close()
	loss := (*ingest.LossError)(nil)
	if _, err := r2.Next(t.Context()); !errors.As(err, &loss) || loss.First != 3 || loss.Last != 3 {
		t.Errorf("error %v, want the loss of record 3", err)
	}

	if rec, err := r2.Next(t.Context()); err != nil || rec.Sequence != 4 {
		t.Errorf("record %d, error %v, want 4", rec.Sequence, err)
	}
	r3, err := s.Read(t.Context(), n+2)
	if err != nil {
		t.Fatal(err)
	}
	defer r3.Close()
	if _, err := r3.Next(t.Context()); !errors.As(err, &loss) || !errors.Is(err, errForeign) {
		t.Errorf("error %v, want a loss of what is foreign", err)
	}

	// A stream that is there already must be what is asked for.
	if _, err := Open(t.Context(), Config{URL: c.url(), Replicas: 1}); err == nil || !strings.Contains(err.Error(), "3 replicas, 1 are asked for") {
		t.Errorf("error %v, want an error that says \"3 replicas, 1 are asked for\"", err)
	}
}

// The leader of the stream dies while records are appended, twice. The worker's
// way of appending, again until it succeeds, loses nothing and leaves no copy.
func TestLeaderKilledUnderLoadLosesNothing(t *testing.T) {
	c := startCluster(t, 3)
	s := open(t, Config{URL: c.url()})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	const batch = 20
	n, failures := 0, 0
	kills := []int{30, 90}
	for round := 0; round < 150; round++ {
		killed := -1
		records := testRecords(n, batch)
		appended := make(chan error, 1)
		appendAll := func() {
			for {
				err := s.Append(ctx, records)
				if err == nil || ctx.Err() != nil {
					appended <- err
					return
				}
				failures++
				time.Sleep(5 * time.Millisecond) // as a worker would, only longer
			}
		}

		go appendAll()
		if len(kills) > 0 && round == kills[0] {
			kills = kills[1:]
			killed = c.leader("ULOGKIT")
			c.stop(killed)
		}

		if err := <-appended; err != nil {
			t.Fatal(err)
		}
		n += batch
		if killed >= 0 {
			c.start(killed)
		}
	}

	got := readAll(t, s, 0)
	seen := map[ingest.Key]int{}
	for _, r := range got {
		seen[r.Key]++
	}
	for i := range n {
		want := testRecord(i)
		if seen[want.Key] != 1 {
			t.Fatalf("got record %d %d times, want it once", i, seen[want.Key])
		}
	}

	for _, r := range got {
		name, _ := topic.Parse(r.Topic)
		i, ok := name.ApplicationID()
		if name.Kind != topic.Log || !ok {
			continue
		}
		if !bytes.Equal(r.Payload, testRecord(int(i)).Payload) {
			t.Fatalf("record %d: got %q, want %q", i, r.Payload, testRecord(int(i)).Payload)
		}
	}

	t.Logf("%d records, %d failed attempts", n, failures)
}

// Without servers Append fails in time, and works again when they are back. A
// reader survives as well.
func TestAppendFailsInTimeWhileServersAreAway(t *testing.T) {
	c := startCluster(t, 1)
	s := open(t, Config{URL: c.url(), Replicas: 1})
	if err := s.Append(t.Context(), testRecords(0, 10)); err != nil {
		t.Fatal(err)
	}
	r, err := s.Read(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(t.Context()); err != nil {
		t.Fatal(err)
	}

	c.stop(0)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := s.Append(ctx, testRecords(10, 10)); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "append to stream ULOGKIT") {
		t.Errorf("got %v, the caller's context %v, want one that names the stream while the caller's context goes on", err, ctx.Err())
	}

	c.start(0)
	c.waitReady()
	c.wait("appending to work again", func() bool { return s.Append(t.Context(), testRecords(10, 10)) == nil })
	for i := 1; i < 20; i++ {
		var rec ingest.Record
		c.wait("the next record", func() bool {
			rec, err = r.Next(t.Context())
			return err == nil
		})
		if rec.Sequence != uint64(i+1) || rec.Key != testRecord(i).Key {
			t.Fatalf("record %d, want %d", rec.Sequence, i+1)
		}
	}
}

func TestOpenSaysWhatFailed(t *testing.T) {
	if _, err := Open(t.Context(), Config{}); err == nil {
		t.Error("got no error without a URL, want one")
	}
	if _, err := Open(t.Context(), Config{URL: "nats://127.0.0.1:1", Timeout: time.Second}); err == nil || !strings.HasPrefix(err.Error(), "open JetStream sink: connect: ") {
		t.Errorf("error %v, want an error and \"open JetStream sink: connect: \" first", err)
	}
}

// F51: a message larger than the servers or the stream take is named, and the others
// of its batch are stored when it has been taken out.
func TestTooLargeIsNamed(t *testing.T) {
	c := startCluster(t, 1)
	s := open(t, Config{URL: c.url(), Replicas: 1})

	narrow := func() {
		info, err := s.js.Stream(t.Context(), "ULOGKIT")
		if err != nil {
			t.Fatal(err)
		}
		cfg := info.CachedInfo().Config
		cfg.MaxMsgSize = 10_000
		if _, err := s.js.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}

	for _, limit := range []struct {
		name  string
		set   func()
		large func(*ingest.Record)
	}{
		// A record id comes from whoever publishes; as a header it is written with escapes.
		{"headers", func() {}, func(r *ingest.Record) { r.ID = strings.Repeat("\u00e9", 20_000) }},
		{"the server", func() {}, func(r *ingest.Record) { r.Payload = bytes.Repeat([]byte{1}, 2<<20) }},
		{"the stream", narrow, func(r *ingest.Record) { r.Payload = bytes.Repeat([]byte{1}, 20_000) }},
	} {
		limit.set()
		batch := testRecords(1000, 3)
		limit.large(&batch[1])
		err := s.Append(t.Context(), batch)
		large := (*ingest.TooLargeError)(nil)
		if !errors.As(err, &large) || large.Index != 1 {
			t.Fatalf("%s: error %v, want that record 1 is too large", limit.name, err)
		}
		if err := s.Append(t.Context(), append(batch[:1:1], batch[2])); err != nil {
			t.Errorf("%s: got %v without it, want no error", limit.name, err)
		}
	}
}

// A reason may quote what a device sent, and a header has no room for all of that.
func TestReasonHasABound(t *testing.T) {
	r := testRecord(1)
	r.Reason = strings.Repeat("\x1b", 100_000)
	m := message("S", &r)
	if n := len(m.Header.Get(headerReason)); n != 3*maxReason {
		t.Errorf("got %d bytes, want those of %d with their escapes", n, maxReason)
	}
	if got, err := record(1, m.Header, m.Data); err != nil || got.Reason != r.Reason[:maxReason] {
		t.Errorf("got %d bytes, %v, want %d", len(got.Reason), err, maxReason)
	}
}

// F32: a stream that was deleted and made again under its name is another one, and no
// place in the old one is one in it.
func TestStreamMadeAnewIsAnother(t *testing.T) {
	c := startCluster(t, 1)
	identity := func() string {
		t.Helper()
		s := open(t, Config{URL: c.url(), Replicas: 1})
		extent, err := s.Extent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return extent.ID
	}

	first, again := identity(), identity()
	if first != again {
		t.Errorf("got identities %q and %q of one stream, want one", first, again)
	}
	s := open(t, Config{URL: c.url(), Replicas: 1})
	if err := s.js.DeleteStream(t.Context(), "ULOGKIT"); err != nil {
		t.Fatal(err)
	}
	if anew := identity(); anew == first {
		t.Errorf("got %q of the stream that was made anew, want another identity", anew)
	}
}

// A stream that somebody has made in memory would lose all with its server.
func TestStreamInMemoryIsRefused(t *testing.T) {
	c := startCluster(t, 1)
	s := open(t, Config{URL: c.url(), Stream: "S", Replicas: 1})
	if _, err := s.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "M", Subjects: []string{"M.>"}, Storage: jetstream.MemoryStorage}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{URL: c.url(), Stream: "M", Replicas: 1}); err == nil || !strings.Contains(err.Error(), "it is kept in memory") {
		t.Errorf("got %v, want it refused", err)
	}
}
