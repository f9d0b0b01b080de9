package wire

import "strings"

// Remark is a set of ways in which a packet departs from the specification but
// still says what it means. Brokers differ on whether they take it.
type Remark uint16

// The remarks.
const (
	remarkFlags    Remark = 1 << iota // reserved bits of the first byte
	remarkDup                         // DUP at QoS 0
	remarkTopic                       // a topic with wildcards, or none
	remarkText                        // text that is not UTF-8, or has a NUL in it
	remarkPacketID                    // a packet identifier of 0
	remarkProperty                    // a property of another packet, repeated, or with a value not allowed
	remarkLength                      // a length in more bytes than it takes
	remarkTrailing                    // bytes behind the packet's last field
	remarkConnect                     // flags of CONNECT or CONNACK that contradict each other or are reserved
	remarkFilter                      // no filter, an empty one, or options that are not known
	remarkReason                      // a reason code that is not known, or none
	remarkPayload                     // a payload that is said to be text and is not
	remarkVersion                     // it may be MQTT 3.1.1 or 5.0, which read it differently; what differs is left out
)

var remarkNames = [...]string{
	"reserved flags set", "DUP at QoS 0", "topic not allowed", "text not UTF-8", "packet identifier 0", "property not allowed",
	"length in a long form", "bytes left over", "CONNECT flags not allowed", "filter not allowed", "reason code not allowed",
	"payload not UTF-8 as announced", "MQTT 3.1.1 or 5.0 is not known",
}

// String returns the remarks in words, separated by commas.
func (r Remark) String() string {
	var words []string
	for i, name := range remarkNames {
		if r&(1<<i) != 0 {
			words = append(words, name)
		}
	}
	return strings.Join(words, ", ")
}
