package wire

import (
	"bytes"
	"net/netip"
	"time"
)

// protocol is what a connection carries instead of MQTT.
type protocol uint8

const (
	unrecognised protocol = iota
	protocolSSH
	protocolHTTP
	protocolTLS
	protocolWebSocket // with MQTT in it
)

const (
	portSSH   = 22
	portHTTPS = 443
)

// recognise tells what bytes at the beginning of a stream, or of a capture of
// it, belong to.
func recognise(b []byte, ends [2]netip.AddrPort) protocol {
	if bytes.HasPrefix(b, []byte("SSH-")) || ends[0].Port() == portSSH || ends[1].Port() == portSSH {
		return protocolSSH
	}
	for _, start := range [...]string{"GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "DELETE ", "PATCH ", "CONNECT ", "HTTP/1.", "PRI * HTTP/2"} {
		if !bytes.HasPrefix(b, []byte(start)) {
			continue
		}
		if head := bytes.ToLower(b[:min(len(b), 4096)]); bytes.Contains(head, []byte("sec-websocket-protocol: mqtt")) {
			return protocolWebSocket
		}
		return protocolHTTP
	}
	return unrecognised
}

// foreign gives up on a connection that is not MQTT.
func (s *conversation) foreign(p protocol) {
	s.protocol = max(s.protocol, p)
	for i := range s.halves {
		h := &s.halves[i]
		h.unread += int64(len(h.buf))
		s.drop(h)
		h.state = stateForeign
	}
}

// onMQTTPort reports whether this is where MQTT is served without TLS.
func (s *conversation) onMQTTPort() bool {
	return s.ends[0].Port() == portMQTT || s.ends[1].Port() == portMQTT
}

// mayBeMQTT reports whether a connection of which nothing was read as MQTT may
// be MQTT all the same.
func (s *conversation) mayBeMQTT() bool {
	return s.protocol == protocolWebSocket || s.protocol == unrecognised && s.onMQTTPort()
}

// Ports where TLS carries something else.
//
// Source: the IANA port registry.
var portsOfOthers = [...]uint16{
	portHTTPS, 465, 563, 587, 636, 853, 989, 990, 992, 993, 994, 995, 3269, 3389, 5061, 5223, 5269, 5349, 5432, 5671, 6443, 8443, 9093, 9443,
}

// foundTLS gives up on an encrypted connection, and says so if it may be MQTT.
func (s *conversation) foundTLS(direction int, t time.Time, b []byte) {
	s.foreign(protocolTLS)
	s.halves[direction].unread += int64(len(b))
	// In a client's hello names tell: of the server, or of the protocol, such as
	// x-amzn-mqtt-ca or http/1.1.
	named := bytes.Contains(b, []byte("mqtt"))
	other := bytes.Contains(b, []byte("http/1.1")) || bytes.Contains(b, []byte("\x02h2"))
	for _, port := range portsOfOthers {
		other = other || s.ends[0].Port() == port || s.ends[1].Port() == port
	}
	if named || !other {
		s.protocol = unrecognised
		s.capture.encrypted(s, direction, t)
		for i := range s.halves {
			s.halves[i].unread = 0
			s.halves[i].lost = 0
		}
		s.isTLS = true
	}
}

// Ended implements Stream.
func (s *conversation) Ended(direction int, t time.Time) {
	h := &s.halves[direction]
	if len(h.buf) > 0 && h.state == stateSynced && !h.cut.active {
		total, err := PacketLen(h.buf)
		if err != nil {
			total = 0
		}
		h.cut = s.head(direction, t, h.buf, total)
	} else {
		h.unread += int64(len(h.buf))
	}
	s.endCut(direction, t)
	s.drop(h)
	h.state, h.skip = stateForeign, 0
	if s.ended++; s.ended == len(s.halves) {
		s.finish(t)
	}
}

// finish gives the verdict on a connection: what of it was not read, and
// whether that matters.
func (s *conversation) finish(t time.Time) {
	s.giveUp()
	s.answers.forget()
	c := s.capture
	if s.isTLS {
		return
	}

	var unread int64
	for i := range s.halves {
		h := &s.halves[i]
		h.unread += h.lost + h.pings
		unread += h.unread
	}

	if !s.isMQTT && !s.mayBeMQTT() {
		c.stats.NotMQTT.add(s.protocol, unread+s.refused)
		return
	}
	if !s.isMQTT {
		c.stats.Gaps += s.gaps
		c.stats.GapBytes += s.gapBytes
	}

	for i := range s.halves {
		n := s.halves[i].unread
		if n == 0 {
			continue
		}
		c.stats.LostBytes += n
		m := s.at(i, t, KindUnread)
		m.Lost = n
		switch {
		case s.protocol == protocolWebSocket:
			c.stats.WebSockets++
			m.Remark = "MQTT over WebSocket is not read: capture between gateway and broker without it"
		case s.isMQTT:
			m.Remark = "no packet was found in them"
		default:
			m.Remark = "no MQTT was found in them, but this is its port"
		}

		c.emit(&m)
	}
}
