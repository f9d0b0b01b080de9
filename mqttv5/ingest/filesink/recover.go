package filesink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// recover finds the number of the next record, and makes the newest segment ready. It
// comes to the same end however often it is done: a number that may have been given is
// not given again.
func (s *Sink) recover() error {
	l, err := survey(s.cfg.Dir, s.id)
	if err != nil {
		return err
	}
	if first := l.last(); first > 0 {
		if err := s.recoverSegment(first); err != nil {
			return err
		}
	}

	given, err := s.given(l.all)
	if err != nil {
		return err
	}
	switch {
	case l.beyond != 0:
		s.leave()
		s.next, s.lost = max(l.beyond, given), max(l.last(), 1)
	case s.next < given:
		s.leave()
		s.next = given
	case s.noted < l.last():
		s.leave() // the next one is noted, or nothing is stored
	}
	return nil
}

// given returns a number behind all that the indexes of segments have. It is behind what
// the newest segment has where that was lost, or where somebody has put another segment
// among them that reaches as far.
func (s *Sink) given(all []uint64) (next uint64, err error) {
	for _, first := range all {
		info, err := os.Stat(indexName(s.cfg.Dir, first))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		next = max(next, first+uint64(info.Size()/indexEntry))
	}
	return next, nil
}

// recoverSegment reads the newest segment, cuts off what was half written and makes its
// index anew. What the index says was there once, and is not found, keeps its numbers.
func (s *Sink) recoverSegment(first uint64) error {
	old, err := readIndex(indexName(s.cfg.Dir, first), 0)
	if err != nil {
		return err
	}

	seg, err := openFile(segmentName(s.cfg.Dir, first), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		s.next = first // or behind what the index has
		return nil
	}
	if err != nil {
		return err
	}
	m, err := readMarker(seg)
	if errors.Is(err, io.EOF) {
		// Too short for its own head: the crash came at once, or what the index
		// has is gone. The next Append makes it anew under the same name, or
		// begins the one behind it.
		s.next = first
		return errors.Join(seg.Close(), makeIndex(indexName(s.cfg.Dir, first), make([]entry, len(old))))
	}
	if err != nil {
		seg.Close()
		return fmt.Errorf("%s: %w; move it away to go on without its records; its index, if it is there, must stay and tells their numbers", segmentName(s.cfg.Dir, first), err)
	}

	found, err := scan(seg, m, first)
	if err != nil {
		seg.Close()
		return err
	}

	// It must not be taken for one without records, and be written anew.
	if found.other != 0 && (found.end == int64(segmentHead) || found.other >= first+uint64(len(found.entries))) {
		seg.Close()
		return fmt.Errorf("%s: %w: it holds record %d, which does not fit its name; give it back the name it had, or move it away", segmentName(s.cfg.Dir, first), errDamaged, found.other)
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
		s.cfg.Logger.Error("which losses of the sink were accepted cannot be read; all are told", "sink", s.cfg.Dir, "error", err)
	}
	lost, uncounted, err := losses(s.cfg.Dir, s.id, s.next)
	if err != nil {
		return err
	}

	for _, x := range lost {
		if !accepted.covers(x) {
			s.cfg.Logger.Error("records of the sink are lost; \"ulogkit stored --accept-loss\" ends this message",
				"sink", s.cfg.Dir, "first", x.first, "last", x.last)
		}
	}

	for _, x := range uncounted {
		if !accepted.covers(x) {
			s.cfg.Logger.Error("records of the sink are lost, and how many is not known; \"ulogkit stored --accept-loss\" ends this message",
				"sink", s.cfg.Dir, "first", x.first, "last", x.last)
		}
	}
	return nil
}

// losses returns the records before next that indexes and sizes of segments say are lost,
// and the runs of which nobody knows how many records they had.
func losses(dir string, id identity, next uint64) (lost, uncounted spans, err error) {
	l, err := survey(dir, id)
	if err != nil {
		return nil, nil, err
	}
	if len(l.all) == 0 && l.beyond != 0 {
		return nil, spans{{1, l.beyond - 1}}, nil
	}

	for i, first := range l.all {
		end := next
		if i+1 < len(l.all) {
			end = l.all[i+1]
		}

		entries, err := entriesOf(dir, first, end)
		if err != nil {
			return nil, nil, err
		}
		size := int64(0)
		if seg, err := os.Stat(segmentName(dir, first)); err == nil {
			size = seg.Size()
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		for j, e := range entries {
			if e.length == 0 || int64(e.offset)+int64(e.length) > size {
				lost = append(lost, span{first + uint64(j), first + uint64(j)})
			}
		}

		known := first + uint64(len(entries))
		switch {
		case known > end && i+1 < len(l.all):
			lost = append(lost, span{end, known - 1}) // another segment hides them
		case known >= end:
		case end-first >= mostRecords:
			uncounted = append(uncounted, span{known, end - 1})
		case len(entries) > 0 || first == l.noted:
			lost = append(lost, span{known, end - 1})
		}
	}
	return lost.with(), uncounted, nil
}

// entriesOf returns the entries in the index of a segment, all of whose numbers are
// below end. A segment may lack its index, which readers then make by scanning; here
// that is done only where it tells where a loss begins.
func entriesOf(dir string, first, end uint64) ([]entry, error) {
	entries, err := readIndex(indexName(dir, first), 0)
	if err != nil || len(entries) > 0 || end-first < mostRecords {
		return entries, err
	}

	seg, err := openFile(segmentName(dir, first), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer seg.Close()

	m, err := readMarker(seg)
	if errors.Is(err, errDamaged) || errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found, err := scan(seg, m, first)
	return found.entries, err
}
