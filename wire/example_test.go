package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/google/gopacket"

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
