// Package link has the one MQTT 5 connection of this repository: the uploader and
// the ingest workers stand on it.
//
// A [Keeper] opens a [Link] when it is needed, at most one at a time and never too
// soon after the last, judges its end and sets the pace of what follows. A Link
// sends messages and tells how each ended, subscribes, and hands over what arrives.
// Keeper.Request is a message that is answered by another: it asks again, and goes
// on with the next link while there is time. What a record is, is not known here: to
// send again what was lost is the business of who gave it.
//
// What carries a link's packets is a wire of its own, or a loan: a connection of the
// host program (package lent).
//
// # What paho.golang does, and what is done here
//
// Package paho of eclipse/paho.golang v0.23 reads packets, logs in and keeps the
// connection's goroutines; autopaho is not used. Each row has a test.
//
//	paho                                          here
//	drops what is in flight when the session is   an exchange that is cut short is told so at
//	not resumed, and Publish waits for its own    once; the outbox sends again, and Clean Start
//	timeout                                       with expiry 0 leaves nobody else who would
//	its queue deletes after the send; a PUBACK    no queue; every PUBACK is told with its code
//	that refuses vanishes
//	a PUBLISH without PUBACK holds its place in   an overdue acknowledgement ends the link
//	the Receive Maximum
//	reconnects at once after each success         Keeper: full jitter from 1 s to 120 s, which
//	                                              only 30 s of service reset
//	stores the Maximum Packet Size, ignores it    Message.CheckSize before anything is sent
//	allocates 4 GiB for six hostile bytes         package guard below it
//	PINGREQ waits behind the payload, and its     pinger: any packet is a sign of life, and the
//	answer is overdue meanwhile                   bytes in flight at 2 KiB/s lengthen the wait
//	writes a PUBLISH in 3 or 4 pieces, each a     wireConn collects them: one write, and that of
//	TLS record                                    many senders together
//	Receive Maximum 65535 sizes a channel         64, or what the Inbox says
//	acknowledges on a 50 ms ticker, in order      Link.Acknowledge, at once, many in one write
//	its rpc loses answers that beat the PUBACK    Keeper.Request
//	topic aliases break what is sent again        none
//	takes nothing but a CONNACK of MQTT 5 first   greeting reads a DISCONNECT and the two bytes of
//	                                              MQTT 3.1.1 before it
//	calls a nil handler when a broker wants       noAuth refuses
//	enhanced authentication
//	one answer a SUBSCRIBE is not compared with   a SUBACK has a code for each filter, or is an
//	its filters                                   error
//
// # What is encoded by hand, and why
//
// PUBLISH is written and the short PUBACK is read without paho's packets. Measured on
// 2026-11-28 with BenchmarkPublish on two cores of a busy machine, so as processor
// time of client and broker for 200,000 messages of 1 KiB, three runs in turn:
//
//	0.77 to 0.78 s  a loop that writes prebuilt packets to the socket (impl=raw)
//	1.18 to 1.39 s  as it is
//	2.42 to 2.48 s  PUBLISH by paho's encoder, collected by wireConn
//	2.68 to 2.92 s  PUBACK by paho's decoder
//	3.10 to 4.02 s  both by paho, collected by wireConn
//	4.38 to 4.96 s  both by paho, with a write of its own for each piece
//
// On a quiet machine with two cores, where the loop waits for its system calls, the
// first two take 4.2 and 2.35 us a message. To hold 0.90 of the loop's rate a message
// may take 4.7 us, twice what it takes. paho's decoder alone, at 2.2 times the
// processor time, does not hold that; its encoder, at 1.6 to 2.1 times in further
// runs, is at the edge, and gateways pay for it with their batteries. Blobs of 64 KiB
// over mutual TLS cost the same in every row: 1.3 to 1.8 s for 6,000, the loop 0.8 to
// 0.9; there the collecting is what counts.
package link
