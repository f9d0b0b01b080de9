package link

import (
	"errors"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// Received is a message from the broker.
type Received struct {
	Topic       string
	Payload     []byte
	ID          string // record id, if the sender gave one
	ReplyTopic  string // response topic, if the sender gave one
	Correlation []byte
	Retained    bool
	At          time.Time // when it arrived

	packetID uint16 // 0 for QoS 0, which cannot be acknowledged
}

func newReceived(p *packets.Publish) Received {
	r := Received{Topic: p.Topic, Payload: p.Payload, Retained: p.Retain, At: time.Now()}
	if p.QoS > 0 {
		r.packetID = p.PacketID
	}
	if props := p.Properties; props != nil {
		r.ReplyTopic, r.Correlation = props.ResponseTopic, props.CorrelationData
		for i := range props.User {
			if props.User[i].Key == PropertyID {
				r.ID = props.User[i].Value
				break
			}
		}
	}
	return r
}

// receive takes a message to the inbox or to those who wait for its topic. With an
// inbox it blocks while that is full, and with it the reading of the connection, so
// that memory stays bounded: nothing holds back messages of QoS 0, and mosquitto
// 2.0 with max_inflight_messages 0 forgets the Receive Maximum when it resumes a
// session.
func (l *Link) receive(p *packets.Publish) {
	r := newReceived(p)
	if l.inbox == nil {
		l.routes.dispatch(&r)
		return
	}
	select {
	case l.inbox <- r:
	case <-l.dead:
	}
}

// Inbox returns the messages that arrived, if the configuration has one.
func (l *Link) Inbox() <-chan Received { return l.inbox }

// Acknowledge acknowledges a message of the inbox and reports whether there was
// something to acknowledge. Between Cork and Uncork many leave in one write.
func (l *Link) Acknowledge(r *Received) bool {
	if r.packetID == 0 {
		return false
	}
	l.carrier.acknowledge(r.packetID)
	return true
}

var errNoQoS1 = errors.New("broker takes no QoS 1 messages")
