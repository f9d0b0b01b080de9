package wire_test

import (
	"fmt"

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
