// Package paho5 lends a connection of Eclipse Paho for MQTT 5, package autopaho of
// paho.golang, to a client of mqttv5.
//
// [Lend] is for a program that is about to connect, [New] for one that has.
package paho5

import (
	"context"
	"errors"
	"sync"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/log"

	"github.com/ulogkit/ulogkit/mqttv5/lent"
	"github.com/ulogkit/ulogkit/mqttv5/lent/internal/topics"
)

// Connection is a connection manager that is lent. It is safe for concurrent use.
type Connection struct {
	topics topics.Set
	errors log.Logger    // the program's own, told of what cannot be subscribed again
	known  chan struct{} // closed when there is a manager

	mu        sync.Mutex
	manager   *autopaho.ConnectionManager
	down      chan struct{} // closed when the present connection is lost; nil: nobody tells
	maxPacket uint32        // what the broker takes; 0 is not known
	renewing  context.CancelFunc
	remove    func() // takes our handler from the last connection
}

var _ lent.Connection = (*Connection)(nil)

// Lend prepares a configuration, before it is given to autopaho.NewConnection: it adds
// to OnConnectionUp, OnConnectionDown and OnPublishReceived, and leaves what is there.
func Lend(cfg *autopaho.ClientConfig) *Connection {
	c := &Connection{known: make(chan struct{}), errors: cfg.Errors}
	up, lost := cfg.OnConnectionUp, cfg.OnConnectionDown
	cfg.OnConnectionUp = func(cm *autopaho.ConnectionManager, ack *paho.Connack) {
		c.connected(cm, ack)
		if up != nil {
			up(cm, ack)
		}
	}
	cfg.OnConnectionDown = func() bool {
		c.lost()
		return lost == nil || lost()
	}
	cfg.OnPublishReceived = append(cfg.OnPublishReceived, c.received)
	return c
}

// New lends a manager that exists. Call Renew after each later connection, from
// OnConnectionUp: subscriptions end with a connection.
func New(cm *autopaho.ConnectionManager) *Connection {
	c := &Connection{known: make(chan struct{}), manager: cm}
	close(c.known)
	c.listen(cm)
	return c
}

// Renew subscribes again to what is subscribed, in the background, until it is done or
// called again. What Lend made needs no call.
func (c *Connection) Renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.manager == nil {
		return
	}
	c.listen(c.manager)
	c.renew()
}

// listen takes messages of the manager's present connection.
func (c *Connection) listen(cm *autopaho.ConnectionManager) {
	if c.remove != nil {
		c.remove()
	}
	c.remove = cm.AddOnPublishReceived(func(p autopaho.PublishReceived) (bool, error) { return c.received(p.PublishReceived) })
}

func (c *Connection) connected(cm *autopaho.ConnectionManager, ack *paho.Connack) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.manager == nil {
		close(c.known)
	}
	c.manager, c.down, c.maxPacket = cm, make(chan struct{}), 0
	if ack != nil && ack.Properties != nil && ack.Properties.MaximumPacketSize != nil {
		c.maxPacket = *ack.Properties.MaximumPacketSize
	}
	c.renew()
}

func (c *Connection) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down != nil {
		close(c.down)
		c.down = nil
	}
	if c.renewing != nil {
		c.renewing()
		c.renewing = nil
	}
}

// renew subscribes again. The caller holds mu.
func (c *Connection) renew() {
	if c.renewing != nil {
		c.renewing()
	}

	list := c.topics.List()
	if len(list) == 0 {
		c.renewing = nil
		return
	}

	ctx, cancel := context.WithCancel(context.Background())
	c.renewing = cancel
	manager := c.manager
	go func() {
		defer cancel()

		c.topics.Renew(ctx, list, topics.Calls{
			Subscribe:   func(ctx context.Context, topic string) error { return subscribe(ctx, manager, topic) },
			Unsubscribe: c.Unsubscribe,
			Failed: func(topic string, err error) {
				if c.errors != nil {
					c.errors.Printf("subscribe again to %s: %v", topic, err)
				}
			},
			Alive: func() bool {
				select {
				case <-manager.Done():
					return false
				default:
					return true
				}
			},
		})
	}()
}

func (c *Connection) received(p paho.PublishReceived) (bool, error) {
	m := lent.Received{Topic: p.Packet.Topic, Payload: p.Packet.Payload, Retained: p.Packet.Retain}
	if p.Packet.Properties != nil {
		m.Correlation = p.Packet.Properties.CorrelationData
	}
	return c.topics.Dispatch(m), nil
}

// use is the present connection, for one call.
type use struct {
	*autopaho.ConnectionManager
	maxPacket uint32
	ctx       context.Context // ends with the connection too, if its end is told
	end       context.CancelCauseFunc
}

// await waits until there is a connection.
func (c *Connection) await(ctx context.Context) (*use, error) {
	select {
	case <-c.known:
	case <-ctx.Done():
		return nil, errDown
	}

	c.mu.Lock()
	u := &use{ConnectionManager: c.manager}
	c.mu.Unlock()
	if err := u.AwaitConnection(ctx); err != nil {
		return nil, errors.Join(errDown, err)
	}

	c.mu.Lock()
	down := c.down
	u.maxPacket = c.maxPacket
	c.mu.Unlock()
	u.ctx, u.end = context.WithCancelCause(ctx)
	if down != nil {
		go func() {
			select {
			case <-down:
				u.end(errLost)
			case <-u.ctx.Done():
			}
		}()
	}
	return u, nil
}

// because returns why a call failed: the end of the connection says more than what
// paho makes of it.
func (u *use) because(err error) error {
	if why := context.Cause(u.ctx); err != nil && why != nil {
		return why
	}
	return err
}

var (
	errDown = errors.New("the lent connection is down")
	errLost = errors.New("the lent connection was lost")
)

// Publish implements lent.Connection.
func (c *Connection) Publish(ctx context.Context, m lent.Message) error {
	p := packet(m)
	for {
		u, err := c.await(ctx)
		if err != nil {
			return err
		}
		answer, err := u.publish(p)
		u.end(nil)
		switch {
		case answer != nil && answer.ReasonCode != 0:
			r := &lent.Refusal{Code: answer.ReasonCode}
			if answer.Properties != nil {
				r.Reason = answer.Properties.ReasonString
			}
			return r
		case errors.Is(err, autopaho.ConnectionDownError):
			continue // nothing was sent
		}
		return err
	}
}

func (u *use) publish(p *paho.Publish) (*paho.PublishResponse, error) {
	const rest = 1 << 12 // more than there is beside the payload
	if u.maxPacket > 0 && len(p.Payload)+rest > int(u.maxPacket) && size(p) > u.maxPacket {
		return nil, &lent.Refusal{Code: packets.DisconnectPacketTooLarge, Reason: "this broker does not take packets that large"}
	}
	answer, err := u.Publish(u.ctx, p)
	return answer, u.because(err)
}

// packet makes a message one of paho's.
func packet(m lent.Message) *paho.Publish {
	p := &paho.Publish{
		Topic: m.Topic, Payload: m.Payload, QoS: 1,
		Properties: &paho.PublishProperties{ContentType: m.ContentType, ResponseTopic: m.ReplyTopic, CorrelationData: m.Correlation},
	}
	if m.Expiry > 0 {
		p.Properties.MessageExpiry = &m.Expiry
	}
	if m.ID != "" {
		p.Properties.User.Add(lent.PropertyID, m.ID)
	}
	return p
}

// size returns the bytes of a packet on the wire. paho does not look at it, and a
// broker closes the connection.
func size(p *paho.Publish) uint32 {
	n := counter(0)
	p.Packet().WriteTo(&n)
	return uint32(n)
}

type counter int

func (n *counter) Write(p []byte) (int, error) {
	*n += counter(len(p))
	return len(p), nil
}

// Subscribe implements lent.Connection.
func (c *Connection) Subscribe(ctx context.Context, topic string, receive func(lent.Received)) error {
	c.topics.Add(topic, receive) // a message may come before the SUBACK
	for {
		u, err := c.await(ctx)
		if err == nil {
			err = u.because(subscribe(u.ctx, u.ConnectionManager, topic))
			u.end(nil)
		}
		if errors.Is(err, autopaho.ConnectionDownError) {
			continue
		}
		if err != nil {
			c.topics.Remove(topic)
		}
		return err
	}
}

func subscribe(ctx context.Context, cm *autopaho.ConnectionManager, topic string) error {
	ack, err := cm.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: topic, QoS: 1}}})
	if ack != nil && len(ack.Reasons) == 1 && ack.Reasons[0] >= 0x80 {
		r := &lent.Refusal{Code: ack.Reasons[0]}
		if ack.Properties != nil {
			r.Reason = ack.Properties.ReasonString
		}
		return r
	}
	return err
}

// Unsubscribe implements lent.Connection.
func (c *Connection) Unsubscribe(ctx context.Context, topic string) error {
	c.topics.Remove(topic)
	c.mu.Lock()
	manager := c.manager
	c.mu.Unlock()
	if manager == nil {
		return nil
	}
	_, err := manager.Unsubscribe(ctx, &paho.Unsubscribe{Topics: []string{topic}})
	if errors.Is(err, autopaho.ConnectionDownError) {
		return nil
	}
	return err
}
