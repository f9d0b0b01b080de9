package mqttv5

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// handshakes joins the calls for one session, so that a device boots once however
// many logs of it arrive.
type handshakes struct {
	mu      sync.Mutex
	running map[SessionKey]*handshake
}

type handshake struct {
	done  chan struct{}
	token uint32
	err   error
}

func newHandshakes() *handshakes {
	return &handshakes{running: make(map[SessionKey]*handshake)}
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
		err := c.keeper.Go(func(ctx context.Context) {
			run.token, run.err = c.boot(ctx, dev)
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

// boot does one handshake and keeps the token.
func (c *Client) boot(ctx context.Context, dev DeviceInfo) (uint32, error) {
	op := "register device " + dev.DeviceSerial
	body, err := json.Marshal(bootRequest{dev.DeviceType, dev.GitHash, dev.DeviceSerial, dev.GitVersion})
	if err != nil {
		return 0, &Error{Op: op, Class: ErrBadData, Err: err}
	}
	correlation := []byte(randomHex(8))
	var token uint32
	err = c.keeper.Request(ctx, &link.Request{
		Op: op, What: "boot request",
		Message: &link.Message{
			Topic: c.topics.boot(dev.ApplicationID), Payload: body, ContentType: contentJSON,
			Expiry:     c.answerExpiry(),
			ReplyTopic: c.topics.bootReply(dev), Correlation: correlation,
		},
		Read: func(m *link.Received) (more bool, err error) {
			token, err = readBootReply(m, correlation)
			return true, err
		},
		Hint: "check customer, group and application id, and that the certificate may use this topic",
	})
	if err != nil {
		return 0, err
	}

	c.count.registered.Add(1)
	c.event(Event{Kind: EventRegistered, Serial: dev.DeviceSerial})
	if err := c.cfg.Store.SetToken(context.WithoutCancel(ctx), c.sessionKey(dev), token); err != nil {
		c.notice(fmt.Errorf("keep session token: %w", err))
	}
	return token, nil
}

// answerExpiry returns the seconds after which the cloud need not answer.
func (c *Client) answerExpiry() uint32 { return uint32(max(1, c.cfg.TokenTimeout/time.Second)) }

// bootReplyError says why a boot reply was not used. It does not show the reply:
// it may hold a token.
type bootReplyError struct{ reason string }

func (e *bootReplyError) Error() string { return "unusable boot reply: " + e.reason }

// readBootReply returns the token of a reply. An answer to another request, one
// that the broker had kept, and anything but one token between 1 and 2^32-1 are
// refused.
func readBootReply(m *link.Received, correlation []byte) (uint32, error) {
	if m.Retained {
		return 0, &bootReplyError{"it is a retained message, of some earlier time"}
	}
	if len(m.Correlation) > 0 && !bytes.Equal(m.Correlation, correlation) {
		return 0, &bootReplyError{"it answers another request"}
	}
	return parseBootReply(m.Payload)
}

func parseBootReply(b []byte) (token uint32, err error) {
	err = eachMember(b, func(key string, value json.RawMessage) error {
		if key != "token" {
			return nil
		}
		token, err = parseToken(value)
		return err
	})
	if err == nil && token == 0 {
		err = errors.New("no token")
	}
	if err != nil {
		return 0, &bootReplyError{err.Error()}
	}
	return token, nil
}

// parseToken reads a token: a number without a fraction, however it is written, or
// the digits of one as text.
func parseToken(value json.RawMessage) (uint32, error) {
	digits := string(value)
	if value[0] == '"' {
		if err := json.Unmarshal(value, &digits); err != nil {
			return 0, err
		}
	} else if x, err := strconv.ParseFloat(digits, 64); err == nil && x == math.Trunc(x) && x >= 0 && x < 1<<32 {
		digits = strconv.FormatUint(uint64(x), 10)
	}
	x, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || x == 0 {
		return 0, errors.New("the token is not a number between 1 and 4294967295")
	}
	return uint32(x), nil
}
