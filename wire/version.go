package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ulogkit/ulogkit/format"
)

// Limits of what is held back of a connection until its version is known.
const (
	maxHeld      = 256 << 10 // bytes
	maxHeldCount = 256       // packets
	maxHeldTime  = 30 * time.Second
)

// heldPacket is a packet that is not read yet.
type heldPacket struct {
	direction int
	time      time.Time
	b         []byte
}

// reading is what both versions make of a packet.
type reading uint8

const (
	readAlike     reading = iota // the same
	readAs                       // one of them is proved
	readUndecided                // different things
)

// weigh reads a packet of a connection whose beginning was not captured. The
// first packet that only one version can mean decides, also for those before it,
// which wait.
func (s *conversation) weigh(direction int, t time.Time, b []byte) bool {
	version, how, err := readBoth(&s.capture.mqtt, &s.capture.other, b)
	if err != nil {
		if !validFirst(b[0]) {
			return false
		}
		s.capture.malformed(s, direction, t, err)
		return true
	}

	s.found()
	switch {
	case how == readAs:
		s.decide(version)
		return s.packet(direction, t, b)
	case s.hasty || how == readAlike && len(s.held) == 0:
		s.undecided(direction, t, how)
		return true
	}

	s.held = append(s.held, heldPacket{direction, t, bytes.Clone(b)})
	s.lenHeld += len(b)
	s.capture.kept += int64(len(b))
	if s.lenHeld > maxHeld || len(s.held) > maxHeldCount || t.Sub(s.held[0].time) > maxHeldTime || s.capture.kept > maxKept {
		s.giveUp()
	}
	return true
}

// decide reads what waited for a version.
func (s *conversation) decide(version uint8) {
	s.version = version
	for _, p := range s.release() {
		s.packet(p.direction, p.time, p.b)
	}
}

// giveUp passes on what waited for a version, undecided.
func (s *conversation) giveUp() {
	s.hasty = true
	for _, p := range s.release() {
		if _, how, err := readBoth(&s.capture.mqtt, &s.capture.other, p.b); err == nil {
			s.undecided(p.direction, p.time, how)
		}
	}
}

func (s *conversation) release() []heldPacket {
	held := s.held
	s.capture.kept -= int64(s.lenHeld)
	s.held, s.lenHeld = nil, 0
	return held
}

// undecided passes on a packet that was read in both versions: in full if they
// agree, or what they agree on.
func (s *conversation) undecided(direction int, t time.Time, how reading) {
	c := s.capture
	if how == readAlike {
		c.message(s, direction, t, &c.mqtt)
		return
	}

	c.stats.Messages++
	c.stats.Undecided++
	p := &c.other
	m := s.at(direction, t, KindOther)
	m.Packet, m.PacketID, m.Undecided = p.Type, p.PacketID, true
	m.Remark = "MQTT 3.1.1 or 5.0 is not known: the capture began after the connect"
	switch p.Type {
	case PacketPublish:
		m.QoS, m.Dup, m.Retain = p.QoS, p.Dup, p.Retain
		m.Topic = c.hide(string(p.Topic))
		m.Kind = ParseTopic(p.Topic).Kind
		m.PayloadSize = len(p.Payload)
		m.Remark += fmt.Sprintf(", and the payload has %d or %d bytes", len(p.Payload), len(c.mqtt.Payload))
		if p.QoS > 0 {
			s.answers.asked(direction, PacketPuback, p.PacketID, question{time: t, topic: m.Topic})
		}
	case PacketSubscribe:
		m.Kind = KindSubscribe
	case PacketUnsubscribe:
		m.Kind = KindUnsubscribe
	case PacketSuback:
		m.Kind = KindSuback
	case PacketUnsuback:
		m.Kind = KindUnsuback
	}

	c.emit(&m)
}

// readBoth reads a packet as MQTT 5.0 and as 3.1.1, by the specifications alone
// or, if it fits neither, as brokers do.
func readBoth(as5, as3 *MQTT, b []byte) (version uint8, how reading, err error) {
	var err5, err3 error
	for _, strict := range [...]bool{true, false} {
		as5.Version, as3.Version = Version5, Version311
		err5 = as5.decode(b, ignoreTruncated{}, strict)
		err3 = as3.decode(b, ignoreTruncated{}, strict)
		if err5 == nil || err3 == nil {
			break
		}
	}

	switch {
	case err5 != nil && err3 != nil:
		return 0, 0, err5
	case as5.Type == PacketConnect:
		return as5.Version, readAs, nil
	case err3 != nil:
		return Version5, readAs, nil
	case err5 != nil:
		return Version311, readAs, nil
	}

	switch as5.Type {
	case PacketPublish:
		if v := proveVersion(as5, as3); v != 0 {
			return v, readAs, nil
		}
		return 0, readUndecided, nil
	case PacketSubscribe, PacketUnsubscribe, PacketSuback, PacketUnsuback:
		return 0, readUndecided, nil
	}
	return 0, readAlike, nil
}

// proveVersion returns the version of a PUBLISH that both can read, if its
// payload is what its topic promises in one of them alone, or if it has
// properties that are hardly chance.
func proveVersion(as5, as3 *MQTT) uint8 {
	kind := ParseTopic(as3.Topic).Kind
	fits5, fits3 := fitsKind(kind, as5.Payload), fitsKind(kind, as3.Payload)
	switch {
	case fits5 && !fits3:
		return Version5
	case fits3 && !fits5:
		return Version311
	}
	const hardlyChance = 6 // bytes of good properties; 3 are to be met in binary payloads
	if len(as5.Properties) >= hardlyChance {
		return Version5
	}
	return 0
}

// fitsKind reports whether a payload is beyond doubt what its topic promises.
func fitsKind(kind Kind, b []byte) bool {
	switch kind {
	case KindLog:
		l, _, err := format.ParseLog(b)
		return err == nil && l.Verify() == nil && len(l.Data()) > 0
	case KindCoreDump:
		d, _, err := format.ParseCoreDump(b)
		return err == nil && d.Verify() == nil
	case KindConfig:
		return len(b) > 0 && checkConfig(b) == nil
	case KindMetrics, KindEvents:
		if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) { // gzip
			return true
		}
	}
	line := b
	if kind == KindTextLog {
		line, _, _ = bytes.Cut(b, []byte{'\n'})
	}
	return len(line) > 1 && (line[0] == '{' || line[0] == '[') && json.Valid(line)
}
