package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/wire"
)

func ExampleMQTT() {
	stream := []byte("\x32\x13\x00\x0dbinlog/v0/C/A\x00\x07\x00\x03" + // PUBLISH
		"\xc0\x00") // PINGREQ
	var m wire.MQTT
	for len(stream) > 0 {
		if err := m.DecodeFromBytes(stream, gopacket.NilDecodeFeedback); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%v %q, packet %d, payload %x\n", m.Type, m.Topic, m.PacketID, m.Payload)
		stream = m.Rest
	}
	// Output:
	// PUBLISH "binlog/v0/C/A", packet 7, payload 03
	// PINGREQ "", packet 0, payload
}

func ExampleMQTT_AppendTo() {
	refused := wire.MQTT{Type: wire.PacketPuback, PacketID: 7, ReasonCode: 0x97}
	b, err := refused.AppendTo(nil)
	fmt.Printf("% x, %v: %s\n", b, err, refused.ReasonName())
	// Output: 40 03 00 07 97, <nil>: Quota exceeded
}

func ExampleParseTopic() {
	topic := wire.ParseTopic([]byte("core-dump/v0/customer"))
	fmt.Printf("%v of %s\n", topic.Kind, topic.Path)
	// Output: coredump of customer
}

func ExampleNewCapture() {
	f, err := os.Open("testdata/sample.pcap")
	if err != nil {
		fmt.Println(err)
		return
	}

	defer f.Close()
	capture, err := wire.NewCapture(f, wire.CaptureConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}

	for m := range capture.All() {
		switch m.Kind {
		case wire.KindLog, wire.KindCoreDump:
			fmt.Printf("%v of %d bytes on %s, good: %v\n", m.Kind, m.PayloadSize, m.Topic, m.Err == nil)
		case wire.KindAck:
			if m.ReasonCode.Failed() {
				fmt.Printf("%s refused after %v: %s\n", m.Topic, m.Latency, m.Reason)
			}
		case wire.KindEncrypted, wire.KindGap:
			fmt.Println(m.Trouble())
		}
	}

	if err := capture.Err(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// log of 605 bytes on binlog/v0/C/A, good: true
	// coredump of 684 bytes on core-dump/v0/C, good: true
	// core-dump/v0/C refused after 1ms: Quota exceeded
	// log of 605 bytes on binlog/v0/C/A, good: false
	// TLS hides it: record it in plain text, with --tap of upload or cloud
	// 44 bytes were not captured: capture with a larger buffer and the full packet length
}

// From MQTT down to the frames, with gopacket's parser.
func ExampleLog() {
	packet := []byte("\x30\x2d\x00\x0dbinlog/v0/C/A\x00" +
		"\x03\x00\x00\x00\x00\x00\x02\x00\x00\x00\x80\x00\x00\x0c\x00\xa1\x00" + // header
		"\x06\x00\x05\x00\x00\x00\x22\x00\x80\x00\x00\x00") // one frame
	var mqtt wire.MQTT
	var log wire.Log
	frame := wire.Frame{Log: &log}
	parser := gopacket.NewDecodingLayerParser(wire.LayerTypeMQTT, &mqtt, &log, &frame)
	var layers []gopacket.LayerType
	if err := parser.DecodeLayers(packet, &layers); err != nil {
		fmt.Println(err)
		return
	}

	record, err := format.ParsePayload(frame.Record)
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(layers)
	fmt.Println("tick delta", frame.TickDelta, record.Level(), "from module", record.Module())
	// Output:
	// [MQTT ULoggerLog ULoggerFrame]
	// tick delta 5 info from module 2
}

func ExampleTap() {
	var file bytes.Buffer
	tap, err := wire.NewTap(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, s := net.Pipe() // stands for a connection under TLS
	c = tap.Client(c)
	go func() { _, _ = io.Copy(io.Discard, s) }()
	for _, packet := range []wire.MQTT{
		{Type: wire.PacketConnect, Connect: wire.Connect{ClientID: []byte("cust-C")}},
		{Type: wire.PacketPublish, Topic: []byte("logs/v0/C/A"), Payload: []byte(`{"t":1,"lv":2,"m":"up"}`)},
	} {
		b, err := packet.AppendTo(nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		if _, err := c.Write(b); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := errors.Join(c.Close(), tap.Close()); err != nil {
		fmt.Println(err)
		return
	}

	capture, err := wire.NewCapture(&file, wire.CaptureConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for m := range capture.All() {
		fmt.Printf("%v to %v: %v %q, %d bytes\n", m.Source, m.Destination, m.Kind, m.Topic, m.PayloadSize)
	}
	fmt.Println(capture.Err(), capture.Stats().Messages)
	// Output:
	// 192.0.2.1:1 to 192.0.2.2:1883: connect "", 0 bytes
	// 192.0.2.1:1 to 192.0.2.2:1883: textlog "logs/v0/C/A", 23 bytes
	// <nil> 2
}

// Packets as gopacket.NewPacket makes them: a layer for each control packet of a
// segment, in the version that its connection's CONNECT has said.
func ExampleVersions() {
	var versions wire.Versions
	mqtt := gopacket.RegisterLayerType(1999, gopacket.LayerTypeMetadata{Name: "MQTT", Decoder: &versions})
	layers.RegisterTCPPortLayerType(1883, mqtt)

	f, err := os.Open("testdata/cases/bridge-0x84.pcap")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		fmt.Println(err)
		return
	}
	source := gopacket.NewPacketSource(r, r.LinkType())
	source.DecodeStreamsAsDatagrams = true
	for p := range source.Packets() {
		for _, l := range p.Layers() {
			if m, ok := l.(*wire.MQTT); ok {
				fmt.Println(m.Type, "of version", m.Version)
			}
		}
	}
	// Output:
	// CONNECT of version 4
	// CONNACK of version 4
	// PUBACK of version 4
}

// Without a connection's memory, a port is told which version is spoken there.
func ExampleMQTT_newPacket() {
	layers.RegisterTCPPortLayerType(1884, wire.LayerTypeMQTT311)
	tcp := append([]byte("\x9c\x40\x07\x5c\x00\x00\x00\x01\x00\x00\x00\x01\x50\x18\xff\xff\x00\x00\x00\x00"),
		"\x30\x05\x00\x01a\x00\x01\xc0\x00"...)
	p := gopacket.NewPacket(tcp, layers.LayerTypeTCP, gopacket.DecodeStreamsAsDatagrams)
	for _, l := range p.Layers() {
		if m, ok := l.(*wire.MQTT); ok {
			fmt.Printf("%v %q %x\n", m.Type, m.Topic, m.Payload)
		}
	}
	// Output:
	// PUBLISH "a" 0001
	// PINGREQ ""
}

// A live handle, or whatever else gives gopacket its packets.
func ExampleNewCaptureSource() {
	f, err := os.Open("testdata/sample.pcap") // or pcapgo.NewEthernetHandle("eth0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	handle, err := pcapgo.NewReader(f)
	if err != nil {
		fmt.Println(err)
		return
	}
	var source gopacket.PacketDataSource = handle
	for m := range wire.NewCaptureSource(source, handle.LinkType(), wire.CaptureConfig{}).All() {
		if m.Kind == wire.KindConnect {
			fmt.Println(m.ClientID, "connects")
		}
	}
	// Output: cust-C connects
}

// printer is told what a connection carries.
type printer struct{ source, destination netip.AddrPort }

func (printer) Started(direction int) { fmt.Println(direction, "begins") }
func (printer) Data(direction int, _ time.Time, b []byte) {
	fmt.Println(direction, "says", len(b), "bytes")
}

func (printer) Gap(direction int, _ time.Time, n int64) {
	fmt.Println(direction, "lacks", n, "bytes")
}
func (printer) Ended(direction int, _ time.Time) { fmt.Println(direction, "ends") }

func ExampleReassembler() {
	f, err := os.Open("testdata/cases/pcpp851-ack-before-data.pcap")
	if err != nil {
		fmt.Println(err)
		return
	}

	defer f.Close()
	handle, err := pcapgo.NewReader(f)
	if err != nil {
		fmt.Println(err)
		return
	}

	r := wire.NewReassembler(func(source, destination netip.AddrPort) wire.Stream {
		fmt.Println(source, "to", destination)
		return printer{source, destination}
	})

	for p := range gopacket.NewPacketSource(handle, handle.LinkType()).Packets() {
		r.AddPacket(p)
	}
	r.Close()
	// Output:
	// 10.0.0.1:40000 to 10.0.0.2:1883
	// 0 begins
	// 1 begins
	// 0 says 17 bytes
	// 1 says 4 bytes
	// 0 says 1460 bytes
	// 0 says 1460 bytes
	// 0 says 1935 bytes
	// 1 says 4 bytes
	// 0 ends
	// 1 ends
}

func ExampleCoreDump() {
	h := new(format.CoreDumpHeader)
	h.SetVersion(1)
	h.SetApplicationID(7)
	buf := gopacket.NewSerializeBuffer()
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buf, opts, &wire.CoreDump{Header: h}, append(gopacket.Payload("cC\x03\x00"), make([]byte, 4+80)...)); err != nil {
		fmt.Println(err)
		return
	}
	var d wire.CoreDump
	if err := d.DecodeFromBytes(buf.Bytes(), gopacket.NilDecodeFeedback); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("application", d.Header.ApplicationID(), "of", d.Header.LenTotal(), "bytes, of which CrashCatcher's are", len(d.Payload))
	// Output: application 7 of 352 bytes, of which CrashCatcher's are 88
}

func ExampleChunk() {
	var c wire.Chunk
	if err := c.DecodeFromBytes([]byte("\x10\x00\x20\x00sixteen bytes..."), gopacket.NilDecodeFeedback); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("bytes %d to %d of %d: %q\n", c.Offset, int(c.Offset)+len(c.Payload), c.LenTotal, c.Payload)
	// Output: bytes 16 to 32 of 32: "sixteen bytes..."
}

func ExampleProperties() {
	var p wire.Properties
	for _, v := range []wire.Property{
		{ID: wire.PropertyContentType, Value: []byte("application/json")},
		{ID: wire.PropertyUser, Key: []byte("site"), Value: []byte("north")},
	} {
		var err error
		if p, err = wire.AppendProperty(p, v); err != nil {
			fmt.Println(err)
			return
		}
	}
	for v := range p.All() {
		fmt.Printf("%v: %s %s\n", v.ID, v.Key, v.Value)
	}
	if v, ok := p.Lookup(wire.PropertyContentType); ok {
		fmt.Printf("%s\n", v.Value)
	}
	// Output:
	// content type:  application/json
	// user property: site north
	// application/json
}

func ExampleFilters() {
	var filters wire.Filters
	for _, topic := range []string{"boot/v0/42/+/+", "config/v0/42/#"} {
		var err error
		if filters, err = wire.AppendFilter(filters, wire.PacketSubscribe, wire.Subscription{Filter: []byte(topic), QoS: 1}); err != nil {
			fmt.Println(err)
			return
		}
	}
	m := wire.MQTT{Type: wire.PacketSubscribe, PacketID: 1, Filters: filters}
	for s := range m.Subscriptions() {
		fmt.Printf("%s at QoS %d\n", s.Filter, s.QoS)
	}
	// Output:
	// boot/v0/42/+/+ at QoS 1
	// config/v0/42/# at QoS 1
}
