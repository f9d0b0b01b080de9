package paho311

import (
	"context"
	"net"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/mqttv5/lent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// greet takes a CONNECT.
func greet(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := packets.ReadPacket(conn); err != nil {
		t.Fatal(err)
	}
	packets.NewControlPacket(packets.Connack).Write(conn)
	return conn
}

// nextPublish reads until a PUBLISH comes.
func nextPublish(t *testing.T, conn net.Conn) *packets.PublishPacket {
	t.Helper()
	for {
		p, err := packets.ReadPacket(conn)
		if err != nil {
			t.Fatal(err)
		}
		if publish, ok := p.(*packets.PublishPacket); ok {
			return publish
		}
	}
}

// A message is published when its PUBACK has come, and not when paho has connected
// again and sends it once more, as paho's token says.
func TestPublishReturnsAfterPuback(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := mqtt.NewClientOptions().AddBroker("tcp://" + l.Addr().String()).SetClientID("x").SetMaxReconnectInterval(10 * time.Millisecond)
	c := Lend(o)
	client := mqtt.NewClient(o)
	connected := client.Connect()
	conn := greet(t, l)
	connected.Wait()
	defer client.Disconnect(50)

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Publish(ctx, lent.Message{Topic: "a", Payload: []byte("b")}) }()
	nextPublish(t, conn)
	conn.Close()

	conn = greet(t, l)
	defer conn.Close()
	again := nextPublish(t, conn)
	select {
	case err := <-ended:
		t.Fatalf("got %v of Publish without a PUBACK, want it to wait", err)
	case <-time.After(300 * time.Millisecond): // it must not return
	}
	ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	ack.MessageID = again.MessageID
	ack.Write(conn)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A subscription that the broker refuses is a refusal, and nothing is subscribed.
func TestRefusedSubscribeIsNoSubscription(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	o := mqtt.NewClientOptions().AddBroker("tcp://" + l.Addr().String()).SetClientID("x")
	c := Lend(o)
	client := mqtt.NewClient(o)
	connected := client.Connect()
	conn := greet(t, l)
	defer conn.Close()
	connected.Wait()
	defer client.Disconnect(50)

	go func() {
		for { // one comes twice when it is asked for while the connection comes up
			p, err := packets.ReadPacket(conn)
			if err != nil {
				return
			}
			if s, ok := p.(*packets.SubscribePacket); ok {
				ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
				ack.MessageID, ack.ReturnCodes = s.MessageID, []byte{0x80}
				ack.Write(conn)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err = c.Subscribe(ctx, "a", func(lent.Received) {})
	if refused, ok := err.(*lent.Refusal); !ok || refused.Code != 0x80 {
		t.Errorf("got %v, want a refusal with code 0x80", err)
	}
	if c.topics.Has("a") {
		t.Error("got \"a\" counted as subscribed, want it not")
	}
}

// Without a connection a call ends with its context.
func TestCallsEndWithTheirContext(t *testing.T) {
	c := Lend(mqtt.NewClientOptions())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.Publish(ctx, lent.Message{Topic: "a"}); err == nil {
		t.Error("Publish: got no error without a connection, want one")
	}
	if err := c.Subscribe(ctx, "a", func(lent.Received) {}); err == nil || c.topics.Has("a") {
		t.Errorf("Subscribe: got %v, subscribed %v, want an error and false", err, c.topics.Has("a"))
	}
	if err := c.Unsubscribe(ctx, "a"); err != nil {
		t.Error(err)
	}
}

// What paho marks as sent before is a copy of its own, on the way in and on the way out:
// the packet itself may be on its way to the wire just then.
func TestStoreGivesCopies(t *testing.T) {
	s := &store{Store: mqtt.NewMemoryStore()}
	s.Open()
	defer s.Close()
	sent := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	s.Put("o.1", sent)
	sent.TopicName = "changed after Put"
	s.Get("o.1").(*packets.PublishPacket).Dup = true
	if got := s.Get("o.1").(*packets.PublishPacket); got.Dup || got.TopicName != "" || sent.Dup {
		t.Errorf("got %+v, want what was put", got)
	}
}
