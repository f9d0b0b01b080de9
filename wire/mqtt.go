package wire

import (
	"github.com/google/gopacket"

	"github.com/ulogkit/ulogkit/format"
)

// PacketType is the type of an MQTT control packet.
//
// Source: MQTT 5.0 section 2.1.2.
type PacketType uint8

// The control packets.
const (
	PacketConnect     PacketType = 1
	PacketConnack     PacketType = 2
	PacketPublish     PacketType = 3
	PacketPuback      PacketType = 4
	PacketPubrec      PacketType = 5
	PacketPubrel      PacketType = 6
	PacketPubcomp     PacketType = 7
	PacketSubscribe   PacketType = 8
	PacketSuback      PacketType = 9
	PacketUnsubscribe PacketType = 10
	PacketUnsuback    PacketType = 11
	PacketPingreq     PacketType = 12
	PacketPingresp    PacketType = 13
	PacketDisconnect  PacketType = 14
	PacketAuth        PacketType = 15 // MQTT 5.0 only
)

var packetNames = [16]string{
	"RESERVED", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP",
	"SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
}

// String returns the name in the specification, such as "PUBLISH".
func (t PacketType) String() string { return packetNames[t&15] }

// The protocol versions, as CONNECT carries them.
const (
	Version31  = 3 // MQTT 3.1
	Version311 = 4 // MQTT 3.1.1
	Version5   = 5 // MQTT 5.0
)

// MQTT is the layer of one MQTT control packet, of version 5.0, 3.1.1 or 3.1. Only
// the fields that the packet's type has are set; the others are zero.
//
// TCP carries packets back to back. To read them all, decode Rest until it is
// empty:
//
//	for len(data) > 0 {
//		if err := m.DecodeFromBytes(data, feedback); err != nil { ... }
//		data = m.Rest
//	}
//
// Source: MQTT 5.0 chapter 3 and MQTT 3.1.1 chapter 3.
type MQTT struct {
	// Version is how packets are read and written, Version5, Version311 or
	// Version31, of which the last two differ in CONNECT alone. It
	// outlives DecodeFromBytes, since only CONNECT says which it is: decoding
	// a CONNECT sets it, and the receiver of the other direction must be told.
	// Default: Version5.
	Version uint8

	// Remarks is where the packet departs from the specification. AppendTo and
	// SerializeTo write no such packet.
	Remarks Remark

	Type   PacketType
	Dup    bool  // PUBLISH: sent before, perhaps
	QoS    uint8 // PUBLISH: 0, 1 or 2
	Retain bool  // PUBLISH: to be kept, or kept until now, by the server

	// PacketID pairs a packet with its answer, from 1; 0 where a packet has none.
	PacketID uint16
	// ReasonCode is what CONNACK, the PUB answers, DISCONNECT and AUTH say.
	ReasonCode ReasonCode
	// ReasonCodes has one code for each filter, in SUBACK and UNSUBACK.
	ReasonCodes []byte
	// SessionPresent is CONNACK's.
	SessionPresent bool
	// Topic is PUBLISH's topic name; empty when a topic alias stands for it.
	Topic []byte
	// Filters is what SUBSCRIBE and UNSUBSCRIBE name.
	Filters Filters
	// Properties are the packet's, in MQTT 5.0; those of a will are in Connect.
	Properties Properties
	// Connect is what only CONNECT has.
	Connect Connect

	// Contents is the packet without PUBLISH's application message, which is
	// Payload. Rest is what follows the packet.
	Contents, Payload, Rest []byte
}

// Connect is what a client introduces itself with.
//
// Source: MQTT 5.0 section 3.1.
type Connect struct {
	CleanStart bool
	Bridge     bool   // a broker: the level has its high bit set, as mosquitto's bridges do
	KeepAlive  uint16 // in seconds; 0 = none
	ClientID   []byte

	HasWill        bool
	WillQoS        uint8
	WillRetain     bool
	WillProperties Properties
	WillTopic      []byte
	WillPayload    []byte

	HasUsername, HasPassword bool
	Username, Password       []byte
}

// flag bits of CONNECT.
const (
	connectCleanStart = 1 << 1
	connectWill       = 1 << 2
	connectWillQoS    = 3 << 3
	connectWillRetain = 1 << 5
	connectPassword   = 1 << 6
	connectUsername   = 1 << 7
)

// maxVarint is the largest length that MQTT's variable byte integer holds.
const maxVarint = 268_435_455

var (
	fieldPacket = newField("mqtt", "packet", 0)
	fieldLength = newField("mqtt", "remaining_length", 1)
	fieldFlags  = newField("mqtt", "flags", 0)
	fieldType   = newField("mqtt", "type", 0)
	errTrailing = newField("mqtt", "remaining_length", 1).length
)

// PacketLen returns the length in bytes of the control packet that b begins
// with, all of it, which may be more than len(b). The error unwraps to
// format.ErrShort when b holds too little to tell.
func PacketLen(b []byte) (int, error) {
	remaining, n, err := packetLen(b)
	if err != nil {
		return 0, err
	}
	return 1 + n + remaining, nil
}

// packetLen returns the remaining length and the number of bytes it takes.
func packetLen(b []byte) (remaining, n int, err error) {
	if len(b) < 2 {
		return 0, 0, fieldLength.short
	}
	if b[1] < 0x80 {
		return int(b[1]), 1, nil
	}
	remaining = int(b[1] & 0x7f)
	for n = 1; n < 4; n++ {
		if 1+n == len(b) {
			return 0, 0, fieldLength.short
		}
		c := b[1+n]
		remaining |= int(c&0x7f) << (7 * n)
		if c < 0x80 {
			return remaining, n + 1, nil
		}
	}
	return 0, 0, fieldLength.value
}

// DecodeFromBytes reads the control packet that data begins with. As brokers
// do, it takes packets that depart from the specification where what they mean
// is not in doubt; Remarks tells.
func (m *MQTT) DecodeFromBytes(data []byte, df gopacket.DecodeFeedback) error {
	return m.decode(data, df, false)
}

// decode reads a packet; strict is by the specification alone.
func (m *MQTT) decode(data []byte, df gopacket.DecodeFeedback, strict bool) error {
	*m = MQTT{Version: m.Version}
	remaining, n, err := packetLen(data)
	if err != nil {
		if len(data) < 5 {
			df.SetTruncated()
		}
		return err
	}

	lenHead := 1 + n
	if remaining > len(data)-lenHead {
		df.SetTruncated()
		return fieldPacket.short
	}
	end := lenHead + remaining
	m.Rest = data[end:]
	m.Type = PacketType(data[0] >> 4)
	c := cursor{b: data[lenHead:end:end], strict: strict}

	// Version 5.0 asks for the shortest form, 3.1.1 says nothing.
	if n > 1 && data[n] == 0 && m.v5() {
		c.remark(remarkLength, fieldLength.value)
	}

	m.setFlags(&c, data[0]&15)
	m.decodeBody(&c)
	if m.Type == PacketPublish {
		m.Payload = c.b
	} else if len(c.b) > 0 {
		c.remark(remarkTrailing, errTrailing)
	}
	if c.err != nil {
		return c.err
	}

	m.Remarks = c.remarks
	m.Contents = data[: end-len(m.Payload) : end-len(m.Payload)]
	return nil
}

func (m *MQTT) v5() bool { return m.Version != Version311 && m.Version != Version31 }

// setFlags reads the low half of the first byte, which only PUBLISH is free to
// use, and in version 3.1 what is answered.
func (m *MQTT) setFlags(c *cursor, flags byte) {
	switch m.Type {
	case PacketPublish:
		m.Dup = flags&8 != 0
		m.QoS = flags >> 1 & 3
		m.Retain = flags&1 != 0
		if m.QoS == 3 { // whether a packet identifier follows, nobody can say
			c.fail(fieldFlags.value)
		} else if m.QoS == 0 && m.Dup {
			c.remark(remarkDup, fieldFlags.value)
		}
	case PacketPubrel, PacketSubscribe, PacketUnsubscribe:
		if flags != 2 && !(m.Version == Version31 && flags == 10) {
			c.remark(remarkFlags, fieldFlags.value)
		}
	default:
		if flags != 0 {
			c.remark(remarkFlags, fieldFlags.value)
		}
	}
}

// LayerType returns LayerTypeMQTT.
func (m *MQTT) LayerType() gopacket.LayerType { return LayerTypeMQTT }

// CanDecode returns LayerTypeMQTT.
func (m *MQTT) CanDecode() gopacket.LayerClass { return LayerTypeMQTT }

// LayerContents returns Contents.
func (m *MQTT) LayerContents() []byte { return m.Contents }

// LayerPayload returns Payload.
func (m *MQTT) LayerPayload() []byte { return m.Payload }

// NextLayerType returns the type of a PUBLISH's payload, by its topic.
func (m *MQTT) NextLayerType() gopacket.LayerType {
	if m.Type != PacketPublish {
		return gopacket.LayerTypeZero
	}
	switch ParseTopic(m.Topic).Kind {
	case KindLog:
		return LayerTypeLog
	case KindCoreDump:
		return LayerTypeCoreDump
	}
	return gopacket.LayerTypePayload
}

// field names a field in errors, which are made once.
type field struct {
	short  *format.Error // the packet ends before the field does
	value  *format.Error // the field's value is not allowed
	length *format.Error // bytes are left over
	long   *format.Error // too long to be written
}

func newField(typ, name string, offset int) *field {
	e := func(err error) *format.Error {
		return &format.Error{Type: typ, Field: name, Offset: offset, Err: err}
	}
	return &field{short: e(format.ErrShort), value: e(format.ErrValue), length: e(format.ErrLength), long: e(format.ErrTooLong)}
}
