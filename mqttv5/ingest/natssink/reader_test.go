package natssink

import (
	"bytes"
	"context"
	"errors"
	"net"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// lossy is a dialer whose connections send requests to where nobody answers them,
// as servers do not that have no leader: for each name the first so many.
type lossy struct {
	mu   sync.Mutex
	left map[string]int // by what stands behind $JS.API.
}

func (l *lossy) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return &lossyConn{c, l}, err
}

type lossyConn struct {
	net.Conn
	l *lossy
}

func (c *lossyConn) Write(p []byte) (int, error) {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	b := bytes.Clone(p)
	for name, left := range c.l.left {
		for ; left > 0; left-- {
			i := bytes.Index(b, []byte("$JS.API."+name))
			if i < 0 {
				break
			}
			copy(b[i:], "$NOBODY.")
		}
		c.l.left[name] = left
	}
	return c.Conn.Write(b)
}

// lose makes a configuration whose requests are lost, and made again after a second.
// Connecting, which is not lost, may take as long as it takes.
func lose(t testing.TB, c *cluster, left map[string]int) (Config, *lossy) {
	t.Helper()
	nc, err := nats.Connect(c.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	// Without a subscription the server would say that there is nobody.
	if _, err := nc.SubscribeSync("$NOBODY.>"); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	l := &lossy{left: left}
	return Config{URL: c.url(), Replicas: 1, Timeout: time.Second, Options: []nats.Option{nats.SetCustomDialer(l), nats.Timeout(time.Minute)}}, l
}

// A request that is never answered is made again, also when the caller's context
// has a deadline far away.
func TestUnansweredRequestsAreMadeAgain(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 1)
	cfg, l := lose(t, c, map[string]int{"STREAM.INFO": 2, "STREAM.CREATE": 2, "CONSUMER.CREATE": 2, "STREAM.MSG.GET": 2, "CONSUMER.DELETE": 1})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s, err := Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := open(t, Config{URL: c.url(), Replicas: 1}).Append(ctx, testRecords(0, 3)); err != nil {
		t.Fatal(err)
	}

	r, err := s.Read(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}

	for n := range uint64(3) {
		if rec, err := r.Next(ctx); err != nil || rec.Sequence != n+1 {
			t.Fatalf("got record %d, error %v, want record %d and no error", rec.Sequence, err, n+1)
		}
	}

	if _, err := r.Next(ctx); !errors.Is(err, ingest.ErrEnd) {
		t.Errorf("error %v, want ErrEnd", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	for name, left := range l.left {
		if left > 0 {
			t.Errorf("got %d requests %s that were not lost, want all lost that should be", left, name)
		}
	}
}

// Servers that never answer end a request before the caller's context does.
func TestRequestEndsWhenServersNeverAnswer(t *testing.T) {
	c := startCluster(t, 1)
	open(t, Config{URL: c.url(), Replicas: 1})
	cfg, _ := lose(t, c, map[string]int{"STREAM.INFO": 1 << 30})
	cfg.Timeout = 20 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if _, err := OpenSource(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		t.Errorf("got %v, the caller's context %v, want %v while the caller's context goes on", err, ctx.Err(), context.DeadlineExceeded)
	}
}

// A consumer may be on a server that is behind the leader, or may have died: that
// it has no more is not the end. The leader tells, also of a stream whose messages
// any server may give.
func TestTheLeaderTellsTheEnd(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 1)
	cfg, _ := lose(t, c, map[string]int{"CONSUMER.MSG.NEXT": 1 << 30, "DIRECT.": 1 << 30})
	cfg.Timeout = 0 // nobody waits for it here
	s := open(t, cfg)
	if _, err := s.js.UpdateStream(t.Context(), jetstream.StreamConfig{
		Name: "ULOGKIT", Subjects: []string{"ULOGKIT.>"}, Replicas: 1, AllowDirect: true, Duplicates: 2 * time.Minute,
	}); err != nil {
		t.Fatal(err)
	}

	if err := s.Append(t.Context(), testRecords(0, 3)); err != nil {
		t.Fatal(err)
	}
	stream, err := s.stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	if !stream.CachedInfo().Config.AllowDirect {
		t.Error("got a stream without direct gets, want them allowed")
	}
	if err := stream.DeleteMsg(t.Context(), 3); err != nil {
		t.Fatal(err)
	}

	got := readAll(t, s, 0)
	if len(got) != 2 || got[0].Key != testRecord(0).Key || got[1].Topic != testRecord(1).Topic || !bytes.Equal(got[1].Payload, testRecord(1).Payload) {
		t.Errorf("got %+v, want the records 0 and 1", got)
	}
}

// What the stream has deleted at its end is told when something follows it.
func TestDeletedEndIsToldWhenSomethingFollows(t *testing.T) {
	c := startCluster(t, 1)
	s := open(t, Config{URL: c.url(), Replicas: 1})
	if err := s.Append(t.Context(), testRecords(0, 2)); err != nil {
		t.Fatal(err)
	}
	stream, err := s.stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	if err := stream.DeleteMsg(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	r, err := s.Read(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if rec, err := r.Next(t.Context()); err != nil || rec.Sequence != 1 {
		t.Fatalf("got record %d, error %v, want record 1 and no error", rec.Sequence, err)
	}

	if _, err := r.Next(t.Context()); !errors.Is(err, ingest.ErrEnd) {
		t.Fatalf("error %v, want ErrEnd", err)
	}
	if err := s.Append(t.Context(), testRecords(2, 1)); err != nil {
		t.Fatal(err)
	}

	loss := (*ingest.LossError)(nil)
	if _, err := r.Next(t.Context()); !errors.As(err, &loss) || loss.First != 2 || loss.Last != 2 {
		t.Errorf("error %v, want the loss of record 2", err)
	}
	if rec, err := r.Next(t.Context()); err != nil || rec.Sequence != 3 {
		t.Errorf("got record %d, error %v, want record 3 and no error", rec.Sequence, err)
	}
}

// Reading takes a stream as it is, and makes none.
func TestSourceMakesNothing(t *testing.T) {
	c := startCluster(t, 1)
	if _, err := OpenSource(t.Context(), Config{URL: c.url()}); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("error %v, want that there is none", err)
	}
	s := open(t, Config{URL: c.url(), Stream: "S", Replicas: 1})
	if err := s.Append(t.Context(), testRecords(0, 2)); err != nil {
		t.Fatal(err)
	}

	for names := s.js.StreamNames(t.Context()); ; {
		name, ok := <-names.Name()
		if !ok {
			break
		}
		if name != "S" {
			t.Errorf("got a stream %s, want S alone", name)
		}
	}

	source, err := OpenSource(t.Context(), Config{URL: c.url(), Stream: "S"})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if got := readAll(t, source, 0); len(got) != 2 {
		t.Errorf("got %d records, want 2", len(got))
	}
}

// Whatever another program publishes to the stream, a message is a record or refused
// with a reason; what is read is written again as the same record.
func FuzzMessage(f *testing.F) {
	for n := range 4 {
		r := testRecord(n)
		m := message("S", &r)
		f.Add(m.Header.Get(headerKey), m.Header.Get(headerKind), m.Header.Get(headerTime), m.Header.Get(headerTopic), m.Header.Get(headerID), m.Header.Get(headerReason), m.Data[:min(len(m.Data), 16)])
	}

	f.Add("", "3", "-1", "%", "%0", "%zz", []byte(nil))
	f.Fuzz(func(t *testing.T, key, kind, at, topic, id, reason string, data []byte) {
		h := nats.Header{}
		for name, value := range map[string]string{
			headerKey: key, headerKind: kind, headerTime: at, headerTopic: topic, headerID: id, headerReason: reason,
		} {
			h.Set(name, value)
		}
		r, err := record(7, h, data)
		if err != nil {
			return
		}
		m := message("S", &r)
		again, err := record(7, m.Header, m.Data)
		again.Reason, r.Reason = again.Reason[:min(len(again.Reason), maxReason)], r.Reason[:min(len(r.Reason), maxReason)]
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("got %+v, error %v, want what was written: %+v", again, err, r)
		}
	})
}
