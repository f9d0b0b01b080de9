package mqttv5

import "github.com/ulogkit/ulogkit/mqttv5/outbox"

// An outbox is the business of package outbox; these are its names for those who
// import mqttv5 alone. Client.Deliver sends what waits in one.
type (
	Outbox       = outbox.Outbox // keeps records on disk until they were delivered
	OutboxConfig = outbox.Config // says where and how many
	OutboxStats  = outbox.Stats  // counts what is in it and what went through it
	RecordInfo   = outbox.Entry  // describes one record
	RecordKind   = outbox.Kind   // what a record holds
	RecordState  = outbox.State  // where a record stands
)

// Kinds and states of records.
const (
	RecordLog      = outbox.Log
	RecordCoreDump = outbox.CoreDump
	RecordText     = outbox.Text
	RecordMetrics  = outbox.Metrics
	RecordEvents   = outbox.Events

	StateWaiting = outbox.StateWaiting
	StateParked  = outbox.StateParked
	StateDamaged = outbox.StateDamaged
)

// OpenOutbox is outbox.Open: it opens an outbox, or makes one.
func OpenOutbox(cfg OutboxConfig) (*Outbox, error) { return outbox.Open(cfg) }

// ErrOutboxHeld says that another process has the outbox open.
var ErrOutboxHeld = outbox.ErrHeld
