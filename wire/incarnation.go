package wire

import "time"

// newStart is a SYN amid a stream: another use of the ports, a packet that the
// network or the file holds twice, or a forgery. What follows tells.
type newStart struct {
	isn      uint32
	ack      uint32
	hasAck   bool
	segments int64 // of the connection, when it came
}

const (
	// maxSilence is after how long a SYN with a stream's own number, when the
	// stream has begun, is no copy of its first.
	maxSilence = time.Second
	// maxOpening is how far from its SYN a segment shows a new stream, and how
	// far an acknowledgement may be ahead of what is known.
	maxOpening = 1 << 20
)

// incarnation returns the connection that a segment belongs to: the one given,
// another between the same ports that begins with it, or nil for one that is
// to be made.
func (r *Reassembler) incarnation(c *connection, s *Segment) *connection {
	d := c.direction(s)
	h := &c.halves[d]
	if s.SYN {
		return r.syn(c, d, s)
	}

	other := &c.halves[1-d]
	if h.again == nil && other.again == nil {
		// A closed direction says nothing more, so that this is another stream,
		// whose beginning was not captured.
		if h.closed && h.known && len(s.Payload) > 0 {
			if n := int64(after(s.Sequence, h.next)); n > 1 || -n > h.passed+1 {
				return r.restart(c, s)
			}
		}
		return c
	}

	if n := h.again; n != nil && r.goesOnFrom(c, d, n, s) {
		return r.restart(c, s)
	}
	if n := other.again; n != nil && n.isn != other.isn && s.ACK && s.AckNumber == n.isn+1 {
		return r.restart(c, s)
	}

	for i := range c.halves {
		if n := c.halves[i].again; n != nil && c.segments-n.segments > maxDisplaced {
			c.halves[i].again = nil
		}
	}
	return c
}

// goesOnFrom reports whether a segment shows that its direction begins anew.
func (r *Reassembler) goesOnFrom(c *connection, direction int, n *newStart, s *Segment) bool {
	h, other := &c.halves[direction], &c.halves[1-direction]
	if n.isn != h.isn || !h.hasISN {
		return s.Sequence == n.isn+1
	}
	// The same number: what is acknowledged tells whom this talks to.
	if distance := after(s.Sequence, n.isn+1); !s.ACK || !h.hasSaid || distance < 0 || distance > maxOpening {
		return false
	}
	high := h.saidHigh
	if other.known && after(other.next, high) > 0 {
		high = other.next
	}
	return after(s.AckNumber, h.saidLow) < 0 || after(s.AckNumber, high) > maxOpening
}

// syn takes a SYN between the ports of a connection.
func (r *Reassembler) syn(c *connection, d int, s *Segment) *connection {
	h, other := &c.halves[d], &c.halves[1-d]
	begun := h.passed > 0 || h.closed
	switch {
	case h.hasISN && s.Sequence == h.isn:
		if begun && s.Time.Sub(c.seen) > maxSilence || h.closed && other.closed {
			return r.restart(c, s)
		}
		if !begun && !s.ACK {
			return c // sent again, since no answer came
		}
		if n := other.again; n != nil && s.ACK && n.isn != other.isn && s.AckNumber == n.isn+1 {
			return r.restart(c, s)
		}
	case !h.known:
		// The SYN of this connection, later in the file than what follows it.
		if len(h.queue) > 0 {
			if n := after(h.queue[0].seq, s.Sequence+1); n >= 0 && n < maxOpening {
				return c
			}
			return r.restart(c, s)
		}
		if other.closed || !s.ACK && other.passed > 0 && !other.hasISN {
			return r.restart(c, s)
		}
		if n := other.again; n != nil && s.ACK && s.AckNumber == n.isn+1 && n.isn != other.isn {
			return r.restart(c, s)
		}
		return c
	case h.closed || c.stream == nil:
		if s.ACK && other.hasISN && s.AckNumber == other.isn+1 && !other.closed {
			break // wait for what follows
		}
		return r.restart(c, s)
	case other.again != nil && s.ACK && s.AckNumber == other.again.isn+1:
		return r.restart(c, s)
	}

	h.again = &newStart{isn: s.Sequence, ack: s.AckNumber, hasAck: s.ACK, segments: c.segments}
	if n := other.again; n != nil && !s.ACK && n.hasAck && n.ack == s.Sequence+1 && n.isn != other.isn {
		return r.restart(c, s) // the answer came first in the file
	}
	return c
}

// restart ends a connection and begins the next one between the same ports, as
// far as it is known.
func (r *Reassembler) restart(c *connection, s *Segment) *connection {
	src := s.Source
	if s.SYN && s.ACK {
		src = s.Destination
	}

	d := c.direction(s)
	starts := [2]*newStart{c.halves[d].again, c.halves[1-d].again} // of the sender, of the other
	if starts[1] != nil && !starts[1].hasAck {
		src = s.Destination
	}
	if starts[0] != nil && !starts[0].hasAck {
		src = s.Source
	}

	r.forget(c)
	if !s.SYN && len(s.Payload) == 0 && starts[0] == nil && starts[1] == nil {
		return nil
	}

	next := r.connect(c.key, s, src)
	sender := next.direction(s)
	if starts[0] != nil && !s.SYN {
		r.started(next, sender, starts[0].isn)
	}
	if starts[1] != nil {
		r.started(next, 1-sender, starts[1].isn)
	}
	return next
}
