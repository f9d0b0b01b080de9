package mqttv5

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/internal/cloud"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/wait"
)

func (c *Client) sessionKey(d DeviceInfo) SessionKey {
	return SessionKey{
		Broker: address(c.cfg), CustomerID: c.cfg.CustomerID, GroupID: c.cfg.GroupID,
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

	run := c.boots.DoChan(fmt.Sprintf("%#v", c.sessionKey(dev)), func() (token any, err error) {
		// The handshake outlives a caller who gives up: another may have joined.
		ended := make(chan struct{})
		stopped := c.keeper.Go(func(ctx context.Context) {
			token, err = c.boot(ctx, dev)
			close(ended)
		})
		if stopped != nil {
			return uint32(0), stopped
		}
		<-ended
		return token, err
	})
	select {
	case r := <-run:
		return r.Val.(uint32), r.Err
	case <-ctx.Done():
		return 0, &Error{Op: "register device " + dev.DeviceSerial, Class: ErrNetwork, Err: wait.Error(ctx)}
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
	token, err := c.ask(ctx, c.cfg.GroupID, dev)
	if err != nil {
		return 0, err
	}
	c.count.registered.Inc()
	c.event(Event{Kind: EventRegistered, Serial: dev.DeviceSerial})
	if err := c.cfg.Store.SetToken(context.WithoutCancel(ctx), c.sessionKey(dev), token); err != nil {
		c.notice(fmt.Errorf("keep session token: %w", err))
	}
	return token, nil
}

// ask asks for a session token on the topics of a group, or on those without one.
func (c *Client) ask(ctx context.Context, group string, dev DeviceInfo) (token uint32, err error) {
	op := "register device " + dev.DeviceSerial
	body, err := json.Marshal(cloud.BootRequest{DeviceType: dev.DeviceType, Git: dev.GitHash, Serial: dev.DeviceSerial, Version: dev.GitVersion})
	if err != nil {
		return 0, &Error{Op: op, Class: ErrBadData, Err: err}
	}
	correlation := []byte(randomHex(8))
	err = c.keeper.Request(ctx, &link.Request{
		Op: op, What: "boot request",
		Message: &link.Message{
			Topic: c.topicIn(group, topic.BootRequest, dev), Payload: body, ContentType: contentJSON,
			Expiry:     c.answerExpiry(),
			ReplyTopic: c.topicIn(group, topic.BootReply, dev), Correlation: correlation,
		},
		Read: func(m *link.Received) (more bool, err error) {
			token, err = readBootReply(m, correlation)
			return true, err
		},
		Hint: "check customer, group and application id, and that the certificate may use this topic",
	})
	return token, err
}

// answerExpiry returns the seconds after which the cloud need not answer.
func (c *Client) answerExpiry() uint32 { return uint32(max(1, c.cfg.TokenTimeout/time.Second)) }

// readBootReply returns the token of a reply. An answer to another request, one
// that the broker had kept, and anything but one token between 1 and 2^32-1 are
// refused. The error does not show the reply: it may hold a token.
func readBootReply(m *link.Received, correlation []byte) (token uint32, err error) {
	switch {
	case m.Retained:
		err = errors.New("it is a retained message, of some earlier time")
	case len(m.Correlation) > 0 && !bytes.Equal(m.Correlation, correlation):
		err = errors.New("it answers another request")
	default:
		token, err = cloud.ParseBootReply(m.Payload)
	}
	if err != nil {
		return 0, fmt.Errorf("unusable boot reply: %w", err)
	}
	return token, nil
}
