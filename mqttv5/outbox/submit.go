package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
	"github.com/ulogkit/ulogkit/mqttv5/internal/wait"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// Kind is what a record holds.
type Kind uint8

// Kinds of records.
const (
	Log      Kind = 1 // a binary log; its session token is written when it is sent
	CoreDump Kind = 2
	Text     Kind = 3 // a batch of text logs
	Metrics  Kind = 4 // of one device, or a batch of many
	Events   Kind = 5 // likewise
)

// String returns "log", "core-dump", "text", "metrics" or "events".
func (k Kind) String() string {
	switch k {
	case Log:
		return "log"
	case CoreDump:
		return "core-dump"
	case Text:
		return "text"
	case Metrics:
		return "metrics"
	case Events:
		return "events"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Record is what is to be delivered.
type Record struct {
	Kind    Kind
	Device  device.Info
	Payload []byte
}

// check reports what is wrong with a record in itself.
func (r *Record) check() error {
	if err := r.Device.Validate(); err != nil {
		return err
	}
	switch r.Kind {
	case Log:
		_, err := payload.CheckLog(r.Payload)
		return err
	case CoreDump:
		_, _, err := payload.CheckCoreDump(r.Payload)
		return err
	case Text:
		return nil
	case Metrics:
		return checkReport(telemetry.KindMetrics, r.Payload)
	case Events:
		return checkReport(telemetry.KindEvents, r.Payload)
	}
	return &fault.Error{Op: "check record of " + r.Device.DeviceSerial, Class: fault.ErrConfig, Err: fmt.Errorf("unknown %v", r.Kind)}
}

// CheckWith makes check a part of Submit: a record for which it returns an error
// could never be delivered and is not accepted. Who delivers knows what the other
// side takes.
func (o *Outbox) CheckWith(check func(Record) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.check = check
}

// Submit verifies a record and accepts it for delivery. When it returns nil the
// record is on disk and will be delivered. It returns the record id that goes along
// with every copy. The payload is copied before it returns.
func (o *Outbox) Submit(ctx context.Context, r Record) (id string, err error) {
	if err := r.check(); err != nil {
		return "", err
	}

	o.mu.Lock()
	check := o.check
	o.mu.Unlock()
	if err := checkSize(r, check); err != nil {
		return "", err
	}

	x := &record{Record: r, accepted: o.wall().UnixMilli()}
	size := x.size()
	done := make(chan error, 1)
	o.mu.Lock()
	room, err := o.admit(x, size)
	if err != nil {
		o.mu.Unlock()
		return "", err
	}

	value := x.encode() // in the order of sequence numbers, as the changes are queued
	queued := o.write.add(&change{
		size:  size,
		count: func(s *state) { s.accepted++; s.dropped += uint64(len(room)) },
		apply: func(tx *bolt.Tx) error {
			b := tx.Bucket(bucketRecords)
			if err := deleteDisplaced(b, room); err != nil {
				return err
			}
			b.FillPercent = 0.9 // keys only grow
			return b.Put(seqKey(x.seq), value)
		},
		done: func(err error) { done <- o.accepted(x, size, room, err) },
	})
	if !queued {
		o.bytes -= int64(size)
		o.putBackDisplaced(room)
	}
	o.mu.Unlock()
	if !queued { // closed meanwhile
		return "", o.errClosed("submit to")
	}

	select {
	case err := <-done:
		if err != nil {
			return "", err
		}
		return x.id(), nil
	case <-ctx.Done():
		return "", &fault.Error{
			Op: "submit to outbox " + o.cfg.Dir, Class: fault.ErrStorage, Err: wait.Error(ctx),
			Hint: "it may or may not have been accepted",
		}
	}
}

// SubmitLog is Submit for a binary log.
func (o *Outbox) SubmitLog(ctx context.Context, dev device.Info, buf []byte) (id string, err error) {
	return o.Submit(ctx, Record{Log, dev, buf})
}

// SubmitCoreDump is Submit for a crash dump, whose header names the device.
func (o *Outbox) SubmitCoreDump(ctx context.Context, dump []byte) (id string, err error) {
	return submitDump(ctx, o.Submit, dump)
}

// SubmitText is Submit for text logs, in as many batches as it takes. It returns the
// ids of those that were accepted.
func (o *Outbox) SubmitText(ctx context.Context, dev device.Info, entries []payload.TextEntry) (ids []string, err error) {
	return submitBatches(ctx, o.Submit, dev, entries, &o.texts)
}

func submitDump(ctx context.Context, submit func(context.Context, Record) (string, error), dump []byte) (id string, err error) {
	dev, _, err := payload.CheckCoreDump(dump)
	if err != nil {
		return "", err
	}
	return submit(ctx, Record{CoreDump, dev, dump})
}

// submitBatches submits entries of text logs in as many records as it takes.
func submitBatches(ctx context.Context, submit func(context.Context, Record) (string, error), dev device.Info, entries []payload.TextEntry, texts *payload.Sequence) (ids []string, err error) {
	if err := dev.Validate(); err != nil {
		return nil, err
	}
	batches, err := payload.TextBatches(dev, entries, payload.MaxText, texts)
	if err != nil {
		return nil, err
	}
	for i, b := range batches {
		id, err := submit(ctx, Record{Text, dev, b})
		if err != nil {
			return ids, fmt.Errorf("batch %d of %d: %w", i+1, len(batches), err)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// checkSize refuses before accepting what could never be delivered. check is of who
// delivers, and may be nil.
func checkSize(r Record, check func(Record) error) error {
	err := error(nil)
	if n := len(r.Payload); n > payload.Max {
		err = &fault.Error{Class: fault.ErrTooLargeData, Code: fault.ReasonPacketTooLarge, Err: fmt.Errorf("%d bytes, the cloud takes messages of at most %d", n, payload.Max)}
	} else if check != nil {
		err = check(r)
	}
	var e *fault.Error
	if errors.As(err, &e) {
		e.Op = "submit " + r.Kind.String() + " of " + r.Device.DeviceSerial
		e.Hint = "nothing was accepted"
	}
	return err
}

// admit assigns a sequence number if there is room, or can be made: room is what is
// to be dropped for it. The caller holds mu.
func (o *Outbox) admit(r *record, size int) (room []displaced, err error) {
	if o.closed {
		return nil, o.errClosed("submit to")
	}
	if err := o.checkRoom(int64(size)); err != nil {
		made := false
		if o.cfg.DropLowest {
			room, made = o.makeRoom(int64(size))
		}
		if !made {
			return nil, err
		}
	}
	o.state.last++
	r.seq, r.outbox, r.clock = o.state.last, o.state.identity, o.clock()
	o.bytes += int64(size)
	return room, nil
}

// checkRoom reports which limit keeps a record out. The caller holds mu.
func (o *Outbox) checkRoom(size int64) error {
	full := func(err error) error {
		return &fault.Error{Op: "submit to outbox " + o.cfg.Dir, Class: fault.ErrOutboxFull, Err: err, Hint: "nothing was accepted; restore the connection, or retry or drop parked records"}
	}
	if o.bytes+size > o.cfg.MaxBytes {
		return full(fmt.Errorf("%d bytes wait and the limit is %d", o.bytes, o.cfg.MaxBytes))
	}
	if o.cfg.MaxAge > 0 {
		if age := o.oldest(); age > o.cfg.MaxAge {
			return full(fmt.Errorf("the oldest record has waited %v and the limit is %v", age.Round(time.Second), o.cfg.MaxAge))
		}
	}
	return nil
}

// accepted is called after the commit.
func (o *Outbox) accepted(r *record, size int, room []displaced, err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.bytes -= int64(size)
		o.putBackDisplaced(room)
		e := &fault.Error{Op: "write to outbox " + o.cfg.Dir, Class: fault.ErrStorage, Err: fault.PathCause(err), Hint: "nothing was accepted"}
		if diskFull(err) {
			e.Class, e.Hint = fault.ErrOutboxFull, "nothing was accepted; make room on the disk"
		}
		return e
	}
	o.state.accepted++
	o.state.dropped += uint64(len(room))
	o.tellDisplaced(room)
	o.q.add(keyOf(&r.Device), o.newEntry(r, size))
	o.signal()
	return nil
}

// diskFull recognises the error of a disk, quota or limit that is used up, even
// where bbolt has kept its text alone.
func diskFull(err error) bool {
	for _, e := range [...]syscall.Errno{syscall.ENOSPC, syscall.EFBIG, syscall.EDQUOT} {
		if errors.Is(err, e) || strings.HasSuffix(err.Error(), e.Error()) {
			return true
		}
	}
	return false
}
