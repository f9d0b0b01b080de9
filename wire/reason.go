package wire

import "strconv"

// ReasonCode says how something ended; from 0x80 on it failed.
//
// Source: MQTT 5.0 section 2.4.
type ReasonCode uint8

// Failed reports whether the code means failure.
func (r ReasonCode) Failed() bool { return r >= 0x80 }

// String returns the name in MQTT 5.0, or "reason 0xNN" for an unknown code.
// MQTT.ReasonName knows the other names that a code has elsewhere.
func (r ReasonCode) String() string {
	switch r {
	case 0x00:
		return "Success"
	case 0x01:
		return "Granted QoS 1"
	case 0x02:
		return "Granted QoS 2"
	case 0x04:
		return "Disconnect with Will Message"
	case 0x10:
		return "No matching subscribers"
	case 0x11:
		return "No subscription existed"
	case 0x18:
		return "Continue authentication"
	case 0x19:
		return "Re-authenticate"
	}

	if r >= 0x80 && int(r-0x80) < len(failureNames) && failureNames[r-0x80] != "" {
		return failureNames[r-0x80]
	}
	return "reason 0x" + strconv.FormatUint(uint64(r), 16)
}

// failureNames are the names of the codes from 0x80 on.
var failureNames = [...]string{
	0x00: "Unspecified error",
	0x01: "Malformed Packet",
	0x02: "Protocol Error",
	0x03: "Implementation specific error",
	0x04: "Unsupported Protocol Version",
	0x05: "Client Identifier not valid",
	0x06: "Bad User Name or Password",
	0x07: "Not authorized",
	0x08: "Server unavailable",
	0x09: "Server busy",
	0x0a: "Banned",
	0x0b: "Server shutting down",
	0x0c: "Bad authentication method",
	0x0d: "Keep Alive timeout",
	0x0e: "Session taken over",
	0x0f: "Topic Filter invalid",
	0x10: "Topic Name invalid",
	0x11: "Packet Identifier in use",
	0x12: "Packet Identifier not found",
	0x13: "Receive Maximum exceeded",
	0x14: "Topic Alias invalid",
	0x15: "Packet too large",
	0x16: "Message rate too high",
	0x17: "Quota exceeded",
	0x18: "Administrative action",
	0x19: "Payload format invalid",
	0x1a: "Retain not supported",
	0x1b: "QoS not supported",
	0x1c: "Use another server",
	0x1d: "Server moved",
	0x1e: "Shared Subscriptions not supported",
	0x1f: "Connection rate exceeded",
	0x20: "Maximum connect time",
	0x21: "Subscription Identifiers not supported",
	0x22: "Wildcard Subscriptions not supported",
}

// returnNames are CONNACK's codes before MQTT 5.0.
var returnNames = [...]string{
	"Connection accepted", "unacceptable protocol version", "identifier rejected",
	"server unavailable", "bad user name or password", "not authorized",
}

// ReasonName returns the name that the packet's reason code has in a packet of
// its type and version.
func (m *MQTT) ReasonName() string {
	switch {
	case !m.v5() && m.Type == PacketConnack && int(m.ReasonCode) < len(returnNames):
		return returnNames[m.ReasonCode]
	case m.Type == PacketDisconnect && m.ReasonCode == 0:
		return "Normal disconnection"
	}
	return m.ReasonCode.String()
}
