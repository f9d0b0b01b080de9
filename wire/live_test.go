package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// patience is how long a live test waits for what must come.
const patience = 2 * time.Minute

// wrappedListener gives each accepted connection to a hook.
type wrappedListener struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l wrappedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wrap(c), nil
}

// allowAll lets everybody do everything.
type allowAll struct{ mochi.HookBase }

func (*allowAll) ID() string { return "allow" }

func (*allowAll) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}

func (*allowAll) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

func (*allowAll) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// startBroker starts a broker on loopback that ends with the test.
func startBroker(t *testing.T, wrap func(net.Conn) net.Conn) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := b.AddHook(new(allowAll), nil); err != nil {
		t.Fatal(err)
	}
	if err := b.AddListener(listeners.NewNet("loopback", wrappedListener{l, wrap})); err != nil {
		t.Fatal(err)
	}
	if err := b.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return l.Addr().String()
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// talkPaho is a gateway's conversation with a broker by paho, in MQTT 5.0: it
// subscribes to what it publishes and waits until all has come back.
func talkPaho(t *testing.T, conn net.Conn, payloads map[string][]byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	received := make(chan string, 16)
	c := paho.NewClient(paho.ClientConfig{
		Conn: conn,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			received <- p.Packet.Topic
			return true, nil
		}},
	})

	ack, err := c.Connect(ctx, &paho.Connect{ClientID: "cust-C", CleanStart: true, KeepAlive: 60, WillMessage: &paho.WillMessage{Topic: "will", Payload: []byte("gone")}})
	if err != nil || ack.ReasonCode != 0 {
		t.Fatalf("got %v, %v, want a CONNACK of success", ack, err)
	}
	if _, err := c.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "binlog/v0/#", QoS: 1}, {Topic: "+/v0/C", QoS: 2}, {Topic: "logs/v0/C/A"}}}); err != nil {
		t.Fatal(err)
	}

	qos := byte(0)
	for topic, payload := range payloads {
		expiry := uint32(600)
		if _, err := c.Publish(ctx, &paho.Publish{
			Topic: topic, QoS: qos, Payload: payload,
			Properties: &paho.PublishProperties{MessageExpiry: &expiry, ContentType: "application/octet-stream", User: paho.UserProperties{{Key: "k", Value: "v"}}},
		}); err != nil {
			t.Fatal(err)
		}
		qos = (qos + 1) % 3
	}

	for range payloads {
		select {
		case <-received:
		case <-ctx.Done():
			t.Fatalf("got fewer publishes back, want all %d: %v", len(payloads), ctx.Err())
		}
	}

	if _, err := c.Unsubscribe(ctx, &paho.Unsubscribe{Topics: []string{"logs/v0/C/A"}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Disconnect(&paho.Disconnect{}); err != nil {
		t.Fatal(err)
	}
}

// talk311 is a conversation in MQTT 3.1.1.
func talk311(t *testing.T, conn net.Conn, log []byte) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	var buffered []byte
	ask := func(m MQTT, answer PacketType) {
		t.Helper()
		m.Version = Version311
		b, err := m.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}

		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		for got := (MQTT{Version: Version311}); answer != 0 && got.Type != answer; {
			for {
				n, err := PacketLen(buffered)
				if err == nil && n <= len(buffered) {
					break
				}
				c, err := in.ReadByte()
				if err != nil {
					t.Fatal(err)
				}
				buffered = append(buffered, c)
			}
			if err := got.DecodeFromBytes(buffered, ignoreTruncated{}); err != nil {
				t.Fatal(err)
			}
			buffered = slices.Clone(got.Rest)
		}
	}

	ask(MQTT{Type: PacketConnect, Connect: Connect{CleanStart: true, ClientID: []byte("old")}}, PacketConnack)
	ask(MQTT{Type: PacketSubscribe, PacketID: 1, Filters: Filters("\x00\x0bbinlog/v0/#\x00")}, PacketSuback)
	ask(MQTT{Type: PacketPublish, QoS: 1, PacketID: 2, Topic: []byte("binlog/v0/C/A"), Payload: log}, PacketPuback)
	ask(MQTT{Type: PacketPingreq}, PacketPingresp)
	ask(MQTT{Type: PacketUnsubscribe, PacketID: 3, Filters: Filters("\x00\x0bbinlog/v0/#")}, PacketUnsuback)
	ask(MQTT{Type: PacketDisconnect}, 0)

	// The broker closes once it has read the DISCONNECT.
	if _, err := io.Copy(io.Discard, in); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

func livePayloads(t *testing.T) map[string][]byte {
	return map[string][]byte{
		"binlog/v0/C/A":  logVectors(t)[0],
		"core-dump/v0/C": coreVectors(t)[0],
		"logs/v0/C/A":    []byte("{\"sequence\":1}\n" + strings.Repeat("{\"t\":1,\"lv\":2,\"m\":\"up\"}\n", 400)),
	}
}

// Taps at both ends of real conversations: tshark agrees on both files, and
// all that was sent is in them.
func TestOracleTsharkAgreesWithLiveTaps(t *testing.T) {
	needTool(t, "tshark")
	var files [2]bytes.Buffer
	var taps [2]*Tap
	for i := range taps {
		var err error
		if taps[i], err = NewTap(&files[i]); err != nil {
			t.Fatal(err)
		}
	}

	address := startBroker(t, taps[1].Server)
	payloads := livePayloads(t)
	talkPaho(t, taps[0].Client(dial(t, address)), payloads)
	talk311(t, taps[0].Client(dial(t, address)), logVectors(t)[0])
	for i := range taps {
		if err := taps[i].Close(); err != nil {
			t.Fatal(err)
		}
		seen := agree(t, files[i].Bytes())
		checkConversation(t, seen, payloads)
		messages, stats, err := read(t, bytes.NewReader(files[i].Bytes()), CaptureConfig{})
		if err != nil || !stats.Lossless() || int(stats.Messages) != len(seen) || stats.Bad != 0 {
			t.Errorf("side %d: got %+v, %v, want %d messages, none of them bad, and no loss", i, stats, err, len(seen))
		}
		for _, m := range messages {
			if m.Kind == KindAck && (m.Latency < 0 || m.Topic == "") {
				t.Errorf("side %d: got %+v, want a latency and a topic", i, m)
			}
		}
	}
}

// checkConversation checks that what was published is there, both ways.
func checkConversation(t *testing.T, seen []seenPacket, payloads map[string][]byte) {
	t.Helper()
	count := map[string]int{}
	types := map[PacketType]int{}
	for _, p := range seen {
		types[p.Type]++
		if p.Type == PacketPublish && bytes.Equal(p.Payload, payloads[p.Topics[0]]) {
			count[p.Topics[0]]++
		}
	}
	for topic := range payloads {
		if count[topic] < 2 {
			t.Errorf("got %s %d times, want at least 2", topic, count[topic])
		}
	}
	for typ := PacketConnect; typ <= PacketDisconnect; typ++ {
		if types[typ] == 0 {
			t.Errorf("got no %v, want some", typ)
		}
	}
}

// startMosquitto starts another broker, which ends with the test.
func startMosquitto(t *testing.T) (address string) {
	t.Helper()
	needTool(t, "mosquitto")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	address = l.Addr().String()
	if err := l.Close(); err != nil { // mosquitto can only be told a port
		t.Fatal(err)
	}
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n", port(t, address))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command("mosquitto", "-c", conf)
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	running := make(chan bool, 2)
	go func() {
		for s := bufio.NewScanner(logs); s.Scan(); {
			if strings.HasSuffix(s.Text(), "running") {
				running <- true
			}
		}
		running <- false
	}()

	t.Cleanup(func() { _ = cmd.Process.Kill(); <-running; _ = cmd.Wait() })
	select {
	case ok := <-running:
		if !ok {
			running <- false
			t.Fatal("got the end of mosquitto, want it running")
		}
	case <-time.After(patience):
		t.Fatalf("got no word of mosquitto in %v, want it running", patience)
	}

	return address
}

func port(t *testing.T, address string) uint16 {
	t.Helper()
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return a.Port()
}

// The same over mosquitto.
func TestOracleTsharkAgreesThroughMosquitto(t *testing.T) {
	needTool(t, "tshark")
	address := startMosquitto(t)
	var file bytes.Buffer
	tap, err := NewTap(&file)
	if err != nil {
		t.Fatal(err)
	}
	payloads := livePayloads(t)
	talkPaho(t, tap.Client(dial(t, address)), payloads)
	talk311(t, tap.Client(dial(t, address)), logVectors(t)[0])
	if err := tap.Close(); err != nil {
		t.Fatal(err)
	}
	checkConversation(t, agree(t, file.Bytes()), payloads)
}

// Loopback itself, captured as a sniffer does, where rights allow.
func TestOracleTsharkAgreesWithASniffer(t *testing.T) {
	needTool(t, "tshark")
	for name, start := range map[string]func(*testing.T) string{
		"mochi":     func(t *testing.T) string { return startBroker(t, func(c net.Conn) net.Conn { return c }) },
		"mosquitto": startMosquitto,
	} {
		t.Run(name, func(t *testing.T) {
			address := start(t)
			finish := sniff(t, port(t, address), 2)
			payloads := livePayloads(t)
			talkPaho(t, dial(t, address), payloads)
			talk311(t, dial(t, address), logVectors(t)[0])
			file := finish()
			// The kernel leaves checksums on loopback to hardware that is not
			// there.
			seen := agree(t, file, "-o", "tcp.check_checksum:FALSE", "-d", fmt.Sprintf("tcp.port==%d,mqtt", port(t, address)))
			checkConversation(t, seen, payloads)
			_, stats, err := read(t, bytes.NewReader(file), CaptureConfig{})
			if err != nil || !stats.Lossless() || int(stats.Messages) != len(seen) {
				t.Errorf("got %+v, %v, want %d messages and no loss", stats, err, len(seen))
			}
		})
	}
}

var errNoRights = errors.New("no right to capture packets here")
