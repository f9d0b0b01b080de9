// Package paho311 lends a connection of Eclipse Paho's client for MQTT 3.1.1, module
// eclipse/paho.mqtt.golang, to a client of mqttv5. MQTT 3.1.1 has no reason codes and
// no properties: a message that the broker does not allow may end the connection, the
// host's too, and copies of a message bear no id.
//
// [Lend] prepares the options of a client. One that exists already cannot be lent: when
// paho has connected again it reports messages as published that are not acknowledged
// (its tokens complete when it sends them again), and only its store tells.
package paho311

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/ulogkit/ulogkit/mqttv5/lent"
	"github.com/ulogkit/ulogkit/mqttv5/lent/internal/topics"
)

// look is how often it is looked whether the connection is up.
const look = 50 * time.Millisecond

// Connection is a client that is lent. It is safe for concurrent use.
type Connection struct {
	topics topics.Set
	store  *store
	known  chan struct{} // closed when there is a client

	mu       sync.Mutex
	client   mqtt.Client
	renewing context.CancelFunc
}

var _ lent.Connection = (*Connection)(nil)

// Lend prepares options, before they are given to mqtt.NewClient: it adds to OnConnect
// and to Store, and leaves what is there.
func Lend(o *mqtt.ClientOptions) *Connection {
	c := &Connection{known: make(chan struct{})}
	if o.Store == nil {
		o.Store = mqtt.NewMemoryStore()
	}
	c.store = &store{Store: o.Store}
	o.Store = c.store
	connected := o.OnConnect
	o.OnConnect = func(client mqtt.Client) {
		c.connected(client)
		if connected != nil {
			connected(client)
		}
	}
	return c
}

func (c *Connection) connected(client mqtt.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil {
		close(c.known)
	}
	c.client = client
	c.renew()
}

// renew subscribes again. The caller holds mu.
func (c *Connection) renew() {
	if c.renewing != nil {
		c.renewing()
		c.renewing = nil
	}

	list := c.topics.List()
	if len(list) == 0 {
		return
	}

	ctx, cancel := context.WithCancel(context.Background())
	c.renewing = cancel
	client := c.client
	go func() {
		defer cancel()
		c.topics.Renew(ctx, list, topics.Calls{
			Subscribe:   func(ctx context.Context, topic string) error { return c.subscribe(ctx, client, topic) },
			Unsubscribe: c.Unsubscribe,
			Failed: func(topic string, err error) {
				mqtt.ERROR.Println(fmt.Sprintf("subscribe again to %s: %v", topic, err))
			},
			Alive: client.IsConnected,
		})
	}()
}

func (c *Connection) received(_ mqtt.Client, m mqtt.Message) {
	c.topics.Dispatch(lent.Received{Topic: m.Topic(), Payload: m.Payload(), Retained: m.Retained()})
}

var errDown = errors.New("the lent connection is down")

// await waits until there is a connection. paho takes messages without one, and tells
// nobody when they are sent.
func (c *Connection) await(ctx context.Context) (mqtt.Client, error) {
	select {
	case <-c.known:
	case <-ctx.Done():
		return nil, errDown
	}
	c.mu.Lock()
	client := c.client
	c.mu.Unlock()

	t := time.NewTicker(look)
	defer t.Stop()
	for !client.IsConnectionOpen() {
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, errDown
		}
	}
	return client, nil
}

// finish begins something and waits for its end. Beginning alone may take half a
// minute, when nothing can be written.
func finish[T mqtt.Token](ctx context.Context, begin func() T) (T, error) {
	var none T
	begun := make(chan T, 1)
	go func() { begun <- begin() }()
	select {
	case token := <-begun:
		select {
		case <-token.Done():
			return token, token.Error()
		case <-ctx.Done():
			return none, context.Cause(ctx)
		}
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// Publish implements lent.Connection.
func (c *Connection) Publish(ctx context.Context, m lent.Message) error {
	client, err := c.await(ctx)
	if err != nil {
		return err
	}
	token, err := finish(ctx, func() mqtt.Token { return client.Publish(m.Topic, 1, false, m.Payload) })
	if err != nil {
		return err
	}
	select {
	case <-c.store.gone(token.(*mqtt.PublishToken).MessageID()):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Subscribe implements lent.Connection.
func (c *Connection) Subscribe(ctx context.Context, topic string, receive func(lent.Received)) error {
	c.topics.Add(topic, receive) // a message may come before the SUBACK
	client, err := c.await(ctx)
	if err == nil {
		err = c.subscribe(ctx, client, topic)
	}
	if err != nil {
		c.topics.Remove(topic)
	}
	return err
}

func (c *Connection) subscribe(ctx context.Context, client mqtt.Client, topic string) error {
	token, err := finish(ctx, func() mqtt.Token { return client.Subscribe(topic, 1, c.received) })
	if err != nil {
		return err
	}
	const failure = 0x80
	if granted, ok := token.(*mqtt.SubscribeToken); ok && granted.Result()[topic] >= failure {
		return &lent.Refusal{Code: failure}
	}
	return nil
}

// Unsubscribe implements lent.Connection.
func (c *Connection) Unsubscribe(ctx context.Context, topic string) error {
	c.topics.Remove(topic)
	c.mu.Lock()
	client := c.client
	c.mu.Unlock()
	if client == nil || !client.IsConnectionOpen() {
		return nil
	}
	_, err := finish(ctx, func() mqtt.Token { return client.Unsubscribe(topic) })
	return err
}
