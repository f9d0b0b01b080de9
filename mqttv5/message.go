package mqttv5

import (
	"fmt"

	"github.com/eclipse/paho.golang/packets"
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

func (m *message) packet() *packets.Publish {
	p := &packets.Properties{
		ContentType:     m.contentType,
		ResponseTopic:   m.replyTopic,
		CorrelationData: m.correlation,
	}
	if m.id != "" {
		p.User = []packets.User{{Key: propertyID, Value: m.id}}
	}
	if m.expiry > 0 {
		p.MessageExpiry = &m.expiry
	}
	return &packets.Publish{Topic: m.topic, Payload: m.payload, QoS: 1, Properties: p}
}

// size returns the bytes of the whole packet on the wire (MQTT 5 section 3.3).
func (m *message) size() int {
	props := 0
	if m.id != "" {
		props += 1 + 2 + len(propertyID) + 2 + len(m.id)
	}
	for _, s := range [...]int{len(m.contentType), len(m.replyTopic), len(m.correlation)} {
		if s > 0 {
			props += 1 + 2 + s
		}
	}
	if m.expiry > 0 {
		props += 1 + 4
	}
	rest := 2 + len(m.topic) + 2 + varintLen(props) + props + len(m.payload)
	return 1 + varintLen(rest) + rest
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
	return &Error{Op: "publish to " + m.topic, Class: errTooLargeData, Code: ReasonPacketTooLarge, Err: err, Hint: "nothing was sent"}
}
