// Package lent says how a program that has a connection to the broker already lends
// it to a client of mqttv5, as Config.Lent. AWS IoT Core takes one connection a
// client identifier, and a gateway that has one for its own messages need not make a
// second.
//
// A [Connection] has three methods. Package lent/paho5 makes one of the connection
// manager of Eclipse Paho for MQTT 5 (autopaho), lent/paho311 of Eclipse Paho's
// client for MQTT 3.1.1; for another library, or for a hub inside the program, write
// the three.
//
// The client neither connects, pings nor closes: that is the host's. It subscribes to
// the topic of one answer or one device at a time, without wildcards, and takes its
// messages by the whole topic, so that an answer for one application cannot be taken
// for that of another with the same serial number.
package lent

import (
	"context"
	"fmt"
)

// Connection is what a client needs of a connection. It is used by many goroutines at
// one time. Each call returns soon after its context has ended.
type Connection interface {
	// Publish publishes with QoS 1 and returns when the broker has acknowledged. While
	// the connection is down it waits for the next one. What the broker refuses with a
	// code is a *Refusal; any other error means that it is not known whether the
	// message arrived, and that the client waits before it goes on.
	Publish(ctx context.Context, m Message) error

	// Subscribe subscribes to one topic with QoS 1 and returns when the broker has
	// granted it. From then on receive is called for each message on this topic, also
	// after the connection was lost and has come again, until Unsubscribe. It does not
	// block. A second call for a topic takes the place of the first.
	Subscribe(ctx context.Context, topic string, receive func(Received)) error

	// Unsubscribe ends what Subscribe began. The receiver is forgotten whatever is
	// returned; without a connection there is nothing else to do.
	Unsubscribe(ctx context.Context, topic string) error
}

// Message is one to be published, not retained. All but topic and payload are
// properties of MQTT 5, which an older connection leaves out.
type Message struct {
	Topic       string
	Payload     []byte // not to be changed
	ID          string // user property "ulogkit-id": the same on every copy
	ContentType string
	Expiry      uint32 // seconds after which it is of no use; 0 is never
	ReplyTopic  string // response topic
	Correlation []byte // correlation data
}

// PropertyID is the user property for Message.ID.
const PropertyID = "ulogkit-id"

// Received is a message from the broker.
type Received struct {
	Topic       string
	Payload     []byte // the receiver's to keep
	Retained    bool
	Correlation []byte // of MQTT 5; may be nil
}

// Refusal is the broker's answer to one message or one subscription, with the code of
// MQTT 5. A failure of MQTT 3.1.1, which has no codes, is 0x80. 0x10 says that nobody
// was subscribed.
type Refusal struct {
	Code   byte
	Reason string // the broker's words; may be empty
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Reason == "" {
		return fmt.Sprintf("refused with code 0x%02X", r.Code)
	}
	return fmt.Sprintf("refused with code 0x%02X: %s", r.Code, r.Reason)
}
