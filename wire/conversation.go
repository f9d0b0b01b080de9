package wire

import (
	"errors"
	"net/netip"
	"time"
)

// Limits of what is kept of a connection until it can be read.
const (
	maxMessage = 1 << 20  // bytes of a control packet that is kept together; the service takes 128 KB
	maxKept    = 64 << 20 // bytes of all packets that are not complete
	maxStrange = 256 << 10
)

// errFraming is what a stream gets that does not go on with a control packet.
var errFraming = errors.New("these bytes do not begin a control packet")

// conversation follows the MQTT that one TCP connection carries. It implements
// Stream.
type conversation struct {
	capture  *Capture
	ends     [2]netip.AddrPort // by direction
	version  uint8             // 0 until a packet proves it
	isMQTT   bool              // something was read that is hardly chance
	protocol protocol          // what it is instead
	halves   [2]conversationHalf
	ended    int // directions
	answers  answers
	held     []heldPacket // until it is known which version they are of
	lenHeld  int          // bytes
	hasty    bool         // holds no more
	isTLS    bool         // and so told

	gaps, gapBytes int64 // found before it was clear whether this is MQTT
	refused        int64 // bytes with which an HTTP proxy has refused to connect the client
}

// conversationHalf is one direction of a conversation.
type conversationHalf struct {
	state   streamState
	buf     []byte // the beginning of a packet that is not complete
	skip    int64  // bytes left of a packet that is not kept
	cut     cutPacket
	lost    int64 // bytes passed over since the last packet
	unread  int64 // bytes of what is not MQTT, or not to be read
	pings   int64 // bytes of pings, which prove nothing until they are answered
	ping    PacketType
	proxied bool           // a proxy has introduced the client
	client  netip.AddrPort // for whom the proxy speaks

	asked     proxyKind // the client has asked a proxy to connect it
	connected bool      // what proxy and client say to each other is over
}

type streamState uint8

const (
	stateLost    streamState = iota // where a packet begins is not known; the state of a capture begun in mid-stream
	stateFirst                      // nothing was sent yet
	stateSynced                     // the next byte begins a packet
	stateForeign                    // not MQTT, or not to be read
)

// Started implements Stream.
func (s *conversation) Started(direction int) {
	if h := &s.halves[direction]; h.state == stateLost && h.lost == 0 {
		h.state = stateFirst
	}
}

// Data implements Stream.
func (s *conversation) Data(direction int, t time.Time, b []byte) {
	h := &s.halves[direction]
	switch h.state {
	case stateForeign:
		h.unread += int64(len(b))
	case stateLost:
		s.resync(direction, t, b)
	case stateFirst:
		s.first(direction, t, s.joined(h, b))
	default:
		s.synced(direction, t, b)
	}
}

// first reads how a stream begins.
func (s *conversation) first(direction int, t time.Time, b []byte) {
	h := &s.halves[direction]
	if !h.proxied {
		n, client, g := parseProxy(b)
		if g == unsure {
			s.keep(h, b)
			return
		}

		if g == yes {
			h.proxied, h.client = true, client
			if b = b[n:]; len(b) == 0 {
				s.drop(h)
				return
			}
		}
	}
	for !h.connected {
		n, g := s.parseWords(direction, b)
		if g == unsure {
			s.keep(h, b)
			return
		}
		if g == no {
			break
		}
		if b = b[n:]; len(b) == 0 {
			s.drop(h)
			return
		}
	}
	switch looksFirst(b) {
	case unsure:
		s.keep(h, b)
	case encrypted:
		s.drop(h)
		s.foundTLS(direction, t, b)
	case yes:
		s.drop(h)
		h.state = stateSynced
		s.synced(direction, t, b)
	default:
		s.drop(h)
		h.state = stateLost
		s.resync(direction, t, b)
	}
}

// joined returns what is kept and b as one.
func (s *conversation) joined(h *conversationHalf, b []byte) []byte {
	if len(h.buf) == 0 {
		return b
	}
	s.capture.kept += int64(len(b))
	h.buf = append(h.buf, b...)
	return h.buf
}

// keep holds back the beginning of a packet until the rest arrives.
func (s *conversation) keep(h *conversationHalf, b []byte) {
	if len(b) > 0 && len(h.buf) == len(b) && &h.buf[0] == &b[0] {
		return // b is buf: a long packet in small segments must not be copied for each
	}
	s.capture.kept += int64(len(b) - len(h.buf))
	// b may be the end of buf, which append moves as copy does.
	h.buf = append(h.buf[:0], b...)
}

// drop forgets the bytes that are kept. A slice of them that was given out stays as it is.
func (s *conversation) drop(h *conversationHalf) {
	s.capture.kept -= int64(len(h.buf))
	h.buf = nil
}

// synced reads packets back to back. The bytes follow those in buf.
func (s *conversation) synced(direction int, t time.Time, b []byte) {
	h := &s.halves[direction]
	if n := min(h.skip, int64(len(b))); n > 0 {
		b = b[n:]
		s.skipped(direction, t, n, n)
	}

	b = s.joined(h, b)
	for len(b) > 0 && h.state == stateSynced && !s.capture.stopped {
		n, err := PacketLen(b)
		switch {
		case err == fieldLength.short && len(b) < 5 && possibleFirst(b[0]):
			s.keep(h, b)
			return
		case err != nil || !possibleFirst(b[0]) || n > len(b) && !validFirst(b[0]) && n > maxStrangePacket:
			s.stray(direction, t, b)
			return
		case n > maxMessage || n > len(b) && s.capture.kept+int64(len(b)) > maxKept:
			s.oversize(direction, t, b, n)
			if skipped := min(n, len(b)); skipped < n {
				h.skip = int64(n - skipped)
				b = nil
			} else {
				b = b[n:]
			}
			continue
		case n > len(b):
			s.keep(h, b)
			return
		}

		if !s.packet(direction, t, b[:n:n]) {
			s.stray(direction, t, b)
			return
		}
		b = b[n:]
	}

	s.capture.kept -= int64(len(h.buf))
	h.buf = h.buf[:0]
}

// maxStrangePacket is how long a packet with flags that are not allowed may be
// to be waited for.
const maxStrangePacket = 4096

// stray goes on after bytes that begin no packet.
func (s *conversation) stray(direction int, t time.Time, b []byte) {
	h := &s.halves[direction]
	s.capture.malformed(s, direction, t, errFraming)
	s.drop(h)
	h.state = stateLost
	s.resync(direction, t, b)
}

// packet reads one whole control packet. It returns false if it is none.
func (s *conversation) packet(direction int, t time.Time, b []byte) bool {
	if s.version == 0 {
		return s.weigh(direction, t, b)
	}
	m := &s.capture.mqtt
	m.Version = s.version
	if err := m.DecodeFromBytes(b, ignoreTruncated{}); err != nil {
		if !validFirst(b[0]) {
			return false
		}
		// Its length was good, so that the next packet is where it should be.
		s.capture.malformed(s, direction, t, err)
		return true
	}
	s.version = m.Version // a CONNECT says which it is
	s.found()
	s.capture.message(s, direction, t, m)
	return true
}

// found marks the connection as one of MQTT.
func (s *conversation) found() {
	if s.isMQTT {
		return
	}
	s.isMQTT = true
	stats := &s.capture.stats
	stats.Gaps += s.gaps
	stats.GapBytes += s.gapBytes
	for i := range s.halves {
		h := &s.halves[i]
		stats.Messages += h.pings / 2
		h.pings = 0
	}
}

// Gap implements Stream. Inside a packet whose length is known, the place of
// the next one is known too.
func (s *conversation) Gap(direction int, t time.Time, n int64) {
	h := &s.halves[direction]
	if !s.isMQTT && h.state != stateSynced {
		s.gaps++
		s.gapBytes += max(n, 0)
	} else {
		s.capture.stats.Gaps++
		s.capture.stats.GapBytes += max(n, 0)
	}
	if h.state == stateForeign {
		return
	}

	total, err := PacketLen(h.buf)
	inside := h.state == stateSynced && len(h.buf) > 0 && err == nil
	if inside && !h.cut.active {
		h.cut = s.head(direction, t, h.buf, total)
	}
	if s.isMQTT || h.state == stateSynced {
		s.capture.gap(s, direction, t, n, &h.cut)
	}

	switch {
	case h.state != stateSynced || n < 0:
		s.lose(direction, t)
	case h.skip > 0 && n <= h.skip:
		s.skipped(direction, t, n, 0)
	case inside && n <= int64(total-len(h.buf)):
		h.skip = int64(total - len(h.buf))
		s.drop(h)
		s.skipped(direction, t, n, 0)
	default:
		s.lose(direction, t)
	}
}

// lose forgets where packets begin.
func (s *conversation) lose(direction int, t time.Time) {
	h := &s.halves[direction]
	s.endCut(direction, t)
	s.drop(h)
	h.state, h.skip = stateLost, 0
}

// resync looks for the next place where packets begin.
func (s *conversation) resync(direction int, t time.Time, b []byte) {
	h := &s.halves[direction]
	if !s.isMQTT {
		if h.lost == 0 && looksEncrypted(b) {
			s.foundTLS(direction, t, b)
			return
		}
		if p := recognise(b, s.ends); p != unrecognised && h.lost == 0 {
			s.foreign(p)
			h.unread += int64(len(b))
			return
		}
		if !s.onMQTTPort() && s.pinged(direction, b) {
			return
		}
	}

	offset, ok := s.findPacket(b)
	if !ok {
		h.lost += int64(len(b)) + h.pings
		h.pings = 0
		if !s.isMQTT && !s.onMQTTPort() && h.lost > maxStrange {
			s.foreign(unrecognised)
		}
		return
	}

	s.found()
	if h.lost += int64(offset); h.lost > 0 {
		s.capture.resynced(s, direction, t, h.lost)
	}

	h.lost = 0
	h.state = stateSynced
	s.synced(direction, t, b[offset:])
}

// pinged takes a segment of nothing but pings. Two bytes can be chance, but not
// if the other side answers with pings of the other kind.
func (s *conversation) pinged(direction int, b []byte) bool {
	h, other := &s.halves[direction], &s.halves[1-direction]
	for i, c := range b {
		if i%2 == 1 && c != 0 || i%2 == 0 && c != b[0] {
			return false
		}
	}
	if typ := PacketType(b[0] >> 4); len(b)%2 != 0 || b[0]&15 != 0 || typ != PacketPingreq && typ != PacketPingresp || h.lost > 0 {
		return false
	} else {
		h.ping = typ
	}
	h.pings += int64(len(b))
	if other.pings > 0 && other.ping != h.ping {
		h.state, other.state = stateSynced, stateSynced
		s.found()
	}
	return true
}
