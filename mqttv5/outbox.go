package mqttv5

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// OutboxConfig says where an Outbox keeps its records and how many.
type OutboxConfig struct {
	// Dir is the directory of the outbox; it is made when it does not exist.
	// Default: none, required.
	Dir string

	// MaxBytes is how much may wait, parked records included; beyond it Submit
	// refuses with ErrOutboxFull. Default: 1 GiB.
	MaxBytes int64

	// MaxAge is how long the oldest record may have waited, in time that the
	// outbox was open; beyond it Submit refuses with ErrOutboxFull. It does not
	// depend on the wall clock. Default: 0, no limit.
	MaxAge time.Duration

	// Logger is told about damage. Default: discards.
	Logger *slog.Logger
}

// Outbox keeps records on disk until the broker has acknowledged them. Submit
// accepts, Client.Deliver delivers. One process at a time may have it open. It is
// safe for concurrent use; Close comes last, when Deliver has returned.
//
// On a full disk Submit refuses, with ErrOutboxFull, and delivery goes on: the file
// holds some 700 KB of room in which acknowledged and dropped records can be removed
// and others parked. Where even that cannot be written, the Logger is told and what
// happened is kept in memory and tried again each second.
type Outbox struct {
	cfg   OutboxConfig
	log   *slog.Logger
	path  string
	lock  *flock.Flock
	db    *bolt.DB
	write *committer
	start time.Time        // when it was opened, for the clock
	wall  func() time.Time // tests let it jump
	texts textSequence

	mu         sync.Mutex
	q          *queue
	parked     map[uint64]parkedEntry
	damaged    map[uint64]int // size by sequence number
	state      outboxState
	bytes      int64 // of all records, parked and damaged included
	inFlight   map[uint64]*delivery
	suspects   map[uint64]bool // were in flight when the server blamed a message
	delivering bool
	maxPacket  uint32 // what the broker named last; 0 is unknown
	retried    int64
	wake       chan struct{} // something became ready
	settled    chan struct{} // closed and replaced when a record leaves the queue
	closed     bool
}

// OpenOutbox opens an outbox, or makes one. A file that is damaged is set aside as
// outbox.db.damaged-TIME, every record in it whose checksum is right is brought
// over under its own id, and the Logger is told. Which ids had been given out is then
// unknown, so that new ones begin with another identity.
func OpenOutbox(cfg OutboxConfig) (*Outbox, error) {
	if cfg.Dir == "" {
		return nil, &Error{Op: "open outbox", Class: ErrConfig, Err: errors.New("Dir is empty")}
	}
	if cfg.MaxBytes < 0 || cfg.MaxAge < 0 {
		return nil, &Error{Op: "open outbox", Class: ErrConfig, Err: errors.New("a limit is negative")}
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 30
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	o := &Outbox{
		cfg: cfg, log: cfg.Logger, path: filepath.Join(cfg.Dir, "outbox.db"), start: time.Now(), wall: time.Now,
		q: newQueue(), parked: make(map[uint64]parkedEntry), damaged: make(map[uint64]int),
		inFlight: make(map[uint64]*delivery), suspects: make(map[uint64]bool),
		wake: make(chan struct{}, 1), settled: make(chan struct{}),
	}
	if err := durable.MakeDir(cfg.Dir, 0o700); err != nil {
		return nil, o.fault("make", err)
	}
	o.lock = flock.New(filepath.Join(cfg.Dir, "outbox.lock"), flock.SetPermissions(0o600))
	if ok, err := o.lock.TryLock(); err != nil || !ok {
		if err == nil {
			err = errors.New("another process has it open")
		}
		return nil, o.fault("open", err)
	}
	if err := o.open(); err != nil {
		if o.db != nil {
			o.db.Close()
		}
		o.lock.Unlock()
		return nil, o.fault("open", err)
	}
	o.write = newCommitter(o)
	return o, nil
}

func (o *Outbox) fault(op string, err error) error {
	return &Error{Op: op + " outbox " + o.cfg.Dir, Class: ErrStorage, Err: fault.PathCause(err)}
}

// Dir returns the directory of the outbox.
func (o *Outbox) Dir() string { return o.cfg.Dir }

// Close writes what is still to be written and closes the outbox. Deliver must
// have returned.
func (o *Outbox) Close() error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return nil
	}
	if o.delivering {
		o.mu.Unlock()
		return o.fault("close", errors.New("it is being delivered; end Deliver's context first"))
	}
	o.closed = true
	close(o.settled)
	o.mu.Unlock()
	var faults []error
	if err := o.write.close(); err != nil {
		faults = append(faults, fmt.Errorf("records that were acknowledged will be sent again: %w", err))
	}
	if err := errors.Join(append(faults, o.db.Close(), o.lock.Unlock())...); err != nil {
		return o.fault("close", err)
	}
	return nil
}

// stuck is told when what has happened cannot be written, and with 0 when it was.
func (o *Outbox) stuck(changes int, err error) {
	if changes == 0 {
		o.log.Info("outbox can be written again", "dir", o.cfg.Dir)
		return
	}
	o.log.Error("outbox cannot be written; what was acknowledged or parked is kept in memory and tried again", "dir", o.cfg.Dir, "changes", changes, "error", err)
}

// SubmitLog verifies a binary log and accepts it for delivery. When it returns nil
// the log is on disk and will be delivered; its session token is written when it
// is sent. It returns the record id that goes along with every copy.
func (o *Outbox) SubmitLog(ctx context.Context, dev DeviceInfo, buf []byte) (id string, err error) {
	if err := dev.Validate(); err != nil {
		return "", err
	}
	if err := checkLog(buf); err != nil {
		return "", err
	}
	return o.submit(ctx, RecordLog, dev, buf)
}

// SubmitCoreDump verifies a crash dump and accepts it for delivery, as SubmitLog.
func (o *Outbox) SubmitCoreDump(ctx context.Context, dump []byte) (id string, err error) {
	dev, err := coreDumpDevice(dump)
	if err != nil {
		return "", err
	}
	return o.submit(ctx, RecordCoreDump, dev, dump)
}

// submit accepts one record. The outbox copies the payload before it returns.
func (o *Outbox) submit(ctx context.Context, kind RecordKind, dev DeviceInfo, payload []byte) (string, error) {
	r := &record{kind: kind, device: dev, payload: payload, accepted: o.wall().UnixMilli()}
	if err := o.checkSize(r); err != nil {
		return "", err
	}
	o.mu.Lock()
	size, err := o.admit(r)
	if err != nil {
		o.mu.Unlock()
		return "", err
	}
	value := r.encode() // in the order of sequence numbers, as the changes are queued
	done := make(chan error, 1)
	queued := o.write.add(&change{
		size:  size,
		count: func(s *outboxState) { s.accepted++ },
		apply: func(tx *bolt.Tx) error {
			b := tx.Bucket(bucketRecords)
			b.FillPercent = 0.9 // keys only grow
			return b.Put(seqKey(r.seq), value)
		},
		done: func(err error) { done <- o.accepted(r, size, err) },
	})
	if !queued {
		o.bytes -= int64(size)
	}
	o.mu.Unlock()
	if !queued { // closed meanwhile
		return "", &Error{Op: "submit to outbox " + o.cfg.Dir, Class: ErrClosed}
	}
	select {
	case err := <-done:
		if err != nil {
			return "", err
		}
		return r.id(), nil
	case <-ctx.Done():
		return "", &Error{
			Op: "submit to outbox " + o.cfg.Dir, Class: ErrStorage, Err: waitError(ctx),
			Hint: "it may or may not have been accepted",
		}
	}
}

// checkSize refuses before accepting what could never be delivered.
func (o *Outbox) checkSize(r *record) error {
	o.mu.Lock()
	limit := o.maxPacket
	o.mu.Unlock()
	// The topic's exact length is the client's business; this one is the longest.
	m := &link.Message{Topic: longestTopic, Payload: r.payload, ID: recordID(1<<63, 1<<40), ContentType: contentCoreDump}
	err := m.CheckSize(DefaultMaxMessage, limit)
	var e *Error
	if errors.As(err, &e) {
		e.Op = "submit " + r.kind.String() + " of " + r.device.DeviceSerial
		e.Hint = "nothing was accepted"
	}
	return err
}

// admit assigns a sequence number if there is room. The caller holds mu.
func (o *Outbox) admit(r *record) (size int, err error) {
	if o.closed {
		return 0, &Error{Op: "submit to outbox " + o.cfg.Dir, Class: ErrClosed}
	}
	d := &r.device
	size = recordHead + len(d.DeviceSerial) + len(d.DeviceType) + len(d.GitVersion) + len(d.GitHash) + len(r.payload)
	full := func(err error) error {
		return &Error{Op: "submit to outbox " + o.cfg.Dir, Class: ErrOutboxFull, Err: err, Hint: "nothing was accepted; restore the connection, or retry or drop parked records"}
	}
	if o.bytes+int64(size) > o.cfg.MaxBytes {
		return 0, full(fmt.Errorf("%d bytes wait and the limit is %d", o.bytes, o.cfg.MaxBytes))
	}
	if o.cfg.MaxAge > 0 {
		if age := o.oldest(); age > o.cfg.MaxAge {
			return 0, full(fmt.Errorf("the oldest record has waited %v and the limit is %v", age.Round(time.Second), o.cfg.MaxAge))
		}
	}
	o.state.last++
	r.seq, r.outbox, r.clock = o.state.last, o.state.identity, o.clock()
	o.bytes += int64(size)
	return size, nil
}

// accepted is called after the commit.
func (o *Outbox) accepted(r *record, size int, err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.bytes -= int64(size)
		e := &Error{Op: "write to outbox " + o.cfg.Dir, Class: ErrStorage, Err: fault.PathCause(err), Hint: "nothing was accepted"}
		if diskFull(err) {
			e.Class, e.Hint = ErrOutboxFull, "nothing was accepted; make room on the disk"
		}
		return e
	}
	o.state.accepted++
	o.q.add(deviceKey{r.device.ApplicationID, r.device.DeviceSerial}, &entry{seq: r.seq, size: size, clock: r.clock})
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

func (o *Outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// clock returns the time in ms that the outbox has been open, over all its life.
// It never goes back and never jumps, whatever the wall clock does.
func (o *Outbox) clock() int64 { return o.state.clock + time.Since(o.start).Milliseconds() }

// oldest returns how long the oldest waiting record has waited. The caller holds
// mu.
func (o *Outbox) oldest() time.Duration {
	first := int64(-1)
	for _, d := range o.q.devices {
		if len(d.entries) > 0 && (first < 0 || d.entries[0].clock < first) {
			first = d.entries[0].clock
		}
	}
	if first < 0 {
		return 0
	}
	return time.Duration(o.clock()-first) * time.Millisecond
}

// WaitEmpty waits until no record waits for delivery. Parked records do not count.
func (o *Outbox) WaitEmpty(ctx context.Context) error {
	for {
		o.mu.Lock()
		n, settled, closed := o.q.count, o.settled, o.closed
		o.mu.Unlock()
		if n == 0 {
			return nil
		}
		if closed {
			return &Error{Op: "wait for outbox " + o.cfg.Dir, Class: ErrClosed}
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return &Error{Op: "wait for outbox " + o.cfg.Dir, Class: ErrNetwork, Err: fmt.Errorf("%d records still wait: %w", n, context.Cause(ctx))}
		}
	}
}

// notify wakes WaitEmpty. The caller holds mu.
func (o *Outbox) notify() {
	if !o.closed {
		close(o.settled)
		o.settled = make(chan struct{})
	}
}
