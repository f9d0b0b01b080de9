package localcloud

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// peer311 speaks MQTT 3.1.1, byte by byte.
type peer311 struct {
	net.Conn
	t *testing.T
}

func dial311(t *testing.T, c *Cloud, client string) *peer311 {
	t.Helper()
	p := dialRaw(t, c)
	p.send(connect("MQTT", version311, client))
	p.expect("20020000")
	return p
}

func dialRaw(t *testing.T, c *Cloud) *peer311 {
	t.Helper()
	n, err := net.Dial("tcp", c.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	n.SetDeadline(time.Now().Add(patience))
	return &peer311{n, t}
}

func (p *peer311) send(b []byte) {
	p.t.Helper()
	if _, err := p.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// expect reads exactly what is wanted, in hexadecimal digits.
func (p *peer311) expect(want string) {
	p.t.Helper()
	got := make([]byte, len(want)/2)
	n, err := io.ReadFull(p, got)
	if text := hexText(got[:n]); err != nil || text != want {
		p.t.Fatalf("got %s (%v), want %s", text, err, want)
	}
}

// expectEnd wants the connection to end without a further byte.
func (p *peer311) expectEnd() {
	p.t.Helper()
	if b, err := io.ReadAll(p); err != nil || len(b) > 0 {
		p.t.Fatalf("got % x and %v, want the end of the connection", b, err)
	}
}

func hexText(b []byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digits[c>>4])
		s.WriteByte(digits[c&15])
	}
	return s.String()
}

func text(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }

func packet(first byte, parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...)
}

func connect(protocol string, level byte, client string) []byte {
	return packet(0x10, text(protocol), []byte{level, 2, 0, 60}, text(client))
}

func publish311(id byte, topic string, payload []byte) []byte {
	return packet(0x32, text(topic), []byte{0, id}, payload)
}

// The vendor's library speaks 3.1.1: it registers, uploads, and gets what that version
// has and nothing of MQTT 5 (cases seed/cloud-mqtt311 and capture/cloud-refuses-311).
func TestTakesMQTT311(t *testing.T) {
	c := start(t, Config{Plaintext: true, CustomerID: "7", Strict: Strict{CheckTokens: true}})
	p := dial311(t, c, "old")
	p.send(packet(0x82, []byte{0, 1}, text("boot/v0/7/42/SN"), []byte{1}))
	p.expect("9003000101")
	p.send(publish311(2, "boot/v0/7/42", []byte(`{"device_type":"d","git":"g","serial":"SN","version":"1"}`)))
	p.expect("40020002")
	head := make([]byte, 2)
	if _, err := io.ReadFull(p, head); err != nil || head[0] != 0x32 {
		t.Fatalf("got % x, %v; want a PUBLISH", head, err)
	}

	reply := make([]byte, head[1])
	if _, err := io.ReadFull(p, reply); err != nil || !strings.Contains(string(reply), `{"token":`) {
		t.Fatalf("got reply %q, %v, want a token", reply, err)
	}
	token, _ := c.Token(42, "SN")
	p.send(publish311(3, "binlog/v0/7/42", sample(t, token)))
	p.expect("40020003")
	if all := c.Received(); len(all) != 1 || all[0].Err != nil || all[0].DeviceSerial != "SN" {
		t.Errorf("got %+v received, want one good log of SN", all)
	}

	// A refused filter is 0x80, the only failure that this version has.
	p.send(packet(0x82, []byte{0, 4}, text("boot/v0/8/42/SN"), []byte{1}))
	p.expect("9003000480")
}

// What cannot be refused in 3.1.1 ends the connection: no PUBACK, which would say
// that it was taken, and no DISCONNECT, which only clients send.
func TestRefusalIn311EndsTheConnection(t *testing.T) {
	strict := AWS()
	strict.ConnectInterval = 0
	c := start(t, Config{Plaintext: true, CustomerID: "7", Strict: strict})
	friendly := start(t, Config{Plaintext: true, CustomerID: "7", Strict: Strict{CheckTokens: true}})

	for name, s := range map[string]struct {
		c    *Cloud
		send []byte
	}{
		"token":            {friendly, publish311(1, "binlog/v0/7/42", sample(t, 5))},
		"token, strict":    {c, publish311(1, "binlog/v0/7/42", sample(t, 5))},
		"rights":           {friendly, publish311(1, "binlog/v0/8/42", nil)},
		"rights, strict":   {c, publish311(1, "binlog/v0/8/42", nil)},
		"payload, strict":  {c, publish311(1, "core-dump/v0/7", make([]byte, 128<<10+1))},
		"filter, strict":   {c, packet(0x82, []byte{0, 1}, text("config/v0/7/1/2/3/4/5/+"), []byte{1})},
		"bad text, strict": {c, publish311(1, "logs/v0/7/42", []byte("x"))},
	} {
		t.Run(name, func(t *testing.T) {
			p := dial311(t, s.c, name)
			p.send(s.send)
			p.expectEnd()
		})
	}
}

// A mosquitto that bridges is let in as it asks, and does not get its own messages
// back: it would send them on to its own clients.
func TestBridgeGetsNotItsOwnMessages(t *testing.T) {
	c := start(t, Config{Plaintext: true, CustomerID: "7"})
	p := dialRaw(t, c)
	p.send(connect("MQTT", version311|bridgeBit, "bridge"))
	p.expect("20020000")
	p.send(packet(0x82, []byte{0, 1}, text("#"), []byte{1}))
	p.expect("9003000101")
	p.send(publish311(2, "core-dump/v0/7", []byte("x")))
	p.expect("40020002")
	if err := c.Publish("boot/v0/8/42/SN", []byte("of another customer")); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish("boot/v0/7/42/SN", []byte("y")); err != nil {
		t.Fatal(err)
	}
	p.expect(hexText(publish311(1, "boot/v0/7/42/SN", []byte("y"))))
}

// lines is a log that a test reads.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A client that is sent away gets one line, and one that goes by itself none.
func TestSaysWhyAClientIsSentAway(t *testing.T) {
	for name, s := range map[string]struct {
		tls  bool
		talk func(*testing.T, *Cloud)
		want string
	}{
		"MQTT 3.1": {false, func(t *testing.T, c *Cloud) {
			p := dialRaw(t, c)
			p.send(connect("MQIsdp", 3, "old"))
			p.expect("20020001")
			p.expectEnd()
		}, "it speaks MQTT of protocol level 3; this cloud takes 3.1.1 (4) and 5"},
		"MQTT 6": {false, func(t *testing.T, c *Cloud) {
			p := dialRaw(t, c)
			p.send(connect("MQTT", 6, "new"))
			p.expect("20020001")
			p.expectEnd()
		}, "protocol level 6"},
		"same client id": {false, func(t *testing.T, c *Cloud) {
			p := dial311(t, c, "twin")
			dial311(t, c, "twin")
			p.expectEnd()
		}, "client=twin"},
		"no right": {false, func(t *testing.T, c *Cloud) {
			p := dial311(t, c, "thief")
			p.send(publish311(1, "binlog/v0/8/1", nil))
			p.expectEnd()
		}, "no right to use this topic"},
		"packet too long": {false, func(t *testing.T, c *Cloud) {
			p := dial311(t, c, "big")
			p.send([]byte{0x32, 0xff, 0xff, 0x7f})
			p.expectEnd()
		}, "packet of 2097151 bytes"},
		"no certificate": {true, func(t *testing.T, c *Cloud) {
			n, err := tls.Dial("tcp", c.Addr(), &tls.Config{InsecureSkipVerify: true})
			if err == nil {
				io.ReadAll(n)
				n.Close()
			}
		}, "client didn't provide a certificate"},
		"no TLS": {true, func(t *testing.T, c *Cloud) {
			p := dialRaw(t, c)
			p.send(connect("MQTT", version311, "plain"))
			io.ReadAll(p)
		}, "does not look like a TLS handshake"},
		"gone by itself": {false, func(t *testing.T, c *Cloud) {
			dial311(t, c, "one").send([]byte{0xe0, 0})
			dial311(t, c, "two").Close()
			dialRaw(t, c).Close()
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			log := &lines{}
			c := start(t, Config{Plaintext: !s.tls, CustomerID: "7", Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
			s.talk(t, c)
			if err := c.Close(); err != nil { // then all has been said
				t.Error(err)
			}
			got := log.String()
			if s.want == "" && got != "" || !strings.Contains(got, s.want) {
				t.Errorf("log %q, want %q", got, s.want)
			}
			if n := strings.Count(got, "client sent away"); s.want != "" && n != 1 {
				t.Errorf("got %d lines of clients sent away, want 1: %s", n, got)
			}
		})
	}
}
