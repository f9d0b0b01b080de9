package link

import (
	"encoding/binary"
	"fmt"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/lent"
)

// PropertyID is the user property that holds a record's id. A consumer drops
// duplicates by it: every protocol here delivers at least once.
const PropertyID = lent.PropertyID

// Message is one PUBLISH to be, of QoS 1. What is empty or zero is left out, but
// for topic and payload.
type Message struct {
	Topic       string
	Payload     []byte
	ID          string // record id
	ContentType string
	Expiry      uint32 // seconds after which it is of no use; 0 is never
	ReplyTopic  string // response topic
	Correlation []byte
}

// Property identifiers (MQTT 5 section 2.2.2.2).
const (
	propExpiry      = 0x02
	propContentType = 0x03
	propReplyTopic  = 0x08
	propCorrelation = 0x09
	propUser        = 0x26
)

// propertiesLen returns the length of the properties.
func (m *Message) propertiesLen() (n int) {
	if m.Expiry > 0 {
		n += 1 + 4
	}
	for _, s := range [...]int{len(m.ContentType), len(m.ReplyTopic), len(m.Correlation)} {
		if s > 0 {
			n += 1 + 2 + s
		}
	}
	if m.ID != "" {
		n += 1 + 2 + len(PropertyID) + 2 + len(m.ID)
	}
	return n
}

// Size returns the bytes of the whole packet on the wire (MQTT 5 section 3.3).
func (m *Message) Size() int {
	props := m.propertiesLen()
	rest := 2 + len(m.Topic) + 2 + varintLen(props) + props + len(m.Payload)
	return 1 + varintLen(rest) + rest
}

// appendTo appends the PUBLISH packet. It is the one packet that is sent in numbers;
// the package's documentation says what paho's encoder would cost.
func (m *Message) appendTo(dst []byte, id uint16) []byte {
	props := m.propertiesLen()
	dst = append(dst, packets.PUBLISH<<4|1<<1) // QoS 1
	dst = binary.AppendUvarint(dst, uint64(2+len(m.Topic)+2+varintLen(props)+props+len(m.Payload)))
	dst = appendField(dst, m.Topic)
	dst = binary.BigEndian.AppendUint16(dst, id)

	dst = binary.AppendUvarint(dst, uint64(props))
	if m.Expiry > 0 {
		dst = binary.BigEndian.AppendUint32(append(dst, propExpiry), m.Expiry)
	}
	if m.ContentType != "" {
		dst = appendField(append(dst, propContentType), m.ContentType)
	}
	if m.ReplyTopic != "" {
		dst = appendField(append(dst, propReplyTopic), m.ReplyTopic)
	}
	if len(m.Correlation) > 0 {
		dst = appendField(append(dst, propCorrelation), m.Correlation)
	}
	if m.ID != "" {
		dst = appendField(appendField(append(dst, propUser), PropertyID), m.ID)
	}
	return append(dst, m.Payload...)
}

func appendField[T string | []byte](dst []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

func varintLen(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	}
	return 4
}

// CheckSize refuses what the server would close the connection for (MQTT facts
// row 6): a payload over the cloud's limit, or a packet over the one that the
// broker named, if it named any.
func (m *Message) CheckSize(maxPayload int, maxPacket uint32) error {
	err := error(nil)
	if len(m.Payload) > maxPayload {
		err = fmt.Errorf("%d bytes, the cloud takes messages of at most %d", len(m.Payload), maxPayload)
	} else if n := m.Size(); maxPacket > 0 && n > int(maxPacket) {
		err = fmt.Errorf("%d bytes with its topic, this broker takes packets of at most %d", n, maxPacket)
	}
	if err == nil {
		return nil
	}
	return &fault.Error{Op: "publish to " + m.Topic, Class: fault.ErrTooLargeData, Code: fault.ReasonPacketTooLarge, Err: err, Hint: "nothing was sent"}
}
