package wire

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	paho "github.com/eclipse/paho.golang/packets"
	"github.com/google/gopacket"
	"pgregory.net/rapid"
)

// drawText draws a valid string; with wild, wildcards may be in it.
func drawText(t *rapid.T, name string, minLen, maxLen int) []byte {
	return []byte(rapid.StringOfN(rapid.RuneFrom([]rune("abz/$ \u00e9\u20ac\U0001f600")), minLen, maxLen, -1).Draw(t, name))
}

func drawBytes(t *rapid.T, name string) []byte {
	return rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, name)
}

// drawProperties draws properties that are allowed in the given packet.
func drawProperties(t *rapid.T, name string, in packetSet) Properties {
	var out Properties
	for id, info := range propertyTable {
		n := 1
		if PropertyID(id) == PropertyUser {
			n = 3
		}
		for i := range n {
			if info.in&in == 0 || !rapid.Bool().Draw(t, fmt.Sprintf("%s %d %d", name, id, i)) {
				continue
			}
			p := Property{ID: PropertyID(id), Int: rapid.Uint32Range(1, 0xffff).Draw(t, "int")}
			switch info.typ {
			case propertyFlag:
				p.Int &= 1
			case propertyVarint:
				p.Int = rapid.Uint32Range(1, maxVarint).Draw(t, "varint")
			case propertyU32:
				p.Int = rapid.Uint32Min(1).Draw(t, "u32")
			case propertyText, propertyBinary, propertyPair:
				p.Int = 0
				p.Value = drawText(t, "value", 0, 20)
			}

			if info.typ == propertyPair {
				p.Key = drawText(t, "key", 0, 20)
			}
			var err error
			if out, err = AppendProperty(out, p); err != nil {
				t.Fatal(err)
			}
		}
	}

	return out
}

// drawMQTT draws a valid packet.
func drawMQTT(t *rapid.T) *MQTT {
	m := &MQTT{Version: rapid.SampledFrom([]uint8{Version311, Version5}).Draw(t, "version")}
	last := PacketAuth
	if m.Version == Version311 {
		last = PacketDisconnect
	}
	m.Type = PacketType(rapid.Uint8Range(uint8(PacketConnect), uint8(last)).Draw(t, "type"))
	if m.v5() && m.Type != PacketPingreq && m.Type != PacketPingresp {
		m.Properties = drawProperties(t, "property", propertiesOf(m.Type))
	}
	id := rapid.Uint16Min(1)
	switch m.Type {
	case PacketConnect:
		drawConnect(t, m)
	case PacketConnack:
		m.SessionPresent = rapid.Bool().Draw(t, "present")
		m.ReasonCode = ReasonCode(rapid.Byte().Draw(t, "code"))
	case PacketPublish:
		m.QoS = rapid.Uint8Range(0, 2).Draw(t, "qos")
		m.Retain = rapid.Bool().Draw(t, "retain")
		m.Topic = drawText(t, "topic", 1, 40)
		m.Payload = drawBytes(t, "payload")
		if m.QoS > 0 {
			m.Dup = rapid.Bool().Draw(t, "dup")
			m.PacketID = id.Draw(t, "id")
		}

	case PacketPuback, PacketPubrec, PacketPubrel, PacketPubcomp:
		m.PacketID = id.Draw(t, "id")
		drawReason(t, m)
	case PacketSubscribe, PacketUnsubscribe:
		m.PacketID = id.Draw(t, "id")
		for range rapid.IntRange(1, 4).Draw(t, "filters") {
			s := Subscription{Filter: drawText(t, "filter", 1, 20), QoS: rapid.Uint8Range(0, 2).Draw(t, "qos")}
			if m.v5() {
				s.NoLocal = rapid.Bool().Draw(t, "no local")
				s.RetainAsPublished = rapid.Bool().Draw(t, "as published")
				s.RetainHandling = rapid.Uint8Range(0, 2).Draw(t, "handling")
			}
			var err error
			if m.Filters, err = AppendFilter(m.Filters, m.Type, s); err != nil {
				t.Fatal(err)
			}
		}

	case PacketSuback, PacketUnsuback:
		m.PacketID = id.Draw(t, "id")
		if m.Type == PacketSuback || m.v5() {
			m.ReasonCodes = rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 0x80}), 1, 9).Draw(t, "codes")
		}

	case PacketDisconnect, PacketAuth:
		drawReason(t, m)
	}

	return m
}

func drawReason(t *rapid.T, m *MQTT) {
	if m.v5() {
		m.ReasonCode = ReasonCode(rapid.Byte().Draw(t, "code"))
	}
}

func drawConnect(t *rapid.T, m *MQTT) {
	k := &m.Connect
	k.CleanStart = rapid.Bool().Draw(t, "clean")
	k.KeepAlive = rapid.Uint16().Draw(t, "keep alive")
	k.ClientID = drawText(t, "client", 0, 20)
	if k.HasWill = rapid.Bool().Draw(t, "will"); k.HasWill {
		k.WillQoS = rapid.Uint8Range(0, 2).Draw(t, "will qos")
		k.WillRetain = rapid.Bool().Draw(t, "will retain")
		k.WillTopic = drawText(t, "will topic", 1, 20)
		k.WillPayload = drawBytes(t, "will payload")
		if m.v5() {
			k.WillProperties = drawProperties(t, "will property", propertiesOfWill)
		}
	}
	if k.HasUsername = rapid.Bool().Draw(t, "user"); k.HasUsername {
		k.Username = drawText(t, "username", 0, 20)
	}
	if k.HasPassword = k.HasUsername && rapid.Bool().Draw(t, "password"); k.HasPassword {
		k.Password = drawBytes(t, "password")
	}
}

// What is written is read back, in place of whatever the layer held before.
func TestMQTTRoundTrip(t *testing.T) {
	var reused MQTT
	rapid.Check(t, func(t *rapid.T) {
		want := drawMQTT(t)
		b, err := want.AppendTo(nil)
		if err != nil {
			t.Fatalf("got error %v, want %+v to be written", err, want)
		}
		rest := drawBytes(t, "rest")
		reused.Version = want.Version
		if err := reused.DecodeFromBytes(append(slices.Clone(b), rest...), gopacket.NilDecodeFeedback); err != nil {
			t.Fatalf("got error %v on %x, want %+v to be read", err, b, want)
		}
		if !sameMQTT(&reused, want) || !bytes.Equal(reused.Rest, rest) {
			t.Fatalf("got  %+v, rest %x\nwant %+v, rest %x\nfrom %x", &reused, reused.Rest, want, rest, b)
		}
		again, err := reused.AppendTo(nil)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("got %x written again, %v, want %x", again, err, b)
		}
	})
}

// Another implementation reads what we write, field by field.
func TestPahoReadsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMQTT(t)
		if !m.v5() {
			t.Skip("paho reads 5.0 alone")
		}
		b, err := m.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}

		p, err := paho.ReadPacket(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("got error %v of paho on %x, want it to be read", err, b)
		}
		if PacketType(p.Type) != m.Type || m.PacketID != 0 && p.PacketID() != m.PacketID {
			t.Fatalf("got type %v, id %d, want those of %+v", p.PacketType(), p.PacketID(), m)
		}

		switch c := p.Content.(type) {
		case *paho.Connect:
			if c.ClientID != string(m.Connect.ClientID) || c.KeepAlive != m.Connect.KeepAlive || c.WillTopic != string(m.Connect.WillTopic) ||
				!bytes.Equal(c.WillMessage, m.Connect.WillPayload) || c.Username != string(m.Connect.Username) || !bytes.Equal(c.Password, m.Connect.Password) {
				t.Fatalf("got %+v, want %+v", c, m.Connect)
			}

		case *paho.Publish:
			if c.Topic != string(m.Topic) || c.QoS != m.QoS || c.Retain != m.Retain || c.Duplicate != m.Dup || !bytes.Equal(c.Payload, m.Payload) {
				t.Fatalf("got %+v, want %+v", c, m)
			}

		case *paho.Puback:
			if c.ReasonCode != byte(m.ReasonCode) {
				t.Fatalf("got %+v, want reason code %v", c, m.ReasonCode)
			}

		case *paho.Subscribe:
			i := 0
			for s := range m.Subscriptions() {
				got := c.Subscriptions[i]
				if got.Topic != string(s.Filter) || got.QoS != s.QoS || got.NoLocal != s.NoLocal || got.RetainAsPublished != s.RetainAsPublished || got.RetainHandling != s.RetainHandling {
					t.Fatalf("got %+v, want %+v", got, s)
				}
				i++
			}
			if i != len(c.Subscriptions) {
				t.Fatalf("got %d filters, want %d", len(c.Subscriptions), i)
			}

		case *paho.Suback:
			if !bytes.Equal(c.Reasons, m.ReasonCodes) {
				t.Fatalf("got %x, want %x", c.Reasons, m.ReasonCodes)
			}

		case *paho.Disconnect:
			if c.ReasonCode != byte(m.ReasonCode) {
				t.Fatalf("got %+v, want reason code %v", c, m.ReasonCode)
			}
		}
	})
}

func TestPropertiesAreFoundAndBadOnesRefused(t *testing.T) {
	for id := range numProperties {
		info := propertyTable[id]
		if (info.typ != 0) != (info.in != 0) || (info.typ != 0) != (propertyNames[id] != "") {
			t.Errorf("property %d: got %+v with the name %q, want all of the row or nothing", id, info, propertyNames[id])
		}
	}

	p, err := AppendProperty(nil, Property{ID: propertyReceiveMaximum, Int: 20})
	if err != nil {
		t.Fatal(err)
	}
	if p, err = AppendProperty(p, Property{ID: PropertyUser, Key: []byte("k"), Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}

	if got, ok := p.Lookup(PropertyUser); !ok || string(got.Key) != "k" || string(got.Value) != "v" {
		t.Errorf("got user property %+v, %v, want k with v", got, ok)
	}
	if _, ok := p.Lookup(propertyTopicAlias); ok {
		t.Error("got a topic alias, want none")
	}

	if n := len(slices.Collect(p.All())); n != 2 {
		t.Errorf("got %d properties, want 2", n)
	}

	// Bytes that never were properties end the walk.
	if n := len(slices.Collect(Properties("\x21\x00\x01\xff").All())); n != 1 {
		t.Errorf("got %d properties, want 1", n)
	}

	for _, bad := range []Property{{ID: 0}, {ID: 99}, {ID: propertyReceiveMaximum, Int: 65536}, {ID: propertyPayloadFormat, Int: 2}, {ID: propertySubscriptionIdentifier, Int: maxVarint + 1}, {ID: PropertyUser, Key: make([]byte, 65536)}} {
		if got, err := AppendProperty(nil, bad); err == nil {
			t.Errorf("got %+v written as %x, want an error", bad, got)
		}
	}
}

func TestKindsAndCodesHaveNames(t *testing.T) {
	for got, want := range map[string]string{
		PacketPublish.String():                                      "PUBLISH",
		ReasonCode(0).String():                                      "Success",
		ReasonCode(0x97).String():                                   "Quota exceeded",
		ReasonCode(0xa2).String():                                   "Wildcard Subscriptions not supported",
		ReasonCode(0xff).String():                                   "reason 0xff",
		PropertyUser.String():                                       "user property",
		PropertyID(99).String():                                     "property(99)",
		KindLog.String():                                            "log",
		(&MQTT{Type: PacketDisconnect}).ReasonName():                "Normal disconnection",
		(&MQTT{Version: 4, Type: 2, ReasonCode: 5}).ReasonName():    "not authorized",
		(&MQTT{Version: 5, Type: 2, ReasonCode: 0x87}).ReasonName(): "Not authorized",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTopicsHaveTheirKinds(t *testing.T) {
	for topic, want := range map[string]Topic{
		"binlog/v0/C/A":               {KindLog, []byte("C/A")},
		"binlog/v0/C/G/A":             {KindLog, []byte("C/G/A")},
		"binlog/v0/C":                 {KindOther, []byte("binlog/v0/C")},
		"binlog/v0/C/G/A/S":           {KindOther, []byte("binlog/v0/C/G/A/S")},
		"binlog/v1/C/A":               {KindOther, []byte("binlog/v1/C/A")},
		"core-dump/v0/C":              {KindCoreDump, []byte("C")},
		"core-dump/v0/":               {KindOther, []byte("core-dump/v0/")},
		"boot/v0/C/A":                 {KindBoot, []byte("C/A")},
		"boot/v0/C/G/A/S":             {KindBoot, []byte("C/G/A/S")},
		"config/v0/C/A/S":             {KindConfig, []byte("C/A/S")},
		"logs/v0/C/A":                 {KindTextLog, []byte("C/A")},
		"upload/v0/firmware/C/Sensor": {KindFirmwareRequest, []byte("C/Sensor")},
		"upload/v0/C/6f1e":            {KindFirmwareReply, []byte("C/6f1e")},
		"":                            {KindOther, nil},
		"core-dump/v0/C/G":            {KindCoreDump, []byte("C/G")},
		"core-dump/v0/C/G/A":          {KindOther, []byte("core-dump/v0/C/G/A")}, // case delivery/topic-three-segments
		"upload/v0/firmware/C/G/T":    {KindFirmwareRequest, []byte("C/G/T")},
		"metrics/v0/C/0/A":            {KindMetrics, []byte("C/0/A")},
		"events/v0/C/A":               {KindEvents, []byte("C/A")},
		"ulogger/binlog/v0/C/0/A":     {KindLog, []byte("C/0/A")}, // case capture/topic-prefix-secret
	} {
		if got := ParseTopic([]byte(topic)); got.Kind != want.Kind || !bytes.Equal(got.Path, want.Path) {
			t.Errorf("%s: %v %s, want %v %s", topic, got.Kind, got.Path, want.Kind, want.Path)
		}
	}
}
