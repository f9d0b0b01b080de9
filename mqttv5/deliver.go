package mqttv5

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// Deliver sends what waits in an outbox and what is submitted meanwhile, in order
// for each device and side by side for different devices. It connects as often as
// it takes and returns nil when ctx ends, after waiting a few seconds for
// acknowledgements in flight. An error means that it cannot go on: the client or the
// outbox was closed, or another connection insists on its client identifier.
func (c *Client) Deliver(ctx context.Context, o *Outbox) error {
	return c.deliver(ctx, o, func() {})
}

// deliver is Deliver that calls barren when nothing is delivered any more since
// nobody is subscribed.
func (c *Client) deliver(ctx context.Context, o *Outbox, barren func()) error {
	select {
	case <-o.Closed():
		return &Error{Op: "deliver outbox " + o.Dir(), Class: ErrClosed}
	default:
	}

	w := &worker{c: c, o: o, barren: barren}
	w.ctx, w.cancel = context.WithCancel(ctx)
	defer func() {
		w.cancel()
		w.registrations.Wait()
	}()

	for {
		l, err := c.keeper.UpPatiently(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}

		_, packet := l.Limits()
		o.CheckWith(c.checkFor(packet))
		err = w.run(l)
		if ctx.Err() != nil || err != nil {
			w.drain(l)
			return err
		}
	}
}

// worker delivers one outbox: lease, message, send, acknowledgement, verdict.
type worker struct {
	c             *Client
	o             *Outbox
	ctx           context.Context
	cancel        context.CancelFunc
	registrations sync.WaitGroup

	inFlight sync.WaitGroup // sendings whose end is still to come
	count    atomic.Int64   // of them

	barren      func()
	registering atomic.Int64
	unwanted    atomic.Int64 // acknowledgements without a subscriber since the last delivery

	mu    sync.Mutex
	lost  *link.Link // the connection that ended last
	alone bool       // whether it had one record in flight
}

// shipment is a record on its way.
type shipment struct {
	*outbox.Lease
	m     *link.Message
	token uint32 // session token that was written into it, if any
}

// run sends over one connection until it or the context ends. An error means that
// the outbox gives nothing more.
func (w *worker) run(l *link.Link) error {
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	go func() {
		select {
		case <-l.Dead():
			cancel()
		case <-ctx.Done():
		}
	}()

	l.Cork()
	corked := true
	defer func() {
		if corked {
			l.Uncork()
		}
	}()

	for {
		select {
		case <-l.Dead():
			<-l.Told() // every record that was in flight has heard of it
			return nil
		default:
		}

		x, err := w.o.TryLease()
		if x == nil && err == nil {
			if corked {
				l.Uncork()
				corked = false
			}
			x, err = w.o.Lease(ctx)
		}

		switch {
		case w.ctx.Err() != nil:
			if x != nil {
				x.Again(0)
			}
			return nil
		case x == nil && ctx.Err() != nil:
			continue // the connection ended
		case err != nil:
			return err
		}
		if !corked {
			l.Cork()
			corked = true
		}

		w.send(l, x)
	}
}

// send makes the message of a record and sends it. A log whose device has no session
// waits for that, while others are served.
func (w *worker) send(l *link.Link, x *outbox.Lease) {
	s := &shipment{Lease: x, m: w.c.recordMessage(x.ID, x.Record)}
	if x.Record.Kind == outbox.Log {
		token, ok, err := w.c.cfg.Store.Token(w.ctx, w.c.sessionKey(x.Record.Device))
		if err != nil {
			w.c.notice(fmt.Errorf("read session token: %w", err))
		}
		if !ok {
			w.register(x)
			return
		}

		s.token = token
		if s.m.Payload, err = payload.WithToken(s.m.Payload, token); err != nil {
			w.park(x, err)
			return
		}
	}

	w.inFlight.Add(1)
	w.count.Add(1)
	err := l.Send(w.ctx, s.m, func(a link.Ack, latency time.Duration) {
		w.conclude(l, s, a, latency)
		w.count.Add(-1)
		w.inFlight.Done()
	})
	if err == nil {
		return
	}

	w.count.Add(-1)
	w.inFlight.Done()
	if errors.Is(err, ErrTooLarge) {
		w.park(x, err)
		return
	}
	x.Again(0) // the connection or the context ended before anything was sent
}

// drain waits for acknowledgements in flight, but not for ever.
func (w *worker) drain(l *link.Link) {
	done := make(chan struct{})
	go func() {
		w.inFlight.Wait()
		close(done)
	}()
	deadline := time.NewTimer(closeGrace)
	defer deadline.Stop()
	select {
	case <-done:
	case <-deadline.C:
		l.End(ErrClosed)
		<-done // later acknowledgements would find the outbox closed
	}
}

// recordMessage makes the message of a record. What it says of a session is still to
// be written.
func (c *Client) recordMessage(id string, r outbox.Record) *link.Message {
	m := &link.Message{Payload: r.Payload, ID: id}
	switch r.Kind {
	case outbox.Metrics, outbox.Events:
		return c.reportMessage(reportOf(r.Kind), r.Device.ApplicationID, id, r.Payload)
	case outbox.CoreDump:
		m.Topic, m.ContentType = c.topic(topic.CoreDump, r.Device), contentCoreDump
	case outbox.Text:
		m.Topic, m.ContentType = c.topic(topic.TextLog, r.Device), contentText
	default:
		m.Topic, m.ContentType = c.topic(topic.Log, r.Device), contentLog
	}
	return m
}

// longestID is as long as any record id.
const longestID = "ffffffffffffffff-18446744073709551615"

// checkFor returns what the outbox asks before it accepts a record: whether this
// client could ever send it to a broker that takes packets of so many bytes.
func (c *Client) checkFor(maxPacket uint32) func(outbox.Record) error {
	return func(r outbox.Record) error {
		return c.recordMessage(longestID, r).CheckSize(c.cfg.Tuning.MaxMessage, maxPacket)
	}
}

// register runs the boot handshake of a device while others are served.
func (w *worker) register(x *outbox.Lease) {
	w.registering.Add(1)
	w.registrations.Go(func() {
		defer w.registering.Add(-1)
		_, err := w.c.GetSessionToken(w.ctx, x.Record.Device)
		switch {
		case err == nil:
			x.Again(0)
		case w.ctx.Err() != nil:
			x.Again(0)
		default:
			x.Tries.Failures++
			w.again(x, retryWait(x.Tries.Failures, 0), err)
		}
	})
}

// conclude is told how the sending of one record ended, and says what becomes of it.
// It runs in the connection's goroutines and does not block.
func (w *worker) conclude(l *link.Link, s *shipment, a link.Ack, latency time.Duration) {
	if a.Err != nil {
		w.unanswered(l, s, a.Err)
		return
	}

	err := w.c.outcome(s.Record.Device.DeviceSerial, s.m, a)
	if err == nil {
		w.c.count.latency.Observe(latency.Seconds())
		w.unwanted.Store(0)
		s.Done()
		return
	}

	t := &s.Tries
	t.Attempts++
	t.Refusals++
	t.Failures++
	r := refusalOf(a.Code)
	if a.Code == ReasonNoMatchingSubscribers {
		// The third time for this record, with nothing else on its way.
		if n := w.unwanted.Add(1); n >= maxUnwanted && t.Refusals >= maxUnwanted && w.count.Load() == 1 && w.registering.Load() == 0 {
			defer w.barren()
		}
	}

	switch {
	case r.park > 0 && t.Refusals >= r.park:
		w.park(s.Lease, err)
	case r.renew && s.token != 0 && !t.Renewed:
		t.Renewed = true
		w.registrations.Go(func() {
			if err := w.c.dropToken(w.ctx, s.Record.Device, s.token); err != nil {
				w.c.notice(err)
			}
			w.again(s.Lease, 0, err)
		})
	case r.atOnce:
		w.again(s.Lease, 0, err)
	default:
		w.again(s.Lease, retryWait(t.Failures, r.patience), err)
	}
}

// maxUnwanted is how often a record is sent to nobody until it is said that nothing
// more is delivered.
const maxUnwanted = 3

// unanswered is told that the connection ended while a record was in flight.
func (w *worker) unanswered(l *link.Link, s *shipment, cause error) {
	w.mu.Lock()
	if w.lost != l {
		w.lost, w.alone = l, w.count.Load() == 1
	}
	alone := w.alone
	w.mu.Unlock()

	s.Tries.Attempts++
	poison := link.Poison(cause)
	switch {
	case poison && alone:
		w.park(s.Lease, &Error{Op: "publish record " + s.ID, Class: ErrRefused, Code: fault.Code(cause), Err: cause})
	case poison: // one of several is to blame
		w.retried(s.Lease, cause)
		s.Hold()
	case errors.Is(cause, ErrClosed):
		s.Again(0)
	default:
		w.again(s.Lease, 0, cause)
	}
}

// again tells of a failure and puts the record back.
func (w *worker) again(x *outbox.Lease, wait time.Duration, err error) {
	w.retried(x, err)
	x.Again(wait)
}

func (w *worker) retried(x *outbox.Lease, err error) {
	w.c.event(Event{Kind: EventRetried, Serial: x.Record.Device.DeviceSerial, ID: x.ID, Code: fault.Code(err), Err: err})
}

// park sets a record aside, durably, with the reason.
func (w *worker) park(x *outbox.Lease, reason error) {
	x.Park(reason)
	serial := x.Record.Device.DeviceSerial
	w.c.cfg.Hooks.Logger.Error("record parked", "id", x.ID, "serial", serial, "reason", reason)
	w.c.event(Event{Kind: EventParked, Serial: serial, ID: x.ID, Code: fault.Code(reason), Err: reason})
}

// dropToken forgets a session token if it is still the one that was refused.
func (c *Client) dropToken(ctx context.Context, dev DeviceInfo, refused uint32) error {
	key := c.sessionKey(dev)
	token, ok, err := c.cfg.Store.Token(ctx, key)
	if err != nil || !ok || token != refused {
		return err
	}
	return c.cfg.Store.DropToken(ctx, key)
}
