package fault

import "fmt"

// ReasonCode is a code with which an MQTT 5 server answers (MQTT 5 section 2.4).
type ReasonCode byte

// Reason codes that something acts upon.
const (
	ReasonSuccess               ReasonCode = 0x00
	ReasonNoMatchingSubscribers ReasonCode = 0x10
	ReasonUnsupportedVersion    ReasonCode = 0x84
	ReasonBadClientID           ReasonCode = 0x85
	ReasonBadUserOrPassword     ReasonCode = 0x86
	ReasonNotAuthorized         ReasonCode = 0x87
	ReasonServerBusy            ReasonCode = 0x89
	ReasonBanned                ReasonCode = 0x8A
	ReasonSessionTakenOver      ReasonCode = 0x8E
	ReasonTopicNameInvalid      ReasonCode = 0x90
	ReasonPacketIDInUse         ReasonCode = 0x91
	ReasonReceiveMaximum        ReasonCode = 0x93
	ReasonPacketTooLarge        ReasonCode = 0x95
	ReasonRateTooHigh           ReasonCode = 0x96
	ReasonQuotaExceeded         ReasonCode = 0x97
	ReasonPayloadFormatInvalid  ReasonCode = 0x99
	ReasonUseAnotherServer      ReasonCode = 0x9C
	ReasonServerMoved           ReasonCode = 0x9D
)

var reasonNames = map[ReasonCode]string{
	0x00: "Success",
	0x04: "Disconnect with Will Message",
	0x10: "No matching subscribers",
	0x11: "No subscription existed",
	0x18: "Continue authentication",
	0x19: "Re-authenticate",
	0x80: "Unspecified error",
	0x81: "Malformed Packet",
	0x82: "Protocol Error",
	0x83: "Implementation specific error",
	0x84: "Unsupported Protocol Version",
	0x85: "Client Identifier not valid",
	0x86: "Bad User Name or Password",
	0x87: "Not authorized",
	0x88: "Server unavailable",
	0x89: "Server busy",
	0x8A: "Banned",
	0x8B: "Server shutting down",
	0x8C: "Bad authentication method",
	0x8D: "Keep Alive timeout",
	0x8E: "Session taken over",
	0x8F: "Topic Filter invalid",
	0x90: "Topic Name invalid",
	0x91: "Packet Identifier in use",
	0x92: "Packet Identifier not found",
	0x93: "Receive Maximum exceeded",
	0x94: "Topic Alias invalid",
	0x95: "Packet too large",
	0x96: "Message rate too high",
	0x97: "Quota exceeded",
	0x98: "Administrative action",
	0x99: "Payload format invalid",
	0x9A: "Retain not supported",
	0x9B: "QoS not supported",
	0x9C: "Use another server",
	0x9D: "Server moved",
	0x9E: "Shared Subscriptions not supported",
	0x9F: "Connection rate exceeded",
	0xA0: "Maximum connect time",
	0xA1: "Subscription Identifiers not supported",
	0xA2: "Wildcard Subscriptions not supported",
}

// String returns the name of the code in the specification and its number:
// "Quota exceeded (0x97)".
func (c ReasonCode) String() string {
	if name, ok := reasonNames[c]; ok {
		return fmt.Sprintf("%s (0x%02X)", name, byte(c))
	}
	return fmt.Sprintf("unknown reason code (0x%02X)", byte(c))
}

// Failed reports whether the code means failure.
func (c ReasonCode) Failed() bool { return c >= 0x80 }
