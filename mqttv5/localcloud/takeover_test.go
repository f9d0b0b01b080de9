package localcloud

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// A client that loses its connection and is back in the same moment gets what it
// subscribes to then, and what comes later. The broker alone leaves it deaf now and then.
func TestClientThatIsBackAtOnceIsHeard(t *testing.T) {
	c, err := Start(t.Context(), Config{Plaintext: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", c.Addr())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		return conn
	}
	next := func(conn net.Conn, n int) packets.ControlPacket {
		t.Helper()
		p, err := packets.ReadPacket(conn)
		if err != nil {
			t.Fatalf("connection %d: %v", n, err)
		}
		return p
	}
	const topic = "config/v0/42/7/SN-1"
	connect := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	connect.ProtocolName, connect.ProtocolVersion, connect.ClientIdentifier, connect.CleanSession = "MQTT", version311, "x", true
	subscribe := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	subscribe.MessageID, subscribe.Topics, subscribe.Qoss = 1, []string{topic}, []byte{0}

	old := dial()
	connect.Write(old)
	next(old, 0)
	for n := range 300 {
		conn := dial()
		closed := make(chan error, 1)
		if n%3 == 0 {
			old.Close() // before
			closed <- nil
		} else {
			go func() { closed <- old.Close() }() // at once
		}
		connect.Write(conn)
		next(conn, n) // CONNACK
		subscribe.Write(conn)
		next(conn, n) // SUBACK
		<-closed
		for deadline := time.Now().Add(20 * time.Second); atomic.LoadInt64(&c.broker.Info.ClientsConnected) > 1; time.Sleep(100 * time.Microsecond) {
			if time.Now().After(deadline) {
				t.Fatal("got the old connection still there, want it ended")
			}
		}
		if err := c.broker.Publish(topic, []byte("x"), false, 0); err != nil {
			t.Fatal(err)
		}
		if p, ok := next(conn, n).(*packets.PublishPacket); !ok {
			t.Fatalf("connection %d: got %v, want a message", n, p)
		}
		old = conn
	}
	old.Close()
}
