package wire

import (
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// Limits of reassembly. A link with a bandwidth of 100 Mbit/s and a round trip
// of 80 ms has 1 MB under way, so that more out of order is loss, not delay.
const (
	maxConnections  = 1 << 14          // open ones remembered at once; the longest silent go first
	maxEnded        = 1 << 12          // ended ones remembered, without any buffer
	maxQueuedBytes  = 1 << 20          // of one direction, out of order
	maxQueuedPieces = 1 << 10          // of one direction, out of order
	maxQueuedTotal  = 64 << 20         // bytes of all connections, out of order
	maxQueuedTime   = 30 * time.Second // that a piece waits for those before it
	maxJump         = 1 << 26          // bytes; further away is another stream

	// Files are out of order by tens of packets where several queues of a
	// network card were written to one. An acknowledgement tells that bytes
	// were received, so that nobody will send them again, but not that they do
	// not follow in the file.
	maxDisplaced     = 256             // segments of the connection
	maxDisplacedTime = 5 * time.Second // of the capture
	maxFirstTime     = time.Second     // that the first segment is waited for
)

// Stream is told what one TCP connection carries. Direction 0 is that of the
// first captured segment; after a handshake it is the client's.
type Stream interface {
	// Started is called when the SYN of a direction was captured, before any
	// data of it.
	Started(direction int)
	// Data is called with the next bytes; they are valid during the call. The
	// time is when the last of them were captured.
	Data(direction int, t time.Time, b []byte)
	// Gap is called when n bytes are missing before the next ones; n is -1
	// when how many is not known.
	Gap(direction int, t time.Time, n int64)
	// Ended is called when nothing more will come of a direction: after its FIN
	// or a reset, or when the connection is forgotten. It is called once.
	Ended(direction int, t time.Time)
}

// Reassembler puts the segments of TCP connections in order, as their receivers
// did, in both directions: what answers something comes after it.
//
// Order is by sequence number. Bytes that are missing are waited for: 1 MiB or
// 1,024 segments of the direction, 30 seconds of the capture, and no more than
// 64 MiB in all connections together; where the other side has acknowledged
// them, 256 segments of the connection or 5 seconds, since then they were
// received and are merely late in the file, or not in it. As RFC 5961 has it, a
// reset counts only if it stands where the stream has got to, and a SYN amid a
// stream only if the stream then goes on from it. Memory is bounded by that, by
// 16,384 open connections, of which the longest silent are forgotten first,
// and by some hundred bytes for each of 4,096 connections that have ended.
//
// A Reassembler belongs to one goroutine.
type Reassembler struct {
	open func(src, dst netip.AddrPort) Stream

	conns   map[connectionKey]*connection
	alive   list // open connections, by when they were last seen
	ended   list // the others
	waiting map[*connection]struct{}
	swept   time.Time
	queued  int // bytes of all queues

	retransmitted, void int64
}

// NewReassembler returns a Reassembler. It calls open for each connection that
// it finds, with the ends of direction 0.
func NewReassembler(open func(source, destination netip.AddrPort) Stream) *Reassembler {
	return &Reassembler{open: open, conns: map[connectionKey]*connection{}, waiting: map[*connection]struct{}{}}
}

// Retransmitted returns how many bytes came again that were there already.
func (r *Reassembler) Retransmitted() int64 { return r.retransmitted }

// Void returns how many segments were left out since no receiver takes them:
// resets and data outside the window.
func (r *Reassembler) Void() int64 { return r.void }

// connectionKey has the lower address first, so that both directions share it.
type connectionKey struct{ low, high netip.AddrPort }

func keyOf(s *Segment) connectionKey {
	if s.Source.Compare(s.Destination) > 0 {
		return connectionKey{s.Destination, s.Source}
	}
	return connectionKey{s.Source, s.Destination}
}

type connection struct {
	key        connectionKey
	src        netip.AddrPort // of direction 0
	stream     Stream         // nil when both directions have ended
	halves     [2]half
	segments   int64 // so far
	first      time.Time
	seen       time.Time
	reset      time.Time // when one side ended both; zero if none did
	list       *list
	prev, next *connection
}

// AddPacket takes the TCP segment in a packet that gopacket has decoded. A
// packet without one changes nothing.
func (r *Reassembler) AddPacket(p gopacket.Packet) {
	network, tcp := p.NetworkLayer(), p.Layer(layers.LayerTypeTCP)
	if t, ok := tcp.(*layers.TCP); ok && network != nil {
		r.AddTCP(network.NetworkFlow(), t, p.Metadata().Timestamp)
	}
}

// AddTCP takes a segment as gopacket's assemblers do.
func (r *Reassembler) AddTCP(flow gopacket.Flow, tcp *layers.TCP, t time.Time) {
	src, ok := netip.AddrFromSlice(flow.Src().Raw())
	dst, ok2 := netip.AddrFromSlice(flow.Dst().Raw())
	if !ok || !ok2 {
		return
	}
	r.Add(&Segment{
		Time: t, Source: netip.AddrPortFrom(src, uint16(tcp.SrcPort)), Destination: netip.AddrPortFrom(dst, uint16(tcp.DstPort)),
		Sequence: tcp.Seq, AckNumber: tcp.Ack, SYN: tcp.SYN, ACK: tcp.ACK, FIN: tcp.FIN, RST: tcp.RST, Payload: tcp.Payload,
	})
}

// Add takes the next captured segment.
func (r *Reassembler) Add(s *Segment) {
	r.sweep(s.Time)
	key := keyOf(s)
	c := r.conns[key]
	if c != nil {
		c = r.incarnation(c, s)
	}
	if c == nil {
		// Nothing can be learnt from the end of a connection.
		if !s.SYN && len(s.Payload) == 0 {
			return
		}
		c = r.connect(key, s, s.Source)
	}
	r.take(c, s)
}

// take takes a segment that belongs to the connection.
func (r *Reassembler) take(c *connection, s *Segment) {
	c.segments++
	c.seen = s.Time
	c.list.touch(c)
	if c.stream == nil {
		r.retransmitted += int64(len(s.Payload))
		return
	}
	direction := c.direction(s)
	h, other := &c.halves[direction], &c.halves[1-direction]

	if s.RST {
		r.resetBy(c, direction, s)
		return
	}
	sequence := s.Sequence
	if s.SYN {
		if h.again != nil && s.Sequence == h.again.isn {
			return // what it is will be seen
		}
		sequence++
		r.started(c, direction, s.Sequence)
	}

	if s.ACK {
		h.says(s.AckNumber)
		other.heard(s.AckNumber)
	}

	if len(s.Payload) > 0 && !h.closed {
		r.piece(c, direction, piece{seq: sequence, time: s.Time, data: s.Payload, ack: s.AckNumber, hasAck: s.ACK})
	}
	if end := sequence + uint32(len(s.Payload)); s.FIN && !h.closed && (!h.known || near(after(end, h.next))) {
		h.hasFin, h.fin = true, end
	}
	r.passOn(c, s.Time)
}

// direction returns which way a segment goes.
func (c *connection) direction(s *Segment) int {
	if s.Source != c.src {
		return 1
	}
	return 0
}

// started takes the SYN of a direction.
func (r *Reassembler) started(c *connection, direction int, isn uint32) {
	h := &c.halves[direction]
	if h.hasISN || h.known {
		return
	}
	h.hasISN, h.isn = true, isn
	h.known, h.next = true, isn+1
	c.stream.Started(direction)
}

// resetBy takes a reset. It is void unless it stands where the stream has got
// to, or gets to later on.
//
// Source: RFC 5961 section 3.2.
func (r *Reassembler) resetBy(c *connection, direction int, s *Segment) {
	h, other := &c.halves[direction], &c.halves[1-direction]
	switch {
	case !h.known && s.ACK && other.hasISN && s.AckNumber == other.isn+1 && other.next == other.isn+1:
		r.endBoth(c, s.Time) // the connection was refused
	case h.known && !h.closed && near(after(s.Sequence, h.next)) && after(s.Sequence, h.next) >= 0:
		h.hasReset, h.reset = true, s.Sequence
		r.passOn(c, s.Time)
	default:
		r.void++
	}
}

// near reports whether a distance is one within a stream.
func near(distance int32) bool { return distance > -maxJump && distance < maxJump }

func (r *Reassembler) connect(key connectionKey, s *Segment, src netip.AddrPort) *connection {
	if r.alive.n >= maxConnections {
		r.forget(r.alive.oldest)
	}
	dst := key.low
	if src == key.low {
		dst = key.high
	}
	c := &connection{key: key, src: src, stream: r.open(src, dst), first: s.Time}
	r.conns[key] = c
	r.alive.touch(c)
	return c
}

// sweep gives up, once in a second of the capture, on what has been waited for
// too long in connections that are silent.
func (r *Reassembler) sweep(t time.Time) {
	if d := t.Sub(r.swept); d > -time.Second && d < time.Second {
		return
	}
	r.swept = t
	for c := range r.waiting {
		if t.Sub(c.seen) > maxFirstTime {
			r.passOn(c, t)
		}
	}
}

// end ends one direction. Its buffers go, and with the last direction the
// stream.
func (r *Reassembler) end(c *connection, direction int, t time.Time) {
	h := &c.halves[direction]
	if h.closed {
		return
	}
	h.closed = true
	for _, p := range h.queue {
		r.count(h, -len(p.data))
	}
	h.queue, h.strays = nil, nil
	c.stream.Ended(direction, t)
	if c.halves[1-direction].closed {
		c.stream = nil
		delete(r.waiting, c)
		if r.ended.n >= maxEnded {
			r.forget(r.ended.oldest)
		}
		r.ended.touch(c)
	}
}

func (r *Reassembler) endBoth(c *connection, t time.Time) {
	r.end(c, 0, t)
	r.end(c, 1, t)
}

// forget passes on what is still waiting of a connection, and forgets it.
func (r *Reassembler) forget(c *connection) {
	if c.stream != nil {
		r.flush(c)
		r.endBoth(c, c.seen)
	}
	c.list.remove(c)
	delete(r.conns, c.key)
}

// Close passes on what is still waiting and ends all connections, in the order
// in which they were last heard of.
func (r *Reassembler) Close() {
	for r.alive.oldest != nil {
		r.forget(r.alive.oldest)
	}
	for r.ended.oldest != nil {
		r.forget(r.ended.oldest)
	}
}

// list is connections by when they were last seen.
type list struct {
	oldest, newest *connection
	n              int
}

// touch makes a connection the list's most recently seen.
func (l *list) touch(c *connection) {
	if l.newest == c {
		return
	}
	if c.list != nil {
		c.list.remove(c)
	}
	c.list, c.prev = l, l.newest
	if c.prev != nil {
		c.prev.next = c
	} else {
		l.oldest = c
	}
	l.newest = c
	l.n++
}

func (l *list) remove(c *connection) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.oldest = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		l.newest = c.prev
	}
	c.list, c.prev, c.next = nil, nil, nil
	l.n--
}
