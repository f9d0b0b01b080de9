package wire

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// segment is one TCP segment and where it was going.
type segment struct {
	time               time.Time
	src, dst           netip.AddrPort
	seq, ackNumber     uint32
	syn, ack, fin, rst bool
	payload            []byte
}

// verdict says what became of a captured packet.
type verdict uint8

const (
	isTCP       verdict = iota
	isOther             // not TCP
	isFragment          // a piece of an IP packet with TCP in it
	isBad               // damaged or cut short
	isOtherLink         // of a link that is not read
)

// LINKTYPE_ numbers.
//
// Source: https://www.tcpdump.org/linktypes.html
const (
	linkNull      = 0
	linkEthernet  = 1
	linkRawBSD    = 12
	linkRawOpen   = 14
	linkRaw       = 101
	linkLoop      = 108
	linkLinuxSLL  = 113
	linkIPv4      = 228
	linkIPv6      = 229
	linkLinuxSLL2 = 276
)

// dissector takes captured packets apart, from the link to TCP, with gopacket's
// layers. It belongs to one goroutine.
type dissector struct {
	ethernet  layers.Ethernet
	vlan      layers.Dot1Q
	loopback  layers.Loopback
	sll       layers.LinuxSLL
	ip4       layers.IPv4
	ip6       layers.IPv6
	extension layers.IPv6ExtensionSkipper
	tcp       layers.TCP

	parsers map[LayerType]*gopacket.DecodingLayerParser // by the first layer
	decoded []LayerType
}

func newDissector() *dissector {
	d := &dissector{parsers: map[LayerType]*gopacket.DecodingLayerParser{}}
	for _, first := range [...]LayerType{
		layers.LayerTypeEthernet, layers.LayerTypeLoopback, layers.LayerTypeLinuxSLL, layers.LayerTypeIPv4, layers.LayerTypeIPv6,
	} {
		p := gopacket.NewDecodingLayerParser(first, &d.ethernet, &d.vlan, &d.loopback, &d.sll, &d.ip4, &d.ip6, &d.extension, &d.tcp)
		p.IgnoreUnsupported = true
		// IgnorePanic stays off: these layers are not ours, and some index
		// without looking.
		d.parsers[first] = p
	}
	return d
}

// firstLayer returns the outermost layer that is read, and the bytes from there.
func firstLayer(link uint16, data []byte) (LayerType, []byte, verdict) {
	switch link {
	case linkEthernet:
		return layers.LayerTypeEthernet, data, isTCP
	case linkNull, linkLoop:
		return layers.LayerTypeLoopback, data, isTCP
	case linkLinuxSLL:
		return layers.LayerTypeLinuxSLL, data, isTCP
	case linkLinuxSLL2:
		const lenHead = 20
		if len(data) < lenHead {
			return 0, nil, isBad
		}
		switch layers.EthernetType(binary.BigEndian.Uint16(data)) {
		case layers.EthernetTypeIPv4:
			return layers.LayerTypeIPv4, data[lenHead:], isTCP
		case layers.EthernetTypeIPv6:
			return layers.LayerTypeIPv6, data[lenHead:], isTCP
		}
		return 0, nil, isOther
	case linkRaw, linkRawBSD, linkRawOpen, linkIPv4, linkIPv6:
		if len(data) == 0 {
			return 0, nil, isBad
		}
		switch data[0] >> 4 {
		case 4:
			return layers.LayerTypeIPv4, data, isTCP
		case 6:
			return layers.LayerTypeIPv6, data, isTCP
		}
		return 0, nil, isBad
	}
	return 0, nil, isOtherLink
}

// dissect returns the TCP segment in a packet, if the verdict is isTCP. The
// payload aliases the packet.
func (d *dissector) dissect(p capturedPacket) (segment, verdict) {
	first, data, v := firstLayer(p.link, p.data)
	if v != isTCP {
		return segment{}, v
	}
	err := d.parsers[first].DecodeLayers(data, &d.decoded)
	var src, dst []byte
	tcp := false
	for _, t := range d.decoded {
		switch t {
		case layers.LayerTypeIPv4:
			// A gopacket parser goes on into TCP for the first fragment only.
			if d.ip4.Flags&layers.IPv4MoreFragments != 0 || d.ip4.FragOffset != 0 {
				return segment{}, fragmentOf(d.ip4.Protocol)
			}
			src, dst = d.ip4.SrcIP, d.ip4.DstIP
		case layers.LayerTypeIPv6:
			src, dst = d.ip6.SrcIP, d.ip6.DstIP
		case layers.LayerTypeIPv6Fragment:
			return segment{}, fragmentOf(d.extension.NextHeader)
		case layers.LayerTypeTCP:
			tcp = true
		}
	}
	if !tcp {
		if err != nil {
			return segment{}, isBad
		}
		return segment{}, isOther
	}
	from, ok := netip.AddrFromSlice(src)
	to, ok2 := netip.AddrFromSlice(dst)
	if !ok || !ok2 {
		return segment{}, isBad
	}
	t := &d.tcp
	return segment{
		time: p.time,
		src:  netip.AddrPortFrom(from, uint16(t.SrcPort)), dst: netip.AddrPortFrom(to, uint16(t.DstPort)),
		seq: t.Seq, ackNumber: t.Ack, syn: t.SYN, ack: t.ACK, fin: t.FIN, rst: t.RST,
		payload: t.Payload,
	}, isTCP
}

func fragmentOf(p layers.IPProtocol) verdict {
	if p == layers.IPProtocolTCP {
		return isFragment
	}
	return isOther
}
