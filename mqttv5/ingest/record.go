package ingest

import (
	"encoding/hex"
	"strconv"
	"time"
)

// Kind says what a record holds.
type Kind uint8

// Kinds of records. Sinks store the numbers.
const (
	KindUnknown  Kind = 0 // only in quarantine: its topic is none of ours
	KindLog      Kind = 1 // a binary log
	KindCoreDump Kind = 2 // a crash dump
	KindTextLog  Kind = 3 // log lines as NDJSON
	KindMetrics  Kind = 4 // measured values, package telemetry
	KindEvents   Kind = 5 // things that happened, package telemetry

	numKinds = 6
)

// String returns "log", "core-dump", "text-log", "metrics", "events" or "unknown".
func (k Kind) String() string {
	switch k {
	case KindUnknown:
		return "unknown"
	case KindLog:
		return "log"
	case KindCoreDump:
		return "core-dump"
	case KindTextLog:
		return "text-log"
	case KindMetrics:
		return "metrics"
	case KindEvents:
		return "events"
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// Key identifies a message by its content: copies have the same key, different
// messages never do. It is the first half of a SHA-256 over the topic, the record
// id and the payload; with a record id, without the session token, which a
// gateway may renew between two attempts. Metrics and events that have neither a
// record id nor times have a random one: who sends the same again means it anew.
type Key [16]byte

// String returns the key as 32 hexadecimal digits.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Record is one message as a sink stores it. A Sink may use Payload only until
// Append returns; the Record that a Reader returns may be kept.
type Record struct {
	// Sequence is the record's number in its sink, from 1. Readers set it.
	Sequence uint64

	// Time is when the worker received the message.
	Time time.Time

	// Key is the same for copies of one message.
	Key Key

	// Kind says what Payload holds.
	Kind Kind

	// Topic is the MQTT topic that the message was published to.
	Topic string

	// ID is the record id that the uploader sent along; empty if the sender has
	// none.
	ID string

	// Reason says why the message is in quarantine; empty if it is not.
	Reason string

	// Payload is the message, byte for byte.
	Payload []byte
}
