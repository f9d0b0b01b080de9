package outbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/outbox/internal/boltfile"
)

// List returns what is in an outbox, in the order it was accepted, damaged records
// last. It needs no lock and changes nothing: another process may have the outbox
// open, deliver it and accept. What that has delivered in the last moment may still
// be there. Damage to the file is an error; opening the outbox repairs it.
func List(dir string) ([]Entry, error) {
	failed := func(err error) error {
		return &fault.Error{Op: "list outbox " + dir, Class: fault.ErrStorage, Err: fault.PathCause(err)}
	}
	if lost, err := gone(dir); err != nil {
		return nil, failed(err)
	} else if lost {
		return nil, failed(errGone)
	}

	submitted, err := listIntake(dir)
	if err != nil {
		return nil, failed(err)
	}

	var records, damaged []Entry
	var numbers []uint64       // of the damaged ones
	places := map[uint64]int{} // in records, by sequence number
	var parked map[uint64]parkedEntry
	var known state
	begin := func() {
		records, damaged, numbers, parked = nil, nil, nil, map[uint64]parkedEntry{}
		clear(places)
	}
	err = boltfile.Read(fileName(dir), begin, func(bucket, k, v []byte) {
		if string(bucket) == string(bucketMeta) {
			known, _ = decodeState(v)
			return
		}
		if len(k) != 8 {
			return
		}

		seq := binary.BigEndian.Uint64(k)
		switch string(bucket) {
		case string(bucketRecords):
			places[seq] = len(records)
			records = append(records, entryOf(bucket, k, v))
		case string(bucketDamaged):
			damaged = append(damaged, entryOf(bucket, k, v))
			numbers = append(numbers, seq)
		case string(bucketParked):
			var p parkedEntry
			if json.Unmarshal(v, &p) != nil {
				p.Reason = "reason is unreadable"
			}
			parked[seq] = p
		}
	})
	if errors.Is(err, fs.ErrNotExist) && len(submitted) == 0 {
		return nil, errNone(dir)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, failed(err)
	}

	for seq, p := range parked {
		if at, ok := places[seq]; ok && records[at].State == StateWaiting {
			records[at].park(p)
		}
	}

	for i, seq := range numbers {
		damaged[i].ID = recordID(known.identity, seq)
	}
	for seq, at := range places {
		if records[at].ID == "" { // damaged since the outbox was opened
			records[at].ID = recordID(known.identity, seq)
		}
	}

	have := map[string]bool{}
	for _, r := range records {
		have[r.ID] = true
	}

	for _, r := range submitted {
		if !have[r.ID] { // else it has just been picked up
			records = append(records, r)
		}
	}
	return append(records, damaged...), nil
}

// IsDamaged reports whether an error of List says that the file is damaged. Opening the
// outbox repairs it.
func IsDamaged(err error) bool { return errors.Is(err, errGone) || boltfile.IsDamage(err) }

// listIntake returns what waits to be picked up.
func listIntake(dir string) (entries []Entry, err error) {
	files, err := intakeFiles(dir)
	if err != nil {
		return nil, err
	}

	for _, f := range files {
		b, err := durable.ReadStart(f.path, maxRecord+1)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		e := Entry{ID: recordID(f.origin.identity, f.origin.seq), State: StateDamaged, Bytes: len(b)}
		if r, err := decodeRecord(b); err == nil {
			e.describe(r)
		} else {
			e.Reason = err.Error()
		}

		entries = append(entries, e)
	}
	return entries, nil
}

// entryOf describes what is filed under a key, whatever else is known of it.
func entryOf(bucket, k, v []byte) Entry {
	e := Entry{State: StateDamaged, Bytes: len(v)}
	r, err := recordAt(k, v)
	if err == nil && string(bucket) == string(bucketDamaged) {
		err = errRecord // it was, when it was set aside
	}
	if err != nil {
		e.Reason = err.Error()
		return e
	}
	e.ID = r.id()
	e.describe(r)
	return e
}

// describe says of an entry that it waits, and what it is.
func (e *Entry) describe(r *record) {
	e.State = StateWaiting
	e.Kind, e.Device, e.Bytes, e.Accepted = r.Kind, r.Device, len(r.Payload), r.time()
}

// park says of an entry that it is parked, and why.
func (e *Entry) park(p parkedEntry) {
	e.State, e.Reason, e.Code, e.Attempts, e.Parked = StateParked, p.Reason, p.Code, p.Attempts, time.UnixMilli(p.At)
}
