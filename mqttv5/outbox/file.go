package outbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/outbox/internal/boltfile"
)

// Buckets of the file: records by sequence number; why some are parked; the bytes
// of damaged ones; the state; and bytes that keep room for what must be written
// when the disk is full. Even the removal of a record is written elsewhere first.
var (
	bucketRecords = []byte("records")
	bucketParked  = []byte("parked")
	bucketDamaged = []byte("damaged")
	bucketMeta    = []byte("meta")
	bucketSpare   = []byte("spare")
	keyState      = []byte("state") // the only key of its bucket
	keySpare      = []byte("spare") // likewise
)

// spareSize is enough to write a page with four of the largest records, which is
// what removing one of them can lead to, and the pages that lead to it.
const spareSize = 5 * maxRecord

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// state is written with every commit.
type state struct {
	identity  uint64 // random, part of the id of each new record
	last      uint64 // sequence number given out last
	clock     int64  // ms the outbox has been open before this process
	accepted  uint64
	delivered uint64
	dropped   uint64
}

const stateSize = 52 // CRC-32C and six numbers

func (s *state) encode(clock int64) []byte {
	b := make([]byte, stateSize)
	le := binary.LittleEndian
	le.PutUint64(b[4:], s.identity)
	le.PutUint64(b[12:], s.last)
	le.PutUint64(b[20:], uint64(clock))
	le.PutUint64(b[28:], s.delivered)
	le.PutUint64(b[36:], s.dropped)
	le.PutUint64(b[44:], s.accepted)
	le.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	return b
}

func decodeState(b []byte) (s state, ok bool) {
	le := binary.LittleEndian
	if len(b) != stateSize || le.Uint32(b) != crc32.Checksum(b[4:], castagnoli) {
		return s, false
	}
	return state{
		identity: le.Uint64(b[4:]), last: le.Uint64(b[12:]), clock: int64(le.Uint64(b[20:])),
		delivered: le.Uint64(b[28:]), dropped: le.Uint64(b[36:]), accepted: le.Uint64(b[44:]),
	}, true
}

// parkedEntry says why a record was set aside.
type parkedEntry struct {
	Reason   string           `json:"reason"`
	Code     fault.ReasonCode `json:"code"`
	Attempts int              `json:"attempts"`
	At       int64            `json:"at"` // ms since 1970
	size     int
	key      deviceKey
	clock    int64
	rank     uint8
}

// open opens the file and reads what waits in it. One that is damaged is set aside,
// and what can be read of it is brought over.
func (o *Outbox) open() error {
	lost, err := gone(o.cfg.Dir)
	if err != nil {
		return err
	}

	damage := errGone
	if lost {
		err = standIn(o.path)
	} else if damage = o.openFile(); damage == nil || !boltfile.IsDamage(damage) {
		return o.opened(damage)
	}
	if err != nil {
		return err
	}

	aside, err := durable.SetAside(o.path)
	if err != nil {
		return err
	}
	o.log.Error("outbox was damaged and has been set aside; what can be read is brought over", "kept", aside, "reason", damage)
	loss, err := o.salvage(aside)
	if err != nil {
		return err
	}
	loss.Reason = damage.Error()
	if err := noteLoss(o.cfg.Dir, loss); err != nil {
		o.log.Error("cannot note what was lost", "dir", o.cfg.Dir, "error", err)
	}

	o.log.Warn("outbox restored", "records", loss.Restored)
	return o.opened(o.openFile())
}

// opened leaves the mark that there is a file, if it could be opened. A full disk does
// not keep an outbox of an earlier version, which has none yet, from being delivered.
func (o *Outbox) opened(err error) error {
	if err == nil {
		if e := leaveMark(o.cfg.Dir); e != nil {
			o.log.Warn("the outbox gets no mark yet, by which its loss would be noticed", "dir", o.cfg.Dir, "error", e)
		}
	}
	return err
}

// openFile opens the file and reads what it holds into the queue.
func (o *Outbox) openFile() error {
	f, err := boltfile.Open(o.path)
	if err != nil {
		return err
	}
	o.q, o.bytes = newQueue(), 0
	clear(o.parked)
	clear(o.damaged)
	o.origins = map[origin]bool{}
	if err := f.Update(o.load); err != nil {
		f.Close()
		return err
	}
	o.file = f
	if o.wasteful() {
		o.compact()
	}
	return nil
}

// A file is made smaller when it is longer than this and most of it is empty.
const compactAbove = 4 << 20

// wasteful reports whether most of the file is empty: it grew with a backlog that
// was delivered.
func (o *Outbox) wasteful() bool {
	if time.Now().Before(o.compactAgain) {
		return false
	}
	size, err := o.file.Size()
	if err != nil || size < compactAbove {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return size > 3*(o.bytes+spareSize)
}

func (o *Outbox) compact() {
	before, _ := o.file.Size()
	if err := o.file.Compact(); err != nil {
		o.log.Warn("outbox cannot be made smaller; tried again in an hour", "dir", o.cfg.Dir, "error", err)
		o.compactAgain = time.Now().Add(time.Hour)
		return
	}
	after, _ := o.file.Size()
	o.log.Info("outbox was made smaller", "dir", o.cfg.Dir, "before", before, "after", after)
}

// compactIfIdle makes the file smaller when nothing waits.
func (o *Outbox) compactIfIdle() {
	o.mu.Lock()
	idle := o.q.count == 0 && !o.closed
	o.mu.Unlock()
	if idle && o.wasteful() {
		o.compact()
	}
}

// salvage writes a new file with every intact record that a damaged one holds,
// wherever it lies. Records that had been delivered may lie in pages not yet used
// again and will be delivered once more: a consumer drops them by their id.
func (o *Outbox) salvage(from string) (loss Loss, err error) {
	loss = Loss{Kept: filepath.Base(from)}
	f, err := os.Open(from)
	if err != nil {
		return loss, err
	}
	defer f.Close()

	newest, ok, err := newestState(f)
	if err != nil {
		return loss, err
	}
	if ok {
		loss.count(newest)
	}

	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return loss, err
	}

	loss.Restored, err = boltfile.Build(o.path, bucketRecords, func(put func(key, value []byte) error) error {
		return carve(f, func(v []byte) error {
			seq := binary.LittleEndian.Uint64(v[8:])
			if seq > newest.last {
				loss.Counted = false // the state is older than the record
			}
			return put(seqKey(seq), v)
		})
	})
	return loss, err
}

// load reads the whole file once: each record's checksum is checked, and those
// that are damaged are moved aside.
func (o *Outbox) load(tx *bolt.Tx) error {
	for _, name := range [][]byte{bucketRecords, bucketParked, bucketDamaged, bucketMeta, bucketSpare} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}

	known, ok := decodeState(tx.Bucket(bucketMeta).Get(keyState))
	if !ok {
		// New, or the state was lost, and with it which numbers were given out: those
		// to come need another identity. The records that are left carry their own.
		known = state{identity: randomUint64()}
	}
	o.state = known

	records, damaged := tx.Bucket(bucketRecords), tx.Bucket(bucketDamaged)
	type bad struct {
		key, value []byte
		err        error
	}
	var bads []bad
	err := records.ForEach(func(k, v []byte) error {
		r, err := recordAt(k, v)
		if err != nil {
			bads = append(bads, bad{append([]byte(nil), k...), append([]byte(nil), v...), err})
			return nil
		}
		o.state.last = max(o.state.last, r.seq)
		o.bytes += int64(len(v))
		if r.origin != (origin{}) {
			o.origins[r.origin] = true
		}

		key := keyOf(&r.Device)
		if p := tx.Bucket(bucketParked).Get(k); p != nil {
			e := parkedEntry{size: len(v), key: key, clock: r.clock}
			if json.Unmarshal(p, &e) != nil {
				e.Reason = "reason is unreadable"
			}
			e.rank = o.newEntry(r, len(v)).rank
			o.parked[r.seq] = e
			return nil
		}

		o.q.add(key, o.newEntry(r, len(v)))
		return nil
	})
	if err != nil {
		return err
	}

	for _, b := range bads {
		o.log.Error("a record in the outbox is damaged and has been set aside", "sequence", fmt.Sprintf("%x", b.key), "reason", b.err)
		if err := damaged.Put(b.key, b.value); err != nil {
			return err
		}
		if err := records.Delete(b.key); err != nil {
			return err
		}
	}

	err = damaged.ForEach(func(k, v []byte) error {
		if len(k) == 8 {
			o.damaged[binary.BigEndian.Uint64(k)] = len(v)
			o.bytes += int64(len(v))
		}
		return nil
	})
	if !ok { // count on from what is there, so that the numbers add up
		o.state.accepted = uint64(o.q.count + len(o.parked) + len(o.damaged))
	}
	return err
}

// newEntry makes the entry of a record for the queue.
func (o *Outbox) newEntry(r *record, size int) *entry {
	e := &entry{seq: r.seq, size: size, clock: r.clock}
	if o.cfg.DropLowest {
		e.rank = rank(&r.Record)
	}
	return e
}

// afterChanges is part of every commit: it saves the state as it is afterwards.
func (o *Outbox) afterChanges(tx *bolt.Tx, changes []*change) error {
	o.mu.Lock()
	after, clock := o.state, o.clock()
	o.mu.Unlock()
	grows := false
	for _, x := range changes {
		grows = grows || x.size > 0
		if x.count != nil {
			x.count(&after)
		}
	}
	if grows && tx.Bucket(bucketSpare).Get(keySpare) == nil {
		if err := tx.Bucket(bucketSpare).Put(keySpare, make([]byte, spareSize)); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketMeta).Put(keyState, after.encode(clock))
}

// yieldSpare makes room in the file for what must be written on a full disk. The
// next record that is accepted takes as much again, so that none is accepted until
// there is.
func (o *Outbox) yieldSpare(tx *bolt.Tx) error {
	if tx.Bucket(bucketSpare).Get(keySpare) == nil {
		return errors.New("no room is kept")
	}
	return tx.Bucket(bucketSpare).Delete(keySpare)
}

// read returns a record from the file.
func (o *Outbox) read(seq uint64) (r *record, err error) {
	err = o.file.View(func(tx *bolt.Tx) error {
		k := seqKey(seq)
		v := tx.Bucket(bucketRecords).Get(k)
		if v == nil {
			return fmt.Errorf("%w: it is not in the file", errRecord)
		}
		r, err = recordAt(k, v)
		return err
	})
	return r, err
}
