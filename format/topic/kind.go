package topic

// Kind says what is published under a topic.
type Kind uint8

// The kinds. The zero Kind is that of a name that is none of uLogger's.
const (
	Unknown         Kind = iota
	BootRequest          // asks for a session token
	BootReply            // the session token, for one device
	Log                  // binary log
	CoreDump             // crash dump
	LogConfig            // level, modules and duration, for one device
	Metrics              // measured values
	Events               // things that happened
	TextLog              // log lines as NDJSON
	FirmwareRequest      // asks where to put an ELF file
	FirmwareReply        // the address to put it
)

var kindNames = [...]string{
	Unknown: "unknown", BootRequest: "boot request", BootReply: "boot reply", Log: "log", CoreDump: "core dump",
	LogConfig: "log configuration", Metrics: "metrics", Events: "events", TextLog: "text log",
	FirmwareRequest: "firmware request", FirmwareReply: "firmware reply",
}

// String returns what the kind is called in messages: "log", "core dump".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[Unknown]
}

// word is what a kind's names begin with.
func (k Kind) word() string {
	switch k {
	case BootRequest, BootReply:
		return "boot"
	case Log:
		return "binlog"
	case CoreDump:
		return "core-dump"
	case LogConfig:
		return "config"
	case Metrics:
		return "metrics"
	case Events:
		return "events"
	case TextLog:
		return "logs"
	case FirmwareRequest, FirmwareReply:
		return "upload"
	}
	return ""
}

// wordKind returns the kind, or the first of the two, whose names begin with the
// word.
func wordKind[S ~string | ~[]byte](word S) Kind {
	switch string(word) {
	case "boot":
		return BootRequest
	case "binlog":
		return Log
	case "core-dump":
		return CoreDump
	case "config":
		return LogConfig
	case "metrics":
		return Metrics
	case "events":
		return Events
	case "logs":
		return TextLog
	case "upload":
		return FirmwareReply
	}
	return Unknown
}

const (
	version  = "v0"
	firmware = "firmware" // the segment that tells a FirmwareRequest
)

// tail says which segments follow the customer and the group.
func (k Kind) tail() (application bool, last bool) {
	switch k {
	case BootRequest, Log, Metrics, Events, TextLog:
		return true, false
	case BootReply, LogConfig:
		return true, true
	case FirmwareRequest, FirmwareReply:
		return false, true
	}
	return false, false
}
