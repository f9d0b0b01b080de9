package wire

import "bytes"

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
)

var kindNames = [...]string{
	"publish", "boot", "log", "coredump", "config", "textlog", "firmware-request", "firmware-reply",
	"boot-request", "boot-reply",
	"connect", "connack", "ack", "subscribe", "suback", "unsubscribe", "unsuback", "disconnect", "auth",
	"encrypted", "gap", "resync", "oversize", "malformed",
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
	// application, perhaps serial, separated by slashes. Which of them three
	// segments are, the topic alone does not always tell.
	Path []byte
}

// ParseTopic tells what is published under a topic name. A name that is none
// of uLogger's gives KindOther.
func ParseTopic(name []byte) Topic {
	for i := range topicPrefixes {
		p := &topicPrefixes[i]
		path, ok := bytes.CutPrefix(name, p.prefix)
		if !ok || len(path) == 0 {
			continue
		}
		if n := 1 + bytes.Count(path, slash); n < p.min || n > p.max {
			continue
		}
		return Topic{Kind: p.kind, Path: path}
	}
	return Topic{Path: name}
}

var slash = []byte{'/'}

// topicPrefixes are in order: the first that fits decides. A group may stand
// after the customer, hence one segment more.
var topicPrefixes = [...]struct {
	prefix   []byte
	min, max int // segments of the path
	kind     Kind
}{
	{[]byte("binlog/v0/"), 2, 3, KindLog},
	{[]byte("core-dump/v0/"), 1, 3, KindCoreDump},
	{[]byte("boot/v0/"), 2, 4, KindBoot},
	{[]byte("config/v0/"), 3, 4, KindConfig},
	{[]byte("logs/v0/"), 2, 3, KindTextLog},
	{[]byte("upload/v0/firmware/"), 2, 3, KindFirmwareRequest},
	{[]byte("upload/v0/"), 2, 3, KindFirmwareReply},
}
