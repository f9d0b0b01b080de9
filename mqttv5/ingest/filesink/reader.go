package filesink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// Reader replays the records of a directory and changes nothing in it. It implements
// ingest.Reader. It takes no lock, but for a moment a shared one when no worker does,
// and is not safe for concurrent use.
type Reader struct {
	dir  string
	id   identity
	next uint64 // sequence number of the record to return next

	seg     *os.File
	marker  marker
	first   uint64  // of the open segment
	end     uint64  // first of the segment after it; 0 for the newest
	guess   bool    // end is where a worker goes on that finds what is lost
	past    bool    // next is, and the segment after first is the one to read
	entries []entry // of the open segment, as far as known
	whole   bool    // entries are all there are, found by scanning

	accepted spans
	tailSize int64 // of the newest segment when its end was looked at
}

// OpenReader returns a Reader that starts at a sequence number; 0 and 1 mean the
// first record that there is.
func OpenReader(dir string, from uint64) (*Reader, error) {
	id, err := readIdentity(dir)
	if err != nil {
		return nil, fmt.Errorf("read file sink %s: %w", dir, err)
	}
	l, err := survey(dir, id)
	if err != nil {
		return nil, fmt.Errorf("read file sink %s: %w", dir, err)
	}
	accepted, err := readAccepted(dir)
	if err != nil {
		return nil, fmt.Errorf("read file sink %s: %w", dir, err)
	}

	if len(l.all) > 0 {
		from = max(from, l.all[0])
	}
	return &Reader{dir: dir, id: id, next: max(from, 1), accepted: accepted}, nil
}

// Next implements ingest.Reader.
func (r *Reader) Next(ctx context.Context) (ingest.Record, error) {
	for {
		if err := ctx.Err(); err != nil {
			return ingest.Record{}, err
		}

		if r.seg == nil {
			if err := r.open(); err != nil {
				return ingest.Record{}, err
			}
			if r.seg == nil {
				continue // the directory was changing
			}
		}

		if r.end != 0 && r.next >= r.end {
			hidden := r.hidden()
			r.leave()
			if hidden != nil {
				return ingest.Record{}, hidden
			}
			continue
		}

		known, err := r.find()
		if err != nil {
			return ingest.Record{}, fmt.Errorf("read file sink: %w", err)
		}
		if known {
			return r.record()
		}
		if r.end != 0 {
			// The newer segment's name says that there is more than the index
			// and, after a scan, than the segment itself has.
			if !r.whole {
				if err := r.scan(); err != nil {
					return ingest.Record{}, fmt.Errorf("read file sink: %w", err)
				}
				continue
			}
			why := fmt.Errorf("%w: the segment ends too early", errDamaged)
			if r.guess {
				why = errUnnoted
			}
			if err := r.lostToEnd(why); err != nil {
				return ingest.Record{}, err
			}
			continue
		}

		if err := r.newer(); err != nil {
			return ingest.Record{}, err
		}
	}
}

// errUnnoted and errGone say why records are lost.
var (
	errUnnoted = fmt.Errorf("%w: the file newest is lost, and with it whether there was a newer segment", errDamaged)
	errGone    = errors.New("their segment's file is gone")
)

// open opens the segment that the next record is in.
func (r *Reader) open() error {
	l, err := survey(r.dir, r.id)
	if err != nil {
		return fmt.Errorf("read file sink: %w", err)
	}
	if r.past {
		i, _ := slices.BinarySearch(l.all, r.first+1)
		if i == len(l.all) {
			return ingest.ErrEnd
		}
		r.next, r.past = l.all[i], false
	}

	i, exact := slices.BinarySearch(l.all, r.next)
	if !exact {
		i--
	}
	switch {
	case len(l.all) == 0:
		r.first, r.end = 0, 0
		return r.finish(&l, errUnnoted)
	case i < 0:
		r.first, r.end = r.next-1, l.all[0]
		return r.lostToEnd(errors.New("their segments were removed"))
	}

	r.first, r.end, r.entries, r.whole, r.tailSize = l.all[i], 0, r.entries[:0], false, 0
	if i+1 < len(l.all) {
		r.end = l.all[i+1]
	}
	seg, err := os.Open(segmentName(r.dir, r.first))
	if errors.Is(err, fs.ErrNotExist) {
		return r.without(&l, errGone)
	}
	if err != nil {
		return fmt.Errorf("read file sink: %w", err)
	}
	if r.marker, err = readMarker(seg); err != nil {
		seg.Close()
		switch {
		case r.end != 0:
			return r.lostToEnd(err)
		case errors.Is(err, io.EOF):
			return r.without(&l, fmt.Errorf("%w: the segment ends before its first record", errDamaged))
		}
		return fmt.Errorf("read file sink: %s: %w", segmentName(r.dir, r.first), err)
	}

	r.seg = seg
	return nil
}

// without is about a segment whose file is gone, or too short for its own head: it is
// being made, or what was in it is lost.
func (r *Reader) without(l *listing, err error) error {
	if r.end != 0 {
		return r.lostToEnd(err)
	}
	entries, other := readIndex(indexName(r.dir, r.first), 0)
	if other != nil {
		return fmt.Errorf("read file sink: %w", other)
	}
	if end := r.first + uint64(len(entries)); r.next < end {
		return r.lost(end-1, err)
	}
	return r.finish(l, err)
}

// finish is about the end of the newest segment that there is, of which nothing can be
// read: what follows is lost too, or does not exist yet.
func (r *Reader) finish(l *listing, err error) error {
	end, other := r.beyond(l)
	if other != nil {
		return other
	}
	if r.end, r.past = end, true; r.next >= end {
		return ingest.ErrEnd
	}
	return r.lost(end-1, err)
}

// beyond returns where a worker goes on that finds what is lost behind the newest
// segment, or ingest.ErrEnd if nothing is. A worker that is at work knows what was
// there, whatever has become of the file newest.
func (r *Reader) beyond(l *listing) (uint64, error) {
	if l.beyond == 0 {
		return 0, ingest.ErrEnd
	}
	if l.blind {
		leave, free, err := r.keepWorkersAway()
		leave()
		if err != nil {
			return 0, fmt.Errorf("read file sink: %w", err)
		}
		if !free {
			return 0, ingest.ErrEnd
		}
	}
	return l.beyond, nil
}

// keepWorkersAway reports whether no worker is at work; then none is until leave is
// called.
func (r *Reader) keepWorkersAway() (leave func(), free bool, err error) {
	l, free, err := lockShared(lockName(r.dir))
	if errors.Is(err, fs.ErrNotExist) {
		free, err = true, nil // a copy of a sink, in which nobody has written
	}
	if l == nil {
		return func() {}, free, err
	}
	return func() { l.Close() }, free, err
}

// find reports whether the next record's place is known. It reads the index again
// if need be.
func (r *Reader) find() (bool, error) {
	known := func() bool { return r.next-r.first < uint64(len(r.entries)) }
	if known() || r.whole {
		return known(), nil
	}
	entries, err := readIndex(indexName(r.dir, r.first), len(r.entries))
	if r.entries = append(r.entries, entries...); err != nil || known() || r.end != 0 {
		return known(), err
	}
	err = r.tail()
	return known(), err
}

// tail adds the records of the newest segment that are not in the index: a worker
// that crashed had no time for it. They stay what they are only while there is no
// worker, and when the disk has them.
func (r *Reader) tail() error {
	info, err := r.seg.Stat()
	if err != nil || info.Size() == r.tailSize {
		return err
	}

	leave, free, err := r.keepWorkersAway()
	if err != nil || !free {
		return err
	}
	defer leave()

	found, err := scan(r.seg, r.marker, r.first)
	if err != nil {
		return err
	}
	if known := len(r.entries); len(found.entries) > known {
		if err := r.seg.Sync(); err != nil {
			return err
		}
		r.entries = append(r.entries, found.entries[known:]...)
	}

	r.tailSize = info.Size()
	return nil
}

// scan finds the records without the index. In the newest segment what the index
// does not have yet may not be durable, so that the index is read on from there.
func (r *Reader) scan() error {
	found, err := scan(r.seg, r.marker, r.first)
	if err != nil {
		return err
	}
	if r.whole = r.end != 0; !r.whole {
		found.entries = found.entries[:min(len(found.entries), len(r.entries))]
	}
	r.entries = found.entries
	return nil
}

// record reads the next record, whose place is known. Where it is damaged, the
// index may be what is wrong: scanning tells.
func (r *Reader) record() (ingest.Record, error) {
	rec, err := r.at(r.next)
	if errors.Is(err, errDamaged) && !r.whole {
		if err := r.scan(); err != nil {
			return ingest.Record{}, fmt.Errorf("read file sink: %w", err)
		}
		rec, err = r.at(r.next)
	}
	switch {
	case err == nil:
		r.next++
		return rec, nil
	case errors.Is(err, errDamaged):
		return ingest.Record{}, r.lost(r.next, err)
	}
	return ingest.Record{}, fmt.Errorf("read file sink: %w", err)
}

// at reads the record of this sequence number from where it is said to be.
func (r *Reader) at(seq uint64) (ingest.Record, error) {
	i := seq - r.first
	if i >= uint64(len(r.entries)) {
		return ingest.Record{}, errDamaged
	}
	e := r.entries[i]
	if e.length == 0 || e.length > maxRecord {
		return ingest.Record{}, errDamaged
	}
	b := make([]byte, e.length)
	if _, err := r.seg.ReadAt(b, int64(e.offset)); errors.Is(err, io.EOF) {
		return ingest.Record{}, fmt.Errorf("%w: the segment ends within it", errDamaged)
	} else if err != nil {
		return ingest.Record{}, err
	}
	return parseRecord(b, r.marker, seq)
}

// hidden tells the records of a segment that have the numbers of another one's, which
// somebody has put there.
func (r *Reader) hidden() error {
	end := r.first + uint64(len(r.entries))
	if r.whole || r.guess || end <= r.end {
		return nil
	}
	why := fmt.Errorf("they are in two segments, and %s is not read so far", segmentName(r.dir, r.first))
	return &ingest.LossError{First: r.end, Last: end - 1, Err: why, Accepted: r.accepted.covers(span{r.end, end - 1})}
}

// newer looks whether the open segment has a successor by now, or had one that is lost.
func (r *Reader) newer() error {
	l, err := survey(r.dir, r.id)
	if err != nil {
		return fmt.Errorf("read file sink: %w", err)
	}
	if i, _ := slices.BinarySearch(l.all, r.first+1); i < len(l.all) {
		r.end = l.all[i]
		return nil
	}
	end, err := r.beyond(&l)
	if err == nil {
		r.end, r.guess = end, true
	}
	return err
}

// lostToEnd skips the rest of a segment that has a successor. While files are made, a
// directory may show one and not yet another that was made before it: only what is not
// there when it is read once more is lost, and nothing may be.
func (r *Reader) lostToEnd(why error) error {
	l, err := survey(r.dir, r.id)
	if err != nil {
		return fmt.Errorf("read file sink: %w", err)
	}
	if i, _ := slices.BinarySearch(l.all, r.first+1); i < len(l.all) {
		r.end = min(r.end, l.all[i])
	}
	if r.next >= r.end {
		return nil
	}
	return r.lost(r.end-1, why)
}

// lost skips the records up to last.
func (r *Reader) lost(last uint64, err error) error {
	e := &ingest.LossError{
		First: r.next, Last: last, Err: err, Accepted: r.accepted.covers(span{r.next, last}),
		Uncounted: last+1 == r.end && r.end-r.first >= mostRecords,
	}
	r.next = last + 1
	return e
}

// leave closes the open segment, behind its end or for good.
func (r *Reader) leave() {
	if r.seg != nil {
		r.seg.Close()
	}
	r.seg, r.past, r.guess = nil, r.past || r.guess, false
}

// Close implements ingest.Reader.
func (r *Reader) Close() error {
	r.leave()
	return nil
}
