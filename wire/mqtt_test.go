package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket"

	"github.com/ulogkit/ulogkit/format"
)

// unhex reads bytes with spaces and 'text' between them.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var out []byte
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			out = append(out, part...)
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

// packetExamples has at least one example of every packet type in both versions, made
// by hand from the specifications.
var packetExamples = []struct {
	name    string
	version uint8
	hex     string
	want    MQTT
}{
	{
		"connect 5", 0, "10 17 0004'MQTT' 05 02 003c 05 11 0000000a 0005'cli-1'",
		MQTT{Version: 5, Type: PacketConnect, Properties: Properties("\x11\x00\x00\x00\x0a"), Connect: Connect{CleanStart: true, KeepAlive: 60, ClientID: []byte("cli-1")}},
	},
	{
		"connect 5 will", 0, "10 2a 0004'MQTT' 05 ee 0000 00 0001'c' 05 18 00000005 0001't' 0003 00ff00 0004'user' 0006'secret'",
		MQTT{Version: 5, Type: PacketConnect, Connect: Connect{
			CleanStart: true, ClientID: []byte("c"),
			HasWill: true, WillQoS: 1, WillRetain: true, WillProperties: Properties("\x18\x00\x00\x00\x05"), WillTopic: []byte("t"), WillPayload: []byte{0, 255, 0},
			HasUsername: true, Username: []byte("user"), HasPassword: true, Password: []byte("secret"),
		}},
	},
	{
		"connect 3.1.1", 0, "10 0d 0004'MQTT' 04 02 001e 0001'd'",
		MQTT{Version: 4, Type: PacketConnect, Connect: Connect{CleanStart: true, KeepAlive: 30, ClientID: []byte("d")}},
	},
	{
		"connack 5", 5, "20 06 01 00 03 21 0014",
		MQTT{Version: 5, Type: PacketConnack, SessionPresent: true, Properties: Properties("\x21\x00\x14")},
	},
	{"connack 3.1.1", 4, "20 02 00 05", MQTT{Version: 4, Type: PacketConnack, ReasonCode: 5}},
	{
		"publish 5", 5, "3d 12 000d'binlog/v0/C/A' 0007 00",
		MQTT{Version: 5, Type: PacketPublish, Dup: true, QoS: 2, Retain: true, Topic: []byte("binlog/v0/C/A"), PacketID: 7},
	},
	{
		"publish 5 alias", 5, "30 09 0000 03 23 0001 'log'",
		MQTT{Version: 5, Type: PacketPublish, Properties: Properties("\x23\x00\x01"), Payload: []byte("log")},
	},
	{
		"publish 3.1.1", 4, "32 08 0001't' 0001 'log'",
		MQTT{Version: 4, Type: PacketPublish, QoS: 1, Topic: []byte("t"), PacketID: 1, Payload: []byte("log")},
	},
	{"puback 5", 5, "40 02 0001", MQTT{Version: 5, Type: PacketPuback, PacketID: 1}},
	{"puback 5 code", 5, "40 03 0001 97", MQTT{Version: 5, Type: PacketPuback, PacketID: 1, ReasonCode: 0x97}},
	{
		"puback 5 reason", 5, "40 08 0001 87 04 1f 0001'x'",
		MQTT{Version: 5, Type: PacketPuback, PacketID: 1, ReasonCode: 0x87, Properties: Properties("\x1f\x00\x01x")},
	},
	{"puback 3.1.1", 4, "40 02 0102", MQTT{Version: 4, Type: PacketPuback, PacketID: 0x102}},
	{"pubrec 5", 5, "50 03 0001 10", MQTT{Version: 5, Type: PacketPubrec, PacketID: 1, ReasonCode: 0x10}},
	{"pubrec 3.1.1", 4, "50 02 0001", MQTT{Version: 4, Type: PacketPubrec, PacketID: 1}},
	{"pubrel 5", 5, "62 03 0001 92", MQTT{Version: 5, Type: PacketPubrel, PacketID: 1, ReasonCode: 0x92}},
	{"pubrel 3.1.1", 4, "62 02 0001", MQTT{Version: 4, Type: PacketPubrel, PacketID: 1}},
	{"pubcomp 5", 5, "70 02 0001", MQTT{Version: 5, Type: PacketPubcomp, PacketID: 1}},
	{"pubcomp 3.1.1", 4, "70 02 0001", MQTT{Version: 4, Type: PacketPubcomp, PacketID: 1}},
	{
		"subscribe 5", 5, "82 0d 0005 02 0b 07 0001'a' 01 0001'b' 2e",
		MQTT{Version: 5, Type: PacketSubscribe, PacketID: 5, Properties: Properties("\x0b\x07"), Filters: Filters("\x00\x01a\x01\x00\x01b\x2e")},
	},
	{
		"subscribe 3.1.1", 4, "82 06 0005 0001'#' 00",
		MQTT{Version: 4, Type: PacketSubscribe, PacketID: 5, Filters: Filters("\x00\x01#\x00")},
	},
	{"suback 5", 5, "90 05 0005 00 01 8f", MQTT{Version: 5, Type: PacketSuback, PacketID: 5, ReasonCodes: []byte{1, 0x8f}}},
	{"suback 3.1.1", 4, "90 04 0005 02 80", MQTT{Version: 4, Type: PacketSuback, PacketID: 5, ReasonCodes: []byte{2, 0x80}}},
	{"unsubscribe 5", 5, "a2 06 0006 00 0001'a'", MQTT{Version: 5, Type: PacketUnsubscribe, PacketID: 6, Filters: Filters("\x00\x01a")}},
	{"unsubscribe 3.1.1", 4, "a2 05 0006 0001'a'", MQTT{Version: 4, Type: PacketUnsubscribe, PacketID: 6, Filters: Filters("\x00\x01a")}},
	{"unsuback 5", 5, "b0 04 0006 00 11", MQTT{Version: 5, Type: PacketUnsuback, PacketID: 6, ReasonCodes: []byte{0x11}}},
	{"unsuback 3.1.1", 4, "b0 02 0006", MQTT{Version: 4, Type: PacketUnsuback, PacketID: 6}},
	{"pingreq 5", 5, "c0 00", MQTT{Version: 5, Type: PacketPingreq}},
	{"pingreq 3.1.1", 4, "c0 00", MQTT{Version: 4, Type: PacketPingreq}},
	{"pingresp 5", 5, "d0 00", MQTT{Version: 5, Type: PacketPingresp}},
	{"pingresp 3.1.1", 4, "d0 00", MQTT{Version: 4, Type: PacketPingresp}},
	{"disconnect 5", 5, "e0 00", MQTT{Version: 5, Type: PacketDisconnect}},
	{"disconnect 5 code", 5, "e0 01 8e", MQTT{Version: 5, Type: PacketDisconnect, ReasonCode: 0x8e}},
	{"disconnect 3.1.1", 4, "e0 00", MQTT{Version: 4, Type: PacketDisconnect}},
	{
		"auth 5", 5, "f0 0b 18 09 15 0001'm' 16 0002 0102",
		MQTT{Version: 5, Type: PacketAuth, ReasonCode: 0x18, Properties: Properties("\x15\x00\x01m\x16\x00\x02\x01\x02")},
	},
}

// sameMQTT compares what the wire carries, not where it lay.
func sameMQTT(a, b *MQTT) bool {
	x, y := a.Connect, b.Connect
	return a.Version == b.Version && a.Type == b.Type && a.Dup == b.Dup && a.QoS == b.QoS && a.Retain == b.Retain &&
		a.PacketID == b.PacketID && a.ReasonCode == b.ReasonCode && a.SessionPresent == b.SessionPresent &&
		bytes.Equal(a.ReasonCodes, b.ReasonCodes) && bytes.Equal(a.Topic, b.Topic) && bytes.Equal(a.Filters, b.Filters) &&
		bytes.Equal(a.Properties, b.Properties) && bytes.Equal(a.Payload, b.Payload) &&
		x.CleanStart == y.CleanStart && x.KeepAlive == y.KeepAlive && bytes.Equal(x.ClientID, y.ClientID) &&
		x.HasWill == y.HasWill && x.WillQoS == y.WillQoS && x.WillRetain == y.WillRetain &&
		bytes.Equal(x.WillProperties, y.WillProperties) && bytes.Equal(x.WillTopic, y.WillTopic) && bytes.Equal(x.WillPayload, y.WillPayload) &&
		x.HasUsername == y.HasUsername && bytes.Equal(x.Username, y.Username) &&
		x.HasPassword == y.HasPassword && bytes.Equal(x.Password, y.Password)
}

func TestExamplesAreReadAndWrittenExactly(t *testing.T) {
	seen := map[[2]uint8]bool{}
	for _, test := range packetExamples {
		t.Run(test.name, func(t *testing.T) {
			b := unhex(t, test.hex)
			m := MQTT{Version: test.version, Topic: []byte("left over")}
			if err := m.DecodeFromBytes(append(b, "next"...), gopacket.NilDecodeFeedback); err != nil {
				t.Fatal(err)
			}
			if !sameMQTT(&m, &test.want) {
				t.Errorf("got  %+v\nwant %+v", m, test.want)
			}
			if string(m.Rest) != "next" || !bytes.Equal(append(slices.Clone(m.Contents), m.Payload...), b) {
				t.Errorf("got contents %x, payload %x, rest %q, want %x in the first two and rest \"next\"", m.Contents, m.Payload, m.Rest, b)
			}
			if n, err := PacketLen(b); n != len(b) || err != nil {
				t.Errorf("PacketLen: got %d, %v, want %d", n, err, len(b))
			}
			got, err := test.want.AppendTo([]byte("before"))
			if err != nil || !bytes.Equal(got, append([]byte("before"), b...)) {
				t.Errorf("AppendTo: got %x, %v, want %x", got, err, append([]byte("before"), b...))
			}
			buf := gopacket.NewSerializeBuffer()
			if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{}, &test.want, gopacket.Payload(test.want.Payload)); err != nil || !bytes.Equal(buf.Bytes(), b) {
				t.Errorf("SerializeTo: got %x, %v, want %x", buf.Bytes(), err, b)
			}
			seen[[2]uint8{m.Version, uint8(m.Type)}] = true

			// Every shorter piece is refused, as too short, in good order.
			for n := range len(b) {
				m := MQTT{Version: test.version}
				var truncated truncation
				if err := m.DecodeFromBytes(b[:n:n], &truncated); !errors.Is(err, format.ErrShort) || !bool(truncated) {
					t.Errorf("first %d bytes: got error %v, truncated %v, want %v and true", n, err, truncated, format.ErrShort)
				}
			}
		})
	}
	if len(seen) != 15+14 {
		t.Errorf("got examples of %d types and versions, want 29: %v", len(seen), seen)
	}
}

type truncation bool

func (t *truncation) SetTruncated() { *t = true }

func TestForbiddenPacketsAreRefusedOrRemarked(t *testing.T) {
	tests := []struct {
		name    string
		version uint8
		hex     string
		want    string
	}{
		{"type 0", 5, "00 00", "mqtt.type at offset 0: value not allowed"},
		{"auth in 3.1.1", 4, "f0 00", "mqtt.type at offset 0: value not allowed"},
		{"endless length", 5, "30 ff ff ff ff 01", "mqtt.remaining_length at offset 1: value not allowed"},
		{"long form of a length", 5, "c0 80 00", "mqtt.remaining_length at offset 1: value not allowed"},
		{"bytes left over", 5, "c0 01 00", "mqtt.remaining_length at offset 1: length field and content differ"},
		{"bytes left over after puback", 4, "40 03 0001 00", "mqtt.remaining_length at offset 1: length field and content differ"},
		{"qos 3", 5, "36 06 0001't' 0001 00", "mqtt.flags at offset 0: value not allowed"},
		{"dup at qos 0", 5, "38 04 0001't' 00", "mqtt.flags at offset 0: value not allowed"},
		{"pubrel flags", 5, "60 02 0001", "mqtt.flags at offset 0: value not allowed"},
		{"ping flags", 5, "c1 00", "mqtt.flags at offset 0: value not allowed"},
		{"packet id 0", 5, "40 02 0000", "mqtt.packet_id: value not allowed"},
		{"publish id 0", 5, "32 06 0001't' 0000 00", "mqtt.packet_id: value not allowed"},
		{"no topic, no alias", 5, "30 03 0000 00", "mqtt publish.topic at offset 0: value not allowed"},
		{"topic longer than packet", 5, "30 04 0009't'00", "mqtt publish.topic at offset 0: ends too early"},
		{"wildcard in topic", 5, "30 05 0002't#' 00", "mqtt publish.topic at offset 0: value not allowed"},
		{"topic with NUL", 4, "30 04 0002't'00", "mqtt publish.topic at offset 0: value not allowed"},
		{"topic not UTF-8", 4, "30 04 0002 c328", "mqtt publish.topic at offset 0: value not allowed"},
		{"alias 0", 5, "30 06 0000 03 23 0000", "mqtt.properties: value not allowed"},
		{"property of another packet", 5, "30 09 0001't' 05 11 00000001", "mqtt.properties: value not allowed"},
		{"property twice", 5, "30 08 0001't' 04 0100 0100", "mqtt.properties: value not allowed"},
		{"unknown property", 5, "30 05 0001't' 01 7f", "mqtt.properties: value not allowed"},
		{"flag property of 2", 5, "30 06 0001't' 02 0102", "mqtt.properties: value not allowed"},
		{"properties cut", 5, "30 06 0001't' 02 0200", "mqtt.properties: ends too early"},
		{"properties longer than packet", 5, "30 04 0001't' 09", "mqtt.properties: ends too early"},
		{"properties with an endless length", 5, "30 08 0001't' ffffffff01", "mqtt.properties: value not allowed"},
		{"properties with a long form of their length", 5, "30 05 0001't' 8000", "mqtt.properties: value not allowed"},
		{"subscribe to nothing", 5, "82 03 0001 00", "mqtt subscribe.topic_filter: ends too early"},
		{"empty filter", 5, "82 06 0001 00 0000 00", "mqtt subscribe.topic_filter: value not allowed"},
		{"qos 3 wanted", 5, "82 07 0001 00 0001'a' 03", "mqtt subscribe.options: value not allowed"},
		{"5.0 options in 3.1.1", 4, "82 06 0001 0001'a' 04", "mqtt subscribe.options: value not allowed"},
		{"suback without codes", 5, "90 03 0001 00", "mqtt.reason_code: ends too early"},
		{"suback 3.1.1 code", 4, "90 03 0001 03", "mqtt.reason_code: value not allowed"},
		{"connack flags", 5, "20 03 02 00 00", "mqtt connack.flags at offset 0: value not allowed"},
		{"connect to another protocol", 5, "10 0d 0004'HTTP' 05 00 0000 00 0000", "mqtt connect.protocol_name at offset 0: value not allowed"},
		{"connect of version 3.1", 5, "10 0c 0004'MQTT' 03 00 0000 0000", "mqtt connect.protocol_level at offset 6: value not allowed"},
		{"connect reserved flag", 5, "10 0d 0004'MQTT' 05 01 0000 00 0000", "mqtt connect.flags at offset 7: value not allowed"},
		{"connect will qos without will", 5, "10 0d 0004'MQTT' 05 08 0000 00 0000", "mqtt connect.flags at offset 7: value not allowed"},
		{"connect 3.1.1 password alone", 4, "10 0f 0004'MQTT' 04 40 0000 0000 0001'p'", "mqtt connect.flags at offset 7: value not allowed"},
		{"connect cut", 5, "10 0b 0004'MQTT' 05 00 0000 00", "mqtt connect.client_id: ends too early"},
	}

	remarks := map[string]Remark{
		"long form of a length":        remarkLength,
		"bytes left over":              remarkTrailing,
		"bytes left over after puback": remarkTrailing,
		"dup at qos 0":                 remarkDup,
		"pubrel flags":                 remarkFlags,
		"ping flags":                   remarkFlags,
		"packet id 0":                  remarkPacketID,
		"publish id 0":                 remarkPacketID,
		"no topic, no alias":           remarkTopic,
		"wildcard in topic":            remarkTopic,
		"topic with NUL":               remarkText,
		"topic not UTF-8":              remarkText,
		"alias 0":                      remarkProperty,
		"property of another packet":   remarkProperty,
		"property twice":               remarkProperty,
		"flag property of 2":           remarkProperty,
		"properties with a long form of their length": remarkLength,
		"subscribe to nothing":                        remarkFilter,
		"empty filter":                                remarkFilter,
		"qos 3 wanted":                                remarkFilter,
		"5.0 options in 3.1.1":                        remarkFilter,
		"suback without codes":                        remarkReason,
		"suback 3.1.1 code":                           remarkReason,
		"connack flags":                               remarkConnect,
		"connect reserved flag":                       remarkConnect,
		"connect will qos without will":               remarkConnect,
		"connect 3.1.1 password alone":                remarkConnect,
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := MQTT{Version: test.version}
			err := m.decode(unhex(t, test.hex), gopacket.NilDecodeFeedback, true)
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
			// Brokers take some of it, and so does a reader who is not to write.
			err = m.DecodeFromBytes(unhex(t, test.hex), gopacket.NilDecodeFeedback)
			if want := remarks[test.name]; want != 0 && (err != nil || m.Remarks != want) || want == 0 && (err == nil || err.Error() != test.want) {
				t.Errorf("got remarks %q, %v, want %q", m.Remarks, err, want)
			}
			delete(remarks, test.name)
		})
	}

	for name := range remarks {
		t.Errorf("got a remark of %q, want one only of a test", name)
	}
}

// Version 3.1.1 does not ask for the shortest form of the remaining length.
func TestLongFormOfLengthIsFineIn311(t *testing.T) {
	m := MQTT{Version: Version311}
	if err := m.DecodeFromBytes(unhex(t, "c0 80 00"), gopacket.NilDecodeFeedback); err != nil || m.Type != PacketPingreq {
		t.Errorf("got %v, %v, want %v", m.Type, err, PacketPingreq)
	}
}

func TestBadPacketsAreNotWritten(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 65536)
	tests := []struct {
		name string
		m    MQTT
		want error
	}{
		{"no type", MQTT{}, format.ErrValue},
		{"type 16", MQTT{Type: 16}, format.ErrValue},
		{"qos 3", MQTT{Type: PacketPublish, QoS: 3, Topic: []byte("t")}, format.ErrValue},
		{"qos 4", MQTT{Type: PacketPublish, QoS: 4, Topic: []byte("t")}, format.ErrValue},
		{"no packet id", MQTT{Type: PacketPublish, QoS: 1, Topic: []byte("t")}, format.ErrValue},
		{"no topic", MQTT{Type: PacketPublish}, format.ErrValue},
		{"long topic", MQTT{Type: PacketPublish, Topic: long}, format.ErrTooLong},
		{"long password", MQTT{Type: PacketConnect, Connect: Connect{HasPassword: true, Password: long}}, format.ErrTooLong},
		{"will qos 4", MQTT{Type: PacketConnect, Connect: Connect{HasWill: true, WillQoS: 4}}, format.ErrValue},
		{"payload in a ping", MQTT{Type: PacketPingreq, Payload: []byte("x")}, format.ErrLength},
		{"properties of another packet", MQTT{Type: PacketPuback, PacketID: 1, Properties: Properties("\x01\x00")}, format.ErrValue},
	}

	for _, test := range tests {
		if got, err := test.m.AppendTo(nil); !errors.Is(err, test.want) || got != nil {
			t.Errorf("%s: got %x, %v, want nothing and %v", test.name, got, err, test.want)
		}
		buf := gopacket.NewSerializeBuffer()
		if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{}, &test.m, gopacket.Payload(test.m.Payload)); !errors.Is(err, test.want) {
			t.Errorf("%s: got %x, %v, want %v", test.name, buf.Bytes(), err, test.want)
		}
	}
}
