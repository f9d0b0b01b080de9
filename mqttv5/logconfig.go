package mqttv5

import (
	"context"
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
		defer c.keeper.Handle(name, func(m *link.Received) { c.takeLogConfig(box, m) })()

		for l, err := range c.keeper.Subscribed(ctx, name) {
			if err != nil {
				if ctx.Err() == nil {
					yield(LogConfig{}, err)
				}
				return
			}
			if !passOn(ctx, l, box, yield) {
				return
			}
		}
	}
}

// takeLogConfig puts a configuration that arrived in a box; one that cannot be read is
// told.
func (c *Client) takeLogConfig(box chan LogConfig, m *link.Received) {
	v, err := ParseLogConfig(m.Payload)
	if err != nil {
		c.notice(fmt.Errorf("%s: %w", m.Topic, err))
		return
	}
	if v.ModulesErr != nil {
		c.notice(fmt.Errorf("%s: %w", m.Topic, v.ModulesErr))
	}
	putNewest(box, v)
}

// passOn yields what is put in the box while a link lives. It returns whether there
// may be more on another.
func passOn(ctx context.Context, l *link.Link, box chan LogConfig, yield func(LogConfig, error) bool) bool {
	for {
		select {
		case v := <-box:
			if !yield(v, nil) {
				return false
			}
		case <-l.Dead():
			return true
		case <-ctx.Done():
			return false
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
