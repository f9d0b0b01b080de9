package outbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

// Submitter accepts records into an outbox that another process may have open: in an
// outage, say, while that one tries to deliver. Any number of processes may have one
// at a time. It is safe for concurrent use.
//
// Each record is a file of its own in the directory "in" of the outbox, durable
// before Submit returns. Whoever has the outbox open picks it up within half a second,
// or when he opens it: the record is committed first and its file removed
// then, so that a process killed at any point loses nothing. Records are picked up in
// the order they were accepted, whoever accepted them.
type Submitter struct {
	cfg      Config
	dir      string // of the outbox
	max      int64
	identity uint64
	texts    payload.Sequence

	mu  sync.Mutex
	seq uint64
}

// OpenSubmitter makes ready to submit. It takes no lock, and makes the directory when
// it does not exist. Of cfg Dir and MaxBytes count: so much may wait to be picked up.
func OpenSubmitter(cfg Config) (*Submitter, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Submitter{cfg: cfg, dir: cfg.Dir, max: cfg.MaxBytes, identity: randomUint64() | 1}
	if err := durable.MakeDir(s.dir, 0o700); err != nil {
		return nil, s.failed("make", err)
	}
	if _, err := durable.Subfolder(s.dir, intakeFolder, 0o700); err != nil {
		return nil, s.failed("make", err)
	}
	tellOpen(cfg.Dir, cfg.Logger)
	return s, nil
}

func (s *Submitter) failed(op string, err error) error {
	return &fault.Error{Op: op + " outbox " + s.dir, Class: fault.ErrStorage, Err: fault.PathCause(err)}
}

// Submit verifies a record and accepts it for delivery. When it returns nil the
// record is on disk and will be delivered by whoever opens the outbox. It returns the
// record id that goes along with every copy.
func (s *Submitter) Submit(ctx context.Context, r Record) (id string, err error) {
	if err := r.check(); err != nil {
		return "", err
	}
	if err := checkSize(r, nil); err != nil {
		return "", err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	x := &record{Record: r, outbox: s.identity, seq: s.seq, accepted: time.Now().UnixMilli()}

	// The lock gives numbers in the order of acceptance. It is held for two syncs.
	if err := durable.CheckLock(intakeLock(s.dir)); err != nil {
		return "", s.failed("submit to", err)
	}
	lock := flock.New(intakeLock(s.dir), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()

	if _, err := lock.TryLockContext(ctx, time.Millisecond); err != nil {
		if ctx.Err() != nil {
			err = errors.New("other processes are submitting without end")
		}
		return "", s.failed("submit to", err)
	}
	defer lock.Unlock()

	files, err := intakeFiles(s.dir)
	if err != nil {
		return "", s.failed("submit to", err)
	}
	next, waits := uint64(1), int64(0)
	for _, f := range files {
		next, waits = max(next, f.number+1), waits+f.size
	}
	if waits+int64(x.size()) > s.max {
		return "", &fault.Error{
			Op: "submit to outbox " + s.dir, Class: fault.ErrOutboxFull, Err: fmt.Errorf("%d bytes wait to be picked up and the limit is %d", waits, s.max),
			Hint: "nothing was accepted; see that a process delivers, and that the outbox is not full",
		}
	}
	if err := durable.ReplaceFile(intakeName(s.dir, next, s.identity, s.seq), x.encode(), 0o600); err != nil {
		e := &fault.Error{Op: "write to outbox " + s.dir, Class: fault.ErrStorage, Err: fault.PathCause(err), Hint: "nothing was accepted"}
		if diskFull(err) {
			e.Class, e.Hint = fault.ErrOutboxFull, "nothing was accepted; make room on the disk"
		}
		return "", e
	}
	return x.id(), nil
}

// SubmitLog is Submit for a binary log.
func (s *Submitter) SubmitLog(ctx context.Context, dev device.Info, buf []byte) (id string, err error) {
	return s.Submit(ctx, Record{Log, dev, buf})
}

// SubmitCoreDump is Submit for a crash dump, whose header names the device.
func (s *Submitter) SubmitCoreDump(ctx context.Context, dump []byte) (id string, err error) {
	return submitDump(ctx, s.Submit, dump)
}

// SubmitText is Submit for text logs, in as many batches as it takes. It returns the
// ids of those that were accepted.
func (s *Submitter) SubmitText(ctx context.Context, dev device.Info, entries []payload.TextEntry) (ids []string, err error) {
	return submitBatches(ctx, s.Submit, dev, entries, &s.texts)
}

// PickedUp reports whether the process that has the outbox open has taken over all
// that this Submitter accepted.
func (s *Submitter) PickedUp() (bool, error) {
	files, err := intakeFiles(s.dir)
	if err != nil {
		return false, s.failed("look into", err)
	}
	for _, f := range files {
		if f.origin.identity == s.identity {
			return false, nil
		}
	}
	return true, nil
}

// Handover waits until somebody sees to what this Submitter accepted. It returns nil
// when the process that has the outbox open has taken it over, and the outbox, open,
// when that process has gone. ctx bounds the wait: one that has stopped keeps the
// lock and picks up nothing.
func (s *Submitter) Handover(ctx context.Context) (*Outbox, error) {
	t := time.NewTicker(intakeInterval / 10)
	defer t.Stop()
	for {
		if done, err := s.PickedUp(); done || err != nil {
			return nil, err
		}
		if o, err := Open(s.cfg); !errors.Is(err, ErrHeld) {
			return o, err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil, &fault.Error{
				Op: "hand over to outbox " + s.dir, Class: fault.ErrStorage, Err: errors.New("the process that has it open picks up nothing"),
				Hint: "all is safe on disk; see what that process does",
			}
		}
	}
}

// Acceptor is what accepts records: an Outbox, or a Submitter where another process
// has the outbox open.
type Acceptor interface {
	Submit(ctx context.Context, r Record) (id string, err error)
	SubmitLog(ctx context.Context, dev device.Info, buf []byte) (id string, err error)
	SubmitCoreDump(ctx context.Context, dump []byte) (id string, err error)
	SubmitText(ctx context.Context, dev device.Info, entries []payload.TextEntry) (ids []string, err error)
}

const intakeFolder = "in"

func intakeDir(dir string) string { return filepath.Join(dir, intakeFolder) }

// intakeLock is held by whoever puts a file there.
func intakeLock(dir string) string { return filepath.Join(dir, "in.lock") }

// intakeName returns the name of the file of a record: its place in the order of
// acceptance among those that are there, and its id.
func intakeName(dir string, number, identity, seq uint64) string {
	return filepath.Join(intakeDir(dir), fmt.Sprintf("%020d-%016x-%d.record", number, identity, seq))
}

// intakeFile is a record that waits to be picked up.
type intakeFile struct {
	path   string
	size   int64
	number uint64
	origin origin
}

// intakeFiles returns the records that wait to be picked up, in order. What is not
// one of ours, or no regular file, is left alone.
func intakeFiles(dir string) (files []intakeFile, err error) {
	if err := durable.CheckSubfolder(dir, intakeFolder); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(intakeDir(dir)) // sorted by name, which begins with the number
	if err != nil {
		return nil, err
	}

	for _, e := range entries {
		stem, ok := strings.CutSuffix(e.Name(), ".record")
		parts := strings.Split(stem, "-")
		if !ok || len(parts) != 3 || len(parts[0]) != 20 || len(parts[1]) != 16 || !e.Type().IsRegular() {
			continue
		}
		number, err1 := strconv.ParseUint(parts[0], 10, 64)
		identity, err2 := strconv.ParseUint(parts[1], 16, 64)
		seq, err3 := strconv.ParseUint(parts[2], 10, 64)
		if errors.Join(err1, err2, err3) != nil {
			continue
		}

		fi, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // picked up meanwhile
		}
		if err != nil {
			return nil, err
		}

		files = append(files, intakeFile{filepath.Join(intakeDir(dir), e.Name()), fi.Size(), number, origin{identity, seq}})
	}
	return files, nil
}
