package wire

import (
	"bytes"
	"errors"
	"net/netip"
	"time"
)

// maxMessage is the largest control packet that is kept together; a larger one
// is skipped and reported. The service takes 128 KB.
const maxMessage = 1 << 20

// errFraming is what a stream gets that does not go on with a control packet.
var errFraming = errors.New("these bytes do not begin a control packet")

// session follows the MQTT that one TCP connection carries.
type session struct {
	capture *Capture
	ends    [2]netip.AddrPort // by direction
	version uint8             // 0 until a packet shows it
	isMQTT  bool              // something was read that is hardly chance
	halves  [2]sessionHalf
	answers answers
}

// sessionHalf is one direction of a session.
type sessionHalf struct {
	state streamState
	buf   []byte // the beginning of a packet that is not complete
	skip  int64  // bytes left of a packet that is not kept
	lost  int64  // bytes passed over since the last packet
}

type streamState uint8

const (
	stateLost    streamState = iota // where a packet begins is not known; the state of a capture begun in mid-stream
	stateFirst                      // nothing was sent yet
	stateSynced                     // the next byte begins a packet
	stateForeign                    // not MQTT, or not to be read
)

// Started implements Stream.
func (s *session) Started(direction int) {
	if h := &s.halves[direction]; h.state == stateLost && h.lost == 0 {
		h.state = stateFirst
	}
}

// Data implements Stream.
func (s *session) Data(direction int, t time.Time, b []byte) {
	h := &s.halves[direction]
	switch h.state {
	case stateForeign:
		return
	case stateLost:
		s.resync(direction, t, b)
		return
	case stateFirst:
		if len(h.buf) > 0 {
			h.buf = append(h.buf, b...)
			b = h.buf
		}
		switch first := looksFirst(b); {
		case first == unsure:
			s.keep(h, b)
			return
		case first == encrypted:
			s.foundTLS(direction, t, b)
			return
		case first == no && !s.isMQTT:
			h.state, h.buf = stateForeign, nil
			return
		}
		h.state = stateSynced
		h.buf = nil
	}
	s.synced(direction, t, b)
}

// synced reads packets back to back. The bytes follow those in buf.
func (s *session) synced(direction int, t time.Time, b []byte) {
	h := &s.halves[direction]
	if n := min(h.skip, int64(len(b))); n > 0 {
		h.skip -= n
		b = b[n:]
	}
	if len(h.buf) > 0 {
		h.buf = append(h.buf, b...)
		b = h.buf
	}
	for len(b) > 0 && h.state == stateSynced && !s.capture.stopped {
		n, err := PacketLen(b)
		switch {
		case err == fieldLength.short && len(b) < 5 && validFirst(b[0]):
			s.keep(h, b)
			return
		case err != nil || !validFirst(b[0]):
			s.capture.malformed(s, direction, t, errFraming)
			s.lose(h)
			s.resync(direction, t, b)
			return
		case n > maxMessage:
			s.capture.oversize(s, direction, t, n)
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
		s.packet(direction, t, b[:n:n])
		b = b[n:]
	}
	h.buf = h.buf[:0]
}

// keep holds back the beginning of a packet until the rest arrives.
func (s *session) keep(h *sessionHalf, b []byte) {
	if len(b) > 0 && len(h.buf) == len(b) && &h.buf[0] == &b[0] {
		return // b is buf: a long packet in small segments must not be copied for each
	}
	// b may be the end of buf, which append moves as copy does.
	h.buf = append(h.buf[:0], b...)
}

// packet reads one whole control packet.
func (s *session) packet(direction int, t time.Time, b []byte) {
	m := &s.capture.mqtt
	if err := s.decode(m, b); err != nil {
		// Its length was good, so that the next packet is where it should be.
		s.capture.malformed(s, direction, t, err)
		return
	}
	s.isMQTT = true
	s.capture.message(s, direction, t, m)
}

// decode reads a packet in the session's version or, while that is not known,
// in the one that fits.
func (s *session) decode(m *MQTT, b []byte) error {
	version, err := decodeEither(m, b, s.version)
	if err != nil {
		return err
	}
	s.version = version
	if m.Type == PacketConnect {
		s.version = m.Version
	}
	return nil
}

// decodeEither reads a packet of the given version, or of an unknown one, 0,
// and returns the version, which stays 0 while both fit.
func decodeEither(m *MQTT, b []byte, version uint8) (uint8, error) {
	if version != 0 {
		m.Version = version
		return version, m.DecodeFromBytes(b, ignoreTruncated{})
	}
	m.Version = Version311
	as311 := m.DecodeFromBytes(b, ignoreTruncated{})
	m.Version = Version5
	switch as5 := m.DecodeFromBytes(b, ignoreTruncated{}); {
	case as5 == nil && as311 == nil:
		return 0, nil
	case as5 == nil:
		return Version5, nil
	case as311 != nil:
		return 0, as5
	}
	m.Version = Version311
	return Version311, m.DecodeFromBytes(b, ignoreTruncated{})
}

// Gap implements Stream. Inside a packet whose length is known, the
// place of the next one is known too.
func (s *session) Gap(direction int, t time.Time, n int64) {
	h := &s.halves[direction]
	s.capture.stats.GapBytes += max(n, 0)
	s.capture.stats.Gaps++
	if h.state == stateForeign {
		return
	}
	if s.isMQTT || h.state == stateSynced {
		s.capture.gap(s, direction, t, n)
	}
	if h.state != stateSynced || n < 0 {
		s.lose(h)
		return
	}
	if n <= h.skip {
		h.skip -= n
		return
	}
	if total, err := PacketLen(h.buf); err == nil && len(h.buf) > 0 && n <= int64(total-len(h.buf)) {
		h.skip = int64(total-len(h.buf)) - n
		h.buf = h.buf[:0]
		return
	}
	s.lose(h)
}

// lose forgets where packets begin.
func (s *session) lose(h *sessionHalf) {
	h.state, h.buf, h.skip = stateLost, nil, 0
}

// resync looks for the next place where packets begin.
func (s *session) resync(direction int, t time.Time, b []byte) {
	h := &s.halves[direction]
	if h.lost == 0 && !s.isMQTT && looksEncrypted(b) {
		s.foundTLS(direction, t, b)
		return
	}
	offset, ok := s.findPacket(b)
	if !ok {
		h.lost += int64(len(b))
		s.capture.stats.LostBytes += int64(len(b))
		return
	}
	s.isMQTT = true
	if h.lost += int64(offset); h.lost > 0 {
		s.capture.stats.LostBytes += int64(offset)
		s.capture.resynced(s, direction, t, h.lost)
	}
	h.lost = 0
	h.state = stateSynced
	s.synced(direction, t, b[offset:])
}

// foundTLS gives up on an encrypted connection and says so, unless it is plain
// web traffic.
func (s *session) foundTLS(direction int, t time.Time, b []byte) {
	s.halves[0].state, s.halves[1].state = stateForeign, stateForeign
	s.halves[0].buf, s.halves[1].buf = nil, nil
	// On the web's port, the names in a client's hello tell: of the server, or
	// of the protocol, such as x-amzn-mqtt-ca.
	const portHTTPS = 443
	if (s.ends[0].Port() != portHTTPS && s.ends[1].Port() != portHTTPS) || bytes.Contains(b, []byte("mqtt")) {
		s.capture.encrypted(s, direction, t)
	}
}

// Ended implements Stream.
func (s *session) Ended(direction int, t time.Time) {
	h := &s.halves[direction]
	*h = sessionHalf{state: stateForeign}
}
