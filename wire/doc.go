// Package wire shows what gateways and brokers said to each other: gopacket
// layers for MQTT and for the uLogger bytes inside it, a reader that finds
// uLogger messages in capture files, and a tap that writes a capture file of a
// live connection.
//
// To read a capture file, give it to [NewCapture], or several to [NewCaptureFiles],
// and range over
// [Capture.All]: one [Message] for each publish, acknowledgement, connect and
// so on, verified and with secrets taken out, and one for each thing that was
// in the way, such as a gap or an encrypted connection. [Capture.Stats] tells
// what was read and what was lost.
//
// To write one, make a [Tap] and pass [Tap.Client] or [Tap.Server] wherever a
// hook of type func(net.Conn) net.Conn is taken. Above TLS the tap sees plain
// text, which makes a conversation readable that a sniffer could not read.
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
// # With gopacket
//
// Whoever has a gopacket.DecodingLayerParser decodes the control packets of a
// segment one after the other, with [MQTT].Version set to that of the connection.
// Whoever uses gopacket.NewPacket names the port and what is spoken there:
//
//	layers.RegisterTCPPortLayerType(1883, wire.LayerTypeMQTT)
//
// and [Versions] remembers what each connection speaks. A live handle, or any
// other gopacket.PacketDataSource, goes to [NewCaptureSource]. [Reassembler] puts
// the segments of gopacket's packets in order.
//
// This package stands on google/gopacket, which no longer moves, and not on its fork
// gopacket/gopacket: LayerType, SerializeBuffer and others of gopacket's types are in
// the signatures here, as a DecodingLayer's must be, so that with the fork no layer
// of this package could be given to a program's google/gopacket parser. The import
// path can therefore not stay in one file. TestOnlyListedFilesImportGopacket lists
// the files that would change. Of gopacket's packages, reassembly is not used: it
// takes sequence numbers to wrap at 2^32-1, which spoils some streams that arrive out
// of order around the wrap, it never frees all pages of a closed stream, and it adds
// flags to the program's command line. TestReassemblyEqualsGopacketUntilNumbersWrap
// runs both side by side. Neither is pcapgo used to read files, since it believes
// what they say: 80 bytes can make it allocate 256 MB.
package wire
