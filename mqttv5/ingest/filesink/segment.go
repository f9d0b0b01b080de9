package filesink

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// entry is one record's place in a segment; its length is 0 if it is lost.
type entry struct{ offset, length uint32 }

func (e entry) appendTo(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, e.offset)
	return binary.LittleEndian.AppendUint32(dst, e.length)
}

func parseEntry(b []byte) entry {
	return entry{binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])}
}

func segmentName(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d.seg", first))
}

func indexName(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d.idx", first))
}

// listSegments returns the first sequence numbers, in order, of the segments that there
// are and of those of which storage has lost the file, and the index knows records.
func listSegments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}

	var all []uint64
	for i, e := range entries {
		stem, isSegment := strings.CutSuffix(e.Name(), ".seg")
		if isSegment {
			first, ok := parseStem(stem)
			if !ok {
				return nil, fmt.Errorf("%s is not a segment's name; nothing else may lie in this directory", filepath.Join(dir, e.Name()))
			}
			all = append(all, first)
			continue
		}

		stem, isIndex := strings.CutSuffix(e.Name(), ".idx")
		first, ok := parseStem(stem)
		beside := i+1 < len(entries) && entries[i+1].Name() == stem+".seg" // they are in order
		if !isIndex || !ok || beside || !e.Type().IsRegular() {
			continue
		}
		// Remove takes away the index first: what has one yet was not removed.
		if info, err := e.Info(); err == nil && info.Size() >= indexEntry {
			all = append(all, first)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// parseStem returns the sequence number that the name of a segment or an index begins
// with.
func parseStem(stem string) (first uint64, ok bool) {
	first, err := strconv.ParseUint(stem, 10, 64)
	return first, err == nil && len(stem) == 20 && first > 0 && first < endOfNumbers
}

// readMarker reads the marker of a segment: that of its head or, where this is
// damaged, the one that its first two records agree on. A segment too short to have
// one holds no record.
func readMarker(f io.ReaderAt) (m marker, err error) {
	var head [segmentHead]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return m, err
	}
	good := string(head[:len(segmentMagic)]) == segmentMagic
	m = marker(head[len(segmentMagic):])

	var first, second marker
	if _, err := f.ReadAt(first[:], int64(segmentHead)); err == nil && (!good || first != m) {
		var buf []byte
		size, _, err := readAt(f, first, int64(segmentHead), &buf)
		if err != nil {
			return m, err
		}
		_, err = f.ReadAt(second[:], int64(segmentHead+size))
		if size > 0 && (err == nil && second == first || err != nil && !good) {
			return first, nil
		}
	}
	if !good {
		return m, fmt.Errorf("%w: it does not begin with %q", errDamaged, segmentMagic)
	}
	return m, nil
}

// scanned is what a segment holds.
type scanned struct {
	entries []entry // of the records from first on
	end     int64   // after the last good record
	damaged bool    // a good record follows bytes that are none, or has a number that does not fit
	other   uint64  // the highest number that does not fit, or 0
}

// mostMissing bounds how many records a segment is believed to miss.
const mostMissing = 1 << 16

// scan reads a whole segment. Behind bytes that are no record it looks for the
// next one by the segment's marker, which no payload can contain.
func scan(f io.ReaderAt, m marker, first uint64) (scanned, error) {
	s := scanned{end: int64(segmentHead)}
	var buf []byte
	bad := false
	next := func() uint64 { return first + uint64(len(s.entries)) }
	for off := s.end; ; {
		size, seq, err := readAt(f, m, off, &buf)
		switch {
		case err != nil:
			return s, err
		// Missing records have left the bytes where they were, so that a number
		// far ahead is none of ours.
		case size > 0 && seq >= next() && seq-next() <= uint64(off-s.end)/recordHead:
			for next() < seq {
				s.entries = append(s.entries, entry{})
			}
			s.entries = append(s.entries, entry{uint32(off), uint32(size)})
			off += int64(size)
			s.end = off
			s.damaged = s.damaged || bad
		default:
			if bad = true; size > 0 {
				s.other, s.damaged = max(s.other, seq), true
			}
			if off, err = findMarker(f, m, off+1); errors.Is(err, io.EOF) {
				// What has its number keeps it, though it cannot be believed.
				for s.other >= next() && s.other-next() < mostMissing {
					s.entries = append(s.entries, entry{})
				}
				return s, nil
			} else if err != nil {
				return s, err
			}
		}

		if off > math.MaxUint32 {
			return s, fmt.Errorf("%w: larger than 4 GiB", errDamaged)
		}
	}
}

// readAt reads the record at off into buf. The size is 0 if there is none.
func readAt(f io.ReaderAt, m marker, off int64, buf *[]byte) (size int, seq uint64, err error) {
	b := slices.Grow((*buf)[:0], recordHead)[:recordHead]
	*buf = b
	if _, err := f.ReadAt(b, off); err != nil {
		return 0, 0, noEOF(err)
	}
	size, seq, ok := recordSize(b, m)
	if !ok {
		return 0, 0, nil
	}
	b = slices.Grow(b[:0], size)[:size]
	*buf = b
	if _, err := f.ReadAt(b, off); err != nil {
		return 0, 0, noEOF(err)
	}
	if !intact(b) {
		return 0, 0, nil
	}
	return size, seq, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// findMarker returns the offset of the next marker from off on, or io.EOF.
func findMarker(f io.ReaderAt, m marker, off int64) (int64, error) {
	buf := make([]byte, 64<<10)
	for {
		n, err := f.ReadAt(buf, off)
		if i := bytes.Index(buf[:n], m[:]); i >= 0 {
			return off + int64(i), nil
		}
		if err != nil {
			return 0, err
		}
		off += int64(n - lenMarker + 1)
	}
}

// readIndex returns the whole entries in an index behind the first skip; none if
// there is no index.
func readIndex(name string, skip int) ([]entry, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, int64(skip)*indexEntry, math.MaxInt64-math.MaxUint32))
	if err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(b)/indexEntry)
	for ; len(b) >= indexEntry; b = b[indexEntry:] {
		entries = append(entries, parseEntry(b))
	}
	return entries, nil
}

// openFile opens a file of the directory. It follows no link: whoever may write to
// the directory could turn it to another file.
func openFile(name string, flag int) (*os.File, error) {
	return os.OpenFile(name, flag|noFollow, 0o600)
}
