package connection

import (
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// EventKind says what happened.
type EventKind int

// Kinds of events.
const (
	Connected    EventKind = iota + 1 // a connection is up
	Disconnected                      // a connection ended; Err says why
	Delivered                         // a message was acknowledged
	NoSubscriber                      // acknowledged, but nobody was subscribed; with Err it is no delivery
	Retried                           // a record will be sent again; Err says why
	Parked                            // a record was set aside; Err says why
	Throttled                         // the server asked for a lower rate
	Evicted                           // another connection uses our client identifier
	Registered                        // a boot handshake gave a token
	Notice                            // something a person should read; Err holds it
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
	Serial string           // device, when it concerns one
	ID     string           // record id, when it concerns one
	Code   fault.ReasonCode // the server's reason code
	Err    error            // the cause, when there is one
}
