package ingest

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// policy lets a client subscribe to what it names alone.
type policy struct {
	mochi.HookBase
	refused []string // parts of filters
	tries   atomic.Int32
}

func (*policy) ID() string { return "policy" }

func (*policy) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}

func (*policy) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (p *policy) OnACLCheck(_ *mochi.Client, topic string, write bool) bool {
	p.tries.Add(1)
	return write || !slices.ContainsFunc(p.refused, func(part string) bool { return strings.Contains(topic, part) })
}

func startPolicy(t *testing.T, refused ...string) (p *policy, port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	p = &policy{refused: refused}
	if err := s.AddHook(p, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.AddListener(listeners.NewNet("test", l)); err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return p, l.Addr().(*net.TCPAddr).Port
}

// runUntil runs a worker until its health is as wanted.
func runUntil(t *testing.T, cfg Config, want func(Health) bool) Health {
	t.Helper()
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()

	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if h := w.Health(); want(h) {
			return h
		}
		if time.Now().After(deadline) {
			t.Fatalf("got health %+v after two minutes, want what the test waits for", w.Health())
		}
	}
}

// A certificate whose policy is older than text logs, metrics and events can still
// ingest logs and dumps, and what is left out is told.
func TestRefusedLaterKindsAreLeftOutAndTold(t *testing.T) {
	_, port := startPolicy(t, "metrics/v0", "events/v0")
	h := runUntil(t, Config{Connection: onLoopback(port), Group: "g", Name: "w", Sink: nowhere{}}, func(h Health) bool { return h.Connected })
	if len(h.Refused) != 2 || !strings.HasPrefix(h.Refused[0], "metrics/v0/") || !strings.HasPrefix(h.Refused[1], "events/v0/") {
		t.Errorf("got %q refused, want a filter of metrics/v0/ and one of events/v0/", h.Refused)
	}
}

// Without logs there is no ingest, and a kind that somebody has named is no less.
func TestRefusedKindsThatAreWantedAreNotLeftOut(t *testing.T) {
	for name, kinds := range map[string][]Kind{"log": nil, "events": {KindLog, KindEvents}} {
		refused := map[string]string{"log": "binlog/v0", "events": "events/v0"}[name]
		_, port := startPolicy(t, refused)
		h := runUntil(t, Config{Connection: onLoopback(port), Group: "g", Name: "w", Sink: nowhere{}, Kinds: kinds}, func(h Health) bool { return h.Broker != "" })
		if h.Connected || !strings.Contains(h.Broker, refused) {
			t.Errorf("%s: got health %+v, want not connected and a broker's error with %s", name, h, refused)
		}
	}
}

// Only what is named is subscribed to.
func TestOnlyKindsThatAreNamedAreSubscribedTo(t *testing.T) {
	conn := onLoopback(1)
	conn.CustomerID = "7"
	for _, c := range []struct {
		kinds []Kind
		group string
		want  []string
	}{
		{[]Kind{KindLog}, "", []string{"binlog/v0/7/+", "binlog/v0/7/+/+"}},
		{[]Kind{KindCoreDump, KindMetrics}, "", []string{"core-dump/v0/7", "core-dump/v0/7/+", "metrics/v0/7/#"}},
		{[]Kind{KindLog, KindEvents}, "g1", []string{"binlog/v0/7/g1/+", "events/v0/7/g1/+"}},
	} {
		conn.GroupID = c.group
		cfg, err := Config{Connection: conn, Group: "g", Name: "w", Sink: nowhere{}, Kinds: c.kinds}.withDefaults()
		if err != nil || !slices.Equal(cfg.Filters, c.want) || len(cfg.optional) > 0 {
			t.Errorf("%v: got %q and %q, %v, want %q", c.kinds, cfg.Filters, cfg.optional, err, c.want)
		}
	}

	if _, err := (Config{Connection: conn, Group: "g", Name: "w", Sink: nowhere{}, Kinds: AllKinds(), Filters: []string{"a"}}).withDefaults(); err == nil {
		t.Error("got Kinds and Filters accepted together, want an error")
	}
	for _, k := range AllKinds() {
		if got, err := ParseKind(k.String()); got != k || err != nil {
			t.Errorf("got %v, error %v, want %v from its name and no error", got, err, k)
		}
	}

	if _, err := ParseKind("unknown"); err == nil {
		t.Error("got the name unknown accepted as a kind, want an error")
	}
}
