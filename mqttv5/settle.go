package mqttv5

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// After this many refusals a record is parked: for "Not authorized", which comes
// with one new registration, and for the codes that say nothing.
const (
	maxUnauthorized = 3
	maxRefusals     = 10
)

// worker delivers one outbox.
type worker struct {
	c             *Client
	o             *Outbox
	ctx           context.Context
	cancel        context.CancelFunc
	registrations sync.WaitGroup

	// Whether the connection that ended last had one record in flight. Guarded by
	// the outbox's mutex.
	ended *link.Link
	alone bool
}

// settle is told how the sending of one record ended. It runs in the connection's
// goroutines and does not block.
func (w *worker) settle(l *link.Link, x *delivery, m *link.Message, a link.Ack, latency time.Duration) {
	if a.Err != nil {
		w.lost(l, x, a.Err)
		return
	}
	w.o.end(x)
	err := w.c.outcome(x.record.device.DeviceSerial, m, a)
	if err == nil {
		w.c.latency.observe(latency)
		w.o.delivered(x)
		return
	}
	x.e.attempts++
	x.e.refusals++
	w.o.mu.Lock()
	x.d.failures++
	wait := retryWait(x.d.failures)
	w.o.mu.Unlock()
	switch a.Code {
	case ReasonQuotaExceeded, ReasonRateTooHigh, ReasonServerBusy:
		// The cloud wants the record, later.
	case ReasonTopicNameInvalid, ReasonPayloadFormatInvalid, ReasonPacketTooLarge:
		w.park(x, err)
		return
	case ReasonNotAuthorized:
		if x.e.refusals >= maxUnauthorized {
			w.park(x, err)
			return
		}
		if x.token != 0 && w.o.renew(x) {
			// The session may have been forgotten: one new registration.
			w.registrations.Go(func() {
				if err := w.c.dropToken(w.ctx, x.record.device, x.token); err != nil {
					w.c.notice(err)
				}
				w.retried(x, err)
				w.o.putBack(x, 0)
			})
			return
		}
	case ReasonPacketIDInUse:
		wait = 0
	default:
		if x.e.refusals >= maxRefusals {
			w.park(x, err)
			return
		}
	}
	w.retried(x, err)
	w.o.putBack(x, wait)
}

// lost is told that the connection ended while a record was in flight.
func (w *worker) lost(l *link.Link, x *delivery, cause error) {
	poison := link.Poison(cause)
	o := w.o
	o.mu.Lock()
	if w.ended != l {
		w.ended, w.alone = l, len(o.inFlight) == 1
	}
	alone := w.alone
	if poison && !alone {
		// One of several is to blame. They go one at a time from now on.
		for seq := range o.inFlight {
			o.suspects[seq] = true
		}
	}
	o.mu.Unlock()
	o.end(x)
	x.e.attempts++
	if poison && alone {
		w.park(x, &Error{Op: "publish record " + x.record.id(), Class: ErrRefused, Code: fault.Code(cause), Err: cause})
		return
	}
	if !errors.Is(cause, ErrClosed) {
		w.retried(x, cause)
	}
	o.putBack(x, 0)
}

func (w *worker) retried(x *delivery, err error) {
	w.o.mu.Lock()
	w.o.retried++
	w.o.mu.Unlock()
	w.c.event(Event{Kind: EventRetried, Serial: x.d.key.serial, ID: x.record.id(), Code: fault.Code(err), Err: err})
}

// park sets a record aside, durably, with the reason.
func (w *worker) park(x *delivery, reason error) {
	w.o.park(x, reason)
	w.c.cfg.Hooks.Logger.Error("record parked", "id", x.record.id(), "serial", x.d.key.serial, "reason", reason)
	w.c.event(Event{Kind: EventParked, Serial: x.d.key.serial, ID: x.record.id(), Code: fault.Code(reason), Err: reason})
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

// begin and end bracket the time that a record is in flight.
func (o *Outbox) begin(x *delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inFlight[x.e.seq] = x
}

func (o *Outbox) end(x *delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.inFlight, x.e.seq)
	o.notify()
	if len(o.suspects) > 0 {
		o.signal()
	}
}

// putBack returns a record to the head of its device's queue.
func (o *Outbox) putBack(x *delivery, wait time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.q.release(x.d, wait)
	o.signal()
}

// renew reports whether a device may register anew because of a refusal: once
// until something of it has been delivered.
func (o *Outbox) renew(x *delivery) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if x.d.renewed {
		return false
	}
	x.d.renewed = true
	return true
}

// delivered takes a record out for good.
func (o *Outbox) delivered(x *delivery) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state.delivered++
	x.d.failures, x.d.renewed = 0, false
	o.leave(x)
	o.write.add(&change{lazy: true, apply: func(tx *bolt.Tx) error {
		return tx.Bucket(bucketRecords).Delete(seqKey(x.e.seq))
	}})
	o.bytes -= int64(x.e.size)
}

// park sets a record aside.
func (o *Outbox) park(x *delivery, reason error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := parkedEntry{
		Reason: reason.Error(), Code: fault.Code(reason), Attempts: x.e.attempts, At: o.wall().UnixMilli(),
		size: x.e.size, key: x.d.key, clock: x.e.clock,
	}
	o.parked[x.e.seq] = p
	o.leave(x)
	o.write.add(&change{apply: func(tx *bolt.Tx) error {
		b, err := json.Marshal(p)
		if err != nil {
			return err
		}
		return tx.Bucket(bucketParked).Put(seqKey(x.e.seq), b)
	}})
}

// damage sets the bytes of a record aside that cannot be read.
func (o *Outbox) damage(x *delivery, reason error) {
	o.log.Error("a record in the outbox is damaged and has been set aside", "sequence", x.e.seq, "serial", x.d.key.serial, "reason", reason)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.damaged[x.e.seq] = x.e.size
	o.leave(x)
	o.write.add(&change{apply: func(tx *bolt.Tx) error {
		k := seqKey(x.e.seq)
		v := tx.Bucket(bucketRecords).Get(k)
		if v == nil {
			return nil
		}
		if err := tx.Bucket(bucketDamaged).Put(k, append([]byte(nil), v...)); err != nil {
			return err
		}
		return tx.Bucket(bucketRecords).Delete(k)
	}})
}

// leave takes a record out of the queue and lets its device go on. The caller
// holds mu.
func (o *Outbox) leave(x *delivery) {
	delete(o.suspects, x.e.seq)
	o.q.remove(x.d, x.e.seq)
	o.q.release(x.d, 0)
	o.notify()
	o.signal()
}
