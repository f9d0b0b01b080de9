package mqttv5

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// delivery is one record that was taken from the queue to be sent.
type delivery struct {
	d      *deviceQueue
	e      *entry
	record *record
	token  uint32 // session token that was written into it, if any
}

// Deliver sends what waits in an outbox and what is submitted meanwhile, in order
// for each device and side by side for different devices. It connects as often as
// it takes and returns nil when ctx ends, after waiting a few seconds for
// acknowledgements in flight. An error means that it cannot go on: the client was
// closed, or another connection insists on its client identifier.
func (c *Client) Deliver(ctx context.Context, o *Outbox) error {
	o.mu.Lock()
	if o.delivering || o.closed {
		o.mu.Unlock()
		return o.fault("deliver", errors.New("it is being delivered already, or closed"))
	}
	o.delivering = true
	o.mu.Unlock()
	w := &worker{c: c, o: o}
	w.ctx, w.cancel = context.WithCancel(ctx)
	defer func() {
		w.cancel()
		w.registrations.Wait()
		o.mu.Lock()
		o.delivering = false
		o.mu.Unlock()
	}()
	for {
		l, err := c.keeper.UpPatiently(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		o.mu.Lock()
		_, o.maxPacket = l.Limits()
		o.mu.Unlock()
		w.run(l)
		if ctx.Err() != nil {
			w.drain(l)
			return nil
		}
	}
}

// run sends over one connection until it or the context ends.
func (w *worker) run(l *link.Link) {
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
			w.awaitEnd(l)
			return
		case <-w.ctx.Done():
			return
		default:
		}
		x, next := w.o.take()
		if x != nil {
			if !corked {
				l.Cork()
				corked = true
			}
			w.send(l, x)
			continue
		}
		if corked {
			l.Uncork()
			corked = false
		}
		var timer <-chan time.Time
		var stop func() bool
		if !next.IsZero() {
			t := time.NewTimer(time.Until(next))
			timer, stop = t.C, t.Stop
		}
		select {
		case <-w.o.wake:
		case <-timer:
		case <-l.Dead():
		case <-w.ctx.Done():
		}
		if stop != nil {
			stop()
		}
	}
}

// awaitEnd waits until the end of a connection has been told to every record that
// was in flight.
func (w *worker) awaitEnd(l *link.Link) { <-l.Told() }

// drain waits for acknowledgements in flight, but not for ever.
func (w *worker) drain(l *link.Link) {
	deadline := time.NewTimer(closeGrace)
	defer deadline.Stop()
	for {
		w.o.mu.Lock()
		n, settled := len(w.o.inFlight), w.o.settled
		w.o.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-settled:
		case <-deadline.C:
			// Later acknowledgements must find the outbox open.
			l.End(ErrClosed)
			<-l.Told()
			return
		}
	}
}

// take returns the next record to be sent, or when to ask again.
func (o *Outbox) take() (*delivery, time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.suspects) > 0 && len(o.inFlight) > 0 {
		return nil, time.Time{} // one at a time, until the guilty one is known
	}
	d, next := o.q.next(time.Now())
	if d == nil {
		return nil, next
	}
	return &delivery{d: d, e: d.entries[0]}, time.Time{}
}

// send reads one record, gets its token and sends it.
func (w *worker) send(l *link.Link, x *delivery) {
	r, err := w.o.read(x.e.seq)
	if err != nil {
		w.o.damage(x, err)
		return
	}
	x.record = r
	m, ready := w.message(x)
	if !ready {
		return
	}
	w.o.begin(x)
	err = l.Send(w.ctx, m, func(a link.Ack, d time.Duration) { w.settle(l, x, m, a, d) })
	if err == nil {
		return
	}
	w.o.end(x)
	if errors.Is(err, ErrTooLarge) {
		w.park(x, err)
		return
	}
	w.o.putBack(x, 0) // the connection or the context ended
}

// message makes the message of a record, or sees to its token first.
func (w *worker) message(x *delivery) (*link.Message, bool) {
	r, c := x.record, w.c
	m := &link.Message{Payload: r.payload, ID: r.id()}
	switch r.kind {
	case RecordCoreDump:
		m.Topic, m.ContentType = c.topics.coreDump(), contentCoreDump
	case RecordText:
		m.Topic, m.ContentType = c.topics.textLog(r.device.ApplicationID), contentText
	default:
		token, ok, err := c.cfg.Store.Token(w.ctx, c.sessionKey(r.device))
		if err != nil {
			c.notice(fmt.Errorf("read session token: %w", err))
		}
		if !ok {
			w.register(x)
			return nil, false
		}
		if m.Payload, err = withToken(r.payload, token); err != nil {
			w.park(x, err)
			return nil, false
		}
		x.token = token
		m.Topic, m.ContentType = c.topics.binaryLog(r.device.ApplicationID), contentLog
	}
	return m, true
}

// register runs the boot handshake of a device while others are served.
func (w *worker) register(x *delivery) {
	dev := x.record.device
	w.registrations.Go(func() {
		_, err := w.c.GetSessionToken(w.ctx, dev)
		wait := time.Duration(0)
		if err != nil {
			w.o.mu.Lock()
			x.d.failures++
			wait = retryWait(x.d.failures)
			w.o.mu.Unlock()
			if w.ctx.Err() == nil {
				w.retried(x, err)
			}
		}
		w.o.putBack(x, wait)
	})
}

// retryWait is the wait of one device after failures in a row: 1 s, 2 s, ... 60 s.
func retryWait(failures int) time.Duration {
	return min(time.Second<<min(max(failures-1, 0), 6), time.Minute)
}
