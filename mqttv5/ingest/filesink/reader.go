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
	next uint64 // sequence number of the record to return next

	seg     *os.File
	marker  marker
	first   uint64  // of the open segment
	end     uint64  // first of the segment after it; 0 for the newest
	entries []entry // of the open segment, as far as known
	whole   bool    // entries are all there are, found by scanning

	accepted spans
	tailSize int64 // of the newest segment when its end was looked at
}

// OpenReader returns a Reader that starts at a sequence number; 0 and 1 mean the
// first record that there is.
func OpenReader(dir string, from uint64) (*Reader, error) {
	if _, err := readIdentity(dir); err != nil {
		return nil, fmt.Errorf("read file sink %s: %w", dir, err)
	}
	all, err := listSegments(dir)
	if err != nil {
		return nil, fmt.Errorf("read file sink %s: %w", dir, err)
	}
	accepted, err := readAccepted(dir)
	if err != nil {
		return nil, fmt.Errorf("read file sink %s: %w", dir, err)
	}

	if len(all) > 0 {
		from = max(from, all[0])
	}
	return &Reader{dir: dir, next: max(from, 1), accepted: accepted}, nil
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
		}

		if r.end != 0 && r.next >= r.end {
			r.leave()
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
			return ingest.Record{}, r.lost(r.end-1, fmt.Errorf("%w: the segment ends too early", errDamaged))
		}

		if err := r.newer(); err != nil {
			return ingest.Record{}, err
		}
	}
}

// open opens the segment that the next record is in.
func (r *Reader) open() error {
	all, err := listSegments(r.dir)
	if err != nil {
		return fmt.Errorf("read file sink: %w", err)
	}
	i, exact := slices.BinarySearch(all, r.next)
	if !exact {
		i--
	}

	switch {
	case len(all) == 0:
		return ingest.ErrEnd
	case i < 0:
		return r.lost(all[0]-1, errors.New("their segments were removed"))
	}

	seg, err := os.Open(segmentName(r.dir, all[i]))
	if err != nil {
		return fmt.Errorf("read file sink: %w", err)
	}
	r.first, r.end, r.entries, r.whole, r.tailSize = all[i], 0, r.entries[:0], false, 0
	if i+1 < len(all) {
		r.end = all[i+1]
	}
	if r.marker, err = readMarker(seg); err != nil {
		seg.Close()
		switch {
		case r.end != 0:
			return r.lost(r.end-1, err)
		case errors.Is(err, io.EOF):
			return r.headless()
		}
		return fmt.Errorf("read file sink: %s: %w", segmentName(r.dir, all[i]), err)
	}

	r.seg = seg
	return nil
}

// headless is about a newest segment that is too short for its own head: it is being
// made, or what was in it is gone.
func (r *Reader) headless() error {
	entries, err := readIndex(indexName(r.dir, r.first), 0)
	if err != nil {
		return fmt.Errorf("read file sink: %w", err)
	}
	if end := r.first + uint64(len(entries)); r.next < end {
		return r.lost(end-1, fmt.Errorf("%w: the segment ends before its first record", errDamaged))
	}
	return ingest.ErrEnd
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

	l, free, err := lockShared(lockName(r.dir))
	if errors.Is(err, fs.ErrNotExist) {
		free, err = true, nil // a copy of a sink, in which nobody has written
	}
	if err != nil || !free {
		return err
	}
	if l != nil {
		defer l.Close()
	}

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

// newer looks whether the open segment has a successor by now.
func (r *Reader) newer() error {
	all, err := listSegments(r.dir)
	if err != nil {
		return fmt.Errorf("read file sink: %w", err)
	}
	i, _ := slices.BinarySearch(all, r.first+1)
	if i == len(all) {
		return ingest.ErrEnd
	}
	r.end = all[i]
	return nil
}

// lost skips the records up to last.
func (r *Reader) lost(last uint64, err error) error {
	e := &ingest.LossError{First: r.next, Last: last, Err: err, Accepted: r.accepted.covers(span{r.next, last})}
	r.next = last + 1
	return e
}

func (r *Reader) leave() {
	if r.seg != nil {
		r.seg.Close()
	}
	r.seg = nil
}

// Close implements ingest.Reader.
func (r *Reader) Close() error {
	r.leave()
	return nil
}
