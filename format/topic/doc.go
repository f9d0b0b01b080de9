// Package topic is the grammar of uLogger's MQTT topics: it takes a name apart,
// puts one together, and says what is published under it. No other package
// builds or splits such a name.
//
//	boot/v0/C[/G]/A                 BootRequest
//	boot/v0/C[/G]/A/S               BootReply
//	binlog/v0/C[/G]/A               Log
//	core-dump/v0/C[/G]              CoreDump
//	config/v0/C[/G]/A/S             LogConfig
//	metrics/v0/C[/G]/A              Metrics
//	events/v0/C[/G]/A               Events
//	logs/v0/C[/G]/A                 TextLog
//	upload/v0/firmware/C[/G]/T      FirmwareRequest
//	upload/v0/C[/G]/U               FirmwareReply
//
// C is the customer, G the group, A the application, S the device's serial number,
// T its type and U the number of an upload. A prefix may stand before any of them:
// whole levels, such as "ulogger/", as a local broker's bridge has them.
//
// # Which segment is which
//
// The word, the version and the number of segments tell, and nothing else does: a
// crash dump has no application, so that core-dump/v0/C/G/A is no topic. One form
// is left that two kinds share: boot with three segments is C/G/A, a request with
// a group, or C/A/S, a reply without. Parse takes it for a request if the last
// segment is a number, as applications are, and for a reply if it is not; a reader
// that knows better, by the payload, asks Topic.Reply.
//
// The first "word/v0/" in a name decides where the prefix ends. A prefix that
// holds one is therefore refused, and so is the customer "firmware" in a
// FirmwareReply.
//
// # Guarantees
//
// Parse succeeds on exactly the names that AppendTo writes: parse(append(t)) is t,
// apart from boot with three segments, and append(parse(name)) is name. No segment
// can hold '/', '+', '#', NUL or another control character, be empty, or be longer
// than MaxSegment, so that what a device calls itself cannot reach beyond its
// segment. Parse allocates nothing, whether the name is a string or bytes.
//
// Source: FORMAT section 5, LIBRARY section 3.
package topic
