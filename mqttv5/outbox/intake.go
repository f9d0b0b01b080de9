package outbox

import (
	"errors"
	"io/fs"
	"os"
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
	r     *record // nil when the file is damaged
	seq   uint64  // in the outbox
	value []byte  // of the file, as it is kept
	room  []displaced
}

// Bytes of records that are brought in together, at most; a few more for the last.
const maxPickUp = maxBatch / 2

// pickUp brings in what waits and fits, in order.
func (in *intake) pickUp() error {
	files, err := intakeFiles(in.o.cfg.Dir)
	if err != nil || len(files) == 0 {
		return err
	}

	var stale []intakeFile // their records are in the outbox
	var came []*picked
	for len(files) > 0 && err == nil { // those behind one that fails wait for it
		var some []*picked
		for size := 0; len(files) > 0 && size < maxPickUp && err == nil; {
			f := files[0]
			if in.have[f.origin] {
				stale, files = append(stale, f), files[1:]
				continue
			}
			var p *picked
			if p, err = in.prepare(f); p != nil {
				some = append(some, p)
				size += len(p.value)
			}
			files = files[1:]
		}
		n, failed := in.commit(some)
		came = append(came, some[:n]...)
		err = errors.Join(err, failed)
	}

	for _, p := range came {
		stale = append(stale, p.intakeFile)
	}
	err = errors.Join(err, in.remove(stale))
	for _, p := range came {
		in.o.arrived(p)
	}
	return err
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

// prepare reads a file and makes room for its record. It returns nil when the file has
// gone. One that is damaged is kept as a damaged record, for a person to see.
func (in *intake) prepare(f intakeFile) (*picked, error) {
	b, err := durable.ReadStart(f.path, maxRecord+1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o := in.o
	if len(b) > maxRecord {
		aside, err := durable.SetAside(f.path)
		o.log.Error("a file among the records that other processes submitted is too large for one and has been set aside", "file", f.path, "kept", aside)
		return nil, err
	}
	r, err := decodeRecord(b)
	if err == nil && (origin{r.outbox, r.seq}) != f.origin {
		err = errRecord
	}
	size := len(b)
	if err == nil {
		r.origin = f.origin
		size = r.size()
	} else {
		r = nil
		o.log.Error("a record that another process submitted is damaged and has been set aside", "file", f.path, "reason", err)
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	p := &picked{intakeFile: f, r: r, value: b}
	if o.bytes+int64(size) > o.cfg.MaxBytes {
		made := false
		if o.cfg.DropLowest {
			p.room, made = o.makeRoom(int64(size))
		}
		if !made {
			return nil, errors.New("the outbox is full; restore the connection, or retry or drop parked records")
		}
	}
	o.state.last++
	p.seq = o.state.last
	if r != nil {
		r.seq, r.outbox, r.clock = p.seq, o.state.identity, o.clock()
		p.value = r.encode()
	}
	o.bytes += int64(len(p.value))
	return p, nil
}

// commit brings in the first of some records, as many as fit on the disk, and returns
// how many that were. What is not brought in takes no room.
func (in *intake) commit(some []*picked) (n int, err error) {
	for step := len(some); n < len(some); step = min(step, len(some)-n) {
		if err = in.commitTogether(some[n : n+step]); err == nil {
			n += step
			continue
		}
		if step == 1 || errors.Is(err, fault.ErrClosed) {
			break
		}
		step /= 2
	}

	in.o.mu.Lock()
	defer in.o.mu.Unlock()
	for _, p := range some[n:] {
		in.o.bytes -= int64(len(p.value))
		in.o.putBackDisplaced(p.room)
	}
	return n, err
}

// commitTogether brings in all of some records, or none.
func (in *intake) commitTogether(some []*picked) error {
	o, size := in.o, 0
	var room []displaced
	for _, p := range some {
		size += max(len(p.value), 1)
		room = append(room, p.room...)
	}

	committed := make(chan error, 1)
	queued := o.write.add(&change{
		size:  size,
		count: func(s *state) { s.accepted += uint64(len(some)); s.dropped += uint64(len(room)) },
		apply: func(tx *bolt.Tx) error {
			if err := deleteDisplaced(tx.Bucket(bucketRecords), room); err != nil {
				return err
			}
			for _, p := range some {
				bucket := bucketRecords
				if p.r == nil {
					bucket = bucketDamaged
				}
				if err := tx.Bucket(bucket).Put(seqKey(p.seq), p.value); err != nil {
					return err
				}
			}
			return nil
		},
		done: func(err error) {
			if err == nil {
				o.mu.Lock()
				o.state.accepted += uint64(len(some))
				o.state.dropped += uint64(len(room))
				o.tellDisplaced(room)
				for _, p := range some {
					o.announce(p)
				}
				o.mu.Unlock()
			}
			committed <- err
		},
	})
	if !queued {
		return o.errClosed("pick up for")
	}

	return <-committed
}

// announce counts a record that was picked up among those that wait: its Submitter may
// learn that it was taken over as soon as its file is gone. The caller holds mu.
func (o *Outbox) announce(p *picked) {
	if p.r == nil {
		o.damaged[p.seq] = len(p.value)
		return
	}
	o.arriving++
}

// arrived lets a record that was announced be leased.
func (o *Outbox) arrived(p *picked) {
	if p.r == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.arriving--
	o.q.add(keyOf(&p.r.Device), o.newEntry(p.r, len(p.value)))
	o.signal()
}

// sweep removes what Submitters that were killed have left, if none is at work.
func (in *intake) sweep() {
	if durable.CheckSubfolder(in.o.cfg.Dir, intakeFolder) != nil {
		return
	}
	name := intakeLock(in.o.cfg.Dir)
	if durable.CheckLock(name) != nil {
		return // who submits is told
	}
	lock := flock.New(name, flock.SetPermissions(0o600))
	if ok, err := lock.TryLock(); err != nil || !ok {
		return
	}
	defer lock.Unlock()
	if err := durable.SweepDir(intakeDir(in.o.cfg.Dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		in.o.log.Warn("what killed processes left in the outbox cannot be removed", "dir", intakeDir(in.o.cfg.Dir), "error", err)
	}
}
