package wire

import (
	"slices"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// packetsOf decodes packets as gopacket.NewPacket does, with MQTT on a port.
func packetsOf(port layers.TCPPort, mqtt gopacket.LayerType, packets []scripted) (found []gopacket.Layer, failed int) {
	layers.RegisterTCPPortLayerType(port, mqtt)
	for _, p := range packets {
		packet := gopacket.NewPacket(p.data, layers.LayerTypeIPv4, gopacket.DecodeOptions{DecodeStreamsAsDatagrams: true})
		if packet.ErrorLayer() != nil {
			failed++
		}
		for _, l := range packet.Layers() {
			if t := l.LayerType(); t != layers.LayerTypeIPv4 && t != layers.LayerTypeTCP && t != gopacket.LayerTypeDecodeFailure {
				found = append(found, l)
			}
		}
	}
	return found, failed
}

// Users of gopacket.NewPacket see every control packet of every segment, in the
// version of its connection.
//
// Case capture/gopacket-311: 529 error layers, 2 PUBLISH of 720, 100 packets with
// a Rest that nobody decodes.
func TestNewPacketDecodesAll(t *testing.T) {
	var versions Versions
	remembering := gopacket.RegisterLayerType(1998, gopacket.LayerTypeMetadata{Name: "MQTT", Decoder: &versions})
	log := logVectors(t)[0]
	const uploads = 20
	for _, version := range []uint8{Version31, Version311, Version5} {
		told := map[uint8]gopacket.LayerType{Version31: LayerTypeMQTT311, Version311: LayerTypeMQTT311, Version5: LayerTypeMQTT5}[version]
		for name, mqtt := range map[string]gopacket.LayerType{"remembered": remembering, "told": told, "found out": LayerTypeMQTT} {
			const port = 20883
			s := newScript(t, "192.0.2.1:40000", "192.0.2.2:20883").handshake()
			s.connect(version)
			for id := range uint16(uploads) {
				up := s.packet(MQTT{Version: version, Type: PacketPublish, QoS: 1, PacketID: id + 1, Topic: []byte("binlog/v0/C/A"), Payload: log})
				text := s.packet(MQTT{Version: version, Type: PacketPublish, Topic: []byte("plant/a"), Payload: []byte("\x00\x01hello")})
				s.say(client, 60000, up, text, s.packet(MQTT{Version: version, Type: PacketPingreq}))
				s.say(server, 60000, s.packet(MQTT{Version: version, Type: PacketPuback, PacketID: id + 1}))
			}

			found, failed := packetsOf(port, mqtt, s.packets)
			count := map[PacketType]int{}
			logs, frames, undecided := 0, 0, 0
			for _, l := range found {
				switch l := l.(type) {
				case *MQTT:
					count[l.Type]++
					if l.Remarks&remarkVersion != 0 {
						undecided++
					} else if string(l.Topic) == "plant/a" && string(l.Payload) != "\x00\x01hello" {
						t.Errorf("version %d, %s: got payload %q, want %q", version, name, l.Payload, "\x00\x01hello")
					}
				case *Log:
					logs++
				case *Frame:
					frames++
				}
			}

			if failed != 0 || count[PacketPublish] != 2*uploads || count[PacketPuback] != uploads || count[PacketPingreq] != uploads || logs != uploads || frames < logs || undecided != 0 {
				t.Errorf("version %d, %s: got %d failed, %v, %d logs, %d frames, %d undecided, want 0 failed and undecided, %d PUBLISH, %d of all else, and as many frames at least",
					version, name, failed, count, logs, frames, undecided, 2*uploads, uploads)
			}
		}
	}
}

// Alone, a PUBLISH that both versions can mean has no payload; after its
// connection's CONNECT it has.
func TestNewPacketLeavesUndecidedPayloadsOut(t *testing.T) {
	var versions Versions
	remembering := gopacket.RegisterLayerType(1997, gopacket.LayerTypeMetadata{Name: "MQTT", Decoder: &versions})
	s := newScript(t, "192.0.2.1:40000", "192.0.2.2:20884")
	doubtful := s.packet(MQTT{Version: Version311, Type: PacketPublish, Topic: []byte("plant/a"), Payload: []byte("\x00\x01hello")})
	s.say(client, 1400, doubtful)
	s.connect(Version311)
	s.say(client, 1400, doubtful)
	found, failed := packetsOf(20884, remembering, s.packets)
	var got []string
	for _, l := range found {
		if m, ok := l.(*MQTT); ok && m.Type == PacketPublish {
			got = append(got, string(m.Payload)+"|"+m.Remarks.String())
		}
	}

	if want := []string{"|MQTT 3.1.1 or 5.0 is not known", "\x00\x01hello|"}; failed != 0 || !slices.Equal(got, want) {
		t.Errorf("got %q, %d failed, want %q", got, failed, want)
	}

	// What is remembered is bounded.
	versions.byFlow = map[uint64]flowState{}
	for i := range uint64(maxVersions) {
		versions.byFlow[i] = flowState{}
	}
	packetsOf(20884, remembering, s.packets)
	if n := len(versions.byFlow); n != 1 {
		t.Errorf("got %d connections remembered, want 1: all of the others are forgotten", n)
	}
}

// A control packet that goes on in the next segment is an error, and what stood
// before it is there.
func TestNewPacketKeepsWhatIsBeforeACut(t *testing.T) {
	s := newScript(t, "192.0.2.1:40000", "192.0.2.2:20885")
	up := s.packet(MQTT{Type: PacketPublish, Topic: []byte("binlog/v0/C/A"), Payload: logVectors(t)[0]})
	s.send(client, tcpFlags{ack: true}, append([]byte("\xc0\x00"), up[:100]...))
	for _, mqtt := range []gopacket.LayerType{LayerTypeMQTT, LayerTypeMQTT5} {
		found, failed := packetsOf(20885, mqtt, s.packets)
		if failed != 1 || len(found) != 1 || found[0].(*MQTT).Type != PacketPingreq {
			t.Errorf("%v: got %v, %d failed, want one %v and 1 failed", mqtt, found, failed, PacketPingreq)
		}
	}
}
