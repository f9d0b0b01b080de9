// Package ingest takes the logs, crash dumps, text logs, metrics and events that
// gateways upload from an MQTT 5 broker into durable storage, with as many workers as it takes.
//
// A [Worker] is one connection to the broker. [New] checks its Config, and
// [Worker.Run] works until its context ends. All workers with the same
// Config.Group share one subscription, so that the broker hands each message to
// one of them. A worker verifies a message, drops it if it is a copy of one that
// is stored already, gives it to the [Sink], and acknowledges it to the broker
// when the Sink says that it is durable.
//
// Sinks are packages of their own: filesink keeps the records in files and needs
// no server, natssink in a replicated stream of NATS JetStream. Each has a
// [Reader], from which the records are decoded later and elsewhere: a newer
// dictionary can decode them again. Package otlp exports them. No firmware file
// is ever opened in ingest.
//
// # Guarantees
//
// A message is acknowledged after it is durable, and never refused: the broker
// would take a negative acknowledgement on a shared subscription as leave to
// discard it. So a message that a gateway saw confirmed is stored at least once,
// whatever crashes, if the broker keeps its promises (see below). Copies are left
// where a worker died between the durable write and the acknowledgement, or where
// two workers each got one. They have the same [Record.Key], and [Deduplicate]
// drops them when reading: then each message is there exactly once, its bytes
// unchanged. Metrics and events that have neither a record id nor times cannot be told
// from their copies, and are all kept: the next heartbeat has the same bytes.
//
// A message that is no intact log or crash dump goes to Config.Quarantine with
// the reason, and is then acknowledged like the others; it would come back for
// ever otherwise. A quarantine is a Sink like the other and can be read like it.
//
// Messages are stored in the order in which the broker gave them to the worker.
// A worker that retries never overtakes. The order of one device across workers
// is the broker's choice: with a shared subscription it deals out messages, not
// devices.
//
// Memory is bounded by ReceiveMaximum messages of MaxPayload bytes, or twice that
// with a broker that sends more than it may or messages of QoS 0: the worker then
// stops reading. While the sink fails, the worker tries the same batch again,
// acknowledges nothing, and says so in its log, in its metrics and in
// [Worker.Health]; the broker then stops giving it messages.
//
// # What the broker must do
//
// The broker keeps what it has handed to a worker that died, under the worker's
// client identifier, for Config.SessionExpiry. A worker must therefore have a
// Config.Name that is its own and survives its restart, such as the ordinal of a
// replica. What is left in a session when it expires, some brokers give to
// another worker, as MQTT 5 section 4.8.2 suggests, and some discard: mosquitto
// 2.0 does, and what gateways saw confirmed is lost then. A worker must be back
// before its session expires. To take it away for good, end it with Config.Leave.
//
// Mosquitto needs max_queued_messages 0, or it drops what does not fit its queue
// of 1,000, and max_inflight_messages no less than ReceiveMaximum to be fast.
package ingest
