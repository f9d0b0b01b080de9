package filesink

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// Numbers that records of a lost segment may have had are left out.
const (
	// mostRecords is more than a segment holds: offsets have 32 bits, and a record's
	// head alone has 56 bytes.
	mostRecords = 1 << 27

	// farAway is where numbers go on if nobody knows how many segments were lost. In
	// 64 bits there is room for it many times over.
	farAway = 1 << 40

	// endOfNumbers is behind all numbers that are believed. No sink comes so far.
	endOfNumbers = 1 << 62
)

// newestName is the file with the first sequence number of the newest segment. It
// outlives the segment's own files.
func newestName(dir string) string { return filepath.Join(dir, "newest") }

// lenNewestLine is the length of a line of it, in bytes.
const lenNewestLine = 20 + 1 + 8 + 1

func newestLine(first uint64) string {
	number := fmt.Sprintf("%020d", first)
	return fmt.Sprintf("%s %08x\n", number, crc32.Checksum([]byte(number), castagnoli))
}

// writeNewest replaces the file. It holds its line twice, so that one damaged byte
// costs nothing.
func writeNewest(dir string, first uint64) error {
	return durable.ReplaceFile(newestName(dir), []byte(strings.Repeat(newestLine(first), 2)), 0o600)
}

// readNewest reads the file. It fails with fs.ErrNotExist or errDamaged.
func readNewest(dir string) (first uint64, err error) {
	b, err := os.ReadFile(newestName(dir))
	if err != nil {
		return 0, err
	}
	for i := range 2 {
		if len(b) < (i+1)*lenNewestLine {
			break
		}
		line := string(b[i*lenNewestLine:][:lenNewestLine])
		if first, err := strconv.ParseUint(line[:20], 10, 64); err == nil && line == newestLine(first) && first < endOfNumbers {
			return first, nil
		}
	}
	return 0, fmt.Errorf("%s: %w", newestName(dir), errDamaged)
}

// listing is what the files of a directory say of its segments.
type listing struct {
	// all are the first sequence numbers, in order, of the segments that there are
	// and of those that are lost and are known to have been there.
	all []uint64

	// beyond is where numbers go on if the newest segment is lost and nobody knows
	// how many records it had; or 0.
	beyond uint64

	// blind says that the file newest is lost: beyond is for segments that may have
	// been there.
	blind bool

	noted uint64 // what the file newest says
}

// last returns the first sequence number of the newest segment, or 0.
func (l *listing) last() uint64 {
	if len(l.all) == 0 {
		return 0
	}
	return l.all[len(l.all)-1]
}

// survey lists the segments of a sink with this identity.
func survey(dir string, of identity) (l listing, err error) {
	// This file first: a segment that is begun while others are read is not a lost one.
	l.noted, err = readNewest(dir)
	missing := errors.Is(err, fs.ErrNotExist)
	l.blind = errors.Is(err, errDamaged) || missing && of.noted
	if err != nil && !missing && !l.blind {
		return l, err
	}

	if l.all, err = listSegments(dir); err != nil {
		return l, err
	}
	last := l.last()
	switch {
	case l.blind:
		l.beyond = max(last, 1) + farAway
	case l.noted > last:
		l.all = append(l.all, l.noted)
		l.beyond = l.noted + mostRecords
	case l.noted == last && last > 0 && hollow(dir, last):
		l.beyond = l.noted + mostRecords
	}
	return l, nil
}

// hollow reports whether neither a segment's file, which is too short for its own
// head or gone, nor its index tells of a record.
func hollow(dir string, first uint64) bool {
	seg, err := os.Stat(segmentName(dir, first))
	if err == nil && seg.Size() >= int64(segmentHead) || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	idx, err := os.Stat(indexName(dir, first))
	return errors.Is(err, fs.ErrNotExist) || err == nil && idx.Size() < indexEntry
}

// note has the file newest know the segments that are there, where an earlier version
// or a crash has left that out. It leaves alone what tells of a loss.
func (s *Sink) note() error {
	l, err := survey(s.cfg.Dir, s.id)
	if err != nil || l.beyond != 0 {
		return err
	}
	s.noted = l.noted

	// One that is being made when the power fails is none yet.
	newest := uint64(0)
	for _, first := range slices.Backward(l.all) {
		if !hollow(s.cfg.Dir, first) {
			newest = first
			break
		}
	}
	if _, err := os.Lstat(newestName(s.cfg.Dir)); err == nil && newest <= l.noted {
		return nil
	}
	if err := writeNewest(s.cfg.Dir, newest); err != nil {
		return err
	}
	s.noted = newest
	return nil
}

// remember makes the file of a lost segment anew, empty, before the file newest tells of
// another: else nothing would tell it from one that was removed. The caller syncs the
// directory.
func (s *Sink) remember() error {
	if s.lost == 0 {
		return nil
	}
	f, err := openFile(segmentName(s.cfg.Dir, s.lost), os.O_CREATE|os.O_RDWR)
	if err != nil {
		return err
	}
	s.lost = 0
	return f.Close()
}
