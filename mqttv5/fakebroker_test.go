package mqttv5

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// fakeBroker is a broker whose every byte and acknowledgement a test controls. It
// speaks over net.Pipe, so that it works within testing/synctest. What a test does
// not script is answered as a friendly broker would.
type fakeBroker struct {
	t testing.TB

	// Scripts; nil is friendly. They run in the connection's goroutine.
	onConn    func(c *fakeConn) bool                     // before anything is read; false closes
	onConnack func(c *fakeConn, ca *packets.Connack)     // may change it
	onPublish func(c *fakeConn, p *packets.Publish) bool // true: handled, no acknowledgement
	onPacket  func(c *fakeConn, p *packets.ControlPacket) bool
	wrap      func(net.Conn) net.Conn // the client's end

	silentBoot bool
	bootDelay  time.Duration
	token      uint32

	wg sync.WaitGroup

	mu        sync.Mutex
	conns     []*fakeConn
	connects  []time.Time
	published []*packets.Publish // boot requests left out, in order
	sendings  map[string][]*sending
	boots     int
}

// sending is one copy of a record on the wire.
type sending struct {
	conn     *fakeConn
	answered time.Time // when the client had read the acknowledgement; zero is never
	code     ReasonCode
}

type fakeConn struct {
	net.Conn
	b    *fakeBroker
	n    int // first is 0
	mu   sync.Mutex
	seen int // PUBLISHes on this connection, boot requests left out

	// Guarded by the broker's mutex.
	waiting map[uint16]*sending // not acknowledged, by packet identifier
	ended   time.Time           // zero: still up
}

func newFakeBroker(t testing.TB) *fakeBroker {
	b := &fakeBroker{t: t, token: 77, sendings: make(map[string][]*sending)}
	t.Cleanup(b.stop)
	return b
}

// stop closes all connections and waits for their goroutines.
func (b *fakeBroker) stop() {
	b.mu.Lock()
	conns := b.conns
	b.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
	b.wg.Wait()
}

func (b *fakeBroker) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	b.wg.Go(b.accept(server).serve)
	if b.wrap != nil {
		return b.wrap(client), nil
	}
	return client, nil
}

// accept registers the broker's end of a connection.
func (b *fakeBroker) accept(conn net.Conn) *fakeConn {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &fakeConn{Conn: conn, b: b, n: len(b.conns), waiting: make(map[uint16]*sending)}
	b.conns = append(b.conns, c)
	return c
}

func (c *fakeConn) serve() {
	defer func() {
		c.Close()
		c.b.mu.Lock()
		c.ended = time.Now()
		c.b.mu.Unlock()
	}()
	if c.b.onConn != nil && !c.b.onConn(c) {
		return
	}
	for {
		p, err := packets.ReadPacket(c.Conn)
		if err != nil {
			return
		}
		if c.b.onPacket != nil && c.b.onPacket(c, p) {
			continue
		}
		switch m := p.Content.(type) {
		case *packets.Connect:
			c.b.mu.Lock()
			c.b.connects = append(c.b.connects, time.Now())
			c.b.mu.Unlock()
			ca := &packets.Connack{Properties: &packets.Properties{}}
			if c.b.onConnack != nil {
				c.b.onConnack(c, ca)
			}
			c.send(ca)
			if ca.ReasonCode >= 0x80 {
				return
			}
		case *packets.Subscribe:
			c.send(&packets.Suback{PacketID: m.PacketID, Reasons: make([]byte, len(m.Subscriptions)), Properties: &packets.Properties{}})
		case *packets.Unsubscribe:
			c.send(&packets.Unsuback{PacketID: m.PacketID, Reasons: make([]byte, len(m.Topics)), Properties: &packets.Properties{}})
		case *packets.Pingreq:
			packets.NewControlPacket(packets.PINGRESP).WriteTo(c.Conn)
		case *packets.Disconnect:
			return
		case *packets.Publish:
			c.publish(m)
		}
	}
}

func (c *fakeConn) publish(m *packets.Publish) {
	if len(m.Topic) > 5 && m.Topic[:5] == "boot/" {
		c.b.mu.Lock()
		c.b.boots++
		c.b.mu.Unlock()
		c.puback(m.PacketID, 0)
		switch {
		case c.b.silentBoot:
		case c.b.bootDelay > 0:
			c.b.wg.Go(func() {
				time.Sleep(c.b.bootDelay)
				c.bootReply(m, c.b.token)
			})
		default:
			c.bootReply(m, c.b.token)
		}
		return
	}
	c.mu.Lock()
	c.seen++
	c.mu.Unlock()
	c.b.mu.Lock()
	c.b.published = append(c.b.published, m)
	x := &sending{conn: c}
	c.waiting[m.PacketID] = x
	id := publishID(m)
	c.b.sendings[id] = append(c.b.sendings[id], x)
	c.b.mu.Unlock()
	if c.b.onPublish != nil && c.b.onPublish(c, m) {
		return
	}
	c.puback(m.PacketID, 0)
}

// send writes one packet and reports whether the client has read it; a closed pipe
// is the test's business.
func (c *fakeConn) send(p packets.Packet) bool {
	var b bytes.Buffer // in one piece: several goroutines send
	p.WriteTo(&b)
	_, err := c.Write(b.Bytes())
	return err == nil
}

func (c *fakeConn) puback(id uint16, code byte) {
	c.b.mu.Lock()
	x := c.waiting[id]
	delete(c.waiting, id) // before it is sent: the client may use the number again
	c.b.mu.Unlock()
	if c.send(&packets.Puback{PacketID: id, ReasonCode: code, Properties: &packets.Properties{}}) && x != nil {
		c.b.mu.Lock()
		x.answered, x.code = time.Now(), ReasonCode(code)
		c.b.mu.Unlock()
	}
}

// checkCopies finds records that were sent again without a reason: a refusal, or
// the end of the connection before the acknowledgement could be taken, which gives
// one reason however often they were sent. The caller holds mu, within a synctest
// bubble: whatever was read has been seen to before time went on.
func (b *fakeBroker) checkCopies() {
	b.t.Helper()
	for id, list := range b.sendings {
		allowed := 1
		lost := map[*fakeConn]bool{}
		for _, x := range list {
			end := x.conn.ended
			switch {
			case x.answered.IsZero() && !end.IsZero(), !x.answered.IsZero() && x.answered.Equal(end) && !x.code.Failed():
				lost[x.conn] = true
			case x.code.Failed():
				allowed++
			}
		}
		if allowed += len(lost); len(list) > allowed {
			b.t.Errorf("%s: %d copies, %d can be explained", id, len(list), allowed)
		}
	}
}

func (c *fakeConn) disconnect(code byte) {
	c.send(&packets.Disconnect{ReasonCode: code, Properties: &packets.Properties{}})
	c.Close()
}

func (c *fakeConn) bootReply(m *packets.Publish, token uint32) {
	var req struct{ Serial string }
	json.Unmarshal(m.Payload, &req)
	body, _ := json.Marshal(map[string]uint32{"token": token})
	c.message(m.Topic+"/"+req.Serial, body, m.Properties.CorrelationData)
}

// message sends a QoS 0 message to the client.
func (c *fakeConn) message(topic string, payload, correlation []byte) {
	c.send(&packets.Publish{Topic: topic, Payload: payload, Properties: &packets.Properties{CorrelationData: correlation}})
}

// ids returns the record ids that were published, in order.
func (b *fakeBroker) ids() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for _, p := range b.published {
		ids = append(ids, publishID(p))
	}
	return ids
}

func publishID(p *packets.Publish) string {
	for _, u := range p.Properties.User {
		if u.Key == propertyID {
			return u.Value
		}
	}
	return ""
}

func (b *fakeBroker) times() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]time.Time(nil), b.connects...)
}

// fakeClient returns a client of a fake broker. The caller closes it: within a
// synctest bubble cleanups come too late.
func fakeClient(t testing.TB, b *fakeBroker, edit func(*Config)) *Client {
	t.Helper()
	cfg := Config{
		Broker: "127.0.0.1", CustomerID: "7", InsecurePlaintext: true,
		Tuning: Tuning{PublishesPerSecond: -1, BytesPerSecond: -1, ClientID: "gateway"},
	}
	if edit != nil {
		edit(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.sup.dial = b.dial
	return c
}
