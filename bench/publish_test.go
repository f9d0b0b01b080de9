package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pahopackets "github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
)

// publishCases are what is measured: many small messages on a plain connection,
// and blobs over mutual TLS. The window is the same on both sides.
var publishCases = []struct {
	size, window int
	secure       bool
}{
	{size: 1024, window: 256},
	{size: 65536, window: 16, secure: true},
}

const publishDeadline = 2 * time.Minute

var publishDevice = mqttv5.DeviceInfo{ApplicationID: 7, DeviceSerial: "SN-1", DeviceType: "lamp", GitHash: "3f2c9a1"}

// publisher sends n messages with so many in flight, and returns when all have
// been acknowledged.
type publisher interface {
	publish(tb testing.TB, n int)
}

// clientPublisher is our client, called by as many goroutines as there may be
// messages in flight.
type clientPublisher struct {
	client *mqttv5.Client
	log    []byte
	window int
}

func newClientPublisher(tb testing.TB, broker *ackBroker, log []byte, window int) *clientPublisher {
	tb.Helper()
	host, port, err := net.SplitHostPort(broker.address)
	if err != nil {
		tb.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		tb.Fatal(err)
	}

	cfg := mqttv5.Config{
		Broker: host, Port: n, CustomerID: "42", InsecurePlaintext: broker.files == nil,
		Tuning: mqttv5.Tuning{PublishesPerSecond: -1, BytesPerSecond: -1, MaxInFlight: window},
	}

	if f := broker.files; f != nil {
		cfg.CAFile, cfg.CertFile, cfg.KeyFile = f.ca, f.cert, f.key
	}
	client, err := mqttv5.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() { client.Close() })
	if err := client.Connect(tb.Context()); err != nil {
		tb.Fatal(err)
	}

	return &clientPublisher{client, log, window}
}

func (p *clientPublisher) publish(tb testing.TB, n int) {
	var left atomic.Int64
	left.Store(int64(n))
	ctx, cancel := context.WithTimeout(tb.Context(), publishDeadline)
	defer cancel()
	var all sync.WaitGroup
	for range min(n, p.window) {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				r, err := p.client.PublishBinaryLog(ctx, publishDevice, p.log)
				if err != nil || r.Bytes != len(p.log) {
					tb.Errorf("got %+v, %v, want a receipt of %d bytes", r, err, len(p.log))
					return
				}
			}
		})
	}
	all.Wait()
}

// rawPublisher writes prebuilt packets to a socket and counts acknowledgements.
// It is what a client can hope for at best: no topic, property or packet
// identifier is looked at, nothing is remembered and no answer is told to anyone.
type rawPublisher struct {
	conn   net.Conn
	packet []byte // the very bytes that the client sends
	id     int    // offset of the packet identifier
	window int
	// Packets in one write: one, or as many as the window has room for.
	together bool
}

func newRawPublisher(tb testing.TB, broker *ackBroker, packet []byte, window int, together bool) *rawPublisher {
	tb.Helper()
	conn, err := net.Dial("tcp", broker.address)
	if err != nil {
		tb.Fatal(err)
	}
	if f := broker.files; f != nil {
		conn = tls.Client(conn, f.client())
	}
	tb.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(publishDeadline))
	c := pahopackets.Connect{ProtocolName: "MQTT", ProtocolVersion: 5, ClientID: "raw", CleanStart: true, Properties: &pahopackets.Properties{}}
	if _, err := c.WriteTo(conn); err != nil {
		tb.Fatal(err)
	}
	if _, err := pahopackets.ReadPacket(conn); err != nil {
		tb.Fatal(err)
	}
	_, head := binary.Uvarint(packet[1:])
	topic := 1 + head
	return &rawPublisher{conn, bytes.Clone(packet), topic + 2 + int(binary.BigEndian.Uint16(packet[topic:])), window, together}
}

func (p *rawPublisher) publish(tb testing.TB, n int) {
	acks := make(chan int, p.window)
	failed := make(chan error, 1)
	go func() {
		buf := make([]byte, 4*p.window)
		have := 0
		for left := n; left > 0; {
			m, err := p.conn.Read(buf[have:])
			if err != nil {
				failed <- err
				return
			}
			have += m
			whole := have / pubackSize
			for i := range whole {
				if b := buf[i*pubackSize:]; b[0] != pahopackets.PUBACK<<4 || b[1] != pubackSize-2 {
					failed <- fmt.Errorf("answer % x", b[:pubackSize])
					return
				}
			}
			have = copy(buf, buf[whole*pubackSize:have])
			left -= whole
			acks <- whole
		}

		failed <- nil
	}()

	out := make([]byte, 0, p.window*len(p.packet))
	room := p.window
	for i := 0; i < n; {
		for room == 0 {
			select {
			case k := <-acks:
				room += k
			case err := <-failed:
				tb.Fatal(err)
			}
		}

		count := 1
		if p.together {
			count = min(room, n-i)
		}
		out = out[:0]
		for range count {
			binary.BigEndian.PutUint16(p.packet[p.id:], uint16(i%65535+1))
			out = append(out, p.packet...)
			i++
		}

		room -= count
		if _, err := p.conn.Write(out); err != nil {
			tb.Fatal(err)
		}
		for len(acks) > 0 {
			room += <-acks
		}
	}

	for {
		select {
		case <-acks:
		case err := <-failed:
			if err != nil {
				tb.Fatal(err)
			}
			return
		}
	}
}

func publishLog(tb testing.TB, size int) []byte {
	tb.Helper()
	b := make([]byte, size)
	h := (*format.HeaderV3)(b)
	h.SetVersion(3)
	return b
}

// BenchmarkPublish measures messages a second, each acknowledged, from our client
// and from a loop over a socket: impl=raw makes one write of each packet,
// impl=raw-together one of as many as the window has room for. The broker does
// nothing but acknowledge, so that what it takes is not what is measured.
func BenchmarkPublish(b *testing.B) {
	for _, c := range publishCases {
		log := publishLog(b, c.size)
		run := func(impl string, newPublisher func(b *testing.B, broker *ackBroker) publisher) {
			b.Run(fmt.Sprintf("impl=%s/size=%d", impl, c.size), func(b *testing.B) {
				broker := startAckBroker(b, c.secure)
				p := newPublisher(b, broker)
				p.publish(b, 64*c.window) // the flow window of a new connection is small
				before := broker.taken.Load()
				b.SetBytes(int64(c.size))
				b.ReportAllocs()
				b.ResetTimer()
				p.publish(b, b.N)
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
				if n := broker.taken.Load() - before; n != int64(b.N) {
					b.Errorf("got %d messages taken by the broker, want %d as were sent", n, b.N)
				}
			})
		}

		run("mqttv5", func(b *testing.B, broker *ackBroker) publisher { return newClientPublisher(b, broker, log, c.window) })
		for impl, together := range map[string]bool{"raw": false, "raw-together": true} {
			run(impl, func(b *testing.B, broker *ackBroker) publisher {
				return newRawPublisher(b, broker, clientPacket(b, log), c.window, together)
			})
		}
	}
}

// clientPacket returns the packet that the client makes of a log.
func clientPacket(tb testing.TB, log []byte) []byte {
	tb.Helper()
	broker := startAckBroker(tb, false)
	newClientPublisher(tb, broker, log, 1).publish(tb, 1)
	return broker.kept()
}

// TestPublishersSendTheSameBytes holds that both sides send the same bytes, and that
// all of them are counted.
func TestPublishersSendTheSameBytes(t *testing.T) {
	for _, c := range publishCases {
		log := publishLog(t, c.size)
		packet := clientPacket(t, log)
		if !bytes.HasSuffix(packet, log) || packet[0]>>4 != pahopackets.PUBLISH {
			t.Fatalf("got packet % x..., want a PUBLISH that ends with the log", packet[:16])
		}
		for _, together := range []bool{false, true} {
			broker := startAckBroker(t, c.secure)
			p := newRawPublisher(t, broker, packet, c.window, together)
			p.publish(t, 100)
			if n := broker.taken.Load(); n != 100 {
				t.Errorf("%d taken, want 100", n)
			}
			got := broker.kept()
			got[p.id], got[p.id+1] = packet[p.id], packet[p.id+1]
			if !bytes.Equal(got, packet) {
				t.Errorf("got %d bytes of the loop that differ from the client's %d, want the same", len(got), len(packet))
			}
		}
	}
}
