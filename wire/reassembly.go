package wire

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Limits of reassembly. A link with a bandwidth of 100 Mbit/s and a round trip
// of 80 ms has 1 MB under way, so that more out of order is loss, not delay.
const (
	maxConnections  = 1 << 14          // remembered at once; the longest silent go first
	maxQueuedBytes  = 1 << 20          // of one direction, out of order
	maxQueuedPieces = 1 << 10          // of one direction, out of order
	maxQueuedTotal  = 64 << 20         // bytes of all connections, out of order
	maxQueuedTime   = 30 * time.Second // that a piece waits for those before it
	maxJump         = 1 << 26          // bytes; further away is another stream
)

// streamHandler is told what the two directions of one connection carry, in
// order. Direction 0 is that of the connection's first captured segment.
type streamHandler interface {
	// data is called with the next bytes; they are valid during the call.
	data(direction int, t time.Time, b []byte)
	// gap is called when n bytes are missing before the next ones; n is -1
	// when how many is not known.
	gap(direction int, t time.Time, n int64)
	// started is called when the first segment of a direction was seen, before
	// any data.
	started(direction int)
}

// reassembler puts the segments of TCP connections in order.
type reassembler struct {
	open func(src, dst netip.AddrPort) streamHandler

	conns  map[connectionKey]*connection
	oldest *connection // least recently seen
	newest *connection
	queued int // bytes of all queues

	retransmitted int64 // bytes that were there already
}

// connectionKey has the lower address first, so that both directions share it.
type connectionKey struct{ low, high netip.AddrPort }

type connection struct {
	key        connectionKey
	src        netip.AddrPort // of the first segment
	handler    streamHandler
	halves     [2]half
	seen       time.Time
	prev, next *connection // by when they were last seen
}

// half is one direction of a connection.
type half struct {
	known  bool    // next is
	next   uint32  // sequence number of the next byte
	queue  []piece // later ones, by sequence number
	queued int     // bytes in queue
	closed bool
	hasFin bool
	fin    uint32 // sequence number behind the last byte
	hasAck bool
	acked  uint32 // sequence number up to which the other side has received
}

type piece struct {
	seq  uint32
	time time.Time
	data []byte
}

func newReassembler(open func(src, dst netip.AddrPort) streamHandler) *reassembler {
	return &reassembler{open: open, conns: map[connectionKey]*connection{}}
}

// after returns how far sequence number a is after b. Sequence numbers wrap.
func after(a, b uint32) int32 { return int32(a - b) }

// add takes the next captured segment.
func (r *reassembler) add(s *segment) {
	key := connectionKey{s.src, s.dst}
	if s.src.Compare(s.dst) > 0 {
		key = connectionKey{s.dst, s.src}
	}
	c := r.conns[key]
	if c != nil && s.syn && r.isNew(c, s) {
		r.close(c)
		c = nil
	}
	if c == nil {
		// Nothing can be learnt from the end of a connection.
		if !s.syn && len(s.payload) == 0 {
			return
		}
		c = r.connect(key, s)
	}
	r.touch(c)
	c.seen = s.time
	direction := 0
	if s.src != c.src {
		direction = 1
	}
	h := &c.halves[direction]
	if s.rst {
		r.flush(c)
		c.halves[0].closed, c.halves[1].closed = true, true
		return
	}
	seq := s.seq
	if s.syn {
		seq++
		if !h.known {
			h.known, h.next = true, seq
			c.handler.started(direction)
		}
	}
	if h.closed {
		return
	}
	if other := &c.halves[1-direction]; s.ack && (!other.hasAck || after(s.ackNumber, other.acked) > 0) {
		other.hasAck, other.acked = true, s.ackNumber
	}
	// Who answers has received what was before, so what is missing of it then
	// was sent but not captured.
	if other := &c.halves[1-direction]; s.ack && len(s.payload) > 0 && len(other.queue) > 0 && after(s.ackNumber, other.queue[0].seq) > 0 {
		r.skipGap(c, 1-direction)
	}
	if len(s.payload) > 0 {
		r.piece(c, direction, piece{seq: seq, time: s.time, data: s.payload})
	}
	if s.fin && h.known {
		h.hasFin, h.fin = true, seq+uint32(len(s.payload))
	}
	for len(h.queue) > 0 && s.time.Sub(h.queue[0].time) > maxQueuedTime {
		r.skipGap(c, direction)
	}
	h.closed = h.closed || h.hasFin && after(h.next, h.fin) >= 0
}

// isNew reports whether a SYN begins another connection between the same ports.
func (r *reassembler) isNew(c *connection, s *segment) bool {
	direction := 0
	if s.src != c.src {
		direction = 1
	}
	h := &c.halves[direction]
	if !h.known {
		// The answer to a SYN, or the port's next use if this side sent nothing.
		return c.halves[1-direction].closed
	}
	// The same SYN again is near the stream's beginning; it cannot be told from
	// a new one that happens to be there, but the stream would go on.
	return h.closed || after(s.seq+1, h.next) > 0 || after(h.next, s.seq+1) > maxJump
}

func (r *reassembler) connect(key connectionKey, s *segment) *connection {
	if len(r.conns) >= maxConnections {
		r.close(r.oldest)
	}
	c := &connection{key: key, src: s.src, handler: r.open(s.src, s.dst)}
	r.conns[key] = c
	return c
}

// piece takes bytes of one direction.
func (r *reassembler) piece(c *connection, direction int, p piece) {
	h := &c.halves[direction]
	if !h.known {
		h.known, h.next = true, p.seq // the capture began in mid-stream
	}
	ahead := after(p.seq, h.next)
	if ahead > maxJump || ahead < -maxJump {
		r.flushHalf(c, direction)
		c.handler.gap(direction, p.time, -1)
		h.next, ahead = p.seq, 0
	}
	if ahead > 0 {
		r.enqueue(h, p)
		if h.queued > maxQueuedBytes || len(h.queue) > maxQueuedPieces || r.queued > maxQueuedTotal {
			r.skipGap(c, direction)
		}
		return
	}
	r.deliver(c, direction, p)
	r.drain(c, direction, p.time)
}

// deliver passes on what is new of a piece that does not begin after next.
func (r *reassembler) deliver(c *connection, direction int, p piece) {
	h := &c.halves[direction]
	old := min(int64(h.next-p.seq), int64(len(p.data)))
	r.retransmitted += old
	if fresh := p.data[old:]; len(fresh) > 0 {
		h.next += uint32(len(fresh))
		c.handler.data(direction, p.time, fresh)
	}
}

// enqueue keeps a copy of a piece that came too early.
func (r *reassembler) enqueue(h *half, p piece) {
	i, found := slices.BinarySearchFunc(h.queue, p, func(a, b piece) int { return cmp.Compare(after(a.seq, b.seq), 0) })
	if found && len(h.queue[i].data) >= len(p.data) {
		r.retransmitted += int64(len(p.data))
		return
	}
	p.data = slices.Clone(p.data)
	r.count(h, len(p.data))
	h.queue = slices.Insert(h.queue, i, p)
}

// drain passes on what is in order by now. Nothing of it was complete before t.
func (r *reassembler) drain(c *connection, direction int, t time.Time) {
	h := &c.halves[direction]
	n := 0
	for n < len(h.queue) && after(h.queue[n].seq, h.next) <= 0 {
		p := h.queue[n]
		if p.time.Before(t) {
			p.time = t
		}
		r.count(h, -len(p.data))
		h.queue[n].data = nil
		n++
		r.deliver(c, direction, p)
	}
	h.queue = slices.Delete(h.queue, 0, n)
}

func (r *reassembler) count(h *half, n int) {
	h.queued += n
	r.queued += n
}

// skipGap gives up on what is missing before the first piece of the queue.
func (r *reassembler) skipGap(c *connection, direction int) {
	h := &c.halves[direction]
	if len(h.queue) == 0 {
		return
	}
	first := h.queue[0]
	c.handler.gap(direction, first.time, int64(first.seq-h.next))
	h.next = first.seq
	r.drain(c, direction, time.Time{})
}

func (r *reassembler) flushHalf(c *connection, direction int) {
	h := &c.halves[direction]
	for len(h.queue) > 0 {
		r.skipGap(c, direction)
	}
	// What was received but never captured is missing at the end too. One byte
	// more may be a FIN.
	end := h.acked
	if h.hasFin && after(end, h.fin) > 0 {
		end = h.fin
	}
	if n := after(end, h.next); h.known && h.hasAck && n > 1 && n < maxJump {
		c.handler.gap(direction, c.seen, int64(n))
		h.next = end
	}
}

// flush passes on what is still queued.
func (r *reassembler) flush(c *connection) {
	r.flushHalf(c, 0)
	r.flushHalf(c, 1)
}

// close flushes a connection and forgets it.
func (r *reassembler) close(c *connection) {
	r.flush(c)
	r.unlink(c)
	delete(r.conns, c.key)
}

// closeAll ends everything, in the order in which it was last heard of.
func (r *reassembler) closeAll() {
	for r.oldest != nil {
		r.close(r.oldest)
	}
}

// touch makes a connection the most recently seen.
func (r *reassembler) touch(c *connection) {
	if r.newest == c {
		return
	}
	r.unlink(c)
	c.prev = r.newest
	if c.prev != nil {
		c.prev.next = c
	} else {
		r.oldest = c
	}
	r.newest = c
}

func (r *reassembler) unlink(c *connection) {
	if c.prev != nil {
		c.prev.next = c.next
	} else if r.oldest == c {
		r.oldest = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else if r.newest == c {
		r.newest = c.prev
	}
	c.prev, c.next = nil, nil
}
