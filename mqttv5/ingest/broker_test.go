package ingest

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// fakeBroker is a broker of which a test controls every message and sees every
// acknowledgement. It grants what is asked for.
type fakeBroker struct {
	t        testing.TB
	listener net.Listener
	wg       sync.WaitGroup

	conns chan *fakeConn // each connection once its SUBSCRIBE was answered

	mu     sync.Mutex
	open   []net.Conn
	greets []packets.Packet // answers to the CONNECTs to come; then a CONNACK
}

type fakeConn struct {
	net.Conn
	t         testing.TB
	connect   *packets.Connect
	filters   []string
	acks      chan *packets.Puback
	goodbye   chan *packets.Disconnect
	unsub     chan []string
	closed    chan struct{}
	writeLock sync.Mutex
}

func newFakeBroker(t testing.TB) *fakeBroker {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &fakeBroker{t: t, listener: l, conns: make(chan *fakeConn, 100)}
	b.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.open = append(b.open, c)
			b.mu.Unlock()
			b.wg.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.mu.Lock()
		for _, c := range b.open {
			c.Close()
		}
		b.mu.Unlock()
		b.wg.Wait()
	})
	return b
}

func (b *fakeBroker) port() int { return b.listener.Addr().(*net.TCPAddr).Port }

// next returns the next connection that has subscribed.
func (b *fakeBroker) next() *fakeConn {
	b.t.Helper()
	select {
	case c := <-b.conns:
		return c
	case <-time.After(20 * time.Second):
		b.t.Fatal("nobody connects")
		return nil
	}
}

func (b *fakeBroker) serve(raw net.Conn) {
	c := &fakeConn{
		Conn: raw, t: b.t, acks: make(chan *packets.Puback, 10_000), goodbye: make(chan *packets.Disconnect, 1),
		unsub: make(chan []string, 1), closed: make(chan struct{}),
	}
	defer close(c.closed)
	defer raw.Close()
	for {
		p, err := packets.ReadPacket(raw)
		if err != nil {
			return
		}
		switch m := p.Content.(type) {
		case *packets.Connect:
			c.connect = m
			c.send(b.greet())
		case *packets.Subscribe:
			for _, s := range m.Subscriptions {
				c.filters = append(c.filters, s.Topic)
			}
			granted := make([]byte, len(m.Subscriptions))
			for i := range granted {
				granted[i] = 1
			}
			c.send(&packets.Suback{PacketID: m.PacketID, Reasons: granted, Properties: &packets.Properties{}})
			b.conns <- c
		case *packets.Unsubscribe:
			c.unsub <- m.Topics
			c.send(&packets.Unsuback{PacketID: m.PacketID, Reasons: make([]byte, len(m.Topics)), Properties: &packets.Properties{}})
		case *packets.Pingreq:
			packets.NewControlPacket(packets.PINGRESP).WriteTo(raw)
		case *packets.Puback:
			c.acks <- m
		case *packets.Disconnect:
			c.goodbye <- m
			return
		}
	}
}

// greet returns the answer to a CONNECT.
func (b *fakeBroker) greet() packets.Packet {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.greets) == 0 {
		return &packets.Connack{Properties: &packets.Properties{}}
	}
	p := b.greets[0]
	b.greets = b.greets[1:]
	return p
}

func (c *fakeConn) send(p packets.Packet) {
	c.writeLock.Lock()
	defer c.writeLock.Unlock()
	p.WriteTo(c.Conn) // the test sees what is missing
}

// publish sends a message of QoS 1.
func (c *fakeConn) publish(id uint16, topic, record string, payload []byte) {
	p := &packets.Publish{Topic: topic, Payload: payload, QoS: 1, PacketID: id, Properties: &packets.Properties{}}
	if record != "" {
		p.Properties.User = []packets.User{{Key: "other", Value: "x"}, {Key: propertyID, Value: record}}
	}
	c.send(p)
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
		case <-c.closed:
			c.t.Fatalf("connection closed after %d of %d acknowledgements", i, n)
		case <-time.After(20 * time.Second):
			c.t.Fatalf("%d of %d acknowledgements after 20 s", i, n)
		}
	}
}

// expectNoAck checks that there was none so far.
func (c *fakeConn) expectNoAck() {
	c.t.Helper()
	select {
	case a := <-c.acks:
		c.t.Fatalf("packet %d is acknowledged too early", a.PacketID)
	default:
	}
}

func (c *fakeConn) expectClosed() {
	c.t.Helper()
	select {
	case <-c.closed:
	case <-time.After(20 * time.Second):
		c.t.Fatal("the connection stays open")
	}
}
