// Package wire shows what gateways and brokers said to each other: gopacket
// layers for MQTT and for the uLogger bytes inside it, a reader that finds
// uLogger messages in capture files, and a tap that writes a capture file of a
// live connection.
//
// To read a capture file, give it to [NewCapture] and range over
// [Capture.All]: one [Message] for each publish, acknowledgement, connect and
// so on, verified and with secrets taken out, and one for each thing that was
// in the way, such as a gap or an encrypted connection. [Capture.Stats] tells
// what was read and what was lost.
//
// To write one, make a [Tap] and pass [Tap.Client] or [Tap.Server] wherever a
// hook of type func(net.Conn) net.Conn is taken. Above TLS the tap sees plain
// text, which makes a session readable that a sniffer could not read.
//
// To take bytes apart yourself, use the layers [MQTT], [Log], [Frame],
// [CoreDump] and [Chunk]. Each is a gopacket DecodingLayer and
// SerializableLayer and works with and without gopacket's parsers.
//
// # Guarantees
//
// DecodeFromBytes resets the layer in place, aliases its input and allocates
// nothing, on good input or bad. No bytes make it panic, so that gopacket's
// DecodingLayerParser can be run with IgnorePanic. What it accepts, SerializeTo
// writes back, and what SerializeTo writes, DecodeFromBytes reads.
//
// Capture files are not trusted. No length in a file sizes an allocation before
// it has been checked, buffers for reassembly are capped ([Reassembler] says by
// what), and the time spent is linear in the file's size. Memory does not depend
// on how long a capture is. What is skipped is counted, never hidden.
//
// Headers below TCP are read here and not with gopacket's layers, which cut an
// IPv4 packet of more than 65,535 bytes down, refuse an IPv6 one, know no
// PPPoE or MPLS as DecodingLayer, and index some bytes without looking.
//
// # The gopacket import
//
// google/gopacket no longer moves. Its fork gopacket/gopacket has the same API:
// to swap, replace the import path in the files that TestGopacketImports lists
// and run the tests. Of gopacket's packages, reassembly is not used: it takes
// sequence numbers to wrap at 2^32-1, which spoils some streams that arrive out
// of order around the wrap, it never frees all pages of a closed stream, and it
// adds flags to the program's command line. TestReassemblyAgainstGopacket runs
// both side by side.
package wire
