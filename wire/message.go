package wire

import (
	"net/netip"
	"strconv"
	"time"
)

// Message is one thing that a capture shows: a publish, another MQTT packet
// that tells something, or trouble.
type Message struct {
	// Time is when the last byte was captured.
	Time time.Time
	// Source and Destination are the ends of the TCP connection.
	Source, Destination netip.AddrPort
	// Kind says what the message is and which of the fields below it has.
	Kind Kind

	// Packet is the type of the control packet; 0 for trouble.
	Packet PacketType
	// PacketID pairs publish and acknowledgement; 0 where there is none.
	PacketID uint16
	// Topic is the topic of a publish or of the publish that is acknowledged;
	// empty when that was not captured.
	Topic string
	// QoS, Dup and Retain are a publish's.
	QoS         uint8
	Dup, Retain bool
	// Payload is a publish's, valid until the next message. Unless secrets are
	// to be shown, the session token of a log is 0, and what holds a token, a
	// password, a key or an upload address has none.
	Payload []byte
	// PayloadSize is the payload's length in bytes, also of one not shown.
	PayloadSize int
	// Err is why a publish's payload is not what its topic promises, such as a
	// checksum that is wrong, or what is wrong in a message of KindMalformed.
	Err error

	// Remark says in what the packet departs from the specification without
	// changing its meaning, or what else there is to say.
	Remark string
	// Undecided says that the packet fits MQTT 3.1.1 and 5.0, which differ on
	// what it means, and that nothing else in the connection tells which it is.
	// A publish then has no Payload, and PayloadSize is that of 3.1.1.
	Undecided bool
	// Captured is how many bytes of PayloadSize a cut publish has; of another
	// packet that is cut, both count the packet.
	Captured int

	// Boot is what a boot request says.
	Boot BootRequest
	// Token is a boot reply's session token; 0 unless secrets are to be shown.
	Token uint32
	// Latency is the time since what this answers: the publish, the boot
	// request, the connect, the subscribe. It is negative when that was not
	// captured.
	Latency time.Duration
	// ReasonCode and Reason are what an answer says.
	ReasonCode ReasonCode
	Reason     string
	// ReasonCodes has one code for each filter, valid until the next message.
	ReasonCodes []byte

	// Version is the protocol's in a connect; Bridge says that the client is a
	// broker, and ProxiedFor whom a proxy speaks for, if one does.
	Version    uint8
	Bridge     bool
	ProxiedFor netip.AddrPort
	// ClientID, KeepAlive (in seconds) and CleanStart are a connect's.
	ClientID   string
	KeepAlive  uint16
	CleanStart bool
	// Username and Password are a connect's, unless secrets are to be shown
	// empty.
	Username string
	Password []byte
	// Filters are those of a subscribe or unsubscribe.
	Filters []string

	// Lost is the number of bytes that are missing or were passed over; -1
	// when it is not known. Topic and PacketID are then those of the publish
	// that they belong to, if that is known.
	Lost int64
}

// BootRequest is what a gateway says of a device to get it a session token.
//
// Source: FORMAT section 5.
type BootRequest struct {
	DeviceType string `json:"device_type"`
	Git        string `json:"git"`
	Serial     string `json:"serial"`
	Version    string `json:"version"`
}

// Trouble says in a sentence what was in the way and what to do, for the kinds
// from KindEncrypted on.
func (m *Message) Trouble() string {
	switch m.Kind {
	case KindEncrypted:
		return "TLS hides it: record it in plain text, with --tap of upload or cloud"
	case KindGap:
		if m.Lost < 0 {
			return "part of the stream was not captured: capture with a larger buffer"
		}
		return count(m.Lost) + " were not captured: capture with a larger buffer and the full packet length"
	case KindResync:
		return count(m.Lost) + " passed over up to the next MQTT packet"
	case KindOversize:
		return "a packet of " + count(m.Lost) + " passed over: the most that is read is " + count(maxMessage)
	case KindCut:
		return "cut: " + strconv.Itoa(m.Captured) + " of " + count(int64(m.PayloadSize)) + " captured"
	case KindUnread:
		return count(m.Lost) + " were not read: " + m.Remark
	case KindMalformed:
		if m.Err != nil {
			return "not MQTT as the specification has it: " + m.Err.Error()
		}
	}

	return ""
}

func count(n int64) string { return strconv.FormatInt(n, 10) + " bytes" }

// Stats says how much of a capture was read and why the rest was not.
type Stats struct {
	Last     time.Time // when the last packet was captured
	Packets  int64     // in the file
	Segments int64     // of TCP, among them

	// GuessedTimes counts packets with times that may be wrong: the file says in what
	// unit they are, or from where on, in a form that cannot be read. What it says badly
	// is taken as not said: microseconds, since 1970.
	GuessedTimes int64

	// Packets that were not read: not TCP, pieces of IP packets with TCP that are not
	// all there, damaged or cut within their headers, of a link that is not known, in a
	// tunnel that is not read.
	Other, Fragments, Damaged, UnknownLink, Tunnels int64

	// Joined counts the pieces of IP packets that were put together, but for one of
	// each, which counts as what the whole is.
	Joined int64

	Connections   int64 // of TCP
	Encrypted     int64 // of them, with TLS that may hide MQTT
	WebSockets    int64 // directions of them with MQTT over WebSocket, which is not read
	NotMQTT       NotMQTT
	Messages      int64 // MQTT packets, also those that give no Message
	Retransmitted int64 // bytes that were there already
	Void          int64 // segments that no receiver takes
	Gaps          int64 // places where bytes are missing, of MQTT
	GapBytes      int64 // missing, as far as known
	LostBytes     int64 // captured but passed over to find the next packet
	Malformed     int64 // packets that are not MQTT
	Cut           int64 // packets of which a part is missing
	Undecided     int64 // packets that two versions read differently
	Bad           int64 // publishes whose payload is not what the topic promises
}

// NotMQTT counts connections that carry something else and were not read.
type NotMQTT struct {
	SSH, HTTP, TLS, Other int64
	Bytes                 int64 // of all of them
}

func (n *NotMQTT) add(p protocol, bytes int64) {
	switch {
	case p == protocolSSH:
		n.SSH++
	case p == protocolHTTP:
		n.HTTP++
	case p == protocolTLS:
		n.TLS++
	case bytes > 0:
		n.Other++
	}
	n.Bytes += bytes
}

// Lossless reports whether all MQTT that the capture touches was read. What is
// encrypted is not counted as lost, and neither is what is not MQTT.
func (s *Stats) Lossless() bool {
	return s.Fragments == 0 && s.Damaged == 0 && s.UnknownLink == 0 && s.Tunnels == 0 && s.GapBytes == 0 && s.Gaps == 0 && s.LostBytes == 0 && s.Malformed == 0 &&
		s.Cut == 0 && s.Undecided == 0 && s.WebSockets == 0
}
