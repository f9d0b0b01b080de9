package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	paholog "github.com/eclipse/paho.golang/paho/log"
	pahosession "github.com/eclipse/paho.golang/paho/session"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/internal/guard"
)

// delivery is a message from the broker.
type delivery struct {
	topic   string
	payload []byte
	props   *packets.Properties
	at      time.Time
	id      uint16 // packet identifier; 0 for QoS 0, which cannot be acknowledged
}

// link is one connection to the broker, from its CONNACK to its end. It is paho's
// SessionManager as well: it takes each PUBLISH from paho as it is read, and
// writes acknowledgements itself, many in one write and exactly when they are due.
// Those of paho wait for a ticker of 50 ms (MQTT facts row 11), which with a
// Receive Maximum of 128 would be 2,560 messages a second at most.
//
// It keeps nothing that outlives the connection: what was not acknowledged comes
// again from the broker.
type link struct {
	conn  *guarded
	paho  *paho.Client
	queue chan delivery // holds a Receive Maximum

	once   sync.Once
	cause  error             // why it ended; valid once dead is closed
	code   mqttv5.ReasonCode // of the server's DISCONNECT
	dead   chan struct{}
	opened time.Time

	mu      sync.Mutex
	last    uint16
	waiting map[uint16]chan<- packets.ControlPacket
}

// guarded is a connection that refuses what no broker sends (MQTT facts row 7)
// before paho sizes an allocation by it. paho locks it around each packet.
type guarded struct {
	net.Conn
	sync.Mutex
	in *guard.Reader
}

func (c *guarded) Read(p []byte) (int, error) { return c.in.Read(p) }

// openLink logs in. ctx bounds the login alone. On an error the connection is
// closed, and code is the CONNACK's.
func openLink(ctx context.Context, raw net.Conn, cfg *Config) (_ *link, code mqttv5.ReasonCode, err error) {
	l := &link{
		conn:    &guarded{Conn: raw, in: guard.New(raw, cfg.MaxPayload+room)},
		queue:   make(chan delivery, cfg.ReceiveMaximum),
		dead:    make(chan struct{}),
		waiting: make(map[uint16]chan<- packets.ControlPacket),
	}
	conn := &cfg.Connection
	l.paho = paho.NewClient(paho.ClientConfig{
		Conn: l.conn, Session: l,
		AuthHandler:   guard.NoAuth{Fail: l.fail},
		PacketTimeout: conn.TokenTimeout,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			l.receive(p.Packet.Packet())
			return true, nil
		}},
		OnServerDisconnect: func(*paho.Disconnect) {}, // ConnectionLost has seen it
		OnClientError:      l.fail,
	})
	expiry, receive, largest := uint32(cfg.SessionExpiry/time.Second), uint16(cfg.ReceiveMaximum), uint32(cfg.MaxPayload+room)
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	ca, err := l.paho.Connect(ctx, &paho.Connect{
		ClientID:  conn.Tuning.ClientID,
		KeepAlive: uint16(conn.Tuning.KeepAlive / time.Second),
		// The session holds what a worker that crashed had not acknowledged.
		CleanStart: false,
		Properties: &paho.ConnectProperties{
			SessionExpiryInterval: &expiry,
			ReceiveMaximum:        &receive,
			MaximumPacketSize:     &largest,
		},
	})
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		raw.Close()
		l.fail(err)
		if ca != nil && ca.ReasonCode >= 0x80 {
			code = mqttv5.ReasonCode(ca.ReasonCode)
		}
		return nil, code, err
	}
	l.opened = time.Now()
	return l, 0, nil
}

// fail ends the link. The first cause stands.
func (l *link) fail(cause error) { l.failWith(0, cause) }

func (l *link) failWith(code mqttv5.ReasonCode, cause error) {
	l.once.Do(func() {
		l.code, l.cause = code, cause
		close(l.dead)
		l.conn.Close()
		l.mu.Lock()
		defer l.mu.Unlock()
		for id, answer := range l.waiting {
			delete(l.waiting, id)
			answer <- packets.ControlPacket{} // paho gives it a buffer
		}
	})
}

// subscribe subscribes to the filters in one packet.
func (l *link) subscribe(ctx context.Context, group string, filters []string) error {
	filters, err := shared(group, filters)
	if err != nil {
		return err
	}
	s := &paho.Subscribe{}
	for _, f := range filters {
		s.Subscriptions = append(s.Subscriptions, paho.SubscribeOptions{Topic: f, QoS: 1})
	}
	answer, err := l.paho.Subscribe(ctx, s)
	if answer != nil {
		for i, r := range answer.Reasons {
			if code := mqttv5.ReasonCode(r); code.Failed() && i < len(s.Subscriptions) {
				return &mqttv5.Error{
					Op: "subscribe to " + s.Subscriptions[i].Topic, Class: mqttv5.ErrRefused, Code: code,
					Hint: "the broker must allow shared subscriptions and this worker's certificate must allow the filter",
				}
			} else if code != 1 {
				return fmt.Errorf("broker granted QoS %d instead of 1; it could not resend what a crash loses", r)
			}
		}
	}
	return err
}

// unsubscribe ends the subscriptions.
func (l *link) unsubscribe(ctx context.Context, group string, filters []string) error {
	filters, err := shared(group, filters)
	if err != nil {
		return err
	}
	_, err = l.paho.Unsubscribe(ctx, &paho.Unsubscribe{Topics: filters})
	return err
}

// acknowledge writes acknowledgements, encoded by appendAck.
func (l *link) acknowledge(acks []byte) {
	if len(acks) == 0 {
		return
	}
	l.conn.Lock()
	_, err := l.conn.Write(acks)
	l.conn.Unlock()
	if err != nil {
		l.fail(err)
	}
}

// appendAck appends a PUBACK of success: its reason code and properties are left
// out (MQTT 5 section 3.4.2).
func appendAck(dst []byte, id uint16) []byte {
	return append(dst, packets.PUBACK<<4, 2, byte(id>>8), byte(id))
}

// goodbye says DISCONNECT; leaving ends the session as well.
func (l *link) goodbye(leaving bool) {
	d := packets.Disconnect{Properties: &packets.Properties{}}
	if leaving {
		now := uint32(0)
		d.Properties.SessionExpiryInterval = &now
	}
	l.conn.SetWriteDeadline(time.Now().Add(time.Second))
	d.WriteTo(l.conn) // the connection ends in any case
}

// receive queues a message. It blocks when there are more than a Receive Maximum
// allows, and with it the reading of the connection, so that memory stays bounded:
// nothing holds back messages of QoS 0, and mosquitto 2.0 with max_inflight_messages
// 0 forgets the limit when it resumes a session.
func (l *link) receive(p *packets.Publish) {
	d := delivery{topic: p.Topic, payload: p.Payload, props: p.Properties, at: time.Now()}
	if p.QoS > 0 {
		if d.id = p.PacketID; p.QoS != 1 || d.id == 0 {
			l.fail(errors.New("broker sent a message of QoS 2 or without an identifier; nothing was subscribed so"))
			return
		}
	}
	select {
	case l.queue <- d:
	case <-l.dead:
	}
}

// ConAckReceived implements SessionManager.
func (l *link) ConAckReceived(io.Writer, *packets.Connect, *packets.Connack) error { return nil }

// ConnectionLost implements SessionManager. d is the server's DISCONNECT, if any.
func (l *link) ConnectionLost(d *packets.Disconnect) error {
	if d != nil {
		l.failWith(mqttv5.ReasonCode(d.ReasonCode), errors.New("broker disconnected"))
	} else {
		l.fail(errors.New("connection closed"))
	}
	return nil
}

// AddToSession implements SessionManager: SUBSCRIBE and UNSUBSCRIBE.
func (l *link) AddToSession(_ context.Context, p pahosession.Packet, answer chan<- packets.ControlPacket) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.dead:
		return l.cause
	default:
	}
	for {
		l.last++
		if _, used := l.waiting[l.last]; l.last != 0 && !used {
			break
		}
	}
	l.waiting[l.last] = answer
	p.SetIdentifier(l.last)
	return nil
}

// PacketReceived implements SessionManager.
func (l *link) PacketReceived(p *packets.ControlPacket, _ chan<- *packets.Publish) error {
	switch c := p.Content.(type) {
	case *packets.Publish:
		l.receive(c)
	case *packets.Suback:
		l.answer(c.PacketID, p)
	case *packets.Unsuback:
		l.answer(c.PacketID, p)
	}
	return nil
}

func (l *link) answer(id uint16, p *packets.ControlPacket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if answer, ok := l.waiting[id]; ok {
		delete(l.waiting, id)
		answer <- *p
	}
}

// Ack implements SessionManager. paho calls it after QoS 0 messages too.
func (l *link) Ack(*packets.Publish) error { return nil }

// Close implements SessionManager.
func (l *link) Close() error { return nil }

// SetErrorLogger implements SessionManager.
func (l *link) SetErrorLogger(paholog.Logger) {}

// SetDebugLogger implements SessionManager.
func (l *link) SetDebugLogger(paholog.Logger) {}
