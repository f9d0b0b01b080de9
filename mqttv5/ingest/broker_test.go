package ingest

import (
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// fakeBroker is a broker of which a test controls every message and sees every
// acknowledgement. It grants what is asked for.
type fakeBroker struct {
	t       testing.TB
	address int // TCP port

	conns chan *fakeConn // each connection once its SUBSCRIBE was answered

	mu     sync.Mutex
	open   map[*mqtttest.Conn]*fakeConn
	greets []packets.Packet // answers to the CONNECTs to come; then a CONNACK
	codes  []byte           // of the SUBACKs, instead of 1 for each filter
}

type fakeConn struct {
	*mqtttest.Conn
	t       testing.TB
	connect *packets.Connect
	filters []string
	acks    chan *packets.Puback
	goodbye chan *packets.Disconnect
	unsub   chan []string
}

func newFakeBroker(t testing.TB) *fakeBroker {
	b := &fakeBroker{t: t, conns: make(chan *fakeConn, 100), open: make(map[*mqtttest.Conn]*fakeConn)}
	broker := mqtttest.NewBroker(t)
	broker.OnPacket = func(c *mqtttest.Conn, p *packets.ControlPacket) bool { return b.of(c).packet(b, p) }
	b.address = broker.Listen(t, nil, nil)
	return b
}

// of returns what is known of a connection.
func (b *fakeBroker) of(c *mqtttest.Conn) *fakeConn {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.open[c]
	if f == nil {
		f = &fakeConn{
			Conn: c, t: b.t, acks: make(chan *packets.Puback, 10_000), goodbye: make(chan *packets.Disconnect, 1),
			unsub: make(chan []string, 1),
		}
		b.open[c] = f
	}
	return f
}

func (b *fakeBroker) port() int { return b.address }

// next returns the next connection that has subscribed.
func (b *fakeBroker) next() *fakeConn {
	b.t.Helper()
	select {
	case c := <-b.conns:
		return c
	case <-time.After(2 * time.Minute):
		b.t.Fatal("got no connection in two minutes, want one")
		return nil
	}
}

// packet answers what the test looks at and leaves the rest to the broker.
func (c *fakeConn) packet(b *fakeBroker, p *packets.ControlPacket) bool {
	switch m := p.Content.(type) {
	case *packets.Connect:
		c.connect = m
		greet := b.greet()
		if greet == nil {
			return false
		}
		c.Send(greet)

	case *packets.Subscribe:
		for _, s := range m.Subscriptions {
			c.filters = append(c.filters, s.Topic)
		}
		c.Send(&packets.Suback{PacketID: m.PacketID, Reasons: b.granted(len(m.Subscriptions)), Properties: &packets.Properties{}})
		select {
		case b.conns <- c:
		default: // of no interest to the test
		}

	case *packets.Unsubscribe:
		select {
		case c.unsub <- m.Topics:
		default:
		}
		return false

	case *packets.Puback:
		c.acks <- m
	case *packets.Disconnect:
		c.goodbye <- m
		return false
	default:
		return false
	}

	return true
}

// greet returns the answer to a CONNECT; nil is a friendly one.
func (b *fakeBroker) greet() packets.Packet {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.greets) == 0 {
		return nil
	}
	p := b.greets[0]
	b.greets = b.greets[1:]
	return p
}

// granted returns the codes of a SUBACK for n filters.
func (b *fakeBroker) granted(n int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.codes != nil {
		return b.codes
	}
	codes := make([]byte, n)
	for i := range codes {
		codes[i] = 1
	}
	return codes
}

// publish sends a message of QoS 1.
func (c *fakeConn) publish(id uint16, topic, record string, payload []byte) {
	p := &packets.Publish{Topic: topic, Payload: payload, QoS: 1, PacketID: id, Properties: &packets.Properties{}}
	if record != "" {
		p.Properties.User = []packets.User{{Key: "other", Value: "x"}, {Key: link.PropertyID, Value: record}}
	}
	c.Send(p)
}

// expectAcks checks that the next acknowledgements are of these packets, in this
// order, and of success: a worker never refuses.
func (c *fakeConn) expectAcks(first, n int) {
	c.t.Helper()
	for i := range n {
		select {
		case a := <-c.acks:
			if int(a.PacketID) != first+i || a.ReasonCode != 0 {
				c.t.Fatalf("acknowledgement %d is of packet %d with code 0x%02x, want packet %d with 0", i, a.PacketID, a.ReasonCode, first+i)
			}
		case <-c.Closed():
			c.t.Fatalf("got the connection closed after %d acknowledgements, want %d", i, n)
		case <-time.After(2 * time.Minute):
			c.t.Fatalf("got %d acknowledgements in two minutes, want %d", i, n)
		}
	}
}

// expectNoAck checks that there was none so far.
func (c *fakeConn) expectNoAck() {
	c.t.Helper()
	select {
	case a := <-c.acks:
		c.t.Fatalf("got packet %d acknowledged, want no acknowledgement yet", a.PacketID)
	default:
	}
}

func (c *fakeConn) expectClosed() {
	c.t.Helper()
	select {
	case <-c.Closed():
	case <-time.After(2 * time.Minute):
		c.t.Fatal("got a connection that stays open for two minutes, want it closed")
	}
}
