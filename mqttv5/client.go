package mqttv5

import (
	"context"
	"math/rand/v2"
	"net"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// How long Close waits for acknowledgements of messages in flight.
const closeGrace = 5 * time.Second

// Client sends to the cloud over one connection. It is safe for concurrent use.
type Client struct {
	cfg     Config
	topics  topics
	sup     *supervisor
	routes  *routes
	boots   *handshakes
	watches chan struct{} // subscriptions for log configurations
	count   counters
	latency histogram
	texts   textSequence
}

// New checks the configuration and the credential files and returns a client. It
// does not touch the network.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg: cfg, topics: newTopics(cfg.CustomerID, cfg.GroupID),
		routes: newRoutes(), boots: newHandshakes(), watches: make(chan struct{}, maxWatches),
	}
	creds := newCredentials(&c.cfg)
	if !cfg.InsecurePlaintext {
		if _, err := creds.load(); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	pol := newPolicy(cfg.Tuning)
	c.sup = &supervisor{
		cfg: &c.cfg, creds: creds, policy: pol,
		rate:  newThrottle(cfg.Tuning.PublishesPerSecond, cfg.Tuning.BytesPerSecond),
		dial:  (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext,
		route: func(p *paho.Publish) { c.routes.dispatch(p) },
		event: c.event, count: &c.count,
		ctx: ctx, cancel: cancel,
		backoff: backoff{policy: pol, random: rand.Float64},
	}
	return c, nil
}

// Connect connects now, rather than with the first call that needs the broker.
func (c *Client) Connect(ctx context.Context) error {
	_, err := c.sup.link(ctx)
	return err
}

// Close waits for messages in flight, for at most 5 seconds, says goodbye to the
// broker and closes the connection. Calls after it fail with ErrClosed.
func (c *Client) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	c.sup.stop(ctx)
	return nil
}

func (c *Client) event(e Event) {
	if c.cfg.Hooks.Event == nil {
		return
	}
	e.Time = time.Now()
	c.cfg.Hooks.Event(e)
}

// notice tells of something that went wrong without failing the call.
func (c *Client) notice(err error) {
	c.cfg.Hooks.Logger.Warn("notice", "error", err)
	c.event(Event{Kind: EventNotice, Err: err})
}
