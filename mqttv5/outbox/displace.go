package outbox

import (
	"cmp"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

// never is the rank of records that are not displaced: crash dumps.
const never = 255

// rank says how much a record matters to one who must choose: the highest level that
// it holds.
func rank(r *Record) uint8 {
	switch r.Kind {
	case Log:
		return uint8(payload.LogLevel(r.Payload))
	case Text:
		return uint8(payload.TextLevel(r.Payload))
	case Metrics, Events:
		return uint8(format.LevelInfo)
	}
	return never
}

// displaced is a record that made room for another.
type displaced struct {
	key deviceKey
	e   *entry
}

// makeRoom takes waiting records out of the queue until size bytes fit and the oldest
// has not waited too long: those of the lowest level first, and of these the oldest;
// none that is leased, nor a crash dump. It frees somewhat more than is needed, so
// that not every record has to look for its place. It takes nothing and reports false
// when that is not enough. The caller holds mu.
func (o *Outbox) makeRoom(size int64) (out []displaced, ok bool) {
	var all []displaced
	for _, d := range o.q.devices {
		for _, e := range d.entries {
			if e != d.leased && e.rank != never {
				all = append(all, displaced{d.key, e})
			}
		}
	}
	slices.SortFunc(all, func(a, b displaced) int {
		return cmp.Or(cmp.Compare(a.e.rank, b.e.rank), cmp.Compare(a.e.seq, b.e.seq))
	})

	over := func(x displaced) bool {
		return o.cfg.MaxAge > 0 && time.Duration(o.clock()-x.e.clock)*time.Millisecond > o.cfg.MaxAge
	}
	need := o.bytes + size - o.cfg.MaxBytes
	if need > 0 {
		need += o.cfg.MaxBytes / 100
	}

	for _, x := range all {
		if need > 0 || over(x) {
			out = append(out, x)
			need -= int64(x.e.size)
		}
	}

	if need > o.cfg.MaxBytes/100 {
		return nil, false
	}
	for _, x := range out {
		o.q.remove(o.q.devices[x.key], x.e.seq)
		o.bytes -= int64(x.e.size)
	}

	if o.cfg.MaxAge > 0 && o.oldest() > o.cfg.MaxAge { // one that may not be displaced
		o.putBackDisplaced(out)
		return nil, false
	}
	return out, true
}

// deleteDisplaced is part of the commit of the record that room was made for.
func deleteDisplaced(records *bolt.Bucket, out []displaced) error {
	for _, x := range out {
		if err := records.Delete(seqKey(x.e.seq)); err != nil {
			return err
		}
	}
	return nil
}

// putBackDisplaced undoes makeRoom. The caller holds mu.
func (o *Outbox) putBackDisplaced(out []displaced) {
	for _, x := range out {
		o.q.add(x.key, x.e)
		o.bytes += int64(x.e.size)
	}
	o.signal()
}

// tellDisplaced tells of records that have made room. The caller holds mu.
func (o *Outbox) tellDisplaced(out []displaced) {
	for _, x := range out {
		delete(o.suspects, x.e.seq)
		o.log.Warn("a record was dropped to make room for a newer one", "serial", x.key.serial, "sequence", x.e.seq, "bytes", x.e.size, "level", format.Level(x.e.rank).String())
	}
	if len(out) > 0 {
		o.notifyLeft()
	}
}
