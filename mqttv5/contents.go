package mqttv5

// Content types that go with each message.
const (
	contentLog      = "application/x-ulogger-binlog"
	contentCoreDump = "application/x-ulogger-coredump"
	contentText     = "application/x-ndjson"
	contentJSON     = "application/json"
	contentGzip     = "application/gzip" // JSON that is compressed
)
