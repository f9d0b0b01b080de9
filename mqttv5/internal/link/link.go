package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// receiveMaximum is told to the broker by a link without an Inbox. paho sizes a
// channel by it.
const receiveMaximum = 64

// Link is one MQTT connection, from its CONNACK to its end. It is never reused.
type Link struct {
	carrier   carrier
	exchanges *exchanges
	window    *window
	rate      *throttle
	routes    *routes
	inbox     chan Received // nil: the routes get what arrives
	event     func(Event)

	ackTimeout time.Duration
	maxPayload int
	maxPacket  uint32 // the broker's Maximum Packet Size; 0 when it named none
	opened     time.Time
	begun      time.Time // when the login began; zero without one
	identifier string    // that the login was with

	topics     sync.Mutex
	subscribed map[string]int // by filter, how many want it

	once   sync.Once
	cause  error         // why it ended; valid once dead is closed
	dead   chan struct{} // closed when the link can no longer be used
	judged chan struct{} // closed when the keeper knows what follows from it
}

var errNoAck = errors.New("broker did not acknowledge in time")

// openLink speaks MQTT on a connection that is up. ctx bounds the login alone. On
// an error the connection is closed.
func openLink(ctx context.Context, raw net.Conn, cfg *Config, rate *throttle, routes *routes) (*Link, error) {
	l := newLink(cfg, rate, routes)
	l.begun, l.identifier = time.Now(), cfg.Tuning.ClientID
	client, connect := l.prepare(raw, cfg)

	stop := context.AfterFunc(ctx, func() { raw.Close() })
	ca, err := client.Connect(ctx, connect)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, l.abandon(ctx, ca, err)
	}

	p := ca.Properties
	if p.MaximumQoS != nil && *p.MaximumQoS == 0 {
		return nil, l.abandon(ctx, nil, errNoQoS1)
	}
	if p.ReceiveMaximum != nil {
		l.window.maxCount = max(1, min(l.window.maxCount, int(*p.ReceiveMaximum)))
	}
	if p.MaximumPacketSize != nil {
		l.maxPacket = *p.MaximumPacketSize
	}
	l.opened = time.Now()
	go l.watch()
	return l, nil
}

// newLink makes what all links have, whatever carries them.
func newLink(cfg *Config, rate *throttle, routes *routes) *Link {
	l := &Link{
		rate: rate, routes: routes, event: cfg.Event, window: newWindow(cfg.Tuning.MaxInFlight),
		ackTimeout: cfg.Tuning.AckTimeout, maxPayload: cfg.Tuning.MaxMessage,
		subscribed: make(map[string]int), dead: make(chan struct{}), judged: make(chan struct{}),
	}
	l.exchanges = newExchanges(l.End)
	return l
}

// prepare makes the wire of a link and returns paho's client on it and its CONNECT.
func (l *Link) prepare(raw net.Conn, cfg *Config) (*paho.Client, *paho.Connect) {
	expiry, receive, largest := uint32(0), uint16(receiveMaximum), uint32(maxIncoming)
	clean := true
	if in := cfg.Inbox; in != nil {
		// The session holds what a client that crashed had not acknowledged.
		clean = false
		expiry, receive, largest = uint32(in.SessionExpiry/time.Second), uint16(in.ReceiveMaximum), uint32(in.MaxPacket)
		l.inbox = make(chan Received, in.ReceiveMaximum)
		l.exchanges.receive = l.receive
	}

	w := &wire{wireConn: newWireConn(raw, int(largest), l.End), ping: newPinger(l.window.inFlight, l.End)}
	w.in.Inspect(1<<packets.CONNACK|1<<packets.DISCONNECT, new(greeting).check)
	w.in.Take(packets.PUBACK<<4, func(b []byte) bool {
		w.ping.PacketReceived()
		return l.exchanges.takePuback(b)
	})

	w.paho = paho.NewClient(paho.ClientConfig{
		Conn:        w.wireConn,
		Session:     l.exchanges,
		PingHandler: w.ping,
		AuthHandler: noAuth{fail: l.End},
		// ctx is the bound; paho's own must not come first.
		PacketTimeout: cfg.Timeout + time.Minute,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			l.receive(p.Packet.Packet())
			return true, nil
		}},
		OnServerDisconnect: func(*paho.Disconnect) {}, // the exchanges have seen it
		OnClientError:      l.End,
	})
	l.carrier = w
	return w.paho, &paho.Connect{
		ClientID:   cfg.Tuning.ClientID,
		KeepAlive:  uint16(cfg.Tuning.KeepAlive / time.Second),
		CleanStart: clean,
		Properties: &paho.ConnectProperties{
			SessionExpiryInterval: &expiry,
			ReceiveMaximum:        &receive,
			MaximumPacketSize:     &largest,
			RequestProblemInfo:    true,
		},
	}
}

// abandon closes a link whose login failed and returns the error that says most.
func (l *Link) abandon(ctx context.Context, ca *paho.Connack, err error) error {
	select {
	case <-l.dead:
		err = l.cause // what the connection saw comes before what paho made of it
	default:
	}
	l.End(err)

	if ca != nil && ca.ReasonCode >= 0x80 {
		return &loginRefused{fault.ReasonCode(ca.ReasonCode), fault.Printable(ca.Properties.ReasonString)}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// End ends the link. The first cause stands. It never blocks.
func (l *Link) End(cause error) { l.end(cause, nil) }

// end is End with a last word, which may be nil.
func (l *Link) end(cause error, last func()) {
	l.once.Do(func() {
		cause = l.inWords(cause)
		l.cause = cause
		close(l.dead)
		go func() { // callers may hold the connection's lock
			if last != nil {
				last()
			}
			l.carrier.close()
			l.window.close(cause)
			l.exchanges.abort(cause)
		}()
	})
}

// Dead is closed when the link can no longer be used.
func (l *Link) Dead() <-chan struct{} { return l.dead }

// Cause says why the link ended. It is valid once Dead is closed.
func (l *Link) Cause() error { return l.cause }

// Told is closed when everything that was in flight has been told of the link's
// end.
func (l *Link) Told() <-chan struct{} { return l.exchanges.ended }

// Limits returns what the broker allows: messages in flight, and bytes of a packet,
// 0 when it named no limit.
func (l *Link) Limits() (inFlight int, packet uint32) { return l.window.maxCount, l.maxPacket }

func (l *Link) alive() bool {
	select {
	case <-l.dead:
		return false
	default:
		return true
	}
}

// watch ends the link when an acknowledgement is overdue: the broker would keep
// the message's place in its Receive Maximum for ever (MQTT facts row 3).
func (l *Link) watch() {
	t := time.NewTicker(min(time.Second, max(l.ackTimeout/4, time.Millisecond)))
	defer t.Stop()
	for {
		select {
		case <-l.dead:
			return
		case now := <-t.C:
			if l.exchanges.overdue(now) {
				l.End(errNoAck)
				return
			}
		}
	}
}

// Cork holds back writing until Uncork, for a caller with more to send.
func (l *Link) Cork() { l.carrier.cork() }

// Uncork writes what was held back.
func (l *Link) Uncork() { l.carrier.uncork() }

// Send sends one message when the window and the rates allow. If it returns nil,
// done is called exactly once, from the link's goroutines; it must not block. If
// it returns an error, nothing was sent and done is not called.
func (l *Link) Send(ctx context.Context, m *Message, done func(Ack, time.Duration)) error {
	if err := m.CheckSize(l.maxPayload, l.maxPacket); err != nil {
		return err
	}
	size := m.Size()
	if err := l.admit(ctx, size); err != nil {
		return err
	}

	start := time.Now()
	deadline := start.Add(l.ackTimeout + slowAllowance(l.window.inFlight()))
	id, err := l.exchanges.begin(packets.PUBLISH, deadline, func(a Ack) {
		latency := time.Since(start)
		if a.Err == nil {
			l.window.acked(size, latency)
		} else {
			l.window.release(size)
		}
		if a.Code == fault.ReasonQuotaExceeded || a.Code == fault.ReasonRateTooHigh {
			l.rate.halve()
			l.event(Event{Kind: Throttled, Code: a.Code, Err: refusal("publish to "+m.Topic, a.Code, a.Reason, "the rate has been halved")})
		}
		done(a, latency)
	})
	if err != nil {
		l.window.release(size)
		return err
	}

	l.carrier.publish(m, id)
	return nil
}

// admit waits for room in the window and for the rates.
func (l *Link) admit(ctx context.Context, size int) error {
	if !l.window.tryAcquire(size) {
		l.carrier.push() // what is held back may be what must be acknowledged first
		if err := l.window.acquire(ctx, size); err != nil {
			return err
		}
	}
	if !l.rate.ready(size) {
		l.carrier.push()
	}
	if err := l.rate.wait(ctx, size); err != nil {
		l.window.release(size)
		return err
	}
	return nil
}

// close waits until nothing is in flight or ctx ends, says goodbye and ends the
// link.
func (l *Link) close(ctx context.Context) {
	select {
	case <-l.exchanges.published():
	case <-l.dead:
	case <-ctx.Done():
	}
	l.Goodbye(false)
	<-l.exchanges.ended
	<-l.carrier.done()
}

// Goodbye says DISCONNECT and ends the link; leaving ends the session at the broker
// as well. The broker hangs up on a goodbye, which must not count as a loss: the
// cause stands before it is said.
func (l *Link) Goodbye(leaving bool) {
	l.end(fault.ErrClosed, func() { l.carrier.goodbye(leaving) })
}

// loginRefused is a CONNACK with a failure code.
type loginRefused struct {
	code   fault.ReasonCode
	reason string
}

func (e *loginRefused) Error() string {
	if e.reason == "" {
		return e.code.String()
	}
	return e.code.String() + ": " + e.reason
}

// olderBroker is a CONNACK in the form of MQTT 3.1.1, two bytes.
type olderBroker struct{ code byte }

var olderCodes = [...]string{"accepted", "unacceptable protocol version", "identifier rejected", "server unavailable", "bad user name or password", "not authorized"}

func (e *olderBroker) Error() string {
	name := "code " + fmt.Sprint(e.code)
	if int(e.code) < len(olderCodes) {
		name = olderCodes[e.code]
	}
	return "this broker does not speak MQTT 5: it answered in the form of MQTT 3.1.1, \"" + name + "\""
}

// greeting looks at what a broker says first, before paho does, which takes nothing
// but a CONNACK of MQTT 5.
type greeting struct{ over bool }

// check looks at the first packet that the broker sends: a CONNACK of MQTT 5, or what
// says why there is none.
func (g *greeting) check(first byte, body []byte) error {
	if g.over {
		return nil
	}
	g.over = true
	if first>>4 == packets.CONNACK {
		if len(body) == 2 {
			return &olderBroker{body[1]}
		}
		return nil
	}

	packet := append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...)
	p, err := packets.ReadPacket(bytes.NewReader(packet))
	if err != nil {
		return err
	}
	d := p.Content.(*packets.Disconnect)
	return refusal(opDisconnected, fault.ReasonCode(d.ReasonCode), reasonString(d.Properties), "")
}
