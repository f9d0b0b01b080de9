// Package mqtttest has what the tests of mqttv5 share: a broker whose every byte a
// test controls, an authority that issues certificates, and connections that are
// slow or fickle.
package mqtttest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/format/topic"
)

// Broker is a broker whose every byte and acknowledgement a test controls. It
// speaks over net.Pipe, so that it works within testing/synctest. What a test does
// not script is answered as a friendly broker would.
type Broker struct {
	t testing.TB

	// Scripts; nil is friendly. They run in the connection's goroutine.
	OnDial    func(ctx context.Context, network, address string) (net.Conn, error) // instead of a connection to this broker
	OnConn    func(c *Conn) bool                                                   // before anything is read; false closes
	OnConnack func(c *Conn, ca *packets.Connack)                                   // may change it
	OnPublish func(c *Conn, p *packets.Publish) bool                               // true: handled, no acknowledgement
	OnPacket  func(c *Conn, p *packets.ControlPacket) bool
	Wrap      func(net.Conn) net.Conn // the client's end

	SilentBoot bool
	BootDelay  time.Duration
	Token      uint32

	wg sync.WaitGroup

	mu        sync.Mutex
	conns     []*Conn
	connects  []time.Time
	published []*packets.Publish // boot requests left out, in order
	sendings  map[string][]*sending
	boots     int
}

// sending is one copy of a record on the wire.
type sending struct {
	conn     *Conn
	answered time.Time // when the client had read the acknowledgement; zero is never
	code     byte
}

// Conn is the broker's end of a connection.
type Conn struct {
	net.Conn
	Broker *Broker
	N      int // first is 0
	mu     sync.Mutex
	seen   int // PUBLISHes on this connection, boot requests left out

	// Guarded by the broker's mutex.
	waiting map[uint16]*sending // not acknowledged, by packet identifier
	ended   time.Time           // zero: still up

	closed chan struct{}
}

// Closed is closed when the connection has ended.
func (c *Conn) Closed() <-chan struct{} { return c.closed }

// NewBroker returns a friendly broker. It ends with the test, if not before.
func NewBroker(t testing.TB) *Broker {
	b := &Broker{t: t, Token: 77, sendings: make(map[string][]*sending)}
	t.Cleanup(b.Stop)
	return b
}

// Stop closes all connections and waits for their goroutines.
func (b *Broker) Stop() {
	b.mu.Lock()
	conns := b.conns
	b.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
	b.wg.Wait()
}

// Dial gives a client its end of a connection.
func (b *Broker) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if b.OnDial != nil {
		return b.OnDial(ctx, network, address)
	}
	client, server := net.Pipe()
	b.wg.Go(b.accept(server).serve)
	if b.Wrap != nil {
		return b.Wrap(client), nil
	}
	return client, nil
}

// accept registers the broker's end of a connection.
func (b *Broker) accept(conn net.Conn) *Conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &Conn{Conn: conn, Broker: b, N: len(b.conns), waiting: make(map[uint16]*sending), closed: make(chan struct{})}
	b.conns = append(b.conns, c)
	return c
}

// serve answers what one client sends until it ends, as the script says.
func (c *Conn) serve() {
	defer func() {
		c.Close()
		c.Broker.mu.Lock()
		c.ended = time.Now()
		c.Broker.mu.Unlock()
		close(c.closed)
	}()
	if c.Broker.OnConn != nil && !c.Broker.OnConn(c) {
		return
	}

	for {
		p, err := packets.ReadPacket(c.Conn)
		if err != nil {
			return
		}
		if c.Broker.OnPacket != nil && c.Broker.OnPacket(c, p) {
			continue
		}

		switch m := p.Content.(type) {
		case *packets.Connect:
			c.Broker.mu.Lock()
			c.Broker.connects = append(c.Broker.connects, time.Now())
			c.Broker.mu.Unlock()
			ca := &packets.Connack{Properties: &packets.Properties{}}
			if c.Broker.OnConnack != nil {
				c.Broker.OnConnack(c, ca)
			}
			c.Send(ca)
			if ca.ReasonCode >= 0x80 {
				return
			}
		case *packets.Subscribe:
			c.Send(&packets.Suback{PacketID: m.PacketID, Reasons: make([]byte, len(m.Subscriptions)), Properties: &packets.Properties{}})
		case *packets.Unsubscribe:
			c.Send(&packets.Unsuback{PacketID: m.PacketID, Reasons: make([]byte, len(m.Topics)), Properties: &packets.Properties{}})
		case *packets.Pingreq:
			packets.NewControlPacket(packets.PINGRESP).WriteTo(c.Conn)
		case *packets.Disconnect:
			return
		case *packets.Publish:
			c.publish(m)
		}
	}
}

// publish answers a message: a boot request with a token, any other with a PUBACK.
func (c *Conn) publish(m *packets.Publish) {
	if t, ok := topic.Parse(m.Topic); ok && t.Kind == topic.BootRequest {
		c.Broker.mu.Lock()
		c.Broker.boots++
		c.Broker.mu.Unlock()
		c.Puback(m.PacketID, 0)
		switch {
		case c.Broker.SilentBoot:
		case c.Broker.BootDelay > 0:
			c.Broker.wg.Go(func() {
				time.Sleep(c.Broker.BootDelay)
				c.BootReply(m, c.Broker.Token)
			})
		default:
			c.BootReply(m, c.Broker.Token)
		}
		return
	}

	c.mu.Lock()
	c.seen++
	c.mu.Unlock()
	c.Broker.mu.Lock()
	c.Broker.published = append(c.Broker.published, m)
	x := &sending{conn: c}
	c.waiting[m.PacketID] = x
	id := RecordID(m)
	c.Broker.sendings[id] = append(c.Broker.sendings[id], x)
	c.Broker.mu.Unlock()
	if c.Broker.OnPublish != nil && c.Broker.OnPublish(c, m) {
		return
	}
	c.Puback(m.PacketID, 0)
}

// Send writes one packet and reports whether the client has read it; a closed pipe
// is the test's business.
func (c *Conn) Send(p packets.Packet) bool {
	var b bytes.Buffer // in one piece: several goroutines send
	p.WriteTo(&b)
	_, err := c.Write(b.Bytes())
	return err == nil
}

// Puback acknowledges a PUBLISH.
func (c *Conn) Puback(id uint16, code byte) {
	c.Broker.mu.Lock()
	x := c.waiting[id]
	delete(c.waiting, id) // before it is sent: the client may use the number again
	c.Broker.mu.Unlock()
	if c.Send(&packets.Puback{PacketID: id, ReasonCode: code, Properties: &packets.Properties{}}) && x != nil {
		c.Broker.mu.Lock()
		x.answered, x.code = time.Now(), code
		c.Broker.mu.Unlock()
	}
}

// CheckCopies finds records that were sent again without a reason: a refusal, or
// the end of the connection before the acknowledgement could be taken, which gives
// one reason however often they were sent. It is for a synctest bubble: whatever
// was read has been seen to before time went on.
func (b *Broker) CheckCopies() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, list := range b.sendings {
		allowed := 1
		lost := map[*Conn]bool{}
		for _, x := range list {
			end := x.conn.ended
			switch {
			case x.answered.IsZero() && !end.IsZero(), !x.answered.IsZero() && x.answered.Equal(end) && x.code < 0x80:
				lost[x.conn] = true
			case x.code >= 0x80:
				allowed++
			}
		}
		if allowed += len(lost); len(list) > allowed {
			b.t.Errorf("record %s: got %d copies, want %d at most, which losses and refusals explain", id, len(list), allowed)
		}
	}
}

// Disconnect says DISCONNECT and closes the connection.
func (c *Conn) Disconnect(code byte) {
	c.Send(&packets.Disconnect{ReasonCode: code, Properties: &packets.Properties{}})
	c.Close()
}

// BootReply answers a boot request.
func (c *Conn) BootReply(m *packets.Publish, token uint32) {
	var req struct{ Serial string }
	json.Unmarshal(m.Payload, &req)
	body, _ := json.Marshal(map[string]uint32{"token": token})
	c.Message(m.Topic+"/"+req.Serial, body, m.Properties.CorrelationData)
}

// Message sends a QoS 0 message to the client.
func (c *Conn) Message(topic string, payload, correlation []byte) {
	c.Send(&packets.Publish{Topic: topic, Payload: payload, Properties: &packets.Properties{CorrelationData: correlation}})
}

// IDs returns the record ids that were published, in order.
func (b *Broker) IDs() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for _, p := range b.published {
		ids = append(ids, RecordID(p))
	}
	return ids
}

// RecordID returns the record id of a message.
func RecordID(p *packets.Publish) string {
	for _, u := range p.Properties.User {
		if u.Key == "ulogkit-id" {
			return u.Value
		}
	}
	return ""
}

// Published returns the records that were published, in order.
func (b *Broker) Published() []*packets.Publish {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.published)
}

// Forget forgets the first n records that were published; negative is all.
func (b *Broker) Forget(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n < 0 {
		n = len(b.published)
	}
	b.published = b.published[n:]
}

// Boots returns how many boot requests came.
func (b *Broker) Boots() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.boots
}

// Conns returns all connections there have been.
func (b *Broker) Conns() []*Conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.conns)
}

// Go runs f in a goroutine that Stop waits for.
func (b *Broker) Go(f func()) { b.wg.Go(f) }

// Befriend takes all scripts away.
func (b *Broker) Befriend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.OnConn, b.OnConnack, b.OnPublish, b.OnPacket, b.Wrap = nil, nil, nil, nil, nil
}

// Times returns when each CONNECT came.
func (b *Broker) Times() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.connects)
}

// Listen serves a fake broker on a real socket over TLS if cfg
// is not nil, or what pass leaves of it.
func (b *Broker) Listen(t testing.TB, cfg *tls.Config, pass func(net.Conn) net.Conn) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	b.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if pass != nil {
				if c = pass(c); c == nil {
					continue
				}
			}

			if cfg != nil {
				c = tls.Server(c, cfg)
			}
			f := b.accept(c)
			b.wg.Go(f.serve)
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}
