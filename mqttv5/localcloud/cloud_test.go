package localcloud

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	mochi "github.com/mochi-mqtt/server/v2/packets"
	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/format"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come; a wait ends when it is there.
const patience = 2 * time.Minute

func start(t *testing.T, cfg Config) *Cloud {
	t.Helper()
	c, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// peer speaks MQTT by hand: what the cloud answers is looked at byte by byte.
type peer struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func dial(t *testing.T, c *Cloud) *peer {
	t.Helper()
	return dialAs(t, c, "peer", 60)
}

func dialAs(t *testing.T, c *Cloud, id string, keepAlive uint16) *peer {
	t.Helper()
	n, err := net.Dial("tcp", c.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	n.SetDeadline(time.Now().Add(patience))
	p := &peer{n, t, bufio.NewReader(n)}
	p.send(&packets.Connect{ProtocolName: "MQTT", ProtocolVersion: 5, ClientID: id, CleanStart: true, KeepAlive: keepAlive, Properties: &packets.Properties{}})
	return p
}

func (p *peer) send(m packets.Packet) {
	p.t.Helper()
	if _, err := m.WriteTo(p); err != nil {
		p.t.Fatal(err)
	}
}

func receive[T packets.Packet](p *peer) T {
	p.t.Helper()
	m, err := packets.ReadPacket(p.r)
	if err != nil {
		p.t.Fatal(err)
	}
	v, ok := m.Content.(T)
	if !ok {
		p.t.Fatalf("got %s, want %T", m.PacketType(), v)
	}
	return v
}

func (p *peer) publish(topic string, payload []byte, id string) byte {
	p.t.Helper()
	m := &packets.Publish{Topic: topic, Payload: payload, QoS: 1, PacketID: 5, Properties: &packets.Properties{}}
	if id != "" {
		m.Properties.User = []packets.User{{Key: "ulogkit-id", Value: id}}
	}
	p.send(m)
	return receive[*packets.Puback](p).ReasonCode
}

// register runs the boot handshake and returns the token that was given.
func (p *peer) register(c *Cloud, serial string) uint32 {
	p.t.Helper()
	p.send(&packets.Subscribe{PacketID: 1, Properties: &packets.Properties{}, Subscriptions: []packets.SubOptions{{Topic: "boot/v0/7/42/" + serial, QoS: 1}}})
	receive[*packets.Suback](p)
	p.publish("boot/v0/7/42", []byte(`{"device_type":"d","git":"g","serial":"`+serial+`","version":"1"}`), "")
	m := receive[*packets.Publish](p)
	if !strings.HasPrefix(string(m.Payload), `{"token":`) || m.Topic != "boot/v0/7/42/"+serial {
		p.t.Fatalf("got reply %s on %s, want a token on boot/v0/7/42/%s", m.Payload, m.Topic, serial)
	}
	token, ok := c.Token(42, serial)
	if !ok {
		p.t.Fatalf("got no token of %s, want the one that was given", serial)
	}
	return token
}

func sample(t *testing.T, token uint32) []byte {
	t.Helper()
	b, err := format.NewLogBuilder(3)
	if err != nil {
		t.Fatal(err)
	}
	b.SessionToken = token
	if err := b.Add(&format.Record{Level: format.LevelInfo, Args: []format.Arg{format.ArgU32(7)}}); err != nil {
		t.Fatal(err)
	}
	buf, err := b.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return buf
}

func TestCloudVerifiesWhatItReceives(t *testing.T) {
	dir := t.TempDir()
	c := start(t, Config{Plaintext: true, Dir: dir, CustomerID: "7"})
	p := dial(t, c)
	ca := receive[*packets.Connack](p)
	if ca.ReasonCode != 0 || ca.Properties.MaximumPacketSize == nil || *ca.Properties.MaximumPacketSize != defaultMaxPacket {
		t.Errorf("got CONNACK %+v, want success and Maximum Packet Size %d", ca, defaultMaxPacket)
	}

	token := p.register(c, "..")
	good := sample(t, token)
	bad := append([]byte(nil), good...)
	bad[len(bad)-1] ^= 1
	for _, s := range []struct {
		topic   string
		payload []byte
		id      string
		code    byte
		err     string // of what was received; "-" when nothing was
	}{
		{"binlog/v0/7/42", good, "a", 0, ""},
		{"binlog/v0/7/42", good, "a", 0, ""}, // a duplicate
		{"binlog/v0/7/g/42", good, "b", 0, ""},
		{"binlog/v0/7/42", bad, "c", 0, "checksum"},
		{"binlog/v0/7/42", sample(t, token+1), "d", 0, "not given out"},
		{"binlog/v0/7/43", good, "e", 0, "application 42"},
		{"binlog/v0/7/42", nil, "f", 0, "empty"},
		{"core-dump/v0/7", []byte("x"), "g", 0, "ends too early"},
		{"logs/v0/7/42", []byte("{\"sequence\":1,\"serial\":\"s\"}\n{\"t\":1,\"lv\":2,\"m\":\"x\"}\n"), "h", 0, ""},
		{"logs/v0/7/42", []byte("{\"sequence\":1}\n{\"t\":1,\"lv\":9,\"m\":\"x\"}\n"), "", 0x99, "-"},
		{"metrics/v0/7/0/42", []byte(`{"device_serial":"S","metrics":[{"name":"t","value":1}]}`), "i", 0, ""},
		{"events/v0/7/42", []byte(`{"devices":[{"device_serial":"S","events":[{"type":"t"}]}]}`), "j", 0, ""},
		{"metrics/v0/7/42", []byte(`{"device_serial":"S","metrics":[]}`), "k", 0, "has no metrics"},
		{"binlog/v0/8/42", good, "", 0x87, "-"}, // another customer
		{"else/v0/7", good, "", 0x87, "-"},
	} {
		before := len(c.Received())
		if code := p.publish(s.topic, s.payload, s.id); code != s.code {
			t.Errorf("%s: got PUBACK 0x%02x, want 0x%02x", s.topic, code, s.code)
		}
		all := c.Received()
		if s.err == "-" {
			if len(all) != before {
				t.Errorf("%s: got it received, want it refused", s.topic)
			}
			continue
		}

		r := all[len(all)-1]
		if r.ID != s.id || r.Topic != s.topic || (r.Err == nil) != (s.err == "") || (r.Err != nil && !strings.Contains(r.Err.Error(), s.err)) {
			t.Errorf("%s: got %+v, want id %q and error %q", s.topic, r, s.id, s.err)
		}

		// Whatever the device calls itself, the file lies in the directory.
		b, err := os.ReadFile(r.File)
		if err != nil || string(b) != string(s.payload) || filepath.Dir(r.File) != filepath.Join(dir, "received") {
			t.Errorf("file %s: got %q, %v, want %q, in %s", r.File, b, err, s.payload, filepath.Join(dir, "received"))
		}
	}

	if all := c.Received(); all[0].Duplicate || !all[1].Duplicate || all[0].DeviceSerial != ".." {
		t.Errorf("got %+v, want the second alone a duplicate, and the first of \"..\"", all[:2])
	}
	if _, err := c.WaitReceived(t.Context(), 11); err != nil {
		t.Error(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if got, err := c.WaitReceived(ctx, 12); !errors.Is(err, context.DeadlineExceeded) || len(got) != 12 {
		t.Errorf("got %d received, %v, want 12, %v", len(got), err, context.DeadlineExceeded)
	}
}

// The traps of the embedded broker (MQTT facts, "Brokers to test against").
func TestBrokerSurvivesItsTraps(t *testing.T) {
	c := start(t, Config{Plaintext: true, Strict: Strict{MaxPacket: 1000}})
	// Eight bytes of SUBSCRIBE crash it.
	p := dial(t, c)
	receive[*packets.Connack](p)
	if _, err := p.Write([]byte{0x82, 6, 0, 1, 0, 0, 1, 'a'}); err != nil {
		t.Fatal(err)
	}

	if m, err := packets.ReadPacket(p.r); err == nil && m.Type != packets.DISCONNECT {
		t.Errorf("got %s, want DISCONNECT or the end", m.PacketType())
	}

	// It is still there; the limit is named and enforced, and success is 0x00.
	p = dial(t, c)
	if ca := receive[*packets.Connack](p); *ca.Properties.MaximumPacketSize != 1000 {
		t.Errorf("got Maximum Packet Size %d, want 1000", *ca.Properties.MaximumPacketSize)
	}
	if code := p.publish("core-dump/v0/7", []byte("x"), "id"); code != 0 {
		t.Errorf("got PUBACK 0x%02x, want 0x00", code)
	}

	m := &packets.Publish{Topic: "core-dump/v0/7", Payload: make([]byte, 2000), QoS: 1, PacketID: 6, Properties: &packets.Properties{}}
	m.WriteTo(p)
	if got, err := packets.ReadPacket(p.r); err == nil && got.Type != packets.DISCONNECT {
		t.Errorf("oversize: got %s, want DISCONNECT or the end", got.PacketType())
	}
}

func TestStrictLimitsAreEnforced(t *testing.T) {
	c := start(t, Config{Plaintext: true, Strict: Strict{PublishesPerSecond: 3, CheckTokens: true, ReceiveMaximum: 9}})
	p := dial(t, c)
	if ca := receive[*packets.Connack](p); ca.Properties.ReceiveMaximum == nil || *ca.Properties.ReceiveMaximum != 9 {
		t.Errorf("got CONNACK properties %+v, want Receive Maximum 9", ca.Properties)
	}
	if code := p.publish("binlog/v0/7/42", sample(t, 5), ""); code != 0x87 {
		t.Errorf("unknown token: got PUBACK 0x%02x, want 0x87", code)
	}
	codes, n := map[byte]int{}, 0
	for ; n < 1000 && (n < 20 || codes[0x97] == 0); n++ { // more on a slow machine
		codes[p.publish("core-dump/v0/7", []byte("x"), "")]++
	}
	if codes[0x97] == 0 || codes[0] == 0 || codes[0]+codes[0x97] != n {
		t.Errorf("got codes %v of %d messages, want 0x00 and 0x97, some of each and no other", codes, n)
	}
}

func TestClientNeedsItsCertificate(t *testing.T) {
	dir := t.TempDir()
	c := start(t, Config{Dir: dir})
	fi, err := os.Stat(c.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	if fi.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v of the key, want 0600", fi.Mode())
	}

	pem, err := os.ReadFile(c.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	cfg := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
	try := func() error {
		n, err := tls.Dial("tcp", c.Addr(), cfg)
		if err != nil {
			return err
		}
		defer n.Close()
		n.SetDeadline(time.Now().Add(patience))
		m := &packets.Connect{ProtocolName: "MQTT", ProtocolVersion: 5, ClientID: "x", CleanStart: true, Properties: &packets.Properties{}}
		if _, err := m.WriteTo(n); err != nil {
			return err
		}
		_, err = packets.ReadPacket(n)
		return err
	}

	if err := try(); err == nil {
		t.Error("got a client without a certificate let in, want it refused")
	}
	pair, err := tls.LoadX509KeyPair(c.CertFile(), c.KeyFile())
	if err != nil {
		t.Fatal(err)
	}

	cfg.Certificates = []tls.Certificate{pair}
	if err := try(); err != nil {
		t.Error(err)
	}
}

func TestStartRefusesAllButLoopback(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "nonsense"} {
		if c, err := Start(t.Context(), Config{Listen: listen}); err == nil {
			c.Close()
			t.Errorf("%s: got it accepted, want an error", listen)
		}
	}
}

// It ends with its context, and leaves nothing behind.
func TestCloudEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, err := Start(ctx, Config{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := c.WaitReceived(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("got error %v, want one that says \"closed\"", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(c.CAFile()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got error %v of the certificates, want %v", err, os.ErrNotExist)
	}
}

// A log configuration goes to each subscription to one device's, and to no other.
func TestLogConfigGoesToItsDeviceAlone(t *testing.T) {
	want := []byte{1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}
	p := dial(t, start(t, Config{Plaintext: true, LogConfig: want}))
	receive[*packets.Connack](p)
	for i, topic := range []string{"boot/v0/1/2/S", "config/v0/1/2/+", "config/v0/1/2/S"} {
		p.send(&packets.Subscribe{PacketID: uint16(i + 1), Properties: &packets.Properties{}, Subscriptions: []packets.SubOptions{{Topic: topic, QoS: 1}}})
		if i < 2 {
			receive[*packets.Suback](p)
		}
	}

	for range 3 { // the acknowledgement may come after it, and "+" fits as well
		m, err := packets.ReadPacket(p.r)
		if err != nil {
			t.Fatal(err)
		}
		if pub, ok := m.Content.(*packets.Publish); ok {
			if pub.Topic != "config/v0/1/2/S" || string(pub.Payload) != string(want) {
				t.Errorf("got % x on %s, want % x on config/v0/1/2/S", pub.Payload, pub.Topic, want)
			}
			return
		}
	}

	t.Error("got no log configuration, want one")
}

func TestOnlyTheLastPayloadsAreKept(t *testing.T) {
	b := newInbox("", 250)
	for n := range 5 {
		if err := b.add(&Received{ID: string(rune('a' + n)), Payload: make([]byte, 100)}); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for i, r := range b.all() {
		if r.Payload != nil {
			kept++
			if i < 3 {
				t.Errorf("got payload %d kept, want the last two alone", i)
			}
		}
	}
	if kept != 2 || b.kept != 200 {
		t.Errorf("got %d payloads and %d bytes kept, want 2 and 200", kept, b.kept)
	}
}

func FuzzCheckSubscribe(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 1, 'a', 1})
	f.Add([]byte{0, 1, 0, 0, 1, 'a'})
	f.Add([]byte{0, 1, 2, 0x0b, 1, 0, 1, 'a', 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if checkSubscribe(b) != nil {
			return
		}
		// What is let through does not make the broker panic.
		pk := mochi.Packet{ProtocolVersion: 5, FixedHeader: mochi.FixedHeader{Type: mochi.Subscribe, Qos: 1}}
		_ = pk.SubscribeDecode(b)
	})
}
