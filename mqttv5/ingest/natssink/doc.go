// Package natssink keeps ingest's records in a replicated stream of NATS
// JetStream, for many workers in front of one log.
//
// [Open] connects and makes the stream if there is none: file storage, three
// replicas. Append publishes a batch and returns when the stream has acknowledged
// every record, which with three replicas means that two servers have it. Read
// replays the stream from a sequence number; [OpenSource] is for those who only read:
// it makes nothing, and takes the stream with the settings it has.
//
// A record is one message. Its data is the payload, byte for byte; the headers hold
// the rest, with bytes that a header cannot hold as %XX:
//
//	Nats-Msg-Id     the key
//	Ulogkit-Kind    1 log, 2 crash dump
//	Ulogkit-Time    time of arrival, ns since 1970
//	Ulogkit-Topic   MQTT topic
//	Ulogkit-Id      record id, if there is one
//	Ulogkit-Reason  why it is in quarantine, if it is
//
// # Guarantees
//
// The message id makes the server drop a copy that comes within Config.Window of
// the first one, from whichever worker it comes: a batch that is appended again
// because its acknowledgement was lost is stored once. Copies that come later are
// stored, and [ingest.Deduplicate] drops them.
//
// Records of one batch, and batches of one worker, are in the stream in order,
// except across a failure: when a server dies after it has taken the third record
// of a batch and not the second, the second follows the third. [ingest.Record].Time
// shows the true order of one worker.
//
// A Reader gives [ingest.ErrEnd] only when the leader of the stream says that there
// is no more. While the servers elect a leader they leave requests unanswered; those
// for opening and reading are made again, each with Config.Timeout, ten times as long
// in all. Append returns an error then, and the worker tries the batch again.
//
// # Power cuts
//
// An acknowledgement means that a majority of the replicas have written the
// message to their file systems. It does not mean that their disks have it: by
// default nats-server calls fsync every two minutes. A crash of the process, or of
// one machine, costs nothing. A power cut of a majority of the machines at once
// costs what was acknowledged in up to the last two minutes, and it is gone: the
// broker has forgotten it as well. Where that can happen, set
//
//	jetstream { sync_interval: always }
//
// on the servers. Only they can set it, and no client can see it. On one machine
// with an SSD a synchronous publish of 4 KiB to three replicas then took 1.1 ms
// instead of 0.3 ms.
package natssink
