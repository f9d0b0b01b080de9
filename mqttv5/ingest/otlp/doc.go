// Package otlp exports what an ingest sink holds to any receiver of OpenTelemetry's
// protocol over HTTP: the records of logs as log records, metric frames as metrics,
// crash dumps as log records of the highest severity.
//
// An [Exporter] reads a sink from the position it stored last. [Exporter.Drain]
// exports what there is, [Exporter.Run] goes on as more arrives. [Exporter.Health]
// and [NewCollector] tell how it goes meanwhile.
//
// # What becomes what
//
// There is one resource for each device. A log tells its session token and, by its
// topic, customer, group and application; Config.Device can name the device that
// the token belongs to. mqttv5.Sessions finds it in the token file of the gateway
// that registered the device, as long as the token is the device's current one.
//
//	service.name                "ulogger"
//	service.instance.id         serial, or "session TOKEN" where it is not known
//	service.version             git version
//	vcs.ref.head.revision       git hash
//	device.id                   serial
//	device.model.identifier     device type
//	ulogger.customer_id, ulogger.group_id, ulogger.application_id, ulogger.session_token
//
// A log record has the text as its body, rendered as the device would have, and as
// attributes ulogger.template, ulogger.args, ulogger.module, ulogger.module_name,
// ulogger.fmt_addr, ulogger.frame (the number within its log), ulogger.key (the
// same for copies of one log) and, of a version 1 log, ulogger.sequence. Without a
// dictionary for its firmware the body is the address and the arguments; exporting
// again later from position 0 with the dictionary makes up for it.
//
// Where several builds fit a log equally, the records that these read differently are
// counted, and the builds named to Config.Logger; see Config.Choose.
//
// The observed time is when the worker received the log. The time of a record is that
// of the report less the ticks that followed the record in its log, as if the last
// frame had been logged when the report was made: it may be late by what lies between
// these two. The report's time is the device's own where the header has one (version
// 4), and else the observed time; then it may be late by the way of the log, too. It
// is left out where the device has no tick rate. ulogger.uptime_seconds is the
// device's own time by the same reckoning. A log is reckoned by itself, so that one
// that is exported again has the times that it had; "ulogkit decode --received" tells
// the times of the logs of a device together, with their bounds.
//
// A metric frame, "metric_NAME=VALUE" with level 5 (FORMAT section 2), is a data
// point of the gauge ulogger.NAME. One that cannot be read as such is exported as a
// log record.
//
// A line of a text log is a log record with the severity of its lv and the time of its
// t, in seconds since 1970, or since the device's start if it is below 1e9; then it is
// ulogger.uptime_seconds. A t that is neither is ulogger.clock. ulogger.line is its
// number within the message. A metric is a data point of the gauge ulogger.NAME, an
// event a log record with the type as its body; what names no time is of the time it
// was received.
//
// # Guarantees
//
// The position is stored after the receiver has taken everything up to it, so that
// a crash or an outage exports some records again and leaves none out. It names the
// sink and the receiver besides the number: one of another sink or receiver, or behind
// the end of the sink, is refused ([ErrPosition]), and so is a second export with the
// same one. It knows the record before it, too: where the sink now has another under that
// number, since it was put back as it was earlier or this is a copy that went its own way,
// it is refused. Copies that workers left in the sink are dropped.
//
// A request was taken when it is answered with a status from 200 to 299 and a body
// that is what its content type says: protobuf or JSON of the protocol's response, or
// nothing with status 204. A login page is none. What the receiver asks to be tried
// later (status 429, 502, 503, 504) and what fails on the network is tried again, with
// growing waits or the one that its Retry-After says: by Run for ever, by Drain for as
// long as Config.GiveUp says. A request that is too large or wrong (413, 400) is sent
// in halves, down to the record that the receiver does not want; that one is set aside
// in Config.RefusedFile with the receiver's words, and the others go on. But a receiver
// that does not even take an empty request has refused no record.
//
// Any other refusal, giving up, and a sink that cannot be read end the export with an
// error and without moving the position: what was not taken stays in the sink. Records
// that the receiver rejects of a request that it takes are counted in Stats and logged;
// its specification forbids to send them again.
package otlp
