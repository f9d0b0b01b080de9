// Package outbox keeps records on disk until they have been delivered.
//
// [Open] opens an outbox, [Outbox.Submit] accepts a record, [Outbox.Lease] hands the
// next one to whoever delivers, who says with the [Lease] what became of it: Done,
// Again, Park or Hold. [Outbox.Records], Payload, Retry and Drop are for a person who
// looks after it. The package knows neither MQTT nor the network: mqttv5's
// Client.Deliver is one way to deliver.
//
// Submit returns nil only after the record is durable on disk. From then on it is
// leased again and again, through any crash or restart, until Done or Drop; a full
// outbox refuses with ErrOutboxFull, and each record carries a CRC-32C. The records
// of one device are leased in the order they were accepted, one at a time; devices
// do not wait for each other.
package outbox

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
	"github.com/ulogkit/ulogkit/mqttv5/outbox/internal/boltfile"
)

// Config says where an Outbox keeps its records and how many.
type Config struct {
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

	// DropLowest makes room at a limit instead of refusing: waiting records are
	// dropped, those whose highest level is the lowest first and of these the
	// oldest; never a crash dump. Each is told to the Logger and counted as dropped.
	// Default: false, Submit refuses.
	DropLowest bool

	// Logger is told about damage. Default: discards.
	Logger *slog.Logger
}

// Outbox keeps records on disk until they have been delivered. One process at a time
// may have it open; others submit with a Submitter. It is safe for concurrent use;
// Close comes last, when nothing is leased.
//
// On a full disk Submit refuses, with ErrOutboxFull, and delivery goes on: the file
// holds some 700 KB of room in which delivered and dropped records can be removed
// and others parked. Where even that cannot be written, the Logger is told and what
// happened is kept in memory and tried again each second.
type Outbox struct {
	cfg    Config
	log    *slog.Logger
	path   string
	lock   *flock.Flock
	file   *boltfile.File
	write  *committer
	intake *intake

	compactAgain time.Time // not before; of the goroutine that compacts

	origins map[origin]bool  // of the records that were there when it was opened
	start   time.Time        // when it was opened, for the clock
	wall    func() time.Time // tests let it jump
	texts   payload.Sequence

	mu       sync.Mutex // guards the rest; taken by the methods of Outbox and Lease alone
	q        *queue
	parked   map[uint64]parkedEntry
	damaged  map[uint64]int // size by sequence number
	state    state
	bytes    int64              // of all records, parked and damaged included
	arriving int                // records picked up whose files are still to be removed
	leased   int                // leases that have not ended
	suspects map[uint64]bool    // were put on hold: nothing is leased beside one
	check    func(Record) error // whether a record could ever be delivered; may be nil
	retried  int64
	wake     chan struct{} // something became ready
	left     chan struct{} // closed and replaced when a record leaves the queue
	ended    chan struct{} // closed by Close
	closed   bool
}

// ErrHeld says that another process has the outbox open.
var ErrHeld = errors.New("another process has it open")

// check fills in the defaults, or says what is wrong.
func (c *Config) check() error {
	if c.Dir == "" {
		return &fault.Error{Op: "open outbox", Class: fault.ErrConfig, Err: errors.New("Dir is empty")}
	}
	if c.MaxBytes < 0 || c.MaxAge < 0 {
		return &fault.Error{Op: "open outbox", Class: fault.ErrConfig, Err: errors.New("a limit is negative")}
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = 1 << 30
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Open opens an outbox, or makes one. A file that is damaged is set aside as
// outbox.db.damaged-TIME, every record in it whose checksum is right is brought
// over under its own id, and the Logger is told. Which ids had been given out is then
// unknown, so that new ones begin with another identity.
//
// Another process that has it open is an error that wraps ErrHeld; a Submitter can
// still submit.
func Open(cfg Config) (*Outbox, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	o := &Outbox{
		cfg: cfg, log: cfg.Logger, path: fileName(cfg.Dir), start: time.Now(), wall: time.Now,
		q: newQueue(), parked: make(map[uint64]parkedEntry), damaged: make(map[uint64]int), suspects: make(map[uint64]bool),
		wake: make(chan struct{}, 1), left: make(chan struct{}), ended: make(chan struct{}),
	}

	if err := durable.MakeDir(cfg.Dir, 0o700); err != nil {
		return nil, o.failed("make", err)
	}
	if err := durable.CheckSubfolder(cfg.Dir, intakeFolder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, o.failed("open", err)
	}

	lock := lockName(cfg.Dir)
	if err := durable.CheckLock(lock); err != nil {
		return nil, o.failed("open", err)
	}
	o.lock = flock.New(lock, flock.SetPermissions(0o600))
	if ok, err := o.lock.TryLock(); err != nil || !ok {
		if err == nil {
			err = ErrHeld
		}
		return nil, o.failed("open", err)
	}

	if err := o.open(); err != nil {
		o.lock.Unlock()
		return nil, o.failed("open", err)
	}

	tellOpen(cfg.Dir, o.log)
	o.write = newCommitter(o)
	o.intake = startIntake(o)
	return o, nil
}

// tellOpen tells of a folder in which others may write: they could take records away
// or put some in.
func tellOpen(dir string, log *slog.Logger) {
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o022 != 0 {
		log.Warn("others may write to the directory of the outbox; chmod go-w closes it", "dir", dir, "mode", info.Mode().Perm())
	}
}

func (o *Outbox) failed(op string, err error) error {
	return &fault.Error{Op: op + " outbox " + o.cfg.Dir, Class: fault.ErrStorage, Err: fault.PathCause(err)}
}

func (o *Outbox) errClosed(op string) error {
	return &fault.Error{Op: op + " outbox " + o.cfg.Dir, Class: fault.ErrClosed, Err: errors.New("it is closed")}
}

// fileName returns the name of the file in an outbox's folder.
func fileName(dir string) string { return filepath.Join(dir, "outbox.db") }

func lockName(dir string) string { return filepath.Join(dir, "outbox.lock") }

// Files returns the names of what an outbox in a folder has or may have there: files,
// and the folder of what other processes submit.
func Files(dir string) []string {
	return []string{fileName(dir), lockName(dir), markName(dir), lossName(dir), seenName(dir), intakeDir(dir), intakeLock(dir)}
}

// Dir returns the directory of the outbox.
func (o *Outbox) Dir() string { return o.cfg.Dir }

// Closed returns a channel that is closed when the outbox is.
func (o *Outbox) Closed() <-chan struct{} { return o.ended }

// Close writes what is still to be written and closes the outbox. Who waits for a
// lease or for it to be empty gets ErrClosed. Nothing may be leased.
func (o *Outbox) Close() error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return nil
	}
	if o.leased > 0 {
		o.mu.Unlock()
		return o.failed("close", errors.New("it is being delivered; end the delivery first"))
	}
	o.closed = true
	close(o.ended)
	o.mu.Unlock()

	o.intake.stop()
	var faults []error
	if err := o.write.close(); err != nil {
		faults = append(faults, fmt.Errorf("records that were acknowledged will be sent again: %w", err))
	}
	if err := errors.Join(append(faults, o.file.Close(), o.lock.Unlock())...); err != nil {
		return o.failed("close", err)
	}
	return nil
}

// unwritten is told how many changes cannot be written, and 0 when all were.
func (o *Outbox) unwritten(changes int, err error) {
	if changes == 0 {
		o.log.Info("outbox can be written again", "dir", o.cfg.Dir)
		return
	}
	o.log.Error("outbox cannot be written; what was acknowledged or parked is kept in memory and tried again", "dir", o.cfg.Dir, "changes", changes, "error", err)
}

// WaitEmpty waits until no record waits for delivery. Parked records do not count.
func (o *Outbox) WaitEmpty(ctx context.Context) error {
	for {
		o.mu.Lock()
		n, left, closed := o.waiting(), o.left, o.closed
		o.mu.Unlock()
		if n == 0 {
			return nil
		}
		if closed {
			return o.errClosed("wait for")
		}
		select {
		case <-left:
		case <-o.ended:
		case <-ctx.Done():
			return &fault.Error{Op: "wait for outbox " + o.cfg.Dir, Class: fault.ErrNetwork, Err: fmt.Errorf("%d records still wait: %w", n, context.Cause(ctx))}
		}
	}
}

// waiting returns how many records wait for delivery. The caller holds mu.
func (o *Outbox) waiting() int { return o.q.count + o.arriving }

// signal wakes who waits for a lease.
func (o *Outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// notifyLeft wakes WaitEmpty. The caller holds mu.
func (o *Outbox) notifyLeft() {
	close(o.left)
	o.left = make(chan struct{})
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

func randomUint64() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails, by its documentation
	return binary.LittleEndian.Uint64(b[:])
}
