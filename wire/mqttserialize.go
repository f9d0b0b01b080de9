package wire

import (
	"encoding/binary"

	"github.com/google/gopacket"
)

// SerializeTo writes the packet around the bytes in b, which become PUBLISH's
// application message and must be none for the other packets. Fields that the
// type does not have are ignored. What is written always decodes: a field that
// would not, such as a packet identifier of 0, is an error.
func (m *MQTT) SerializeTo(b gopacket.SerializeBuffer, _ gopacket.SerializeOptions) error {
	payload := b.Bytes()
	head, err := m.appendHead(nil, len(payload))
	if err != nil {
		return err
	}
	out, err := b.PrependBytes(len(head))
	if err != nil {
		return err
	}
	copy(out, head)
	return m.checkWritten(b.Bytes())
}

// AppendTo appends the packet with Payload to dst, under the rules of
// SerializeTo.
func (m *MQTT) AppendTo(dst []byte) ([]byte, error) {
	start := len(dst)
	dst, err := m.appendHead(dst, len(m.Payload))
	if err != nil {
		return nil, err
	}
	dst = append(dst, m.Payload...)
	if err := m.checkWritten(dst[start:]); err != nil {
		return nil, err
	}
	return dst, nil
}

// checkWritten reads back what was written: the decoder knows the rules.
func (m *MQTT) checkWritten(b []byte) error {
	check := MQTT{Version: m.Version}
	return check.decode(b, ignoreTruncated{}, true)
}

type ignoreTruncated struct{}

// SetTruncated implements gopacket.DecodeFeedback.
func (ignoreTruncated) SetTruncated() {}

// appendHead appends the packet up to the application message.
func (m *MQTT) appendHead(dst []byte, lenPayload int) ([]byte, error) {
	body, err := m.appendBody(nil)
	if err != nil {
		return nil, err
	}
	remaining := len(body) + lenPayload
	if remaining > maxVarint {
		return nil, fieldLength.long
	}
	if m.Type > 15 || m.QoS > 3 {
		return nil, fieldFlags.value
	}
	dst = append(dst, byte(m.Type)<<4|m.flags())
	dst = appendVarint(dst, uint32(remaining))
	return append(dst, body...), nil
}

func (m *MQTT) flags() (flags byte) {
	switch m.Type {
	case PacketPublish:
		return bit(m.Dup, 1<<3) | m.QoS<<1 | bit(m.Retain, 1)
	case PacketPubrel, PacketSubscribe, PacketUnsubscribe:
		return 2
	}
	return 0
}

func bit(set bool, mask byte) byte {
	if set {
		return mask
	}
	return 0
}

// appendBody appends what follows the fixed header.
func (m *MQTT) appendBody(dst []byte) ([]byte, error) {
	var err error
	switch m.Type {
	case PacketConnect:
		return m.appendConnect(dst)
	case PacketConnack:
		dst = append(dst, bit(m.SessionPresent, 1), byte(m.ReasonCode))
		return m.appendProperties(dst, m.Properties), nil
	case PacketPublish:
		if dst, err = appendText(dst, m.Topic, fieldTopic); err != nil {
			return nil, err
		}
		if m.QoS > 0 {
			dst = binary.BigEndian.AppendUint16(dst, m.PacketID)
		}
		return m.appendProperties(dst, m.Properties), nil
	case PacketPuback, PacketPubrec, PacketPubrel, PacketPubcomp:
		dst = binary.BigEndian.AppendUint16(dst, m.PacketID)
		return m.appendReason(dst), nil
	case PacketSubscribe, PacketUnsubscribe:
		dst = binary.BigEndian.AppendUint16(dst, m.PacketID)
		return append(m.appendProperties(dst, m.Properties), m.Filters...), nil
	case PacketSuback, PacketUnsuback:
		dst = binary.BigEndian.AppendUint16(dst, m.PacketID)
		dst = m.appendProperties(dst, m.Properties)
		if m.Type == PacketUnsuback && !m.v5() {
			return dst, nil
		}
		return append(dst, m.ReasonCodes...), nil
	case PacketDisconnect, PacketAuth:
		return m.appendReason(dst), nil
	}

	return dst, nil
}

// appendReason writes the shortest form that holds code and properties.
func (m *MQTT) appendReason(dst []byte) []byte {
	if !m.v5() || m.ReasonCode == 0 && len(m.Properties) == 0 {
		return dst
	}
	dst = append(dst, byte(m.ReasonCode))
	if len(m.Properties) == 0 {
		return dst
	}
	return m.appendProperties(dst, m.Properties)
}

func (m *MQTT) appendProperties(dst []byte, p Properties) []byte {
	if !m.v5() {
		return dst
	}
	// Longer ones cannot be: the check of the remaining length refuses them.
	dst = appendVarint(dst, uint32(min(len(p), maxVarint)))
	return append(dst, p...)
}

// appendConnect appends what follows the fixed header of a CONNECT.
func (m *MQTT) appendConnect(dst []byte) (_ []byte, err error) {
	k := &m.Connect
	name, level := "MQTT", byte(Version5)
	switch m.Version {
	case Version31:
		name, level = "MQIsdp", Version31
	case Version311:
		level = Version311
	}

	level |= bit(k.Bridge, 0x80)
	if k.WillQoS > 3 {
		return nil, fieldConnFlags.value
	}

	dst = append(dst, 0, byte(len(name)))
	dst = append(dst, name...)
	dst = append(dst, level, bit(k.CleanStart, connectCleanStart)|bit(k.HasWill, connectWill)|k.WillQoS<<3|
		bit(k.WillRetain, connectWillRetain)|bit(k.HasPassword, connectPassword)|bit(k.HasUsername, connectUsername))
	dst = binary.BigEndian.AppendUint16(dst, k.KeepAlive)
	dst = m.appendProperties(dst, m.Properties)
	type part struct {
		present bool
		bytes   []byte
		field   *field
	}
	if dst, err = appendText(dst, k.ClientID, fieldClientID); err != nil {
		return nil, err
	}
	if k.HasWill {
		dst = m.appendProperties(dst, k.WillProperties)
	}

	for _, p := range [...]part{
		{k.HasWill, k.WillTopic, fieldWillTopic},
		{k.HasWill, k.WillPayload, fieldWillPayload},
		{k.HasUsername, k.Username, fieldUsername},
		{k.HasPassword, k.Password, fieldPassword},
	} {
		if !p.present {
			continue
		}
		if dst, err = appendText(dst, p.bytes, p.field); err != nil {
			return nil, err
		}
	}
	return dst, nil
}
