package outbox

import (
	"context"
	"encoding/json"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// Lease is one record in the hands of who delivers it. Nobody else gets it, nor any
// other record of its device, until one of Done, Again, Park and Hold has said what
// became of it; the first that is called counts. They do not block: what they say is
// written to disk in the background, and is told again to nobody should the process
// die before.
type Lease struct {
	ID       string    // record id that goes along with every copy
	Record   Record    // what is to be delivered; not to be changed
	Accepted time.Time // by the wall clock of that time

	// Tries is what was tried in vain in this process. Who delivers counts; the
	// outbox keeps the numbers for the next lease of the record and of its device.
	Tries Tries

	o     *Outbox
	d     *deviceQueue
	e     *entry
	tries Tries // as it was in the beginning
	ended bool
}

// Tries counts what was tried in vain.
type Tries struct {
	Attempts int  // deliveries of the record that failed
	Refusals int  // of these, those that the other side refused
	Failures int  // of the device in a row: Done begins anew
	Renewed  bool // its session was renewed because of a refusal: Done begins anew
}

// Lease waits for the next record whose turn it is. It returns ErrClosed when the
// outbox is closed, and ctx's cause when that ends.
func (o *Outbox) Lease(ctx context.Context) (*Lease, error) {
	for {
		l, next, err := o.take()
		if l != nil || err != nil {
			return l, err
		}

		var timer *time.Timer
		var due <-chan time.Time
		if !next.IsZero() {
			timer = time.NewTimer(time.Until(next))
			due = timer.C
		}

		select {
		case <-o.wake:
		case <-due:
		case <-o.ended:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}

		if timer != nil {
			timer.Stop()
		}
		if err != nil {
			return nil, err
		}
	}
}

// TryLease is Lease for one who has something else to do when no record's turn it
// is; it then returns nil.
func (o *Outbox) TryLease() (*Lease, error) {
	l, _, err := o.take()
	return l, err
}

// take returns the next record, or when to ask again; the zero time is never.
func (o *Outbox) take() (*Lease, time.Time, error) {
	for {
		o.mu.Lock()
		if o.closed {
			o.mu.Unlock()
			return nil, time.Time{}, o.errClosed("lease from")
		}
		if len(o.suspects) > 0 && o.leased > 0 {
			o.mu.Unlock()
			return nil, time.Time{}, nil // one at a time, until the guilty one is known
		}

		d, next := o.q.next(time.Now())
		if d == nil {
			o.mu.Unlock()
			return nil, next, nil
		}
		if len(o.q.ready) > 0 {
			o.signal() // for another who waits
		}

		e := d.leased
		l := &Lease{o: o, d: d, e: e, tries: Tries{e.attempts, e.refusals, d.failures, d.renewed}}
		l.Tries = l.tries
		o.leased++
		o.mu.Unlock()

		r, err := o.read(e.seq)
		if err != nil {
			l.damaged(err)
			continue
		}
		l.ID, l.Record, l.Accepted = r.id(), r.Record, r.time()
		return l, time.Time{}, nil
	}
}

// end ends the lease, once, and then calls f. Both with mu held.
func (l *Lease) end(f func()) {
	l.o.mu.Lock()
	defer l.o.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	l.o.leased--
	l.e.attempts, l.e.refusals = l.Tries.Attempts, l.Tries.Refusals
	l.d.failures, l.d.renewed = l.Tries.Failures, l.Tries.Renewed
	f()
	l.o.signal()
}

// Done takes the record out for good: it was delivered.
func (l *Lease) Done() {
	l.end(func() {
		o := l.o
		o.state.delivered++
		l.d.failures, l.d.renewed = 0, false
		o.leave(l)
		o.write.add(&change{lazy: true, apply: func(tx *bolt.Tx) error {
			return tx.Bucket(bucketRecords).Delete(seqKey(l.e.seq))
		}})
		o.bytes -= int64(l.e.size)
	})
}

// Again puts the record back at the head of its device's queue, to be leased after a
// wait.
func (l *Lease) Again(after time.Duration) {
	l.end(func() { l.o.putBack(l, after) })
}

// Hold puts the record back under suspicion of doing harm: until it is delivered,
// parked or dropped, records are leased one at a time.
func (l *Lease) Hold() {
	l.end(func() {
		l.o.suspects[l.e.seq] = true
		l.o.putBack(l, 0)
	})
}

// Park sets the record aside, durably, with the reason: it waits for a person. A
// reason that is a fault.Error gives its code too.
func (l *Lease) Park(reason error) {
	l.end(func() {
		o := l.o
		p := parkedEntry{
			Reason: reason.Error(), Code: fault.Code(reason), Attempts: l.e.attempts, At: o.wall().UnixMilli(),
			size: l.e.size, key: l.d.key, clock: l.e.clock, rank: l.e.rank,
		}
		o.parked[l.e.seq] = p
		o.leave(l)
		o.write.add(&change{apply: func(tx *bolt.Tx) error {
			b, err := json.Marshal(p)
			if err != nil {
				return err
			}
			return tx.Bucket(bucketParked).Put(seqKey(l.e.seq), b)
		}})
	})
}

// damaged sets the bytes of a record aside that cannot be read.
func (l *Lease) damaged(reason error) {
	l.o.log.Error("a record in the outbox is damaged and has been set aside", "sequence", l.e.seq, "serial", l.d.key.serial, "reason", reason)
	l.end(func() {
		o := l.o
		o.damaged[l.e.seq] = l.e.size
		o.leave(l)
		o.write.add(&change{apply: func(tx *bolt.Tx) error {
			k := seqKey(l.e.seq)
			v := tx.Bucket(bucketRecords).Get(k)
			if v == nil {
				return nil
			}
			if err := tx.Bucket(bucketDamaged).Put(k, append([]byte(nil), v...)); err != nil {
				return err
			}
			return tx.Bucket(bucketRecords).Delete(k)
		}})
	})
}

// putBack returns a record to the head of its device's queue. The caller holds mu.
func (o *Outbox) putBack(l *Lease, wait time.Duration) {
	if l.Tries != l.tries {
		o.retried++
	}
	o.q.release(l.d, wait)
}

// leave takes a record out of the queue and lets its device go on. The caller holds
// mu.
func (o *Outbox) leave(l *Lease) {
	delete(o.suspects, l.e.seq)
	o.q.remove(l.d, l.e.seq)
	o.q.release(l.d, 0)
	o.notifyLeft()
}
