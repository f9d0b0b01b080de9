package localcloud

import (
	"net"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// A client may subscribe and unsubscribe with a packet identifier that the broker uses
// for a message to it: each side counts its own.
func TestBothSidesMayUseOnePacketIdentifier(t *testing.T) {
	c, err := Start(t.Context(), Config{Plaintext: true, LogConfig: []byte("\x03\x05\x00\x00\x00\x0a\x00\x00\x00")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn, err := net.Dial("tcp", c.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	next := func() packets.ControlPacket {
		p, err := packets.ReadPacket(conn)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	subscribe := func(id uint16, topic string) {
		s := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
		s.MessageID, s.Topics, s.Qoss = id, []string{topic}, []byte{1}
		s.Write(conn)
	}

	connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	connect.ProtocolName, connect.ProtocolVersion, connect.ClientIdentifier, connect.CleanSession = "MQTT", 4, "x", true
	connect.Write(conn)
	next()
	subscribe(1000, "config/v0/42/7/SN-1")
	var id uint16
	for range 2 { // SUBACK and configuration, in either order
		if p, ok := next().(*packets.PublishPacket); ok {
			id = p.MessageID
		}
	}
	if id == 0 {
		t.Fatal("got no configuration, want one")
	}

	subscribe(id, "boot/v0/42/7/SN-1")
	if ack, ok := next().(*packets.SubackPacket); !ok || ack.MessageID != id || ack.ReturnCodes[0] != 1 {
		t.Errorf("got %v, want the subscription granted", ack)
	}
}
