package mqttv5

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// AWS allows 50 subscriptions a connection. Log configurations hold theirs; what is
// left to requests, which wait for an answer each, is enough for the 100 publishes a
// second that AWS allows when an answer takes 200 ms.
const (
	maxSubscriptions = 50
	maxWatches       = 30
	maxRequests      = maxSubscriptions - maxWatches
)

// handshakes joins the calls for one session, so that a device boots once however
// many logs of it arrive.
type handshakes struct {
	slots chan struct{} // subscriptions for answers; firmware uploads take them too

	mu      sync.Mutex
	running map[SessionKey]*handshake
}

type handshake struct {
	done  chan struct{}
	token uint32
	err   error
}

func newHandshakes() *handshakes {
	return &handshakes{slots: make(chan struct{}, maxRequests), running: make(map[SessionKey]*handshake)}
}

// bootRequest is the JSON that a device's gateway sends (FORMAT section 5).
type bootRequest struct {
	DeviceType string `json:"device_type"`
	Git        string `json:"git"`
	Serial     string `json:"serial"`
	Version    string `json:"version"`
}

func (c *Client) sessionKey(d DeviceInfo) SessionKey {
	return SessionKey{
		Broker: c.cfg.address(), CustomerID: c.cfg.CustomerID, GroupID: c.cfg.GroupID,
		ApplicationID: d.ApplicationID, DeviceSerial: d.DeviceSerial, GitHash: d.GitHash,
	}
}

// GetSessionToken runs the boot handshake for a device and keeps the token in the
// store. It always asks the cloud, and gives up after Config.TokenTimeout. Calls
// for the same device at the same time share one handshake.
func (c *Client) GetSessionToken(ctx context.Context, dev DeviceInfo) (uint32, error) {
	if err := dev.Validate(); err != nil {
		return 0, err
	}
	key := c.sessionKey(dev)
	h := c.boots
	h.mu.Lock()
	run := h.running[key]
	if run == nil {
		run = &handshake{done: make(chan struct{})}
		// The handshake outlives a caller who gives up: another may have joined.
		err := c.sup.start(func() {
			run.token, run.err = c.boot(c.sup.ctx, dev)
			h.mu.Lock()
			delete(h.running, key)
			h.mu.Unlock()
			close(run.done)
		})
		if err != nil {
			h.mu.Unlock()
			return 0, err
		}
		h.running[key] = run
	}
	h.mu.Unlock()
	select {
	case <-run.done:
		return run.token, run.err
	case <-ctx.Done():
		return 0, &Error{Op: "register device " + dev.DeviceSerial, Class: ErrNetwork, Err: waitError(ctx)}
	}
}

// GetOrFetchToken returns the stored token of a device and its firmware, or runs
// the boot handshake when there is none.
func (c *Client) GetOrFetchToken(ctx context.Context, dev DeviceInfo) (uint32, error) {
	if err := dev.Validate(); err != nil {
		return 0, err
	}
	token, ok, err := c.cfg.Store.Token(ctx, c.sessionKey(dev))
	if err != nil {
		// A broken store costs a handshake, not the upload.
		c.notice(fmt.Errorf("read session token: %w", err))
	}
	if ok {
		return token, nil
	}
	return c.GetSessionToken(ctx, dev)
}

// boot does one handshake: subscribe to the reply, wait for the SUBACK, ask, and
// ask again while there is no answer. A reply may come before the request's
// PUBACK, and a SUBACK before the subscription works.
func (c *Client) boot(ctx context.Context, dev DeviceInfo) (uint32, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.TokenTimeout)
	defer cancel()
	select {
	case c.boots.slots <- struct{}{}:
		defer func() { <-c.boots.slots }()
	case <-ctx.Done():
		return 0, c.bootError(ctx, dev, nil)
	}
	replyTopic := c.topics.bootReply(dev)
	correlation := []byte(randomHex(8))
	answer := make(chan uint32, 1)
	var last bootFault
	route := c.routes.add(replyTopic, func(p *paho.Publish) {
		token, err := readBootReply(p, correlation)
		if err != nil {
			last.set(err)
			return
		}
		select {
		case answer <- token:
		default: // a second answer changes nothing
		}
	})
	defer c.routes.remove(route)

	body, err := json.Marshal(bootRequest{dev.DeviceType, dev.GitHash, dev.DeviceSerial, dev.GitVersion})
	if err != nil {
		return 0, &Error{Op: "register device " + dev.DeviceSerial, Class: ErrBadData, Err: err}
	}
	request := &message{
		topic: c.topics.boot(dev.ApplicationID), payload: body, contentType: contentJSON,
		expiry:     uint32(max(1, c.cfg.TokenTimeout/time.Second)), // a late answer is of no use
		replyTopic: replyTopic, correlation: correlation,
	}
	again := max(c.cfg.TokenTimeout/5, 10*time.Millisecond)
	for asked := false; ; asked = true {
		l, err := c.sup.link(ctx)
		if err != nil && asked && ctx.Err() != nil {
			return 0, c.bootError(ctx, dev, last.get())
		}
		if err != nil {
			return 0, err
		}
		if err := l.subscribe(ctx, replyTopic); err != nil {
			if final := c.bootFinal(ctx, l, dev, err); final != nil {
				return 0, final
			}
			continue
		}
		token, err := c.ask(ctx, l, request, again, answer)
		l.unsubscribe(replyTopic)
		if err == nil {
			c.count.registered.Add(1)
			c.event(Event{Kind: EventRegistered, Serial: dev.DeviceSerial})
			if err := c.cfg.Store.SetToken(context.WithoutCancel(ctx), c.sessionKey(dev), token); err != nil {
				c.notice(fmt.Errorf("keep session token: %w", err))
			}
			return token, nil
		}
		if final := c.bootFinal(ctx, l, dev, errors.Join(err, last.get())); final != nil {
			return 0, final
		}
	}
}

// ask publishes the request, again and again, until an answer comes, the link
// ends or ctx does.
func (c *Client) ask(ctx context.Context, l *link, request *message, again time.Duration, answer <-chan uint32) (uint32, error) {
	t := time.NewTicker(again)
	defer t.Stop()
	refused := make(chan error, 1)
	for {
		err := l.send(ctx, request, func(a ack, _ time.Duration) {
			if a.err == nil && a.code.Failed() {
				select {
				case refused <- &Error{Op: "publish to " + request.topic, Class: ErrRefused, Code: a.code, Hint: "the certificate's policy must allow it"}:
				default:
				}
			}
		})
		if err != nil {
			return 0, err
		}
		select {
		case token := <-answer:
			return token, nil
		case err := <-refused:
			return 0, err
		case <-l.dead:
			return 0, l.cause
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-t.C:
		}
	}
}

// bootFinal returns the error that ends a handshake, or nil when only the link
// was lost and there is time for another.
func (c *Client) bootFinal(ctx context.Context, l *link, dev DeviceInfo, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return c.bootError(ctx, dev, err)
	}
	select {
	case <-l.dead:
		if errors.Is(l.cause, ErrClosed) {
			return ErrClosed
		}
		return nil
	default:
	}
	e := &Error{Op: "register device " + dev.DeviceSerial, Class: ErrRefused, Code: codeOf(err), Err: err}
	if e.Code == 0 {
		e.Class = ErrNetwork
	}
	return e
}

func (c *Client) bootError(ctx context.Context, dev DeviceInfo, err error) error {
	e := &Error{Op: "register device " + dev.DeviceSerial, Class: ErrNetwork}
	if c.sup.ctx.Err() != nil {
		return ErrClosed
	}
	var fault *bootReplyError
	switch {
	case errors.As(err, &fault):
		e.Class, e.Err = ErrRefused, fault
		e.Hint = "the cloud answered, but with nothing that can be used"
	default:
		e.Err = fmt.Errorf("no answer to the boot request on %s within %v", c.topics.bootReply(dev), c.cfg.TokenTimeout)
		e.Hint = "check customer, group and application id, and that the certificate may use this topic"
	}
	return e
}

// bootFault remembers the last answer that could not be used.
type bootFault struct {
	mu  sync.Mutex
	err error
}

func (f *bootFault) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *bootFault) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// bootReplyError says why a boot reply was not used. It does not show the reply:
// it may hold a token.
type bootReplyError struct{ reason string }

func (e *bootReplyError) Error() string { return "unusable boot reply: " + e.reason }

// readBootReply returns the token of a reply. An answer to another request, one
// that the broker had kept, and anything but one token between 1 and 2^32-1 are
// refused.
func readBootReply(p *paho.Publish, correlation []byte) (uint32, error) {
	if p.Retain {
		return 0, &bootReplyError{"it is a retained message, of some earlier time"}
	}
	if p.Properties != nil && len(p.Properties.CorrelationData) > 0 && !bytes.Equal(p.Properties.CorrelationData, correlation) {
		return 0, &bootReplyError{"it answers another request"}
	}
	return parseBootReply(p.Payload)
}

func parseBootReply(b []byte) (token uint32, err error) {
	err = eachMember(b, func(key string, value json.RawMessage) error {
		if key != "token" {
			return nil
		}
		x, err := strconv.ParseUint(string(value), 10, 32)
		if err != nil || x == 0 {
			return errors.New("the token is not a number between 1 and 4294967295")
		}
		token = uint32(x)
		return nil
	})
	if err == nil && token == 0 {
		err = errors.New("no token")
	}
	if err != nil {
		return 0, &bootReplyError{err.Error()}
	}
	return token, nil
}
