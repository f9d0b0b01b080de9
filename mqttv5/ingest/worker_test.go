package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format/formattest"

	"github.com/eclipse/paho.golang/packets"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

func TestWorkerConnectsWithItsSessionAndFilters(t *testing.T) {
	b := newFakeBroker(t)
	for _, c := range []struct {
		group   string // segment
		filters []string
		want    []string
	}{
		{"", nil, []string{"$share/g/binlog/v0/7/+", "$share/g/binlog/v0/7/+/+", "$share/g/core-dump/v0/7", "$share/g/core-dump/v0/7/+", "$share/g/logs/v0/7/#", "$share/g/metrics/v0/7/#", "$share/g/events/v0/7/#"}},
		{"G1", nil, []string{"$share/g/binlog/v0/7/G1/+", "$share/g/core-dump/v0/7/G1", "$share/g/logs/v0/7/G1/+", "$share/g/metrics/v0/7/G1/+", "$share/g/events/v0/7/G1/+"}},
		{"", []string{"binlog/v0/#"}, []string{"$share/g/binlog/v0/#"}},
	} {
		conn := onLoopback(b.port())
		conn.GroupID = c.group
		w, stop := startWorker(t, Config{Connection: conn, Sink: newMemorySink(), Filters: c.filters, ReceiveMaximum: 33, SessionExpiry: time.Hour, MaxPayload: 5000})
		got := b.next()
		if !slices.Equal(got.filters, c.want) {
			t.Errorf("filters %q, want %q", got.filters, c.want)
		}
		p := got.connect.Properties
		if got.connect.CleanStart || got.connect.ClientID != "ingest-g-w" || *p.SessionExpiryInterval != 3600 || *p.ReceiveMaximum != 33 || *p.MaximumPacketSize != 5000+room {
			t.Errorf("got CONNECT %v, want no clean start, client id ingest-g-w, session expiry 3600, Receive Maximum 33, Maximum Packet Size %d",
				got.connect, 5000+room)
		}
		waitFor(t, "the connection", func() bool { return w.Health().Connected })
		stop()
		if d := <-got.goodbye; d.Properties.SessionExpiryInterval != nil {
			t.Errorf("got session expiry %d at the end, want none, so that the session stays", *d.Properties.SessionExpiryInterval)
		}
	}
}

// Nothing is acknowledged before the sink has returned, everything after it, in
// order.
func TestNothingIsAcknowledgedBeforeItIsStored(t *testing.T) {
	b, sink := newFakeBroker(t), newMemorySink()
	sink.gate = make(chan struct{})
	entered := make(chan struct{}, 100)
	sink.before = func(context.Context) error { entered <- struct{}{}; return nil }
	startWorker(t, Config{Connection: onLoopback(b.port()), Sink: sink})
	c := b.next()
	for i := range 100 {
		c.publish(uint16(i+1), logTopic(i%3), "", testLog(t, i, 100))
	}

	for stored := 0; stored < 100; {
		c.expectNoAck()
		sink.gate <- struct{}{}
		<-entered
		n := len(sink.wait(t, stored+1))
		c.expectAcks(stored+1, n-stored)
		stored = n
	}

	for i, r := range sink.all() {
		if !bytes.Equal(r.Payload, testLog(t, i, 100)) || r.Topic != logTopic(i%3) || r.Kind != KindLog || r.Reason != "" || time.Since(r.Time) > time.Minute {
			t.Fatalf("record %d: got %v of %s at %v, reason %q, payload %x, want log %d of %s of the last minute, no reason",
				i, r.Kind, r.Topic, r.Time, r.Reason, r.Payload, i, logTopic(i%3))
		}
	}
}

func TestNothingIsAcknowledgedWhileTheSinkIsDown(t *testing.T) {
	b, sink := newFakeBroker(t), newMemorySink()
	sink.fail(errors.New("no disk in the drive"))
	var log syncBuffer
	conn := onLoopback(b.port())
	conn.Hooks.Logger = slog.New(slog.NewTextHandler(&log, nil))
	w, _ := startWorker(t, Config{Connection: conn, Sink: sink, ReceiveMaximum: 10})
	c := b.next()
	for i := range 10 {
		c.publish(uint16(i+1), logTopic(1), "", testLog(t, i, 100))
	}
	waitFor(t, "the worker to say so", func() bool { return strings.Contains(w.Health().Sink, "no disk in the drive") })
	waitFor(t, "a second attempt", func() bool { return testutil.ToFloat64(w.count.failures) >= 2 })
	c.expectNoAck()
	if h := w.Health(); !h.Connected || h.OK() || h.Unacknowledged == 0 {
		t.Errorf("got health %+v, want connected, some unacknowledged, and not OK", h)
	}

	if got := get(t, w); got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), "no disk in the drive") {
		t.Errorf("got answer %d %s, want 503 with \"no disk in the drive\"", got.Code, got.Body)
	}
	if n := strings.Count(log.String(), "nothing is acknowledged"); n != 1 {
		t.Errorf("got %d times that nothing is acknowledged, want it said once:\n%s", n, log.String())
	}

	sink.fail(nil)
	c.expectAcks(1, 10)
	waitFor(t, "health", func() bool { return w.Health().OK() })
	if got := get(t, w); got.Code != http.StatusOK || !json.Valid(got.Body.Bytes()) {
		t.Errorf("got answer %d %s, want 200 and JSON", got.Code, got.Body)
	}

	if !strings.Contains(log.String(), "stores again") {
		t.Errorf("got log %s, want it to say that it stores again", log.String())
	}
	if n := testutil.CollectAndCount(NewCollector(w)); n < 15 {
		t.Errorf("got %d metrics, want at least 15", n)
	}
}

// A batch that was not stored when the connection ended comes again from the
// broker, and must not pass for a copy then.
func TestMessageOfALostConnectionIsNoCopy(t *testing.T) {
	b, sink := newFakeBroker(t), newMemorySink()
	entered := make(chan struct{}, 10)
	sink.before = func(ctx context.Context) error {
		entered <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}

	startWorker(t, Config{Connection: onLoopback(b.port()), Sink: sink})
	c := b.next()
	c.publish(1, logTopic(1), "id", testLog(t, 1, 100))
	<-entered
	sink.mu.Lock()
	sink.before = nil
	sink.mu.Unlock()
	c.Close()
	c = b.next()
	c.publish(1, logTopic(1), "id", testLog(t, 1, 100))
	c.expectAcks(1, 1)
	if n := len(sink.all()); n != 1 {
		t.Errorf("got %d records, want 1", n)
	}
}

// A batch that was stored, and whose acknowledgement was lost, comes again and is
// acknowledged without being stored again.
func TestLostAcknowledgementStoresNothingTwice(t *testing.T) {
	b, sink := newFakeBroker(t), newMemorySink()
	startWorker(t, Config{Connection: onLoopback(b.port()), Sink: sink})
	for round := range 5 {
		c := b.next()
		for i := range 20 {
			c.publish(uint16(i+1), logTopic(1), "", testLog(t, i, 100))
		}
		if round == 0 {
			sink.wait(t, 1)
		} else if round == 4 {
			c.expectAcks(1, 20)
		}
		c.Close()
	}
	if n := len(sink.all()); n != 20 {
		t.Errorf("got %d records, want 20", n)
	}
}

func TestCopiesAreStoredOnceAndCounted(t *testing.T) {
	b, sink := newFakeBroker(t), newMemorySink()
	w, _ := startWorker(t, Config{Connection: onLoopback(b.port()), Sink: sink})
	c := b.next()
	other := testLog(t, 1, 100)
	setToken(t, other, 0xff) // of a new session
	const heartbeat = `{"device_serial":"S","metrics":[{"name":"heartbeat","value":1}]}`
	const timed = `{"device_serial":"S","events":[{"type":"up","timestamp":1795937239}]}`
	same := []struct {
		topic, id string
		payload   []byte
		fresh     bool
	}{
		{logTopic(1), "a", testLog(t, 1, 100), true},
		{logTopic(1), "a", other, false},               // the same record after a new registration
		{logTopic(1), "a", testLog(t, 2, 100), true},   // an id that is not unique
		{logTopic(2), "a", testLog(t, 1, 100), true},   // another application
		{logTopic(1), "b", testLog(t, 1, 100), true},   // another record with the same bytes
		{logTopic(1), "", testLog(t, 1, 100), true},    // a sender without ids
		{logTopic(1), "", other, true},                 // another device of that kind
		{logTopic(1), "", testLog(t, 1, 100), false},   // its copy
		{logTopic(1), "x", []byte("poison"), true},     // to quarantine
		{logTopic(1), "x", []byte("poison"), false},    // once
		{logTopic(1), "x", []byte("poisoNXXXX"), true}, // no token is cut out of what is none
		{"metrics/v0/7/42", "", []byte(heartbeat), true},
		{"metrics/v0/7/42", "", []byte(heartbeat), true}, // the next one
		{"metrics/v0/7/42", "h", []byte(heartbeat), true},
		{"metrics/v0/7/42", "h", []byte(heartbeat), false}, // has an id
		{"events/v0/7/42", "", []byte(timed), true},
		{"events/v0/7/42", "", []byte(timed), false}, // has a time
	}

	var want [][]byte
	for i, m := range same {
		c.publish(uint16(i+1), m.topic, m.id, m.payload)
		if m.fresh {
			want = append(want, m.payload)
		}
	}

	c.expectAcks(1, len(same))
	got := sink.all()
	for _, r := range got {
		i := slices.IndexFunc(want, func(b []byte) bool { return bytes.Equal(b, r.Payload) })
		if i < 0 {
			t.Errorf("got %q of %q with id %q once more, want each fresh message once", r.Payload, r.Topic, r.ID)
			continue
		}
		want = slices.Delete(want, i, i+1)
	}

	if len(want) > 0 {
		t.Errorf("got %d messages taken for copies, want none", len(want))
	}
	if n := testutil.ToFloat64(w.count.copies); n != 5 {
		t.Errorf("got %v copies counted, want 5", n)
	}
}

// 50 copies of each message, in any order and over several connections.
func TestFiftyCopiesInAnyOrderAreStoredOnce(t *testing.T) {
	b, sink := newFakeBroker(t), newMemorySink()
	startWorker(t, Config{Connection: onLoopback(b.port()), Sink: sink})
	const messages, copies = 40, 50
	order := make([]int, 0, messages*copies)
	for i := range messages * copies {
		order = append(order, i*7919%(messages*copies)%messages) // 7919 is a prime
	}
	for len(order) > 0 {
		c := b.next()
		n := min(500, len(order))
		acked := 0
		for i, m := range order[:n] {
			if i-acked == 100 {
				c.expectAcks(acked+1, 100)
				acked += 100
			}
			c.publish(uint16(i+1), logTopic(1), fmt.Sprint("id-", m), testLog(t, m, 60))
		}
		c.expectAcks(acked+1, n-acked)
		order = order[n:]
		c.Close()
	}

	seen := map[string]int{}
	for _, r := range sink.all() {
		seen[r.ID]++
	}
	if len(seen) != messages || len(sink.all()) != messages {
		t.Errorf("got %d records of %d messages, want %d of each", len(sink.all()), len(seen), messages)
	}
}

func TestQuarantineGetsWhatIsNotIntactWithItsReason(t *testing.T) {
	b, sink, quarantine := newFakeBroker(t), newMemorySink(), newMemorySink()
	w, _ := startWorker(t, Config{Connection: onLoopback(b.port()), Sink: sink, Quarantine: quarantine})
	good := testLog(t, 1, 200)
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)-1] ^= 1
	unknown := append([]byte(nil), good...)
	unknown[0] = 9
	dump := formattest.DumpBytes(t)[0]
	poison := []struct {
		topic   string
		payload []byte
		reason  string
	}{
		{logTopic(1), nil, "empty"},
		{logTopic(1), []byte{3}, "header"},
		{logTopic(1), bytes.Repeat([]byte{0xff}, 100), "version"},
		{logTopic(1), bytes.Repeat([]byte{0}, 100), "version"},
		{logTopic(1), unknown, "version"},
		{logTopic(1), good[:len(good)-1], "announces"},
		{logTopic(1), append(append([]byte(nil), good...), good...), "left over"},
		{logTopic(1), flipped, "checksum"},
		{logTopic(1), dump, ""},
		{"core-dump/v0/7", good, ""},
		{"core-dump/v0/7", dump[:100], ""},
		{"binlog/v0/7", good, "topic"},
		{"binlog/v0/7/a/b/c", good, "topic"},
		{"somewhere/else", good, "topic"},
	}

	c := b.next()
	for i, p := range poison {
		c.publish(uint16(2*i+1), p.topic, "", p.payload)
		c.publish(uint16(2*i+2), logTopic(9), fmt.Sprint(i), good)
	}

	c.expectAcks(1, 2*len(poison))
	if got := quarantine.all(); len(got) != len(poison) {
		t.Fatalf("%d messages in quarantine, want %d", len(got), len(poison))
	} else {
		for i, r := range got {
			if r.Reason == "" || !strings.Contains(r.Reason, poison[i].reason) || !bytes.Equal(r.Payload, poison[i].payload) || r.Topic != poison[i].topic {
				t.Errorf("message %d: reason %q, want one with %q", i, r.Reason, poison[i].reason)
			}
		}
	}

	if n := len(sink.all()); n != len(poison) {
		t.Errorf("%d good messages stored, want %d", n, len(poison))
	}
	if n := testutil.ToFloat64(w.count.quarantined); int(n) != len(poison) {
		t.Errorf("got %v counted as quarantined, want %d", n, len(poison))
	}
}

// A broker that ignores the Receive Maximum does not fill the memory: it is not
// read from any more, until the sink works again.
func TestReadingStopsBeyondTheReceiveMaximum(t *testing.T) {
	b, sink := newFakeBroker(t), newMemorySink()
	sink.gate = make(chan struct{})
	startWorker(t, Config{Connection: onLoopback(b.port()), Sink: sink, ReceiveMaximum: 5})
	c := b.next()
	const n, size = 1200, 60_000 // 72 MB, far more than sockets hold
	var sent atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			c.publish(uint16(i+1), logTopic(1), "", testLog(t, i, size))
			sent.Add(1)
		}
	}()

	// Once nothing moves any more, what was sent is what sockets and worker hold.
	last, since := int64(-1), time.Now()
	waitFor(t, "the worker to stop reading", func() bool {
		if now := sent.Load(); now != last {
			last, since = now, time.Now()
		}
		return last > 5 && time.Since(since) > 300*time.Millisecond
	})

	if last > n/2 {
		t.Errorf("got %d messages of %d bytes read with a Receive Maximum of 5, want at most %d", last, size, n/2)
	}
	close(sink.gate)
	c.expectAcks(1, n)
	<-done
}

func TestHostileBytesEndTheConnectionNotTheWorker(t *testing.T) {
	b, sink := newFakeBroker(t), newMemorySink()
	// Nobody asked for enhanced authentication: not before the login, nor by it.
	b.greets = []packets.Packet{
		&packets.Auth{ReasonCode: packets.AuthContinueAuthentication, Properties: &packets.Properties{AuthMethod: "x"}},
		&packets.Connack{Properties: &packets.Properties{AuthMethod: "x"}},
	}

	startWorker(t, Config{Connection: onLoopback(b.port()), Sink: sink})
	for _, hostile := range [][]byte{
		{0x32, 0xff, 0xff, 0xff, 0xff, 0x7f},
		{0x32, 0xff, 0xff, 0xff, 0x7f},
		{0x00, 0x00},
		{0x34, 0x07, 0, 1, 't', 0, 1, 0, 'p'}, // QoS 2
		{0x32, 0x07, 0, 1, 't', 0, 0, 0, 'p'}, // identifier 0
		{0x32, 0x02, 0, 9},
		{0xe0, 0x02, 0x81, 0x00},
		{0xf0, 0x02, 0x18, 0x00}, // AUTH
	} {
		c := b.next()
		c.Write(hostile)
		c.expectClosed()
	}

	c := b.next()
	c.publish(1, logTopic(1), "", testLog(t, 1, 50))
	c.expectAcks(1, 1)
}

func TestQoSZeroIsStoredToo(t *testing.T) {
	b, sink := newFakeBroker(t), newMemorySink()
	startWorker(t, Config{Connection: onLoopback(b.port()), Sink: sink, ReceiveMaximum: 2})
	c := b.next()
	for i := range 50 {
		c.Send(&packets.Publish{Topic: logTopic(1), Payload: testLog(t, i, 50), Properties: &packets.Properties{User: []packets.User{{Key: link.PropertyID, Value: "q"}}}})
	}
	if got := sink.wait(t, 50); got[49].ID != "q" || !bytes.Equal(got[49].Payload, testLog(t, 49, 50)) {
		t.Errorf("got last record %+v, want log 49 with id q", got[49])
	}
	c.expectNoAck()
}

func TestStopFinishesTheBatch(t *testing.T) {
	b, sink := newFakeBroker(t), newMemorySink()
	sink.gate = make(chan struct{})
	entered := make(chan struct{}, 1)
	w, stop := startWorker(t, Config{Connection: onLoopback(b.port()), Sink: &enteredSink{sink, entered}})
	c := b.next()
	c.publish(1, logTopic(1), "", testLog(t, 1, 50))
	<-entered
	waitFor(t, "the connection", func() bool { return w.Health().Connected })
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(sink.gate)
	c.expectAcks(1, 1)
	<-c.goodbye
	<-stopped
}

type enteredSink struct {
	*memorySink
	entered chan struct{}
}

func (s *enteredSink) Append(ctx context.Context, records []Record) error {
	s.entered <- struct{}{}
	return s.memorySink.Append(ctx, records)
}

func TestLeaveUnsubscribesAndEndsTheSession(t *testing.T) {
	b, sink := newFakeBroker(t), newMemorySink()
	w, err := New(Config{Connection: onLoopback(b.port()), Group: "g", Name: "w", Sink: sink, Leave: true})
	if err != nil {
		t.Fatal(err)
	}
	w.quiet = 5 * time.Second // more than the gap between an acknowledgement and the next message on any machine
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	c := b.next()
	c.publish(1, logTopic(1), "", testLog(t, 1, 50))
	c.expectAcks(1, 1)
	waitFor(t, "the connection", func() bool { return w.Health().Connected })
	cancel()
	if got := <-c.unsub; len(got) != 7 || got[0] != "$share/g/binlog/v0/7/+" {
		t.Errorf("got %q unsubscribed, want 7 filters and $share/g/binlog/v0/7/+ first", got)
	}

	for i := range 5 { // what the broker still had
		c.publish(uint16(i+2), logTopic(1), "", testLog(t, i+2, 50))
		c.expectAcks(i+2, 1)
	}

	if d := <-c.goodbye; d.Properties.SessionExpiryInterval == nil || *d.Properties.SessionExpiryInterval != 0 {
		t.Errorf("got DISCONNECT %v, want session expiry 0, so that the session ends", d.Properties)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestLeaveWithASinkThatFailsKeepsTheSession(t *testing.T) {
	b, sink := newFakeBroker(t), newMemorySink()
	sink.fail(errors.New("down"))
	w, err := New(Config{Connection: onLoopback(b.port()), Group: "g", Name: "w", Sink: sink, Leave: true})
	if err != nil {
		t.Fatal(err)
	}

	w.quiet, w.grace = 100*time.Millisecond, 100*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	c := b.next()
	c.publish(1, logTopic(1), "", testLog(t, 1, 50))
	waitFor(t, "the sink to fail", func() bool { return w.Health().Sink != "" && w.Health().Connected })
	cancel()
	if d := <-c.goodbye; d.Properties.SessionExpiryInterval != nil {
		t.Errorf("got session expiry %d, want none, so that the session stays with what was not stored", *d.Properties.SessionExpiryInterval)
	}

	if err := <-done; err != nil {
		t.Error(err)
	}
	c.expectNoAck()
}

func TestSecondRunIsRefused(t *testing.T) {
	w, err := New(Config{Connection: onLoopback(1), Group: "g", Name: "w", Sink: newMemorySink()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Run(ctx); err != nil {
		t.Error(err)
	}
	if err := w.Run(ctx); err == nil {
		t.Error("got no error of a second Run, want one")
	}
}

func TestNewRefusesABadConfig(t *testing.T) {
	sink := newMemorySink()
	good := Config{Connection: onLoopback(1), Group: "g", Name: "w", Sink: sink}
	for _, c := range []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"no group", func(c *Config) { c.Group = "" }, "field Group is empty"},
		{"group", func(c *Config) { c.Group = "a/b" }, "Group"},
		{"name", func(c *Config) { c.Name = "a#" }, "Name"},
		{"no sink", func(c *Config) { c.Sink = nil }, "no Sink"},
		{"customer", func(c *Config) { c.Connection.CustomerID = "" }, "CustomerID"},
		{"broker", func(c *Config) { c.Connection.Broker = "mqtt://x" }, "Broker"},
		{"filter", func(c *Config) { c.Filters = []string{"$share/x/y"} }, "filter"},
		{"filters", func(c *Config) { c.Filters = strings.Split("a,b,c,d,e,f,g,h,i", ",") }, "field Filters has 9"},
		{"receive maximum", func(c *Config) { c.ReceiveMaximum = 70000 }, "ReceiveMaximum"},
		{"payload", func(c *Config) { c.MaxPayload = -1 }, "MaxPayload"},
		{"expiry", func(c *Config) { c.SessionExpiry = time.Millisecond }, "SessionExpiry"},
	} {
		cfg := good
		c.edit(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}

	if _, err := New(good); err != nil {
		t.Error(err)
	}
}

// What has not happened yet has no time.
func TestHealthHasNoTimesBeforeTheBeginning(t *testing.T) {
	w, err := New(Config{Connection: onLoopback(1), Group: "g", Name: "w", Sink: newMemorySink()})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"connected":false,"broker_error":"","sink_error":"","unacknowledged":0}` + "\n"
	if got := get(t, w).Body.String(); got != want {
		t.Errorf("health is %swant %s", got, want)
	}
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("got nothing in two minutes, want %s", what)
		}
	}
}

func get(t testing.TB, h http.Handler) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	return rec
}

// syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// A SUBACK is read as a whole: it has a code for each filter, and each grants QoS 1
// (case ingest-suback-count).
func TestWorkerIsNotConnectedByASubackThatDoesNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		codes []byte
		want  string
	}{
		"empty": {[]byte{}, "7 subscriptions with 0 codes"},
		"many":  {bytes.Repeat([]byte{1}, 130_000), "7 subscriptions with 130000 codes"},
		"QoS 0": {[]byte{1, 1, 0, 1, 1, 1, 1}, "granted QoS 0"},
		"one":   {[]byte{1, 1, 1, 1, 1, 1, 0x87}, "Not authorized (0x87)"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFakeBroker(t)
			b.codes = c.codes
			w, _ := startWorker(t, Config{Connection: onLoopback(b.port()), Sink: newMemorySink(), Kinds: AllKinds()})
			b.next().expectClosed()
			waitFor(t, "the worker to say why", func() bool { return strings.Contains(w.Health().Broker, c.want) })
			if w.Health().Connected {
				t.Error("got a worker that is connected, want none")
			}
		})
	}
}

// A worker shows what the broker said, in a CONNACK and in a DISCONNECT.
func TestWorkerShowsTheBrokersWords(t *testing.T) {
	b := newFakeBroker(t)
	b.greets = []packets.Packet{&packets.Connack{ReasonCode: 0x89, Properties: &packets.Properties{ReasonString: "come back later"}}}
	w, _ := startWorker(t, Config{Connection: onLoopback(b.port()), Sink: newMemorySink()})
	waitFor(t, "the words of the CONNACK", func() bool {
		return strings.Contains(w.Health().Broker, "Server busy (0x89): come back later")
	})
	c := b.next()
	waitFor(t, "the connection", func() bool { return w.Health().Connected })
	b.mu.Lock()
	for range 10 {
		b.greets = append(b.greets, &packets.Connack{ReasonCode: 0x89, Properties: &packets.Properties{}})
	}
	b.mu.Unlock()
	c.Send(&packets.Disconnect{ReasonCode: 0x8b, Properties: &packets.Properties{ReasonString: "for the night"}})
	waitFor(t, "the words of the DISCONNECT", func() bool {
		return strings.Contains(w.Health().Broker, "Server shutting down (0x8B): for the night")
	})
}
