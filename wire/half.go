package wire

import (
	"cmp"
	"slices"
	"time"
)

// half is one direction of a connection.
type half struct {
	known  bool // next is
	hasISN bool
	closed bool
	isn    uint32 // number of the SYN
	next   uint32 // number of the next byte
	passed int64  // bytes passed on

	queue  []piece // later ones, by sequence number
	queued int     // bytes in queue
	strays []piece // further away than any window, each following the last

	hasFin, hasReset bool
	fin, reset       uint32 // number behind the last byte

	hasAck      bool
	acked       uint32 // up to which the other side says to have received
	hasExcused  bool   // answers up to
	excused     uint32 // this number need not wait
	hasSaid     bool
	saidLow     uint32 // the range of this side's acknowledgements
	saidHigh    uint32
	missing     bool // something is
	missingFrom uint32
	missingAt   int64     // in segments of the connection
	missingTime time.Time // both are when that was noticed
	again       *newStart // a SYN amid the stream
	firstAt     int64     // when the first piece came, if the stream's beginning is not known
	firstTime   time.Time
}

type piece struct {
	seq    uint32
	time   time.Time
	data   []byte
	ack    uint32
	hasAck bool
}

// after returns how far sequence number a is after b. Sequence numbers wrap.
func after(a, b uint32) int32 { return int32(a - b) }

// says records the acknowledgement number of a segment that this side has sent.
func (h *half) says(ack uint32) {
	if !h.hasSaid {
		h.hasSaid, h.saidLow, h.saidHigh = true, ack, ack
	}
	if after(ack, h.saidHigh) > 0 {
		h.saidHigh = ack
	}
	if after(ack, h.saidLow) < 0 {
		h.saidLow = ack
	}
}

// heard notes an acknowledgement of this side's bytes, unless it is out of any
// window.
//
// Source: RFC 5961 section 5.2.
func (h *half) heard(ack uint32) {
	if h.known && !near(after(ack, h.next)) {
		return
	}
	if !h.hasAck || after(ack, h.acked) > 0 || !near(after(ack, h.acked)) {
		h.hasAck, h.acked = true, ack
	}
}

// piece takes bytes of one direction.
func (r *Reassembler) piece(c *connection, direction int, p piece) {
	h := &c.halves[direction]
	if !h.known {
		// The capture began in mid-stream, or is out of order at its beginning.
		if len(h.queue) == 0 {
			h.firstAt, h.firstTime = c.segments, p.time
		}
		r.enqueue(h, p)
		return
	}

	ahead := after(p.seq, h.next)
	if !near(ahead) {
		r.stray(c, direction, p)
		return
	}
	if h.strays != nil {
		r.void += int64(len(h.strays))
		h.strays = nil
	}

	if h.hasFin && after(p.seq, h.fin) > 0 {
		h.hasFin = false // the stream goes on: it was no end
	}
	if h.hasReset && after(p.seq+uint32(len(p.data)), h.reset) > 0 {
		h.hasReset = false
		r.void++
	}

	// What was sent again acknowledges more than it did at first, and no more
	// than what follows it did.
	for i := range h.queue {
		if q := &h.queue[i]; after(q.seq, p.seq) > 0 {
			if q.hasAck && after(p.ack, q.ack) > 0 {
				p.ack = q.ack
			}
			break
		}
	}

	if ahead > 0 || len(h.queue) > 0 && after(h.queue[0].seq, h.next) <= 0 || r.early(c, direction, &p) {
		r.enqueue(h, p)
		return
	}
	r.deliver(c, direction, &p)
}

// stray takes bytes that are out of any window, which no receiver takes. If
// they go on, the capture has missed the end of one stream and the beginning of
// the next.
func (r *Reassembler) stray(c *connection, direction int, p piece) {
	const enough = 3
	h := &c.halves[direction]
	if n := len(h.strays); n > 0 && p.seq != h.strays[n-1].seq+uint32(len(h.strays[n-1].data)) {
		r.void += int64(n)
		h.strays = h.strays[:0]
	}
	p.data = slices.Clone(p.data)
	if h.strays = append(h.strays, p); len(h.strays) >= enough {
		r.jump(c, direction)
	}
}

// jump goes on with what was out of the window.
func (r *Reassembler) jump(c *connection, direction int) {
	h := &c.halves[direction]
	strays := h.strays
	h.strays = nil
	for len(h.queue) > 0 {
		r.unblock(c, direction)
	}
	c.stream.Gap(direction, strays[0].time, -1)
	h.next, h.hasFin, h.hasReset, h.hasAck = strays[0].seq, false, false, false
	for i := range strays {
		r.deliver(c, direction, &strays[i])
	}
}

// early reports whether a piece answers something that is yet to come.
func (r *Reassembler) early(c *connection, direction int, p *piece) bool {
	other := &c.halves[1-direction]
	if !p.hasAck || other.closed {
		return false
	}
	if !other.known {
		return len(other.queue) > 0 && after(p.ack, other.queue[0].seq) > 0
	}
	// One byte more may be a FIN.
	ahead := after(p.ack, other.next)
	return ahead > 1 && near(ahead) && !(other.hasExcused && after(p.ack, other.excused) <= 0)
}

// deliver passes on what is new of a piece that does not begin after next.
func (r *Reassembler) deliver(c *connection, direction int, p *piece) {
	h := &c.halves[direction]
	old := min(int64(h.next-p.seq), int64(len(p.data)))
	r.retransmitted += old
	if fresh := p.data[old:]; len(fresh) > 0 {
		h.next += uint32(len(fresh))
		h.passed += int64(len(fresh))
		c.stream.Data(direction, p.time, fresh)
	}
}

// enqueue keeps a copy of a piece that came too early.
func (r *Reassembler) enqueue(h *half, p piece) {
	i, found := slices.BinarySearchFunc(h.queue, p, func(a, b piece) int { return cmp.Compare(after(a.seq, b.seq), 0) })
	if found && len(h.queue[i].data) >= len(p.data) {
		r.retransmitted += int64(len(p.data))
		return
	}
	p.data = slices.Clone(p.data)
	r.count(h, len(p.data))
	h.queue = slices.Insert(h.queue, i, p)
}

func (r *Reassembler) count(h *half, n int) {
	h.queued += n
	r.queued += n
}

// passOn passes on what is in order by now and gives up on what has been
// waited for long enough.
func (r *Reassembler) passOn(c *connection, t time.Time) {
	for c.stream != nil {
		r.drain(c, t)
		if c.stream == nil {
			return
		}
		late := -1
		for d := range c.halves {
			if r.overdue(c, d, t) {
				late = d
			}
		}

		if late < 0 {
			break
		}
		r.unblock(c, late)
	}

	if c.stream == nil {
		return
	}
	if !c.reset.IsZero() && t.Sub(c.reset) > maxDisplacedTime {
		r.flush(c)
		r.endBoth(c, t)
		return
	}

	if len(c.halves[0].queue)+len(c.halves[1].queue) > 0 || !c.reset.IsZero() {
		r.waiting[c] = struct{}{}
	} else {
		delete(r.waiting, c)
	}
}

// drain passes on what is in order by now, of both directions. Nothing of it
// was complete before t.
func (r *Reassembler) drain(c *connection, t time.Time) {
	for progress := true; progress && c.stream != nil; {
		progress = false
		for d := range c.halves {
			h := &c.halves[d]
			if !h.known || h.closed {
				continue
			}

			n := 0
			for n < len(h.queue) && after(h.queue[n].seq, h.next) <= 0 && !r.early(c, d, &h.queue[n]) {
				p := h.queue[n]
				if p.time.Before(t) {
					p.time = t
				}
				r.count(h, -len(p.data))
				h.queue[n].data = nil
				n++
				r.deliver(c, d, &p)
			}

			if n > 0 {
				h.queue = slices.Delete(h.queue, 0, n)
				progress = true
			}

			if len(h.queue) == 0 {
				h.queue = nil
			}
			switch {
			case h.hasReset && h.next == h.reset && len(h.queue) == 0:
				// Nobody listens to the other side any more. What it has sent
				// may follow in the file.
				c.reset = t
				r.end(c, d, t)
				progress = true
			case h.hasFin && after(h.next, h.fin) >= 0:
				r.end(c, d, t)
				progress = true
			}

			if c.stream == nil {
				return
			}
		}
	}
}

// overdue reports whether the direction's queue has waited long enough.
func (r *Reassembler) overdue(c *connection, direction int, t time.Time) bool {
	h, other := &c.halves[direction], &c.halves[1-direction]
	if len(h.queue) == 0 {
		h.missing = false
		return false
	}
	if h.queued > maxQueuedBytes || len(h.queue) > maxQueuedPieces || r.queued > maxQueuedTotal {
		return true
	}

	oldest := t.Sub(h.queue[0].time)
	if oldest > maxQueuedTime {
		return true
	}
	if !h.known {
		return c.segments-h.firstAt > maxDisplaced || t.Sub(h.firstTime) > maxFirstTime
	}

	// What is missing: bytes of this side, or those of the other that it answers.
	from, received := h.next, h.hasAck && after(h.acked, h.queue[0].seq) >= 0
	if after(h.queue[0].seq, h.next) <= 0 {
		from, received = other.next, true
	}
	if !h.missing || h.missingFrom != from {
		h.missing, h.missingFrom, h.missingAt, h.missingTime = true, from, c.segments, t
	}
	return received && (c.segments-h.missingAt > maxDisplaced || t.Sub(h.missingTime) > maxDisplacedTime)
}

// unblock gives up on what the first piece of a queue waits for.
func (r *Reassembler) unblock(c *connection, direction int) {
	h, other := &c.halves[direction], &c.halves[1-direction]
	if len(h.queue) == 0 {
		return
	}
	first := &h.queue[0]
	if !h.known {
		h.known, h.next = true, first.seq
	} else if n := after(first.seq, h.next); n > 0 {
		c.stream.Gap(direction, first.time, int64(n))
		h.next = first.seq
	} else if r.early(c, direction, first) && !other.known {
		other.known, other.next = true, other.queue[0].seq
	} else if r.early(c, direction, first) {
		// Without later bytes of the other side it is told at the end what was
		// received of it and not captured.
		first.hasAck = false
		other.excused, other.hasExcused = first.ack, true
		if len(other.queue) > 0 && after(other.queue[0].seq, other.next) > 0 {
			r.unblock(c, 1-direction)
			return
		}
	}

	r.drain(c, time.Time{})
}

// flush passes on what is still waiting.
func (r *Reassembler) flush(c *connection) {
	for c.stream != nil && len(c.halves[0].queue)+len(c.halves[1].queue) > 0 {
		d := 0
		if a, b := c.halves[0].queue, c.halves[1].queue; len(a) == 0 || len(b) > 0 && b[0].time.Before(a[0].time) {
			d = 1
		}
		r.unblock(c, d)
	}

	for d := range c.halves {
		h := &c.halves[d]
		if c.stream == nil || h.closed || !h.known {
			continue
		}
		r.void += int64(len(h.strays))

		// What was received but never captured is missing at the end too. One
		// byte more may be a FIN.
		end := h.acked
		if h.hasFin && after(end, h.fin) > 0 {
			end = h.fin
		}

		if n := after(end, h.next); h.hasAck && n > 1 && n < maxJump {
			c.stream.Gap(d, c.seen, int64(n))
			h.next = end
		}
	}
}
