package mqttv5

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/catest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// The interop suite runs against Debian's mosquitto over mTLS. It is left out
// where there is no mosquitto, except in CI, where that is a failure.

func findMosquitto(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto"} {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("got no mosquitto, want it installed; apt-get install mosquitto")
	}
	t.Skip("mosquitto is not installed")
	return ""
}

type mosquitto struct {
	port int
	dir  string
	cmd  *exec.Cmd
	t    testing.TB
}

// quietPort returns a port that nobody listens on, below those that a system gives to
// whoever connects: it stays free while a broker is restarted.
func quietPort(t testing.TB) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().(*net.TCPAddr).Port
		}
	}
	t.Fatal("got no free port in 100 tries, want one")
	return 0
}

// startMosquitto starts a broker whose client certificates come from ca.
func startMosquitto(t testing.TB, ca *catest.CA, extra string) *mosquitto {
	t.Helper()
	m := &mosquitto{t: t, dir: t.TempDir()}
	if err := os.Chmod(m.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	m.port = quietPort(t)
	certPEM, keyPEM := ca.Issue(9, time.Now().Add(time.Hour), "127.0.0.1", "localhost")
	config := fmt.Sprintf(`listener %d 127.0.0.1
cafile %s/ca.pem
certfile %s/server.pem
keyfile %s/server.key
require_certificate true
allow_anonymous true
persistence false
max_queued_messages 0
%s
`, m.port, m.dir, m.dir, m.dir, extra)

	if os.Getuid() == 0 {
		config += "user root\n" // else it becomes a user who cannot read the directory
	}
	for name, b := range map[string][]byte{"ca.pem": ca.PEM, "server.pem": certPEM, "server.key": keyPEM, "mosquitto.conf": []byte(config)} {
		if err := os.WriteFile(filepath.Join(m.dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}

	m.start()
	t.Cleanup(m.kill)
	return m
}

func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd = exec.Command(findMosquitto(m.t), "-c", filepath.Join(m.dir, "mosquitto.conf"))
	log, err := os.Create(filepath.Join(m.dir, "log"))
	if err != nil {
		m.t.Fatal(err)
	}
	defer log.Close()
	m.cmd.Stdout, m.cmd.Stderr = log, log
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}

	deadline := time.Now().Add(patience)
	for {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", m.port), time.Second)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			m.t.Fatalf("mosquitto: got %v, want it to listen\n%s", err, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (m *mosquitto) kill() {
	if m.cmd != nil {
		m.cmd.Process.Kill()
		m.cmd.Wait()
		m.cmd = nil
	}
}

// interopCloud answers boot requests through the broker and collects logs: what
// the cloud does, as a client.
func interopCloud(t testing.TB, cfg Config) (got chan *link.Received) {
	t.Helper()
	cfg.Tuning.ClientID = "cloud-" + randomHex(4)
	cfg.Store = nil
	c := newClient(t, cfg)
	got = make(chan *link.Received, 1000)
	boot := make(chan *link.Received, 1000)
	asked, logs, dumps := c.topic(topic.BootRequest, testDevice(1)), c.topic(topic.Log, testDevice(1)), c.topic(topic.CoreDump, testDevice(1))
	c.keeper.Handle(asked, func(m *link.Received) { boot <- m })
	c.keeper.Handle(logs, func(m *link.Received) { got <- m })
	c.keeper.Handle(dumps, func(m *link.Received) { got <- m })
	l, err := c.keeper.Up(within(t))
	if err != nil {
		t.Fatal(err)
	}

	if err := l.Subscribe(within(t), asked, logs, dumps); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() {
		for {
			select {
			case p := <-boot:
				m := &link.Message{Topic: p.ReplyTopic, Payload: []byte(`{"token":99}`), Correlation: p.Correlation}
				l.Send(context.Background(), m, func(link.Ack, time.Duration) {})
			case <-done:
				return
			}
		}
	}()

	return got
}

func TestUploadsAndDeliveryWorkWithMosquitto(t *testing.T) {
	findMosquitto(t)
	ca := catest.New(t)
	certFile, keyFile, caFile := ca.Write(t.TempDir(), 2, time.Now().Add(time.Hour))
	m := startMosquitto(t, ca, "max_packet_size 131500\nmax_inflight_messages 20")
	cfg := Config{
		Broker: "127.0.0.1", Port: m.port, CustomerID: "7", CertFile: certFile, KeyFile: keyFile, CAFile: caFile,
		Tuning: Tuning{PublishesPerSecond: -1, BytesPerSecond: -1, MinBackoff: 20 * time.Millisecond},
	}
	allowing := cfg
	allowing.AllowNoSubscriber = true
	got := interopCloud(t, cfg)
	receive := func(n int) (payloads map[string][]byte) {
		t.Helper()
		payloads = map[string][]byte{}
		for len(payloads) < n {
			select {
			case p := <-got:
				payloads[p.ID] = p.Payload
			case <-time.After(patience):
				t.Fatalf("got %d messages, want %d", len(payloads), n)
			}
		}
		return payloads
	}

	t.Run("upload", func(t *testing.T) {
		c := newClient(t, cfg)
		r, err := c.UploadLog(within(t), testDevice(1), testLog(t, 1, 60_000))
		if err != nil {
			t.Fatal(err)
		}
		l := receive(1)
		if b := l[r.ID]; b == nil || b[1] != 99 {
			t.Errorf("got header % x, want token 99 in it", b[:min(8, len(b))])
		}
		dump := formattest.DumpBytes(t)[0]
		if r, err = c.PublishCoreDump(within(t), dump); err != nil {
			t.Fatal(err)
		}
		if b := receive(1)[r.ID]; string(b) != string(dump) {
			t.Errorf("got a dump of %d bytes, want the %d that were published, unaltered", len(b), len(dump))
		}
	})
	t.Run("limit", func(t *testing.T) {
		c := newClient(t, cfg)
		if err := c.Connect(within(t)); err != nil {
			t.Fatal(err)
		}
		l, err := c.keeper.Up(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if inFlight, packet := l.Limits(); packet != 131500 || inFlight != 20 {
			t.Errorf("got limits of %d bytes and %d messages, want 131500 and 20", packet, inFlight)
		}
		if _, err := c.PublishBinaryLog(t.Context(), testDevice(1), make([]byte, 131480)); !errors.Is(err, ErrTooLarge) {
			t.Errorf("over the broker's limit: got %v, want %v", err, ErrTooLarge)
		}
	})
	t.Run("nobody subscribed", func(t *testing.T) {
		text := []TextEntry{{Time: 1, Level: 1, Text: "x"}}
		if _, err := newClient(t, cfg).PublishText(within(t), testDevice(1), text); !errors.Is(err, ErrNobody) {
			t.Errorf("got %v, want %v", err, ErrNobody)
		}
		r, err := newClient(t, allowing).PublishText(within(t), testDevice(1), text)
		if err != nil || r[0].Code != ReasonNoMatchingSubscribers {
			t.Errorf("got %+v, %v, want Code %v", r, err, ReasonNoMatchingSubscribers)
		}
	})
	t.Run("evicted", func(t *testing.T) {
		one := cfg
		one.Tuning.ClientID = "same"
		evicted := make(chan Event, 100)
		one.Hooks.Event = func(e Event) {
			if e.Kind == EventEvicted || e.Kind == EventDisconnected {
				evicted <- e
			}
		}
		a := newClient(t, one)
		if err := a.Connect(within(t)); err != nil {
			t.Fatal(err)
		}
		one.Hooks.Event = nil
		b := newClient(t, one)
		if err := b.Connect(within(t)); err != nil {
			t.Fatal(err)
		}
		select {
		case e := <-evicted:
			// Version 2.0.11 closes over TLS without saying why; the backoff keeps
			// two such gateways from calling without end.
			if e.Code != ReasonSessionTakenOver && e.Code != 0 {
				t.Errorf("got %+v, want Code %v or none", e, ReasonSessionTakenOver)
			}
		case <-time.After(patience):
			t.Errorf("got no event within %v, want one of the eviction", patience)
		}
	})
	t.Run("outbox over a restart of the broker", func(t *testing.T) {
		c := newClient(t, allowing) // the subscriber does not come back
		o := openOutbox(t, t.TempDir())
		defer o.Close()
		stop := deliverIn(t, c, o)
		submitLogs(t, o, 4, 3)
		if err := o.WaitEmpty(within(t)); err != nil {
			t.Fatal(err)
		}
		receive(12)
		m.kill()
		submitLogs(t, o, 4, 3)
		m.start()
		if err := o.WaitEmpty(within(t)); err != nil {
			t.Fatal(err)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if s := o.Stats(); s.Delivered != 24 || s.Parked != 0 {
			t.Errorf("got stats %+v, want Delivered 24 and Parked 0", s)
		}
	})
}
