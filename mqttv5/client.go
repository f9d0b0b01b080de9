package mqttv5

import (
	"context"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

// How long Close waits for acknowledgements of messages in flight.
const closeGrace = 5 * time.Second

// Client sends to the cloud over one connection. It is safe for concurrent use.
type Client struct {
	cfg     Config
	keeper  *link.Keeper
	boots   singleflight.Group // joins the calls for one session, so that a device registers once however many logs of it arrive
	watches chan struct{}      // subscriptions for log configurations
	count   *counters
	texts   payload.Sequence

	uploadWait time.Duration // before the second attempt to store firmware; doubles
}

// New checks the configuration and the credential files and returns a client. It
// does not touch the network.
func New(cfg Config) (*Client, error) {
	cfg, err := withDefaults(cfg)
	if err != nil {
		return nil, err
	}
	return open(cfg, linkConfig(cfg))
}

// open makes a client of a configuration whose defaults have been filled in.
func open(cfg Config, connection link.Config) (*Client, error) {
	c := &Client{
		cfg:        cfg,
		watches:    make(chan struct{}, maxWatches),
		uploadWait: time.Second,
	}
	c.count = newCounters(func() bool { return c.keeper.IsUp() })
	connection.Event = c.connectionEvent
	var err error
	if c.keeper, err = link.New(connection); err != nil {
		return nil, err
	}
	return c, nil
}

// Connect connects now, rather than with the first call that needs the broker.
func (c *Client) Connect(ctx context.Context) error {
	_, err := c.keeper.Up(ctx)
	return err
}

// Close waits for messages in flight, for at most 5 seconds, says goodbye to the
// broker and closes the connection. Calls after it fail with ErrClosed.
func (c *Client) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	c.keeper.Close(ctx)
	return nil
}

// connectionEvent counts and passes on what happens to the connection.
func (c *Client) connectionEvent(e link.Event) {
	kind := EventDisconnected
	switch e.Kind {
	case link.Connected:
		c.count.connects.Inc()
		kind = EventConnected
	case link.Failed:
		c.count.failures.Inc()
	case link.Lost:
		c.count.disconnects.Inc()
	case link.Throttled:
		kind = EventThrottled
	case link.Evicted:
		kind = EventEvicted
	}
	c.event(Event{Kind: kind, Code: e.Code, Err: e.Err})
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
