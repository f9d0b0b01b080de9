package text

import "github.com/ulogkit/ulogkit/format"

// enterDamage begins a damaged range.
func (s *stream) enterDamage(reason error) {
	s.damage, s.fed = &format.Decoder{}, 0
	s.search = search{scanned: s.base + 1} // no good log begins here
	if !s.judge.Empty() {
		s.damage.ValidAddr = s.judge.Knows
	}
	if reason != nil {
		s.out.reason = reason.Error()
	}
}

// consumeDamaged reads on through damaged input, up to the next good log. It
// returns false where it needs more bytes. A good log is taken as soon as it is
// there: only the bytes before it are searched for what still makes sense, and what
// comes after it has no say in that.
func (s *stream) consumeDamaged(eof bool) bool {
	at := s.search.next(s.buf, s.base)
	limit := len(s.buf)
	switch {
	case at > 0:
		limit = at
	case !eof: // a good log may begin in what is held back
		limit = max(limit-format.MaxLog, s.fed)
	}

	feed := s.buf[s.fed:limit]
	s.fed = limit
	used := 0
	events := s.damage.Feed(feed)
	for last := eof || at > 0; ; {
		for event := range events {
			if event.Kind == format.EventLog && event.Verified {
				s.leaveDamage(used)
				return true
			}
			s.out.event(&event, s.base+int64(used), &s.track)
			used += len(event.Bytes)
		}

		if !last || used == limit {
			break
		}
		last = false
		events = s.damage.Close()
	}

	if at > 0 {
		s.leaveDamage(used)
		return true
	}
	s.advance(used)
	s.fed -= used
	return false
}

// leaveDamage ends a damaged range.
func (s *stream) leaveDamage(used int) {
	s.damage, s.search = nil, search{}
	s.advance(used)
}
