package wire

import (
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// maxVersions is how many connections a Versions remembers.
const maxVersions = 1 << 16

// Versions decodes the MQTT in the packets that gopacket.NewPacket makes, and
// remembers which version each connection speaks, since only its CONNECT says so.
// Make a layer type of it for the packets of one source:
//
//	var versions wire.Versions
//	mqtt := gopacket.RegisterLayerType(1999, gopacket.LayerTypeMetadata{Name: "MQTT", Decoder: &versions})
//	layers.RegisterTCPPortLayerType(1883, mqtt)
//
// Every control packet of a segment becomes a layer, with those of its payload
// after it. A control packet that goes on in the next segment is an error layer,
// and a payload there, since gopacket's packets know nothing of each other:
// [Reassembler] puts segments together. The zero value is ready for use. It remembers 65,536
// connections and then begins anew; it belongs to one goroutine, so that packets
// must not be decoded lazily in others.
type Versions struct {
	byFlow map[uint64]flowState
}

// Decode implements gopacket.Decoder.
func (v *Versions) Decode(data []byte, p gopacket.PacketBuilder) error {
	flow, tcp := flowOf(p)
	if tcp == nil {
		_, _, err := decodeSegment(data, p, 0)
		return err
	}
	if v.byFlow == nil || len(v.byFlow) >= maxVersions {
		v.byFlow = map[uint64]flowState{}
	}

	state := v.byFlow[flow]
	next := &state.next[0]
	if tcp.SrcPort > tcp.DstPort {
		next = &state.next[1]
	}

	// The rest of a packet that began in a segment before.
	sequence := tcp.Seq
	if n := after(*next, sequence); n > 0 && n <= maxMessage && state.version != 0 {
		rest := gopacket.Payload(data[:min(int(n), len(data))])
		p.AddLayer(&rest)
		data = data[len(rest):]
		sequence += uint32(len(rest))
	}

	version, rest, err := decodeSegment(data, p, state.version)
	if n, e := PacketLen(rest); e == nil && n > len(rest) {
		*next = sequence + uint32(len(data)-len(rest)+n)
	}
	state.version = version
	v.byFlow[flow] = state
	return err
}

// flowState is what is remembered of a connection.
type flowState struct {
	version uint8
	next    [2]uint32 // where a control packet begins, by direction
}

// flowOf returns what both directions of a packet's connection share, and its
// TCP layer, or nil.
func flowOf(p gopacket.PacketBuilder) (uint64, *layers.TCP) {
	packet, ok := p.(gopacket.Packet)
	if !ok || packet.NetworkLayer() == nil {
		return 0, nil
	}
	tcp, ok := packet.TransportLayer().(*layers.TCP)
	if !ok {
		return 0, nil
	}
	const spread = 0x9e3779b97f4a7c15
	return packet.NetworkLayer().NetworkFlow().FastHash()*spread ^ tcp.TransportFlow().FastHash(), tcp
}

// registerMQTT makes a layer type of MQTT: of one version or, with 0, of the one
// that fits.
func registerMQTT(number int, name string, version uint8) gopacket.LayerType {
	return gopacket.RegisterLayerType(number, gopacket.LayerTypeMetadata{
		Name: name,
		Decoder: gopacket.DecodeFunc(func(data []byte, p gopacket.PacketBuilder) error {
			_, _, err := decodeSegment(data, p, version)
			return err
		}),
	})
}

// decodeSegment adds a layer for each control packet of a segment, and returns
// the version, as far as it is known then, and what could not be decoded.
func decodeSegment(data []byte, p gopacket.PacketBuilder, version uint8) (_ uint8, rest []byte, _ error) {
	for len(data) > 0 {
		m := &MQTT{Version: version}
		if version != 0 {
			if err := m.DecodeFromBytes(data, p); err != nil {
				return version, data, err
			}
			version = m.Version
		} else {
			n, err := PacketLen(data)
			if err != nil || n > len(data) {
				p.SetTruncated()
				return 0, data, fieldPacket.short
			}

			as3 := new(MQTT)
			var how reading
			if version, how, err = readBoth(m, as3, data[:n:n]); err != nil {
				return 0, data, err
			}
			if version != 0 && version != m.Version {
				m = as3
			} else if how == readUndecided {
				// Where the payload begins depends on the version.
				m = as3
				m.Version, m.Payload, m.Contents = 0, nil, data[:n:n]
				m.Filters, m.ReasonCodes = nil, nil
				m.Remarks |= remarkVersion
			}
			m.Rest = data[n:]
		}

		p.AddLayer(m)
		if err := addPayload(p, m); err != nil {
			return version, nil, err
		}

		data = m.Rest
	}
	return version, nil, nil
}

// addPayload adds the layers in a PUBLISH.
func addPayload(p gopacket.PacketBuilder, m *MQTT) error {
	if len(m.Payload) == 0 {
		return nil
	}
	switch m.NextLayerType() {
	case LayerTypeLog:
		return addLayers(p, func() decoder { return new(Log) }, m.Payload)
	case LayerTypeCoreDump:
		return addLayers(p, func() decoder { return new(CoreDump) }, m.Payload)
	}
	payload := gopacket.Payload(m.Payload)
	p.AddLayer(&payload)
	return nil
}
