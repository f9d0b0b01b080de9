package wire

import "github.com/ulogkit/ulogkit/format/topic"

// Kind is what a message is about.
type Kind uint8

// The kinds. The first are those of topics, and with them of publishes.
const (
	KindOther           Kind = iota // not one of uLogger's topics
	KindBoot                        // boot handshake; the payload tells request from reply
	KindLog                         // binary log
	KindCoreDump                    // crash dump
	KindConfig                      // log configuration
	KindTextLog                     // text logs, NDJSON
	KindFirmwareRequest             // firmware upload, asked for
	KindFirmwareReply               // firmware upload, granted
	KindMetrics                     // measured values, JSON
	KindEvents                      // things that happened, JSON

	// What the payload makes of KindBoot.
	KindBootRequest
	KindBootReply

	// The other control packets.
	KindConnect
	KindConnack
	KindAck // PUBACK, PUBREC or PUBCOMP
	KindSubscribe
	KindSuback
	KindUnsubscribe
	KindUnsuback
	KindDisconnect
	KindAuth

	// Trouble.
	KindEncrypted // a connection under TLS
	KindGap       // bytes that were not captured
	KindResync    // bytes passed over to find the next packet
	KindOversize  // a packet too long to be read
	KindMalformed // bytes that are not MQTT
	KindCut       // a packet of which a part is missing
	KindUnread    // bytes of a connection that is, or may be, MQTT and was not read
)

var kindNames = [...]string{
	"publish", "boot", "log", "coredump", "config", "textlog", "firmware-request", "firmware-reply",
	"metrics", "events",
	"boot-request", "boot-reply",
	"connect", "connack", "ack", "subscribe", "suback", "unsubscribe", "unsuback", "disconnect", "auth",
	"encrypted", "gap", "resync", "oversize", "malformed", "cut", "unread",
}

// String returns the kind's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Topic is a topic name taken apart. Its fields alias the name.
//
// Source: FORMAT section 5.
type Topic struct {
	Kind Kind
	// Path is what follows kind and version: customer, perhaps group,
	// application, perhaps serial, separated by slashes. Package format/topic
	// takes it apart.
	Path []byte
}

// ParseTopic tells what is published under a topic name. A name that is none
// of uLogger's gives KindOther and the whole name.
func ParseTopic(name []byte) Topic {
	t, ok := topic.Parse(name)
	if !ok {
		return Topic{Path: name}
	}

	path := len(t.Customer)
	for _, segment := range [...][]byte{t.Group, t.Application, t.Serial, t.DeviceType, t.UploadID} {
		if len(segment) > 0 {
			path += 1 + len(segment)
		}
	}
	return Topic{Kind: topicKinds[t.Kind], Path: name[len(name)-path:]}
}

// kindOf returns what is published under a topic name.
func kindOf(name string) Kind {
	t, ok := topic.Parse(name)
	if !ok {
		return KindOther
	}
	return topicKinds[t.Kind]
}

// topicKinds maps what a name alone tells; of boot, the payload tells the rest.
var topicKinds = [...]Kind{
	topic.BootRequest: KindBoot, topic.BootReply: KindBoot, topic.Log: KindLog, topic.CoreDump: KindCoreDump,
	topic.LogConfig: KindConfig, topic.TextLog: KindTextLog, topic.Metrics: KindMetrics, topic.Events: KindEvents,
	topic.FirmwareRequest: KindFirmwareRequest, topic.FirmwareReply: KindFirmwareReply,
}
