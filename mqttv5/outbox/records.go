package outbox

import (
	"encoding/binary"
	"errors"
	"iter"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// State is where a record stands.
type State string

// States of records.
const (
	StateWaiting State = "waiting" // to be delivered, or in flight
	StateParked  State = "parked"  // set aside, with a reason; Retry or Drop it
	StateDamaged State = "damaged" // its bytes changed on disk; Drop it
)

// Entry describes a record in the outbox.
type Entry struct {
	ID       string
	State    State
	Kind     Kind             // 0 when damaged
	Device   device.Info      // empty when damaged
	Bytes    int              // of the payload; of the record on disk when damaged
	Accepted time.Time        // by the wall clock of that time
	Reason   string           // why it is parked or damaged
	Code     fault.ReasonCode // the server's, when it is parked for one
	Attempts int              // sendings before it was parked
	Parked   time.Time        // when it was parked
}

// Stats counts what is in an outbox and what has gone through it.
type Stats struct {
	Waiting   int           // records to be delivered
	InFlight  int           // of these, leased
	Parked    int           // records set aside
	Damaged   int           // records whose bytes changed on disk
	Bytes     int64         // of all records on disk
	OldestAge time.Duration // of the oldest waiting record, in time the outbox was open
	Accepted  uint64        // ever
	Delivered uint64        // ever
	Dropped   uint64        // ever, by Drop
	Retried   int64         // sendings that failed, in this process
}

// Stats returns the counts of this moment.
func (o *Outbox) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return Stats{
		Waiting: o.waiting(), InFlight: o.leased, Parked: len(o.parked), Damaged: len(o.damaged),
		Bytes: o.bytes, OldestAge: o.oldest(),
		Accepted: o.state.accepted, Delivered: o.state.delivered, Dropped: o.state.dropped, Retried: o.retried,
	}
}

// Records yields what is in the outbox, in the order it was accepted, damaged
// records last. It reads some records at a time; what changes meanwhile may be
// missed.
func (o *Outbox) Records() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for _, bucket := range [...][]byte{bucketRecords, bucketDamaged} {
			var from []byte
			for {
				page, next, err := o.page(bucket, from)
				if err != nil {
					if !errors.Is(err, fault.ErrClosed) {
						err = o.failed("read", err)
					}
					yield(Entry{}, err)
					return
				}
				for _, r := range page {
					if !yield(r, nil) {
						return
					}
				}
				if next == nil {
					break
				}
				from = next
			}
		}
	}
}

// page returns some records of a bucket and the key that the next page begins
// with.
func (o *Outbox) page(bucket, from []byte) (page []Entry, next []byte, err error) {
	o.mu.Lock()
	closed := o.closed
	o.mu.Unlock()
	if closed {
		return nil, nil, o.errClosed("list records of")
	}

	const size = 64
	err = o.file.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucket).Cursor()
		for k, v := c.Seek(from); k != nil; k, v = c.Next() {
			if len(page) == size {
				next = append([]byte(nil), k...)
				return nil
			}
			if len(k) != 8 {
				continue
			}
			if r, ok := o.describe(bucket, k, v); ok {
				page = append(page, r)
			}
		}
		return nil
	})

	return page, next, err
}

// describe reports false for a record that was delivered and whose removal from
// the file is still to come.
func (o *Outbox) describe(bucket, k, v []byte) (Entry, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := entryOf(bucket, k, v)
	e.ID = o.idAt(k, v)
	if e.State == StateDamaged {
		return e, true
	}
	seq := binary.BigEndian.Uint64(k)
	if p, ok := o.parked[seq]; ok {
		e.park(p)
		return e, true
	}
	d := o.q.devices[keyOf(&e.Device)]
	return e, d != nil && d.has(seq)
}

// Payload returns a copy of what a record holds.
func (o *Outbox) Payload(id string) ([]byte, error) {
	seq, err := o.sequence("read", id)
	if err != nil {
		return nil, err
	}
	r, err := o.read(seq)
	if err != nil {
		return nil, o.failed("read record "+id+" of", err)
	}
	return r.Payload, nil
}

// Retry returns a parked record to its place in its device's queue.
func (o *Outbox) Retry(id string) error {
	return o.alter("retry", id, func(seq uint64) (*change, func(error), error) {
		p, ok := o.parked[seq]
		if !ok {
			return nil, nil, errors.New("it is not parked")
		}
		delete(o.parked, seq)
		x := &change{apply: func(tx *bolt.Tx) error { return tx.Bucket(bucketParked).Delete(seqKey(seq)) }}
		return x, func(err error) {
			if err != nil {
				o.parked[seq] = p
				return
			}
			o.q.add(p.key, &entry{seq: seq, size: p.size, clock: p.clock, rank: p.rank})
			o.signal()
		}, nil
	})
}

// Drop removes a record for good, unless it is leased.
func (o *Outbox) Drop(id string) error {
	return o.alter("drop", id, func(seq uint64) (*change, func(error), error) {
		size, back, err := o.takeOut(seq)
		if err != nil {
			return nil, nil, err
		}
		drop := func(s *state) { s.dropped++ }
		x := &change{count: drop, apply: func(tx *bolt.Tx) error {
			for _, b := range [...][]byte{bucketRecords, bucketParked, bucketDamaged} {
				if err := tx.Bucket(b).Delete(seqKey(seq)); err != nil {
					return err
				}
			}
			return nil
		}}

		return x, func(err error) {
			if err != nil {
				back()
				return
			}
			drop(&o.state)
			delete(o.suspects, seq)
			o.bytes -= int64(size)
			o.notifyLeft()
		}, nil
	})
}

// takeOut takes a record that is to be dropped out of memory, so that nobody else
// drops or sends it, and returns its size and what puts it back. The caller holds
// mu.
func (o *Outbox) takeOut(seq uint64) (size int, back func(), err error) {
	if p, ok := o.parked[seq]; ok {
		delete(o.parked, seq)
		return p.size, func() { o.parked[seq] = p }, nil
	}
	if n, ok := o.damaged[seq]; ok {
		delete(o.damaged, seq)
		return n, func() { o.damaged[seq] = n }, nil
	}
	for _, d := range o.q.devices {
		if !d.has(seq) {
			continue
		}
		if d.leased != nil && d.leased.seq == seq {
			return 0, nil, errors.New("it is being delivered; end the delivery first")
		}
		e := o.q.remove(d, seq)
		return e.size, func() { o.q.add(d.key, e); o.signal() }, nil
	}
	return 0, nil, errUnknownRecord
}

// alter makes one change to a record. claim takes the record, so that nobody else
// has it until conclude was told whether the change is durable; both are called with
// mu held.
func (o *Outbox) alter(what, id string, claim func(seq uint64) (x *change, conclude func(error), err error)) error {
	seq, err := o.sequence(what, id)
	if err != nil {
		return err
	}
	o.mu.Lock()
	x, conclude, err := claim(seq)
	if err != nil {
		o.mu.Unlock()
		return wrongRecord(what, id, err)
	}

	done := make(chan error, 1)
	x.done = func(err error) {
		o.mu.Lock()
		conclude(err)
		o.mu.Unlock()
		done <- err
	}

	queued := o.write.add(x)
	if !queued {
		conclude(fault.ErrClosed)
	}
	o.mu.Unlock()
	if !queued {
		return o.errClosed(what + " record " + fault.Printable(id) + " of")
	}

	if err := <-done; err != nil {
		return o.failed(what+" record "+id+" of", err)
	}
	return nil
}

var errUnknownRecord = errors.New("there is no such record")

func wrongRecord(what, id string, err error) error {
	return &fault.Error{Op: what + " record " + fault.Printable(id), Class: fault.ErrConfig, Err: err, Hint: "see the list of records"}
}

// sequence returns the sequence number of the record that has an id. That of the
// outbox's own stands in it; of one that a Submitter accepted it is looked for.
func (o *Outbox) sequence(what, id string) (seq uint64, err error) {
	o.mu.Lock()
	closed := o.closed
	o.mu.Unlock()
	if closed {
		return 0, o.errClosed(what + " record " + fault.Printable(id) + " of")
	}
	_, tail, _ := strings.Cut(id, "-")
	if seq, err = strconv.ParseUint(tail, 10, 64); err != nil {
		return 0, wrongRecord(what, id, errUnknownRecord)
	}

	err = o.file.View(func(tx *bolt.Tx) error {
		k := seqKey(seq)
		for _, b := range [...][]byte{bucketRecords, bucketDamaged} {
			if v := tx.Bucket(b).Get(k); v != nil && o.hasID(k, v, id) {
				return nil
			}
		}
		c := tx.Bucket(bucketRecords).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if len(k) == 8 && o.hasID(k, v, id) {
				seq = binary.BigEndian.Uint64(k)
				return nil
			}
		}
		return errUnknownRecord
	})
	if errors.Is(err, errUnknownRecord) {
		return 0, wrongRecord(what, id, err)
	}
	if err != nil {
		return 0, o.failed(what+" record "+id+" of", err)
	}
	return seq, nil
}

func (o *Outbox) hasID(k, v []byte, id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.idAt(k, v) == id
}

// idAt returns the id of what is filed under a key: the record's own, and for one
// that cannot be read what is left of it, its number. The caller holds mu.
func (o *Outbox) idAt(k, v []byte) string {
	if r, err := recordAt(k, v); err == nil {
		return r.id()
	}
	return recordID(o.state.identity, binary.BigEndian.Uint64(k))
}
