package mqttv5

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
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

// outboxState is written with every commit.
type outboxState struct {
	identity  uint64 // random, part of the id of each new record
	last      uint64 // sequence number given out last
	clock     int64  // ms the outbox has been open before this process
	accepted  uint64
	delivered uint64
	dropped   uint64
}

const stateSize = 52 // CRC-32C and six numbers

func (s *outboxState) encode(clock int64) []byte {
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

func decodeState(b []byte) (s outboxState, ok bool) {
	le := binary.LittleEndian
	if len(b) != stateSize || le.Uint32(b) != crc32.Checksum(b[4:], castagnoli) {
		return s, false
	}
	return outboxState{
		identity: le.Uint64(b[4:]), last: le.Uint64(b[12:]), clock: int64(le.Uint64(b[20:])),
		delivered: le.Uint64(b[28:]), dropped: le.Uint64(b[36:]), accepted: le.Uint64(b[44:]),
	}, true
}

// parkedEntry says why a record was set aside.
type parkedEntry struct {
	Reason   string     `json:"reason"`
	Code     ReasonCode `json:"code"`
	Attempts int        `json:"attempts"`
	At       int64      `json:"at"` // ms since 1970
	size     int
	key      deviceKey
	clock    int64
}

// update runs a transaction. A fault in the mapped file, as of a failing disk, and
// a panic of bbolt over a broken page become errors.
func (o *Outbox) update(f func(*bolt.Tx) error) error {
	return sheltered(func() error { return o.db.Update(f) })
}

func sheltered(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errStructure, p)
		}
	}()
	return f()
}

var errStructure = errors.New("file structure is damaged")

// open opens the file and reads what waits in it.
func (o *Outbox) open() error {
	damage := checkBoltFile(o.path)
	if damage == nil {
		damage = o.openFile()
	}
	if damage == nil {
		return nil
	}
	if errors.Is(damage, os.ErrPermission) || !isDamage(damage) {
		return damage
	}
	if o.db != nil {
		sheltered(o.db.Close)
		o.db = nil
	}
	aside, err := durable.SetAside(o.path)
	if err != nil {
		return err
	}
	o.log.Error("outbox was damaged and has been set aside; what can be read is brought over", "kept", aside, "reason", damage)
	found, err := o.salvage(aside)
	if err != nil {
		return err
	}
	o.log.Warn("outbox restored", "records", found)
	return o.openFile()
}

// isDamage tells a broken file from one that cannot be used now.
func isDamage(err error) bool {
	return errors.Is(err, errStructure) || errors.Is(err, bolterrors.ErrInvalid) || errors.Is(err, bolterrors.ErrChecksum) || errors.Is(err, bolterrors.ErrVersionMismatch)
}

func (o *Outbox) openFile() error {
	err := sheltered(func() (err error) {
		o.db, err = bolt.Open(o.path, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistMapType})
		return err
	})
	if err != nil {
		return err
	}
	o.q, o.bytes = newQueue(), 0
	clear(o.parked)
	clear(o.damaged)
	return o.update(o.load)
}

// load reads the whole file once: each record's checksum is checked, and those
// that are damaged are moved aside.
func (o *Outbox) load(tx *bolt.Tx) error {
	for _, name := range [][]byte{bucketRecords, bucketParked, bucketDamaged, bucketMeta, bucketSpare} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	state, ok := decodeState(tx.Bucket(bucketMeta).Get(keyState))
	if !ok {
		// New, or the state was lost, and with it which numbers were given out: those
		// to come need another identity. The records that are left carry their own.
		state = outboxState{identity: randomUint64()}
	}
	o.state = state
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
		key := deviceKey{r.device.ApplicationID, r.device.DeviceSerial}
		if p := tx.Bucket(bucketParked).Get(k); p != nil {
			e := parkedEntry{size: len(v), key: key, clock: r.clock}
			if json.Unmarshal(p, &e) != nil {
				e.Reason = "reason is unreadable"
			}
			o.parked[r.seq] = e
			return nil
		}
		o.q.add(key, &entry{seq: r.seq, size: len(v), clock: r.clock})
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
	return damaged.ForEach(func(k, v []byte) error {
		if len(k) == 8 {
			o.damaged[binary.BigEndian.Uint64(k)] = len(v)
			o.bytes += int64(len(v))
		}
		return nil
	})
}

// afterChanges is part of every commit: it saves the state as it is afterwards.
func (o *Outbox) afterChanges(tx *bolt.Tx, changes []*change) error {
	o.mu.Lock()
	state, clock := o.state, o.clock()
	o.mu.Unlock()
	grows := false
	for _, x := range changes {
		grows = grows || x.size > 0
		if x.count != nil {
			x.count(&state)
		}
	}
	if grows && tx.Bucket(bucketSpare).Get(keySpare) == nil {
		if err := tx.Bucket(bucketSpare).Put(keySpare, make([]byte, spareSize)); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketMeta).Put(keyState, state.encode(clock))
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

// recordAt decodes what is filed under a key.
func recordAt(k, v []byte) (*record, error) {
	r, err := decodeRecord(v)
	if err == nil && (len(k) != 8 || r.seq != binary.BigEndian.Uint64(k)) {
		return nil, fmt.Errorf("%w: it is filed under another number", errRecord)
	}
	return r, err
}

// read returns a record from the file.
func (o *Outbox) read(seq uint64) (r *record, err error) {
	err = sheltered(func() error {
		return o.db.View(func(tx *bolt.Tx) error {
			k := seqKey(seq)
			v := tx.Bucket(bucketRecords).Get(k)
			if v == nil {
				return fmt.Errorf("%w: it is not in the file", errRecord)
			}
			r, err = recordAt(k, v)
			return err
		})
	})
	return r, err
}
