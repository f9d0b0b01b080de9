package localcloud

import (
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
	mochi "github.com/mochi-mqtt/server/v2"
)

// violations has room for what a test provokes.
func violations(cfg *Config) <-chan Violation {
	told := make(chan Violation, 1000)
	cfg.OnViolation = func(v Violation) { told <- v }
	return told
}

// What ends a connection does so with its reason code, is told, and its
// neighbour just below the limit is let through.
func TestStrictCloudEndsConnectionsWithTheirReason(t *testing.T) {
	cfg := Config{Plaintext: true, CustomerID: "7", Strict: AWS()}
	told := violations(&cfg)
	c := start(t, cfg)
	publish := func(topic string, size int) packets.Packet {
		return &packets.Publish{Topic: topic, Payload: make([]byte, size), QoS: 1, PacketID: 9, Properties: &packets.Properties{}}
	}
	subscribe := func(filters ...string) packets.Packet {
		s := &packets.Subscribe{PacketID: 9, Properties: &packets.Properties{}}
		for _, f := range filters {
			s.Subscriptions = append(s.Subscriptions, packets.SubOptions{Topic: f, QoS: 1})
		}
		return s
	}

	numbered := func(from, n int) (filters []string) {
		for i := range n {
			filters = append(filters, "config/v0/7/1/"+string(rune('A'+from+i)))
		}
		return filters
	}

	identified := subscribe("config/v0/7/1/S")
	one := 1
	identified.(*packets.Subscribe).Properties.SubscriptionIdentifier = &one
	long := "binlog/v0/7/" + strings.Repeat("x", 256-len("binlog/v0/7/"))
	for _, s := range []struct {
		name   string
		first  int // packets of eight filters each, before
		good   packets.Packet
		bad    packets.Packet
		code   byte
		reason string
	}{
		{"payload", 0, publish("core-dump/v0/7", 128<<10), publish("core-dump/v0/7", 128<<10+1), 0x95, "131073 bytes"},
		{"topic", 0, publish("logs/v0/7/1", 1), publish(long+"x", 1), 0x90, "topic of 257 bytes"},
		{"slashes", 0, publish("logs/v0/7/1", 1), publish("logs/v0/7/1/1/1/1/1/1", 1), 0x90, "8 slashes"},
		{"rights", 0, publish("logs/v0/7/1", 1), publish("logs/v0/8/1", 1), 0x87, `no right to publish to "logs/v0/8/1"`},
		{"filter", 0, subscribe(long), subscribe(long + "x"), 0x8F, "filter of 257 bytes"},
		{"filter's slashes", 0, subscribe("$share/g/config/v0/7/1/2/3/4/+"), subscribe("config/v0/7/1/2/3/4/5/+"), 0x8F, "8 slashes"},
		{"filters", 0, subscribe(numbered(0, 8)...), subscribe(numbered(0, 9)...), 0x97, "9 filters"},
		{"subscriptions", 6, subscribe(numbered(46, 4)...), subscribe(numbered(49, 2)...), 0x97, "51 subscriptions"},
		{"identifier", 0, subscribe(numbered(0, 1)...), identified, 0xA1, "identifier"},
	} {
		t.Run(s.name, func(t *testing.T) {
			p := dialAs(t, c, s.name, 60)
			if ca := receive[*packets.Connack](p); *ca.Properties.ReceiveMaximum != 100 || ca.Properties.SubIDAvailable == nil || *ca.Properties.SubIDAvailable != 0 {
				t.Errorf("got CONNACK properties %+v, want Receive Maximum 100 and no subscription identifiers", ca.Properties)
			}
			for i := range s.first {
				p.send(subscribe(numbered(8*i, 8)...))
				receive[*packets.Suback](p)
			}

			p.send(s.good)
			if answer, err := packets.ReadPacket(p.r); err != nil || answer.Type != packets.PUBACK && answer.Type != packets.SUBACK {
				t.Fatalf("got %v, %v as the answer to the good one, want PUBACK or SUBACK", answer, err)
			}
			p.send(s.bad)
			if d := receive[*packets.Disconnect](p); d.ReasonCode != s.code {
				t.Errorf("got DISCONNECT 0x%02x, want 0x%02x", d.ReasonCode, s.code)
			}

			if v := <-told; v.ClientID != s.name || !strings.Contains(v.Reason, s.reason) {
				t.Errorf("got violation %+v, want one of %q, for %q", v, s.name, s.reason)
			}
		})
	}

	if err := c.Close(); err != nil { // what is read has been dealt with
		t.Error(err)
	}
	if len(told) > 0 || len(c.Received()) != 1 {
		t.Errorf("got %d more violations and %d messages received, want 0 and 1", len(told), len(c.Received()))
	}
}

func TestStrictCloudLimitsConnects(t *testing.T) {
	cfg := Config{Plaintext: true, Strict: Strict{ConnectInterval: time.Hour, MinKeepAlive: 30, MaxKeepAlive: 1200}}
	told := violations(&cfg)
	c := start(t, cfg)
	for id, keepAlive := range map[string][2]uint16{"none": {0, 1200}, "short": {29, 30}, "long": {1201, 1200}, "good": {30, 0}, "better": {1200, 0}} {
		ca := receive[*packets.Connack](dialAs(t, c, id, keepAlive[0]))
		var got uint16
		if k := ca.Properties.ServerKeepAlive; k != nil {
			got = *k
		}
		if ca.ReasonCode != 0 || got != keepAlive[1] {
			t.Errorf("%d s: CONNACK 0x%02x, server keep-alive %d, want %d", keepAlive[0], ca.ReasonCode, got, keepAlive[1])
		}
	}
	if ca := receive[*packets.Connack](dialAs(t, c, "good", 30)); ca.ReasonCode != 0x9F {
		t.Errorf("second CONNECT: got CONNACK 0x%02x, want 0x9f", ca.ReasonCode)
	}
	if v := <-told; v.ClientID != "good" || v.Reason != "a second CONNECT within 1h0m0s" || len(told) > 0 {
		t.Errorf("got violation %+v and %d more, want one, of \"good\", for a second CONNECT within 1h0m0s", v, len(told))
	}
}

// Each connection may use its rates, those of a second at once and then as time
// passes, and no more.
func TestRatesAreEachConnectionsOwn(t *testing.T) {
	l := newLimits(AWS())
	a, b := new(mochi.Client), new(mochi.Client)
	l.begin(a)
	l.begin(b)
	now := time.Now()
	taken := func(cl *mochi.Client, n, size int) (count int) {
		for range n {
			if l.message(cl, size, now) == (refusal{}) {
				count++
			}
		}
		return count
	}

	if n := taken(a, 200, 1); n != 100 {
		t.Errorf("got %d messages taken at once, want 100", n)
	}
	if n := taken(b, 10, 128<<10); n != 4 {
		t.Errorf("got %d messages of 128 KiB taken at once, want 4", n)
	}

	now = now.Add(500 * time.Millisecond)
	if n := taken(a, 200, 1); n != 50 {
		t.Errorf("got %d messages taken after half a second, want 50", n)
	}
	if n := taken(b, 10, 128<<10); n != 2 {
		t.Errorf("got %d messages of 128 KiB taken after half a second, want 2", n)
	}

	l.end(a)
	l.end(b)
	if len(l.rates) > 0 {
		t.Errorf("got %d connections remembered after their end, want none", len(l.rates))
	}
}

// What is beyond the rate gets no answer and is not received; the connection stays.
func TestWhatIsOverTheRateGetsNoAnswer(t *testing.T) {
	cfg := Config{Plaintext: true, Strict: Strict{PublishesPerSecond: 1, SilentOverRate: true}}
	told := violations(&cfg)
	c := start(t, cfg)
	p := dial(t, c)
	receive[*packets.Connack](p)
	for id := range uint16(20) {
		p.send(&packets.Publish{Topic: "core-dump/v0/7", Payload: []byte("x"), QoS: 1, PacketID: id + 1, Properties: &packets.Properties{}})
	}
	p.send(&packets.Pingreq{})
	acks := 0
	for {
		m, err := packets.ReadPacket(p.r)
		if err != nil {
			t.Fatal(err)
		}
		if m.Type == packets.PINGRESP {
			break
		}
		acks++
	}

	if acks == 0 || len(told) == 0 || acks+len(told) != 20 || len(c.Received()) != acks {
		t.Errorf("got %d acknowledged, %d received, %d told, want some acknowledged, as many received, and the others of 20 told",
			acks, len(c.Received()), len(told))
	}
	if v := <-told; v.ClientID != "peer" || v.Reason != "more than 1 messages a second" {
		t.Errorf("got violation %+v, want one of \"peer\", for more than 1 messages a second", v)
	}
}
