package text

import (
	"math"

	"github.com/ulogkit/ulogkit/format"
)

// search looks for the next good log in damaged input. Of several that overlap it
// takes the one that ends first, so that what it finds does not depend on how the
// bytes come.
type search struct {
	scanned int64     // offset in the file up to which beginnings were looked for
	begun   []pending // logs that are not whole yet
}

// pending is where a log would lie.
type pending struct{ begin, end int64 }

// next returns where in b, which lies at base in the file, a good log begins, or 0.
func (s *search) next(b []byte, base int64) int {
	end := base + int64(len(b))
	best := pending{end: math.MaxInt64}
	try := func(p pending) {
		if p.end < best.end && isGood(b[p.begin-base:p.end-base]) {
			best = p
		}
	}

	waiting := s.begun[:0]
	for _, p := range s.begun {
		switch {
		case p.begin <= base:
		case p.end <= end:
			try(p)
		default:
			waiting = append(waiting, p)
		}
	}
	s.begun = waiting

	for at := max(s.scanned, base+1); at < min(end, best.end); at++ {
		h, _, err := format.ParseHeader(b[at-base:])
		if err != nil {
			if end-at < format.MaxHeader {
				break // it may not be whole
			}
			s.scanned = at + 1
			continue
		}

		s.scanned = at + 1
		p := pending{at, at + int64(h.LenHeader()) + int64(h.LenData())}
		if p.end > end {
			s.begun = append(s.begun, p)
		} else {
			try(p)
		}
	}

	if best.begin == 0 {
		return 0
	}
	return int(best.begin - base)
}

// isGood reports whether b is a log that has records, all of which can be read.
func isGood(b []byte) bool {
	l, rest, err := format.ParseLog(b)
	return err == nil && len(rest) == 0 && len(l.Data()) > 0 && format.CheckLog(b) == nil
}
