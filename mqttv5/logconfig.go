package mqttv5

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// LogConfig is what the cloud wants a device to log.
type LogConfig = device.LogConfig

// ParseLogConfig is device.ParseLogConfig: it reads either form of a log
// configuration.
func ParseLogConfig(b []byte) (LogConfig, error) { return device.ParseLogConfig(b) }

// maxWatches is how many devices are watched: AWS allows 50 subscriptions to a
// connection, and the link needs the others for requests with an answer.
const maxWatches = 30

// WatchLogConfig yields each log configuration that the cloud sends for a device,
// until ctx ends. It subscribes again after each loss of the connection. One that
// cannot be read is reported to the hooks and left out; a consumer that is slow
// misses the oldest. An error is the last thing it yields: the client was closed,
// the server refused the subscription, or 30 devices are watched already. AWS allows
// 50 subscriptions to a connection, and handshakes need the others.
func (c *Client) WatchLogConfig(ctx context.Context, dev DeviceInfo) iter.Seq2[LogConfig, error] {
	return func(yield func(LogConfig, error) bool) {
		if err := dev.Validate(); err != nil {
			yield(LogConfig{}, err)
			return
		}
		select {
		case c.watches <- struct{}{}:
			defer func() { <-c.watches }()
		default:
			yield(LogConfig{}, &Error{
				Op: "watch log configuration of " + dev.DeviceSerial, Class: ErrConfig,
				Err:  fmt.Errorf("%d devices are watched already, as many as one connection may", maxWatches),
				Hint: "watch others with another Client, which needs its own Tuning.ClientID",
			})
			return
		}
		topic := c.topics.logConfig(dev)
		box := newConfigBox()
		remove := c.keeper.Handle(topic, func(m *link.Received) {
			v, err := ParseLogConfig(m.Payload)
			if err != nil {
				c.notice(fmt.Errorf("%s: %w", topic, err))
				return
			}
			if v.ModulesErr != nil {
				c.notice(fmt.Errorf("%s: %w", topic, v.ModulesErr))
			}
			box.put(v)
		})
		var current *link.Link
		defer func() {
			remove()
			if current != nil {
				current.Release(topic)
			}
		}()
		for {
			l, err := c.watchOn(ctx, topic)
			if err != nil {
				if ctx.Err() == nil {
					yield(LogConfig{}, err)
				}
				return
			}
			current = l
			for alive := true; alive; {
				for _, v := range box.take() {
					if !yield(v, nil) {
						return
					}
				}
				select {
				case <-box.filled:
				case <-l.Dead():
					alive = false
				case <-ctx.Done():
					return
				}
			}
		}
	}
}

// watchOn subscribes on a connection, with as many attempts as it takes.
func (c *Client) watchOn(ctx context.Context, topic string) (*link.Link, error) {
	for {
		l, err := c.keeper.UpPatiently(ctx)
		if err != nil {
			return nil, err
		}
		if err = l.Subscribe(ctx, topic); err == nil {
			return l, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		if errors.Is(err, ErrRefused) {
			select {
			case <-l.Dead():
			default:
				return nil, err
			}
		}
	}
}

// configBox keeps the last configurations for a consumer; putting never blocks.
type configBox struct {
	filled chan struct{}
	mu     sync.Mutex
	list   []LogConfig
}

const maxConfigs = 16

func newConfigBox() *configBox { return &configBox{filled: make(chan struct{}, 1)} }

func (b *configBox) put(v LogConfig) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.list) == maxConfigs {
		b.list = b.list[1:]
	}
	b.list = append(b.list, v)
	select {
	case b.filled <- struct{}{}:
	default:
	}
}

func (b *configBox) take() []LogConfig {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list
	b.list = nil
	return list
}
