// Package mqttv5 takes uLogger binary logs, crash dumps, text logs and firmware to
// the cloud over MQTT 5.
//
// A [Client] holds one connection for any number of uploads and devices. [New]
// checks the [Config] without touching the network; the first call that needs the
// broker connects, and Close says goodbye. There are two ways to send:
//
//   - Client.UploadLog, PublishCoreDump and PublishText send now and return when
//     the broker has acknowledged. UploadLog does the whole job for one buffer: it
//     verifies the checksum, gets the device's session token (from the
//     [SessionStore], or by the boot handshake), writes it into a copy of the
//     buffer and publishes that. GetSessionToken, GetOrFetchToken and
//     PublishBinaryLog are its parts.
//   - [Outbox] keeps records on disk until they have been acknowledged: SubmitLog,
//     SubmitCoreDump and SubmitText accept, Client.Deliver delivers.
//
// Client.WatchLogConfig yields what the cloud wants a device to log,
// Client.UploadFirmware stores an ELF file through a presigned address, and
// [Diagnose] finds out what keeps an upload from working.
//
// # The way of one record
//
//	Outbox.Submit   check, commit, fsync, id                    package outbox
//	Outbox.Lease    the next record whose device is free        package outbox
//	message         topic and payload; a log gets its token,    Client.Deliver
//	                from the store, else the device registers   package tokens
//	Link.Send       flow window, rate, PUBLISH                  internal/link
//	PUBACK          or the end of the connection                internal/link
//	verdict         one table of reason codes                   refusal.go
//	Lease.Done      forgotten; or Again, later; or Park, for a person
//
// UploadLog and its kin go the same way without the outbox: check, message, Send,
// PUBACK, Receipt.
//
// # Guarantees
//
// The outbox's Submit calls return nil only after the record is durable on disk.
// From then on it is delivered at least once, through any crash, outage or restart;
// it is never silently dropped (an outbox that is full refuses, with
// [ErrOutboxFull]) and never altered (each record carries a CRC-32C). A record
// leaves the outbox only by an acknowledgement of success, or by Drop; one that the
// cloud refuses for good is parked with the reason, and the others go on. The
// records of one device are delivered in the order they were accepted, one at a
// time; devices do not wait for each other.
//
// A direct call that returns nil has been acknowledged with success. It makes one
// attempt and says so when that fails: after [ErrNetwork] the message may or may
// not have arrived. UploadLog alone tries again, once and with a new session token,
// when the server refuses one that was kept.
//
// At least once means that copies happen: at most one more for each connection
// lost, or process ended, while the record was not acknowledged. Each message
// carries a record id as the user property "ulogkit-id", the same on every copy, by
// which a consumer drops them. In the outbox it is the identity of the outbox and a
// sequence number; for a direct call it is a hash of the content, so that repeating
// the call repeats the id.
//
// A log or dump whose checksum is wrong is refused before anything is sent or
// accepted, and so is a message larger than the cloud or the broker takes. Names
// that come from devices cannot leave their topic segment. Tokens, keys, payloads
// and presigned addresses appear in no error, event or log.
//
// # The connection
//
// The MQTT session ends with the connection (Clean Start, expiry 0): what is not
// acknowledged is the outbox's to send again and nobody else's. An acknowledgement
// that is overdue ends the connection, since the broker would hold its place in the
// Receive Maximum for ever. The flow window begins with one blob and grows with
// what the link carries. Reconnects wait with full jitter between 1 and 120 s,
// never less than a second, and reset only after 30 s of service; the reason code
// of a DISCONNECT decides what else follows:
//
//	Session taken over (0x8E)      wait 10 s; the third time in a minute, stop and report
//	Quota exceeded, Rate too high  wait 30 s; half the rate, which recovers by doubling each minute
//	Packet too large, Payload      the record is parked; of several in flight they go
//	format invalid, Topic name     one at a time until the one is known
//	Not authorized and other       wait the longest backoff, and tell the hooks
//	refusals of the client
//
// Of negative acknowledgements, Quota exceeded is tried again, more slowly; Topic
// name invalid, Payload format invalid and Packet too large park the record; Not
// authorized leads to one new registration, then to parking at the third refusal;
// any other code parks at the tenth. A broker that says that nobody was subscribed
// (0x10) has dropped the message: unless Config.AllowNoSubscriber is set, a direct
// call fails with ErrNobody, and a record is tried again, 20 times in two hours,
// before it is parked.
//
// A program that has a connection already lends it as Config.Lent: package lent
// and its adapters for autopaho and for paho's client for MQTT 3.1.1. Everything else
// stands, but for what only who connects can do.
//
// # What paho.golang does, and what is done here
//
//	packets: CONNECT, SUBSCRIBE, DISCONNECT, PUBACK,   paho
//	reading all that arrives
//	PUBLISH that is sent, PUBACK that says no more     here: in numbers, without the
//	than a code                                        objects paho makes of each
//	login, its goroutines, their end                   paho.Client
//	packet identifiers, waiting acknowledgements       here: paho's SessionManager, so
//	                                                   that each record hears its end
//	pings, and noticing a dead link                    here: paho's Pinger
//	messages that arrive                               here: by exact topic
//	dialing, TLS, when to connect again                here: the reason code decides it;
//	                                                   autopaho has one backoff for all
//	queue on disk                                      here: [Outbox]; autopaho's queue
//	                                                   knows no devices and no verdicts
//	flow window, rate, hostile bytes                   here: paho has none
//
// Package mqttv5/internal/link has this row by row, and what its own parts cost.
//
// # Errors
//
// Every error is an [*Error] or wraps one; errors.Is tells what to do about it:
// ErrBadData (repair the data), ErrConfig (repair the call or the Config),
// ErrCredentials (repair the certificate or key), ErrStorage and ErrOutboxFull (see
// to the disk), ErrNetwork (try again later), ErrNobody (start what takes the
// messages), ErrRefused (the server said no; the text and Error.Code have its
// reason).
package mqttv5
