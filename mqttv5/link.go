package mqttv5

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/guard"
)

// Receive Maximum told to the broker. paho sizes a channel by it.
const receiveMaximum = 64

// link is one MQTT connection, from its CONNACK to its end. It is never reused.
type link struct {
	conn *wireConn
	paho *paho.Client
	sess *session
	win  *window
	ping *pinger
	rate *throttle

	ackTimeout time.Duration
	maxPayload int
	maxPacket  uint32 // the broker's Maximum Packet Size; 0 when it named none
	opened     time.Time

	once   sync.Once
	cause  error         // why it ended; valid once dead is closed
	dead   chan struct{} // closed when the link can no longer be used
	judged chan struct{} // closed when the supervisor knows what follows from it
}

var errNoAck = errors.New("broker did not acknowledge in time")

// connectError is a CONNACK with a failure code.
type connectError struct {
	code   ReasonCode
	reason string
}

func (e *connectError) Error() string {
	if e.reason == "" {
		return e.code.String()
	}
	return e.code.String() + ": " + e.reason
}

// openLink speaks MQTT on a connection that is up. ctx bounds the login alone. On
// an error the connection is closed.
func openLink(ctx context.Context, raw net.Conn, cfg *Config, rate *throttle, route func(*paho.Publish)) (*link, error) {
	l := &link{
		rate: rate, ackTimeout: cfg.Tuning.AckTimeout, maxPayload: cfg.Tuning.MaxMessage,
		dead: make(chan struct{}), judged: make(chan struct{}),
	}
	l.conn = newWireConn(raw, l.fail)
	l.sess = newSession(l.fail)
	l.win = newWindow(cfg.Tuning.MaxInFlight)
	l.ping = newPinger(l.win.inFlight, l.fail)
	l.conn.in.Take(packets.PUBACK<<4, func(b []byte) bool {
		l.ping.PacketReceived()
		return l.sess.takePuback(b)
	})
	l.paho = paho.NewClient(paho.ClientConfig{
		Conn:        l.conn,
		Session:     l.sess,
		PingHandler: l.ping,
		AuthHandler: guard.NoAuth{Fail: l.fail},
		// ctx is the bound; paho's own must not come first.
		PacketTimeout:      cfg.TokenTimeout + time.Minute,
		OnPublishReceived:  []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) { route(p.Packet); return true, nil }},
		OnServerDisconnect: func(*paho.Disconnect) {}, // the session has seen it
		OnClientError:      l.fail,
	})
	expiry, receive, largest := uint32(0), uint16(receiveMaximum), uint32(maxIncoming)
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	ca, err := l.paho.Connect(ctx, &paho.Connect{
		ClientID:   cfg.Tuning.ClientID,
		KeepAlive:  uint16(cfg.Tuning.KeepAlive / time.Second),
		CleanStart: true,
		Properties: &paho.ConnectProperties{
			SessionExpiryInterval: &expiry,
			ReceiveMaximum:        &receive,
			MaximumPacketSize:     &largest,
			RequestProblemInfo:    true,
		},
	})
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, l.abandon(ctx, ca, err)
	}
	p := ca.Properties
	if p.MaximumQoS != nil && *p.MaximumQoS == 0 {
		return nil, l.abandon(ctx, nil, errors.New("broker takes no QoS 1 messages"))
	}
	if p.ReceiveMaximum != nil {
		l.win.maxCount = max(1, min(l.win.maxCount, int(*p.ReceiveMaximum)))
	}
	if p.MaximumPacketSize != nil {
		l.maxPacket = *p.MaximumPacketSize
	}
	l.opened = time.Now()
	go l.watch()
	return l, nil
}

// abandon closes a link whose login failed and returns the best account of why.
func (l *link) abandon(ctx context.Context, ca *paho.Connack, err error) error {
	select {
	case <-l.dead:
		err = l.cause // what the connection saw comes before what paho made of it
	default:
	}
	l.fail(err)
	if ca != nil && ca.ReasonCode >= 0x80 {
		return &connectError{ReasonCode(ca.ReasonCode), fault.Printable(ca.Properties.ReasonString)}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// fail ends the link. The first cause stands. It never blocks.
func (l *link) fail(cause error) { l.end(cause, nil) }

// end is fail with a last word, which may be nil.
func (l *link) end(cause error, last func()) {
	l.once.Do(func() {
		l.cause = cause
		close(l.dead)
		go func() { // callers may hold the connection's lock
			if last != nil {
				last()
			}
			l.conn.Close()
			l.win.close(cause)
			l.sess.end(cause)
		}()
	})
}

func (l *link) alive() bool {
	select {
	case <-l.dead:
		return false
	default:
		return true
	}
}

// watch ends the link when an acknowledgement is overdue: the broker would keep
// the message's place in its Receive Maximum for ever (MQTT facts row 3).
func (l *link) watch() {
	t := time.NewTicker(min(time.Second, max(l.ackTimeout/4, time.Millisecond)))
	defer t.Stop()
	for {
		select {
		case <-l.dead:
			return
		case now := <-t.C:
			if l.sess.overdue(now) {
				l.fail(errNoAck)
				return
			}
		}
	}
}

// send sends one message when the window and the rates allow. If it returns nil,
// done is called exactly once, from the link's goroutines; it must not block. If
// it returns an error, nothing was sent and done is not called.
func (l *link) send(ctx context.Context, m *message, done func(ack, time.Duration)) error {
	if err := m.checkSize(l.maxPayload, l.maxPacket); err != nil {
		return err
	}
	size := m.size()
	if !l.win.tryAcquire(size) {
		l.conn.push() // what is held back may be what must be acknowledged first
		if err := l.win.acquire(ctx, size); err != nil {
			return err
		}
	}
	if !l.rate.ready(size) {
		l.conn.push()
	}
	if err := l.rate.wait(ctx, size); err != nil {
		l.win.release(size)
		return err
	}
	start := time.Now()
	deadline := start.Add(l.ackTimeout + slowAllowance(l.win.inFlight()))
	id, err := l.sess.begin(packets.PUBLISH, deadline, func(a ack) {
		latency := time.Since(start)
		if a.err == nil {
			l.win.acked(size, latency)
		} else {
			l.win.release(size)
		}
		done(a, latency)
	})
	if err != nil {
		l.win.release(size)
		return err
	}
	l.conn.publish(m, id) // its error ends the link, which ends the exchange
	l.ping.PacketSent()
	return nil
}

// maxInUse is how often a subscription is tried under another packet identifier.
const maxInUse = 16

// subscribe subscribes to one filter and waits for the SUBACK. A broker that calls
// the packet identifier one in use is asked again with another: mochi confuses ours
// with those of its own publishes, and one of these may be under way.
func (l *link) subscribe(ctx context.Context, filter string) error {
	for try := 1; ; try++ {
		err := l.trySubscribe(ctx, filter)
		if refused := (*subscribeError)(nil); try == maxInUse || !errors.As(err, &refused) || refused.code != ReasonPacketIDInUse {
			return err
		}
	}
}

func (l *link) trySubscribe(ctx context.Context, filter string) error {
	answer := make(chan ack, 1)
	id, err := l.sess.begin(packets.SUBSCRIBE, time.Now().Add(l.ackTimeout), func(a ack) { answer <- a })
	if err != nil {
		return err
	}
	s := packets.Subscribe{
		PacketID:      id,
		Properties:    &packets.Properties{},
		Subscriptions: []packets.SubOptions{{Topic: filter, QoS: 1}},
	}
	s.WriteTo(l.conn)
	l.ping.PacketSent()
	select {
	case a := <-answer:
		switch {
		case a.err != nil:
			return a.err
		case len(a.codes) != 1:
			return fmt.Errorf("broker answered one subscription with %d codes", len(a.codes))
		case ReasonCode(a.codes[0]).Failed():
			return &subscribeError{filter, ReasonCode(a.codes[0]), a.reason}
		}
		return nil
	case <-ctx.Done():
		l.unsubscribe(filter) // it may have been granted
		return context.Cause(ctx)
	}
}

// subscribeError is a SUBACK with a failure code.
type subscribeError struct {
	filter string
	code   ReasonCode
	reason string
}

func (e *subscribeError) Error() string {
	s := "subscribe to " + e.filter + ": " + e.code.String()
	if e.reason != "" {
		s += ": " + e.reason
	}
	return s
}

// unsubscribe ends a subscription and does not wait: what arrives late is routed
// to nobody.
func (l *link) unsubscribe(filter string) {
	id, err := l.sess.begin(packets.UNSUBSCRIBE, time.Now().Add(l.ackTimeout), func(ack) {})
	if err != nil {
		return
	}
	u := packets.Unsubscribe{PacketID: id, Properties: &packets.Properties{}, Topics: []string{filter}}
	u.WriteTo(l.conn)
	l.ping.PacketSent()
}

// close waits until nothing is in flight or ctx ends, says goodbye and ends the
// link. The broker hangs up on a goodbye, which must not count as a loss: the cause
// stands before it is said.
func (l *link) close(ctx context.Context) {
	select {
	case <-l.sess.published():
	case <-l.dead:
	case <-ctx.Done():
	}
	l.end(ErrClosed, func() {
		l.conn.SetWriteDeadline(time.Now().Add(time.Second))
		d := packets.Disconnect{Properties: &packets.Properties{}}
		d.WriteTo(l.conn)
		l.conn.drain()
	})
	<-l.sess.ended
	<-l.paho.Done()
}
