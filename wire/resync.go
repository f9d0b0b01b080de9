package wire

import "bytes"

// guess is what the first bytes of a stream look like.
type guess uint8

const (
	no guess = iota
	unsure
	yes
	encrypted
)

// looksFirst says whether a stream begins as a client or a server begins MQTT.
func looksFirst(b []byte) guess {
	if looksEncrypted(b) {
		return encrypted
	}

	switch {
	case len(b) == 0:
		return unsure
	case b[0] == 0x16 && len(b) < 5:
		return unsure
	case b[0] == byte(PacketConnack)<<4 && len(b) < 3:
		return unsure
	case b[0] == byte(PacketConnack)<<4 && b[1] < 0x80 && b[2] <= 1:
		return yes
	case b[0] != byte(PacketConnect)<<4:
		return no
	}

	_, n, err := packetLen(b)
	if err != nil {
		if len(b) < 5 {
			return unsure
		}
		return no
	}

	b = b[1+n:]
	for _, name := range [...]string{"\x00\x04MQTT", "\x00\x06MQIsdp"} {
		if bytes.HasPrefix(b, []byte(name)) {
			return yes
		}
		if len(b) < len(name) && name[:len(b)] == string(b) {
			return unsure
		}
	}
	return no
}

// looksEncrypted says whether bytes begin a TLS record of SSL 3.0 to TLS 1.3.
//
// Source: RFC 8446 section 5.1.
func looksEncrypted(b []byte) bool {
	const maxRecord = 1<<14 + 2048
	return len(b) >= 5 && b[0] >= 20 && b[0] <= 23 && b[1] == 3 && b[2] <= 4 && int(b[3])<<8|int(b[4]) <= maxRecord
}

// validFirst says whether a byte is the first of a control packet, as the
// specification has it.
func validFirst(b byte) bool {
	m := MQTT{Type: PacketType(b >> 4)}
	c := cursor{strict: true}
	m.setFlags(&c, b&15)
	return m.Type != 0 && c.err == nil
}

// possibleFirst says whether a byte can be the first of a control packet, with
// remarks or without.
func possibleFirst(b byte) bool {
	const qos3 = 6
	t := PacketType(b >> 4)
	return t != 0 && !(t == PacketPublish && b&qos3 == qos3)
}

// findPacket looks for the first place in a segment's bytes where control
// packets begin and go on to its end, the last one perhaps beyond. Two bytes
// can be a packet by chance, so that one of them must be proof: within a
// segment, one with a uLogger topic; at its start, where packets like to begin,
// one with any topic; and none if the connection is known to be MQTT.
//
// The work is bounded by a multiple of len(b).
func (s *conversation) findPacket(b []byte) (offset int, ok bool) {
	trusted := s.isMQTT || s.onMQTTPort()
	work := 16*len(b) + 4096
	for offset := range b {
		if !validFirst(b[offset]) {
			continue
		}
		p := proofULogger
		if offset == 0 {
			p = proofTopic
			if trusted {
				p = proofNone
			}
		}
		if s.chain(b[offset:], p, &work) {
			return offset, true
		}
	}
	return 0, false
}

// portMQTT is where MQTT without TLS is served.
//
// Source: the IANA port registry.
const portMQTT = 1883

// proof is what must be among packets for them not to be chance.
type proof uint8

const (
	proofNone proof = iota
	proofTopic
	proofULogger
)

// decodeEither reads a packet of the given version, or of an unknown one, 0, by
// the specifications alone, and returns the version, which stays 0 while both
// fit.
func decodeEither(m *MQTT, b []byte, version uint8) (uint8, error) {
	if version != 0 {
		m.Version = version
		return version, m.decode(b, ignoreTruncated{}, true)
	}
	m.Version = Version311
	as311 := m.decode(b, ignoreTruncated{}, true)
	m.Version = Version5
	switch as5 := m.decode(b, ignoreTruncated{}, true); {
	case as5 == nil && as311 == nil:
		return 0, nil
	case as5 == nil:
		return Version5, nil
	case as311 != nil:
		return 0, as5
	}
	m.Version = Version311
	return Version311, m.decode(b, ignoreTruncated{}, true)
}

// chain reports whether b is control packets to its end, with proof.
func (s *conversation) chain(b []byte, p proof, work *int) bool {
	version := s.version
	proven := p == proofNone
	m := &s.capture.other
	for len(b) > 0 {
		*work -= 32
		n, err := PacketLen(b)
		if err == fieldLength.short && validFirst(b[0]) {
			return proven
		}
		if err != nil || !validFirst(b[0]) || n > maxMessage {
			return false
		}
		if n > len(b) {
			return proven || p.inBeginning(b)
		}

		*work -= n
		if *work < 0 {
			return false
		}
		if version, err = decodeEither(m, b[:n:n], version); err != nil {
			return false
		}

		proven = proven || p.in(m)
		b = b[n:]
	}
	return proven
}

// inBeginning looks for the proof in the beginning of a packet.
func (p proof) inBeginning(b []byte) bool {
	if PacketType(b[0]>>4) != PacketPublish {
		return false
	}
	_, n, err := packetLen(b)
	if err != nil {
		return false
	}
	c := cursor{b: b[1+n:]}
	topic := c.text(fieldTopic)
	return c.err == nil && p.inTopic(topic)
}

// in looks for the proof in a packet.
func (p proof) in(m *MQTT) bool {
	if m.Type == PacketConnect || p.inTopic(m.Topic) {
		return true
	}
	for s := range m.Subscriptions() {
		if p.inTopic(s.Filter) {
			return true
		}
	}
	return false
}

func (p proof) inTopic(topic []byte) bool {
	if ParseTopic(topic).Kind != KindOther {
		return true
	}
	if p == proofULogger || len(topic) < 3 {
		return false
	}
	for _, c := range topic {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return bytes.IndexByte(topic, '/') > 0
}
