package mqttv5

import "time"

// EventKind says what happened.
type EventKind int

// Kinds of events.
const (
	EventConnected    EventKind = iota + 1 // a connection is up
	EventDisconnected                      // a connection ended; Err says why
	EventDelivered                         // a message was acknowledged
	EventNoSubscriber                      // acknowledged, but nobody was subscribed; with Err it is no delivery
	EventRetried                           // a record will be sent again; Err says why
	EventParked                            // a record was set aside; Err says why
	EventThrottled                         // the server asked for a lower rate
	EventEvicted                           // another connection uses our client identifier
	EventRegistered                        // a boot handshake gave a token
	EventNotice                            // something a person should read; Err holds it
)

var eventNames = [...]string{"", "connected", "disconnected", "delivered", "no subscriber", "retried", "parked", "throttled", "evicted", "registered", "notice"}

// String returns the name of the kind.
func (k EventKind) String() string {
	if k > 0 && int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "unknown"
}

// Event is one thing of note. It never holds a token, key or payload.
type Event struct {
	Kind   EventKind
	Time   time.Time
	Serial string     // device, when it concerns one
	ID     string     // record id, when it concerns one
	Code   ReasonCode // the server's reason code
	Err    error      // the cause, when there is one
}
