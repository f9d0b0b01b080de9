package wire

import "time"

// cutPacket is a packet of which a part was not captured, or not kept.
type cutPacket struct {
	active bool
	typ    PacketType
	topic  string
	id     uint16
	qos    uint8
	size   int // bytes of the payload; of the packet, if that is not a PUBLISH
	got    int // of them captured
}

// head reads the beginning of a packet of total bytes, as far as it is there,
// and remembers that it may be answered.
func (s *conversation) head(direction int, t time.Time, b []byte, total int) cutPacket {
	p := cutPacket{active: true, typ: PacketType(b[0] >> 4), size: total, got: len(b)}
	_, n, err := packetLen(b)
	if p.typ != PacketPublish || err != nil {
		return p
	}

	m := MQTT{Type: PacketPublish, Version: s.version}
	c := cursor{b: b[1+n:]}
	p.qos = b[0] >> 1 & 3
	m.Topic = c.text(fieldTopic)
	if p.qos > 0 {
		p.id = c.u16(fieldPacketID)
	}
	if s.version == Version5 {
		m.Properties = c.properties(propertiesOf(PacketPublish))
	}
	if c.err != nil && m.Topic == nil {
		return p
	}

	p.topic = s.answers.topic(direction, &m)
	if c.err == nil {
		p.got = len(c.b)
		p.size = total - (len(b) - len(c.b))
	}

	if p.qos > 0 && p.id > 0 {
		s.answers.asked(direction, PacketPuback, p.id, question{time: t, topic: p.topic})
	}
	return p
}

// skipped takes n more bytes of a packet that is not kept, of which so many
// were captured.
func (s *conversation) skipped(direction int, t time.Time, n, captured int64) {
	h := &s.halves[direction]
	h.skip -= n
	h.cut.got += int(captured)
	if h.skip <= 0 {
		s.endCut(direction, t)
	}
}

// endCut tells how much there is of a packet that is not whole.
func (s *conversation) endCut(direction int, t time.Time) {
	h := &s.halves[direction]
	if !h.cut.active {
		return
	}
	s.capture.cut(s, direction, t, &h.cut)
	h.cut = cutPacket{}
}

// oversize tells of a packet that is too long to be kept.
func (s *conversation) oversize(direction int, t time.Time, b []byte, n int) {
	head := s.head(direction, t, b, n)
	c := s.capture
	c.stats.LostBytes += int64(n)
	m := s.at(direction, t, KindOversize)
	m.Lost, m.Topic, m.PacketID = int64(n), c.hide(head.topic), head.id
	c.emit(&m)
}
