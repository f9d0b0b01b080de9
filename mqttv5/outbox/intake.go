package outbox

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// How often the outbox looks for records of Submitters, and whether its file can be
// made smaller.
const (
	intakeInterval  = 500 * time.Millisecond
	compactInterval = time.Minute
)

// intake brings the records of Submitters into an outbox that is open. For each the
// order is: commit, remove the file, let it be leased. A process that dies after the
// commit finds the record and its file when it opens the outbox again, and knows by
// the record's origin that it has it.
type intake struct {
	o    *Outbox
	have map[origin]bool // committed, and the file may still be there
	said string          // what kept it from working; said once
	quit chan struct{}
	done chan struct{}
}

// startIntake picks up what waits and goes on doing so until stop.
func startIntake(o *Outbox) *intake {
	in := &intake{o: o, have: o.origins, quit: make(chan struct{}), done: make(chan struct{})}
	in.sweep()
	in.look()
	go in.run()
	return in
}

func (in *intake) stop() {
	close(in.quit)
	<-in.done
}

func (in *intake) run() {
	defer close(in.done)
	t := time.NewTicker(intakeInterval)
	defer t.Stop()
	next := time.Now().Add(compactInterval)
	for {
		select {
		case now := <-t.C:
			in.look()
			if !now.Before(next) {
				in.o.compactIfIdle()
				next = now.Add(compactInterval)
			}
		case <-in.quit:
			return
		}
	}
}

// look picks up what waits now, and tells of what keeps it from doing so.
func (in *intake) look() {
	err := in.pickUp()
	if err == nil || errors.Is(err, fault.ErrClosed) {
		in.said = ""
		return
	}
	if err.Error() != in.said {
		in.said = err.Error()
		in.o.log.Error("records of other processes cannot be picked up; tried again", "dir", intakeDir(in.o.cfg.Dir), "error", err)
	}
}

// picked is a record that is being brought in.
type picked struct {
	intakeFile
	r         *record // nil when the file is damaged
	size      int     // in the outbox
	committed chan error
}

// pickUp brings in what waits and fits, in order.
func (in *intake) pickUp() error {
	files, err := intakeFiles(in.o.cfg.Dir)
	if err != nil || len(files) == 0 {
		return err
	}

	var all []*picked
	var stale []intakeFile // their records are in the outbox
	var why error          // what keeps the next one out
	for _, f := range files {
		if in.have[f.origin] {
			stale = append(stale, f)
			continue
		}
		p, err := in.commit(f)
		if err != nil {
			why = err
			break // the others wait behind it
		}
		if p != nil {
			all = append(all, p)
		}
	}

	var removed []*picked
	for _, p := range all {
		if err := <-p.committed; err != nil {
			why = err
			continue
		}
		removed = append(removed, p)
		stale = append(stale, p.intakeFile)
	}
	if err := in.remove(stale); err != nil {
		why = errors.Join(why, err)
	}
	for _, p := range removed {
		in.o.arrived(p)
	}
	return why
}

// remove removes files whose records are in the outbox, durably, and remembers those
// that stay.
func (in *intake) remove(files []intakeFile) error {
	in.have = map[origin]bool{}
	var all error
	for _, f := range files {
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			in.have[f.origin] = true
			all = errors.Join(all, err)
		}
	}
	if len(files) == 0 {
		return nil
	}
	return errors.Join(all, durable.SyncDir(intakeDir(in.o.cfg.Dir)))
}

// commit queues the commit of one file. It returns nil when the file has gone. One
// that is damaged is kept as a damaged record, for a person to see.
func (in *intake) commit(f intakeFile) (*picked, error) {
	b, err := readIntake(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(b) > maxRecord {
		aside, err := durable.SetAside(f.path)
		in.o.log.Error("a file among the records that other processes submitted is too large for one and has been set aside", "file", f.path, "kept", aside)
		return nil, err
	}
	p := &picked{intakeFile: f, committed: make(chan error, 1)}
	r, err := decodeRecord(b)
	if err == nil && (origin{r.outbox, r.seq}) != f.origin {
		err = errRecord
	}
	if err == nil {
		r.origin = f.origin
		p.r, p.size = r, r.size()
	} else {
		in.o.log.Error("a record that another process submitted is damaged and has been set aside", "file", f.path, "reason", err)
		p.size = len(b)
	}

	o := in.o
	o.mu.Lock()
	defer o.mu.Unlock()
	var room []displaced
	if o.bytes+int64(p.size) > o.cfg.MaxBytes {
		made := false
		if o.cfg.DropLowest {
			room, made = o.makeRoom(int64(p.size))
		}
		if !made {
			return nil, errors.New("the outbox is full; restore the connection, or retry or drop parked records")
		}
	}
	o.state.last++
	seq, bucket, value := o.state.last, bucketDamaged, b
	if p.r != nil {
		p.r.seq, p.r.outbox, p.r.clock = seq, o.state.identity, o.clock()
		bucket, value = bucketRecords, p.r.encode()
	} else {
		p.r = &record{seq: seq}
		p.r.Kind = 0
	}
	o.bytes += int64(p.size)
	queued := o.write.add(&change{
		size:  max(p.size, 1),
		count: func(s *state) { s.accepted++; s.dropped += uint64(len(room)) },
		apply: func(tx *bolt.Tx) error {
			if err := deleteDisplaced(tx.Bucket(bucketRecords), room); err != nil {
				return err
			}
			return tx.Bucket(bucket).Put(seqKey(seq), value)
		},
		done: func(err error) {
			o.mu.Lock()
			if err != nil {
				o.bytes -= int64(p.size)
				o.putBackDisplaced(room)
			} else {
				o.state.accepted++
				o.state.dropped += uint64(len(room))
				o.tellDisplaced(room)
			}
			o.mu.Unlock()
			p.committed <- err
		},
	})
	if !queued {
		o.bytes -= int64(p.size)
		o.putBackDisplaced(room)
		return nil, o.errClosed("pick up for")
	}
	return p, nil
}

// arrived makes a record that was picked up one of those that wait.
func (o *Outbox) arrived(p *picked) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p.r.Kind == 0 {
		o.damaged[p.r.seq] = p.size
		return
	}
	o.q.add(keyOf(&p.r.Device), o.newEntry(p.r, p.size))
	o.signal()
}

// readIntake reads a file as far as a record can go.
func readIntake(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxRecord+1))
}

// sweep removes what Submitters that were killed have left, if none is at work.
func (in *intake) sweep() {
	if _, err := os.Stat(intakeDir(in.o.cfg.Dir)); err != nil {
		return
	}
	lock := flock.New(filepath.Join(in.o.cfg.Dir, "in.lock"), flock.SetPermissions(0o600))
	if ok, err := lock.TryLock(); err != nil || !ok {
		return
	}
	defer lock.Unlock()
	if err := durable.SweepDir(intakeDir(in.o.cfg.Dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		in.o.log.Warn("what killed processes left in the outbox cannot be removed", "dir", intakeDir(in.o.cfg.Dir), "error", err)
	}
}
