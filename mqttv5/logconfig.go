package mqttv5

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/ulogkit/ulogkit/format/topic"
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
				Hint: "watch others with another Client, which needs a client identifier of its own (field Tuning.ClientID)",
			})
			return
		}

		name := c.topic(topic.LogConfig, dev)
		box := make(chan LogConfig, maxConfigs)
		remove := c.keeper.Handle(name, func(m *link.Received) {
			v, err := ParseLogConfig(m.Payload)
			if err != nil {
				c.notice(fmt.Errorf("%s: %w", name, err))
				return
			}
			if v.ModulesErr != nil {
				c.notice(fmt.Errorf("%s: %w", name, v.ModulesErr))
			}
			putNewest(box, v)
		})

		var current *link.Link
		defer func() {
			remove()
			if current != nil {
				current.Release(name)
			}
		}()

		for {
			l, err := c.watchOn(ctx, name)
			if err != nil {
				if ctx.Err() == nil {
					yield(LogConfig{}, err)
				}
				return
			}
			current = l
			for alive := true; alive; {
				select {
				case v := <-box:
					if !yield(v, nil) {
						return
					}
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
func (c *Client) watchOn(ctx context.Context, name string) (*link.Link, error) {
	for {
		l, err := c.keeper.UpPatiently(ctx)
		if err != nil {
			return nil, err
		}
		if err = l.Subscribe(ctx, name); err == nil {
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

// maxConfigs is how many configurations wait for a consumer.
const maxConfigs = 16

// putNewest puts a configuration in a box, for which the oldest makes room. It never
// blocks.
func putNewest(box chan LogConfig, v LogConfig) {
	for {
		select {
		case box <- v:
			return
		default:
		}
		select {
		case <-box:
		default:
		}
	}
}
