package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/google/gopacket"

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
