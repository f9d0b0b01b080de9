package wire

import (
	"bytes"
	"unicode/utf8"
)

var (
	fieldProtocol    = newField("mqtt connect", "protocol_name", 0)
	fieldLevel       = newField("mqtt connect", "protocol_level", 6)
	fieldConnFlags   = newField("mqtt connect", "flags", 7)
	fieldKeepAlive   = newField("mqtt connect", "keep_alive", 8)
	fieldClientID    = newField("mqtt connect", "client_id", -1)
	fieldWillTopic   = newField("mqtt connect", "will_topic", -1)
	fieldWillPayload = newField("mqtt connect", "will_payload", -1)
	fieldUsername    = newField("mqtt connect", "username", -1)
	fieldPassword    = newField("mqtt connect", "password", -1)
	fieldAckFlags    = newField("mqtt connack", "flags", 0)
	fieldReason      = newField("mqtt", "reason_code", -1)
	fieldPacketID    = newField("mqtt", "packet_id", -1)
	fieldTopic       = newField("mqtt publish", "topic", 0)
)

// decodeBody reads what follows the fixed header; for PUBLISH, up to the
// application message.
func (m *MQTT) decodeBody(c *cursor) {
	switch m.Type {
	case PacketConnect:
		m.decodeConnect(c)
	case PacketConnack:
		flags := c.u8(fieldAckFlags)
		if flags > 1 {
			c.remark(remarkConnect, fieldAckFlags.value)
		}
		m.SessionPresent = flags&1 != 0
		m.ReasonCode = ReasonCode(c.u8(fieldReason))
		if m.v5() {
			m.Properties = c.properties(propertiesOf(PacketConnack))
		}
	case PacketPublish:
		m.decodePublish(c)
	case PacketPuback, PacketPubrec, PacketPubrel, PacketPubcomp:
		m.PacketID = c.packetID()
		m.decodeReason(c)
	case PacketSubscribe, PacketUnsubscribe:
		m.PacketID = c.packetID()
		if m.v5() {
			m.Properties = c.properties(propertiesOf(m.Type))
		}
		m.Filters = c.filters(m.Type, m.v5())
	case PacketSuback:
		m.PacketID = c.packetID()
		if m.v5() {
			m.Properties = c.properties(propertiesOf(PacketSuback))
		}
		m.ReasonCodes = c.reasonCodes(m.v5())
	case PacketUnsuback:
		m.PacketID = c.packetID()
		if m.v5() {
			m.Properties = c.properties(propertiesOf(PacketUnsuback))
			m.ReasonCodes = c.reasonCodes(true)
		}
	case PacketPingreq, PacketPingresp:
		// Nothing but the fixed header.
	case PacketDisconnect:
		m.decodeReason(c)
	case PacketAuth:
		if !m.v5() {
			c.fail(fieldType.value)
		}
		m.decodeReason(c)
	default:
		c.fail(fieldType.value)
	}
}

// decodeReason reads the end of PUBACK and its like: in version 5.0 a reason
// code, which may be left out when it is 0, and properties, which may be left
// out too.
func (m *MQTT) decodeReason(c *cursor) {
	if !m.v5() || len(c.b) == 0 {
		return
	}
	m.ReasonCode = ReasonCode(c.u8(fieldReason))
	if len(c.b) > 0 {
		m.Properties = c.properties(propertiesOf(m.Type))
	}
}

// decodePublish reads a PUBLISH up to its payload.
func (m *MQTT) decodePublish(c *cursor) {
	m.Topic = c.text(fieldTopic)
	if bytes.IndexByte(m.Topic, '#') >= 0 || bytes.IndexByte(m.Topic, '+') >= 0 {
		c.remark(remarkTopic, fieldTopic.value)
	}
	if m.QoS > 0 {
		m.PacketID = c.packetID()
	}
	if m.v5() {
		m.Properties = c.properties(propertiesOf(PacketPublish))
	}

	// Only a topic alias can stand for a topic, and only version 5.0 has them.
	if len(m.Topic) == 0 && c.err == nil {
		if _, ok := m.Properties.Lookup(propertyTopicAlias); !ok {
			c.remark(remarkTopic, fieldTopic.value)
		}
	}

	if c.err == nil && len(m.Properties) > 0 {
		if p, ok := m.Properties.Lookup(propertyPayloadFormat); ok && p.Int == 1 && !c.strict && !utf8.Valid(c.b) {
			c.remarks |= remarkPayload
		}
	}
}

// decodeConnect reads a CONNECT, whose protocol level says which version it is.
func (m *MQTT) decodeConnect(c *cursor) {
	k := &m.Connect
	name := c.binary(fieldProtocol)
	level := c.u8(fieldLevel)
	const bridge = 0x80
	k.Bridge, level = level&bridge != 0, level&^bridge
	switch {
	case c.err != nil:
	case string(name) == "MQIsdp" && level == Version31, string(name) == "MQTT" && (level == Version311 || level == Version5):
	case string(name) == "MQIsdp", string(name) == "MQTT":
		c.fail(fieldLevel.value)
	default:
		c.fail(fieldProtocol.value)
	}

	flags := c.u8(fieldConnFlags)
	k.CleanStart = flags&connectCleanStart != 0
	k.HasWill = flags&connectWill != 0
	k.WillQoS = flags & connectWillQoS >> 3
	k.WillRetain = flags&connectWillRetain != 0
	k.HasPassword = flags&connectPassword != 0
	k.HasUsername = flags&connectUsername != 0
	k.KeepAlive = c.u16(fieldKeepAlive)
	if c.err != nil {
		return
	}

	m.Version = level
	if flags&1 != 0 || k.WillQoS == 3 || !k.HasWill && (k.WillQoS != 0 || k.WillRetain) ||
		level != Version5 && k.HasPassword && !k.HasUsername {
		if c.remark(remarkConnect, fieldConnFlags.value); c.err != nil {
			return
		}
	}

	if level == Version5 {
		m.Properties = c.properties(propertiesOf(PacketConnect))
	}
	k.ClientID = c.text(fieldClientID)
	if k.HasWill {
		if level == Version5 {
			k.WillProperties = c.properties(propertiesOfWill)
		}
		k.WillTopic = c.text(fieldWillTopic)
		k.WillPayload = c.binary(fieldWillPayload)
	}

	if k.HasUsername {
		k.Username = c.text(fieldUsername)
	}
	if k.HasPassword {
		k.Password = c.binary(fieldPassword)
	}
}

func (c *cursor) packetID() uint16 {
	id := c.u16(fieldPacketID)
	if id == 0 && c.err == nil {
		c.remark(remarkPacketID, fieldPacketID.value)
	}
	return id
}

// reasonCodes reads the rest of the packet as one code for each filter.
func (c *cursor) reasonCodes(v5 bool) []byte {
	codes := c.take(len(c.b), fieldReason)
	if len(codes) == 0 && c.err == nil {
		c.remark(remarkReason, fieldReason.short)
	}
	if !v5 {
		for _, code := range codes {
			if code > 2 && code != 0x80 {
				c.remark(remarkReason, fieldReason.value)
			}
		}
	}
	return codes
}
