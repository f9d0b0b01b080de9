package wire

import "strings"

// Remark is a set of ways in which a packet departs from the specification but
// still says what it means. Brokers differ on whether they take it.
type Remark uint16

// The remarks.
const (
	RemarkFlags    Remark = 1 << iota // reserved bits of the first byte
	RemarkDup                         // DUP at QoS 0
	RemarkTopic                       // a topic with wildcards, or none
	RemarkText                        // text that is not UTF-8, or has a NUL in it
	RemarkPacketID                    // a packet identifier of 0
	RemarkProperty                    // a property of another packet, repeated, or with a value not allowed
	RemarkLength                      // a length in more bytes than it takes
	RemarkTrailing                    // bytes behind the packet's last field
	RemarkConnect                     // flags of CONNECT or CONNACK that contradict each other or are reserved
	RemarkFilter                      // no filter, an empty one, or options that are not known
	RemarkReason                      // a reason code that is not known, or none
	RemarkPayload                     // a payload that is said to be text and is not
	RemarkVersion                     // it may be MQTT 3.1.1 or 5.0, which read it differently; what differs is left out
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
