package mqttv5

import (
	"encoding/binary"
	"fmt"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// Property names and content types that go with each message. A consumer drops
// duplicates by the id: every protocol here delivers at least once.
const (
	propertyID = "ulogkit-id"

	contentLog      = "application/x-ulogger-binlog"
	contentCoreDump = "application/x-ulogger-coredump"
	contentText     = "application/x-ndjson"
	contentJSON     = "application/json"
)

// message is one PUBLISH to be, QoS 1.
type message struct {
	topic       string
	payload     []byte
	id          string // user property; may be empty
	contentType string
	expiry      uint32 // seconds after which it is of no use; 0 is never
	replyTopic  string // response topic; may be empty
	correlation []byte
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
func (m *message) propertiesLen() (n int) {
	if m.expiry > 0 {
		n += 1 + 4
	}
	for _, s := range [...]int{len(m.contentType), len(m.replyTopic), len(m.correlation)} {
		if s > 0 {
			n += 1 + 2 + s
		}
	}
	if m.id != "" {
		n += 1 + 2 + len(propertyID) + 2 + len(m.id)
	}
	return n
}

// size returns the bytes of the whole packet on the wire (MQTT 5 section 3.3).
func (m *message) size() int {
	props := m.propertiesLen()
	rest := 2 + len(m.topic) + 2 + varintLen(props) + props + len(m.payload)
	return 1 + varintLen(rest) + rest
}

// appendTo appends the PUBLISH packet. It is written by hand because it is the one
// packet that is sent in numbers; paho's encoder makes a dozen allocations.
func (m *message) appendTo(dst []byte, id uint16) []byte {
	props := m.propertiesLen()
	dst = append(dst, packets.PUBLISH<<4|1<<1) // QoS 1
	dst = appendVarint(dst, 2+len(m.topic)+2+varintLen(props)+props+len(m.payload))
	dst = appendField(dst, m.topic)
	dst = binary.BigEndian.AppendUint16(dst, id)
	dst = appendVarint(dst, props)
	if m.expiry > 0 {
		dst = binary.BigEndian.AppendUint32(append(dst, propExpiry), m.expiry)
	}
	if m.contentType != "" {
		dst = appendField(append(dst, propContentType), m.contentType)
	}
	if m.replyTopic != "" {
		dst = appendField(append(dst, propReplyTopic), m.replyTopic)
	}
	if len(m.correlation) > 0 {
		dst = appendField(append(dst, propCorrelation), m.correlation)
	}
	if m.id != "" {
		dst = appendField(appendField(append(dst, propUser), propertyID), m.id)
	}
	return append(dst, m.payload...)
}

func appendField[T string | []byte](dst []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

func appendVarint(dst []byte, n int) []byte {
	for n >= 1<<7 {
		dst = append(dst, byte(n)|1<<7)
		n >>= 7
	}
	return append(dst, byte(n))
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

// checkSize refuses what the server would close the connection for (MQTT facts
// row 6): a payload over the cloud's limit, or a packet over the one that the
// broker named, if it named any.
func (m *message) checkSize(maxPayload int, maxPacket uint32) error {
	err := error(nil)
	if len(m.payload) > maxPayload {
		err = fmt.Errorf("%d bytes, the cloud takes messages of at most %d", len(m.payload), maxPayload)
	} else if n := m.size(); maxPacket > 0 && n > int(maxPacket) {
		err = fmt.Errorf("%d bytes with its topic, this broker takes packets of at most %d", n, maxPacket)
	}
	if err == nil {
		return nil
	}
	return &Error{Op: "publish to " + m.topic, Class: fault.ErrTooLargeData, Code: ReasonPacketTooLarge, Err: err, Hint: "nothing was sent"}
}
