package mqttv5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/mqttv5/internal/guard"
)

// RecordState is where a record stands.
type RecordState string

// States of records.
const (
	StateWaiting RecordState = "waiting" // to be delivered, or in flight
	StateParked  RecordState = "parked"  // set aside, with a reason; Retry or Drop it
	StateDamaged RecordState = "damaged" // its bytes changed on disk; Drop it
)

// RecordInfo describes a record in the outbox.
type RecordInfo struct {
	ID       string
	State    RecordState
	Kind     RecordKind // 0 when damaged
	Device   DeviceInfo // empty when damaged
	Bytes    int        // of the payload; of the record on disk when damaged
	Accepted time.Time  // by the wall clock of that time
	Reason   string     // why it is parked or damaged
	Code     ReasonCode // the server's, when it is parked for one
	Attempts int        // sendings before it was parked
	Parked   time.Time  // when it was parked
}

// OutboxStats counts what is in an outbox and what has gone through it.
type OutboxStats struct {
	Waiting   int           // records to be delivered
	InFlight  int           // of these, sent and not yet acknowledged
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
func (o *Outbox) Stats() OutboxStats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return OutboxStats{
		Waiting: o.q.count, InFlight: len(o.inFlight), Parked: len(o.parked), Damaged: len(o.damaged),
		Bytes: o.bytes, OldestAge: o.oldest(),
		Accepted: o.state.accepted, Delivered: o.state.delivered, Dropped: o.state.dropped, Retried: o.retried,
	}
}

// Records yields what is in the outbox, in the order it was accepted, damaged
// records last. It reads some records at a time; what changes meanwhile may be
// missed.
func (o *Outbox) Records() iter.Seq2[RecordInfo, error] {
	return func(yield func(RecordInfo, error) bool) {
		for _, bucket := range [...][]byte{bucketRecords, bucketDamaged} {
			var from []byte
			for {
				page, next, err := o.page(bucket, from)
				if err != nil {
					yield(RecordInfo{}, o.fault("read", err))
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
func (o *Outbox) page(bucket, from []byte) (page []RecordInfo, next []byte, err error) {
	o.mu.Lock()
	closed := o.closed
	o.mu.Unlock()
	if closed {
		return nil, nil, ErrClosed
	}
	const size = 64
	err = sheltered(func() error {
		return o.db.View(func(tx *bolt.Tx) error {
			c := tx.Bucket(bucket).Cursor()
			for k, v := c.Seek(from); k != nil; k, v = c.Next() {
				if len(page) == size {
					next = append([]byte(nil), k...)
					return nil
				}
				if len(k) != 8 {
					continue
				}
				if r, ok := o.describe(binary.BigEndian.Uint64(k), v); ok {
					page = append(page, r)
				}
			}
			return nil
		})
	})
	return page, next, err
}

// describe reports false for a record that was delivered and whose removal from
// the file is still to come.
func (o *Outbox) describe(seq uint64, v []byte) (RecordInfo, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := RecordInfo{ID: recordID(o.state.identity, seq), State: StateWaiting, Bytes: len(v)}
	r, err := decodeRecord(v)
	if err != nil {
		i.State, i.Reason = StateDamaged, err.Error()
		return i, true
	}
	i.ID, i.Kind, i.Device, i.Bytes, i.Accepted = r.id(), r.kind, r.device, len(r.payload), r.time()
	if p, ok := o.parked[seq]; ok {
		i.State, i.Reason, i.Code, i.Attempts, i.Parked = StateParked, p.Reason, p.Code, p.Attempts, time.UnixMilli(p.At)
		return i, true
	}
	d := o.q.devices[deviceKey{r.device.ApplicationID, r.device.DeviceSerial}]
	return i, d != nil && d.has(seq)
}

// Payload returns a copy of what a record holds.
func (o *Outbox) Payload(id string) ([]byte, error) {
	seq, err := o.sequence(id)
	if err != nil {
		return nil, err
	}
	r, err := o.read(seq)
	if err != nil {
		return nil, o.fault("read record "+id+" of", err)
	}
	return r.payload, nil
}

// Retry returns a parked record to its place in its device's queue.
func (o *Outbox) Retry(id string) error {
	seq, err := o.sequence(id)
	if err != nil {
		return err
	}
	return o.alter("retry", id, func() (func(*bolt.Tx) error, func(), error) {
		p, ok := o.parked[seq]
		if !ok {
			return nil, nil, errors.New("it is not parked")
		}
		return func(tx *bolt.Tx) error { return tx.Bucket(bucketParked).Delete(seqKey(seq)) },
			func() {
				delete(o.parked, seq)
				o.q.add(p.key, &entry{seq: seq, size: p.size, clock: p.clock})
				o.signal()
			}, nil
	})
}

// Drop removes a parked or damaged record for good. A waiting one is dropped only
// while nothing is being delivered.
func (o *Outbox) Drop(id string) error {
	seq, err := o.sequence(id)
	if err != nil {
		return err
	}
	return o.alter("drop", id, func() (func(*bolt.Tx) error, func(), error) {
		size, d := 0, (*deviceQueue)(nil)
		if p, ok := o.parked[seq]; ok {
			size = p.size
		} else if n, ok := o.damaged[seq]; ok {
			size = n
		} else if d, size = o.find(seq); d == nil {
			return nil, nil, errors.New("there is no such record")
		} else if o.delivering {
			return nil, nil, errors.New("it waits for delivery; end the delivery first")
		}
		return func(tx *bolt.Tx) error {
				for _, b := range [...][]byte{bucketRecords, bucketParked, bucketDamaged} {
					if err := tx.Bucket(b).Delete(seqKey(seq)); err != nil {
						return err
					}
				}
				return nil
			}, func() {
				delete(o.parked, seq)
				delete(o.damaged, seq)
				if d != nil {
					o.q.remove(d, seq)
				}
				o.bytes -= int64(size)
				o.state.dropped++
				o.notify()
			}, nil
	})
}

// find returns the queue that a waiting record is in, and its size. The caller
// holds mu.
func (o *Outbox) find(seq uint64) (*deviceQueue, int) {
	for _, d := range o.q.devices {
		for _, e := range d.entries {
			if e.seq == seq {
				return d, e.size
			}
		}
	}
	return nil, 0
}

// alter makes one change durable and then follows it in memory.
func (o *Outbox) alter(what, id string, plan func() (func(*bolt.Tx) error, func(), error)) error {
	fail := func(err error) error {
		return &Error{Op: what + " record " + id, Class: ErrConfig, Err: err, Hint: "see the list of records"}
	}
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return fail(ErrClosed)
	}
	apply, follow, err := plan()
	if err != nil {
		o.mu.Unlock()
		return fail(err)
	}
	done := make(chan error, 1)
	queued := o.write.add(&change{apply: apply, done: func(err error) {
		if err == nil {
			o.mu.Lock()
			follow()
			o.mu.Unlock()
		}
		done <- err
	}})
	o.mu.Unlock()
	if !queued {
		return fail(ErrClosed)
	}
	if err := <-done; err != nil {
		return o.fault(what+" record "+id+" of", err)
	}
	return nil
}

// sequence returns the sequence number in a record id of this outbox.
func (o *Outbox) sequence(id string) (uint64, error) {
	o.mu.Lock()
	identity := o.state.identity
	o.mu.Unlock()
	head, tail, ok := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(tail, 10, 64)
	if !ok || err != nil || head != fmt.Sprintf("%016x", identity) {
		return 0, &Error{Op: "find record " + guard.Printable(id), Class: ErrConfig, Err: errors.New("it is not an id of this outbox"), Hint: "see the list of records"}
	}
	return seq, nil
}
