package mqttv5

import (
	"context"
	"errors"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
	"github.com/ulogkit/ulogkit/mqttv5/internal/wait"
)

// PublishBinaryLog publishes buf as it is, token included, and waits for the
// acknowledgement. It does not look into buf, so that a log of an unknown version
// can be forwarded; UploadLog looks. The buffer must not change until it returns.
func (c *Client) PublishBinaryLog(ctx context.Context, dev DeviceInfo, buf []byte) (Receipt, error) {
	if err := dev.Validate(); err != nil {
		return Receipt{}, err
	}
	if len(buf) == 0 {
		return Receipt{}, &Error{Op: "publish log of " + dev.DeviceSerial, Class: ErrBadData, Err: errors.New("it is empty")}
	}
	return c.publish(ctx, dev.DeviceSerial, &link.Message{
		Topic: c.topic(topic.Log, dev), Payload: buf,
		ID: payload.LogID(dev.DeviceSerial, buf), ContentType: contentLog,
	})
}

// UploadLog verifies one binary log, writes the device's session token into it,
// publishes it and waits for the acknowledgement. Nothing is sent if the checksum
// is wrong; what else is odd, bytes behind the data or frames that do not fill it,
// the receipt says. When the server refuses a token that was kept, the device is
// registered anew, once. buf itself is not changed: the token goes into a copy.
func (c *Client) UploadLog(ctx context.Context, dev DeviceInfo, buf []byte) (Receipt, error) {
	if err := dev.Validate(); err != nil {
		return Receipt{}, err
	}
	odd, err := payload.CheckLog(buf)
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := c.uploadSound(ctx, dev, buf)
	if err == nil {
		receipt.Odd = odd
	}
	return receipt, err
}

// UploadAsIs uploads a log of which nothing is known but where its session token lies,
// which is the same in all versions: one of a device so new that its header is not
// known here. Nothing of it is checked. A token of 0 is replaced by the device's, as
// UploadLog does it; any other stays, and so does every other byte.
func (c *Client) UploadAsIs(ctx context.Context, dev DeviceInfo, buf []byte) (Receipt, error) {
	if err := dev.Validate(); err != nil {
		return Receipt{}, err
	}
	if token, err := format.SessionToken(buf); err != nil || token != 0 {
		return c.PublishBinaryLog(ctx, dev, buf) // as short as it is, it may be what the cloud wants
	}
	return c.uploadSound(ctx, dev, buf)
}

// uploadSound uploads a log that was checked.
func (c *Client) uploadSound(ctx context.Context, dev DeviceInfo, buf []byte) (Receipt, error) {
	kept, stored, err := c.cfg.Store.Token(ctx, c.sessionKey(dev))
	if err == nil && stored {
		receipt, err := c.uploadWith(ctx, dev, buf, kept)
		var refused *Error
		if !errors.As(err, &refused) || refused.Code != ReasonNotAuthorized {
			return receipt, err
		}
		// The session may have been forgotten.
		if err := c.dropToken(ctx, dev, kept); err != nil {
			return Receipt{}, err
		}
	}
	token, err := c.GetOrFetchToken(ctx, dev)
	if err != nil {
		return Receipt{}, err
	}
	return c.uploadWith(ctx, dev, buf, token)
}

// uploadWith publishes a copy of buf with the session token in it.
func (c *Client) uploadWith(ctx context.Context, dev DeviceInfo, buf []byte, token uint32) (Receipt, error) {
	patched, err := payload.WithToken(buf, token)
	if err != nil {
		return Receipt{}, err
	}
	return c.PublishBinaryLog(ctx, dev, patched)
}

// PublishCoreDump publishes one crash dump and waits for the acknowledgement. One
// that is damaged is sent too, since no device writes it a second time; what is
// wrong with it the receipt says. What has no header that names a device is refused,
// as is a dump that is too large, with the limit named, before anything is sent. The
// buffer must not change until it returns.
func (c *Client) PublishCoreDump(ctx context.Context, dump []byte) (Receipt, error) {
	dev, odd, err := payload.CheckCoreDump(dump)
	if err != nil {
		return Receipt{}, err
	}
	receipt, err := c.publish(ctx, dev.DeviceSerial, &link.Message{
		Topic: c.topic(topic.CoreDump, dev), Payload: dump,
		ID: payload.ContentID("core-dump", dev.DeviceSerial, dump), ContentType: contentCoreDump,
	})
	if err == nil {
		receipt.Odd = odd
	}
	return receipt, err
}

// publish sends one message and waits for its acknowledgement.
func (c *Client) publish(ctx context.Context, serial string, m *link.Message) (Receipt, error) {
	if err := m.CheckSize(c.cfg.Tuning.MaxMessage, 0); err != nil {
		return Receipt{}, err
	}

	l, err := c.keeper.Up(ctx)
	if err != nil {
		return Receipt{}, err
	}

	type result struct {
		link.Ack
		latency time.Duration
	}
	answer := make(chan result, 1)
	if err := l.Send(ctx, m, func(a link.Ack, d time.Duration) { answer <- result{a, d} }); err != nil {
		return Receipt{}, c.sendError(ctx, m, err)
	}

	select {
	case r := <-answer:
		if err := c.outcome(serial, m, r.Ack); err != nil {
			return Receipt{}, err
		}
		c.count.latency.Observe(r.latency.Seconds())
		return Receipt{ID: m.ID, Topic: m.Topic, Bytes: len(m.Payload), Code: r.Code, Latency: r.latency}, nil
	case <-ctx.Done():
		return Receipt{}, &Error{
			Op: "publish to " + m.Topic, Class: ErrNetwork, Err: wait.Error(ctx),
			Hint: "it may or may not have arrived; sending it again is safe",
		}
	}
}

// sendError explains why a message was not sent.
func (c *Client) sendError(ctx context.Context, m *link.Message, err error) error {
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	if errors.Is(err, ErrClosed) {
		return ErrClosed
	}
	if ctx.Err() != nil {
		err = wait.Error(ctx)
	}
	return &Error{Op: "publish to " + m.Topic, Class: ErrNetwork, Code: fault.Code(err), Err: err, Hint: "nothing was sent"}
}

// outcome counts an acknowledgement and returns what is wrong with it.
func (c *Client) outcome(serial string, m *link.Message, a link.Ack) error {
	nobody := a.Err == nil && a.Code == ReasonNoMatchingSubscribers
	switch {
	case nobody && !c.cfg.AllowNoSubscriber:
		c.count.nobody.Inc()
		e := &Error{
			Op: "publish to " + m.Topic, Class: ErrNobody, Code: a.Code,
			Err: errors.New("the broker took it and dropped it: nobody was subscribed"), Hint: "start what takes it, or allow that there is nobody",
		}
		c.event(Event{Kind: EventNoSubscriber, Serial: serial, ID: m.ID, Code: a.Code, Err: e})
		return e
	case a.Err == nil && !a.Code.Failed():
	case errors.Is(a.Err, ErrClosed):
		return ErrClosed
	case a.Err != nil:
		e := &Error{
			Op: "publish to " + m.Topic, Class: ErrNetwork, Code: fault.Code(a.Err), Err: a.Err,
			Hint: "it may or may not have arrived; sending it again is safe",
		}
		if e.Code != 0 {
			e.Class = ErrRefused
		}
		return e
	default:
		c.count.refused.Inc()
		e := &Error{Op: "publish to " + m.Topic, Class: ErrRefused, Code: a.Code, Hint: refusalOf(a.Code).hint}
		if a.Reason != "" {
			e.Err = errors.New(a.Code.String() + ": " + a.Reason)
		}
		return e
	}

	c.count.delivered.Inc()
	c.count.bytes.Add(float64(len(m.Payload)))
	kind := EventDelivered
	if nobody {
		kind = EventNoSubscriber
		c.count.nobody.Inc()
		c.cfg.Hooks.Logger.Warn("broker took a message that nobody subscribed to", "topic", m.Topic, "serial", serial)
	}

	c.event(Event{Kind: kind, Serial: serial, ID: m.ID, Code: a.Code})
	return nil
}
