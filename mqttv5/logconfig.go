package mqttv5

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// LogConfig is what the cloud wants a device to log.
type LogConfig struct {
	Level       format.Level  // lowest severity that is logged
	ModuleFlags uint32        // mask of the modules that are logged; 0xffffffff is all
	Modules     []string      // names of the modules, when the cloud sent names
	Timeout     time.Duration // after which the device returns to its own; 0 is never

	// ModulesErr says why names that the cloud sent could not be read. The rest of the
	// configuration counts all the same.
	ModulesErr error
}

// Binary returns the 9 bytes that a device expects (FORMAT section 4).
func (c LogConfig) Binary() []byte {
	var v format.LogConfig
	v.SetLevel(c.Level)
	v.SetModuleFlags(c.ModuleFlags)
	v.SetTimeoutSeconds(uint32(min(c.Timeout/time.Second, 1<<32-1)))
	return v[:]
}

// ParseLogConfig reads either form of a log configuration: 9 bytes, which a JSON
// array with names of modules may follow, or a JSON object. A level above critical
// is info. Names that cannot be read cost the names: see ModulesErr.
func ParseLogConfig(b []byte) (LogConfig, error) {
	c, err := parseLogConfig(b)
	if err != nil {
		return LogConfig{}, &Error{Op: "read log configuration", Class: ErrBadData, Err: err}
	}
	return c, nil
}

func parseLogConfig(b []byte) (LogConfig, error) {
	if len(b) == 0 || b[0] != '{' { // 0x7b is no level
		v, names, err := format.ParseLogConfigMessage(b)
		if err != nil {
			return LogConfig{}, err
		}
		c := LogConfig{Level: v.Level(), ModuleFlags: v.ModuleFlags(), Timeout: time.Duration(v.TimeoutSeconds()) * time.Second}
		if len(names) > 0 {
			c.Modules, c.ModulesErr = parseModules(names)
		}
		return c, nil
	}
	c := LogConfig{ModuleFlags: 0xffffffff}
	found := false
	err := eachMember(b, func(key string, value json.RawMessage) (err error) {
		switch key {
		case "log_level":
			found = true
			c.Level, err = parseLevel(value)
		case "module_flags":
			var n uint64
			n, err = strconv.ParseUint(string(value), 10, 32)
			c.ModuleFlags = uint32(n)
		case "log_modules":
			err = json.Unmarshal(value, &c.Modules)
		case "timeout_seconds":
			var n uint64
			n, err = strconv.ParseUint(string(value), 10, 32)
			c.Timeout = time.Duration(n) * time.Second
		}
		if err != nil {
			return fmt.Errorf("%s is not usable", key)
		}
		return nil
	})
	if err == nil && !found {
		err = errors.New("log_level is missing")
	}
	if err != nil {
		return LogConfig{}, err
	}
	return c, nil
}

// parseModules reads a JSON array of names. A name that is none but a number, true,
// or anything else is taken as it is written.
func parseModules(b []byte) ([]string, error) {
	var list []json.RawMessage
	if !utf8.Valid(b) {
		return nil, errors.New("names of modules are not UTF-8")
	}
	if err := json.Unmarshal(b, &list); err != nil || list == nil {
		return nil, errors.New("names of modules are no JSON array")
	}
	names := make([]string, len(list))
	for i, item := range list {
		if json.Unmarshal(item, &names[i]) != nil || item[0] != '"' {
			names[i] = string(item)
		}
	}
	return names, nil
}

// parseLevel reads a level as a number or a name.
func parseLevel(value json.RawMessage) (format.Level, error) {
	if n, err := strconv.ParseUint(string(value), 10, 8); err == nil {
		if format.Level(n) > format.LevelCritical {
			return format.LevelInfo, nil
		}
		return format.Level(n), nil
	}
	var name string
	if err := json.Unmarshal(value, &name); err != nil {
		return 0, err
	}
	for l := format.LevelDebug; l <= format.LevelCritical; l++ {
		if strings.EqualFold(name, l.String()) {
			return l, nil
		}
	}
	return 0, errors.New("no such level")
}

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
