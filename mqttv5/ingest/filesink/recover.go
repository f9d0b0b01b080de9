package filesink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// recover reads the newest segment, cuts off what was half written and makes its
// index anew. It comes to the same end however often it is done: what the index says
// was there once, and is not found, keeps its numbers.
func (s *Sink) recover() error {
	if err := restoreSegments(s.cfg.Dir); err != nil {
		return err
	}
	all, err := listSegments(s.cfg.Dir)
	if err != nil || len(all) == 0 {
		return err
	}
	first := all[len(all)-1]
	old, err := readIndex(indexName(s.cfg.Dir, first), 0)
	if err != nil {
		return err
	}

	seg, err := openFile(segmentName(s.cfg.Dir, first), os.O_RDWR)
	if err != nil {
		return err
	}
	m, err := readMarker(seg)
	if errors.Is(err, io.EOF) {
		// Too short for its own head: the crash came at once, or what the index
		// has is gone. The next Append makes it anew under the same name, or
		// begins the one behind it.
		s.next = first + uint64(len(old))
		return errors.Join(seg.Close(), makeIndex(indexName(s.cfg.Dir, first), make([]entry, len(old))))
	}
	if err != nil {
		seg.Close()
		return fmt.Errorf("%s: %w; move it and its index away to go on without its records", segmentName(s.cfg.Dir, first), err)
	}

	found, err := scan(seg, m, first)
	if err != nil {
		seg.Close()
		return err
	}

	// An index entry says that its record was durable once, or that it was lost. If
	// the record cannot be found any more, that is no half-written tail.
	if missing := len(old) - len(found.entries); missing > 0 {
		found.entries = append(found.entries, make([]entry, missing)...)
		found.damaged = true
	}

	s.next = first + uint64(len(found.entries))
	if err := makeIndex(indexName(s.cfg.Dir, first), found.entries); err != nil {
		seg.Close()
		return err
	}
	if found.damaged {
		// Nothing is cut off or written where something is wrong.
		return seg.Close()
	}

	if err := errors.Join(seg.Truncate(found.end), seg.Sync()); err != nil {
		seg.Close()
		return err
	}
	s.seg, s.first, s.marker, s.size = seg, first, m, found.end
	s.idx, err = openFile(indexName(s.cfg.Dir, first), os.O_WRONLY|os.O_APPEND)
	return err
}

// makeIndex writes an index, unless there is the same already: a full disk must not
// keep a worker from starting.
func makeIndex(name string, entries []entry) error {
	var b []byte
	for _, e := range entries {
		b = e.appendTo(b)
	}
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, b) {
		return nil
	}
	return durable.ReplaceFile(name, b, 0o600)
}

// tell logs the losses that nobody has accepted, each time the sink is opened.
func (s *Sink) tell() error {
	accepted, err := readAccepted(s.cfg.Dir)
	if err != nil {
		return err
	}
	lost, err := losses(s.cfg.Dir, s.next)
	if err != nil {
		return err
	}
	for _, x := range lost {
		if !accepted.covers(x) {
			s.cfg.Logger.Error("records of the sink are lost; \"ulogkit stored --accept-loss\" ends this message",
				"sink", s.cfg.Dir, "first", x.first, "last", x.last)
		}
	}
	return nil
}

// losses returns the records before next that the indexes say are lost.
func losses(dir string, next uint64) (spans, error) {
	all, err := listSegments(dir)
	if err != nil {
		return nil, err
	}

	var lost spans
	for i, first := range all {
		entries, err := readIndex(indexName(dir, first), 0)
		if err != nil {
			return nil, err
		}

		for j, e := range entries {
			if e.length == 0 {
				lost = append(lost, span{first + uint64(j), first + uint64(j)})
			}
		}

		// A segment may lack its index, which readers then make by scanning.
		end := next
		if i+1 < len(all) {
			end = all[i+1]
		}
		if known := first + uint64(len(entries)); len(entries) > 0 && known < end {
			lost = append(lost, span{known, end - 1})
		}
	}
	return lost.with(), nil
}
