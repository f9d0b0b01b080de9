package wire

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Segment is one TCP segment and where it was going.
type Segment struct {
	Time                time.Time // when it was captured
	Source, Destination netip.AddrPort
	Sequence            uint32 // number of the first byte, or of the SYN
	AckNumber           uint32 // number of the next byte that is expected, if ACK is set
	SYN, ACK, FIN, RST  bool
	Payload             []byte
}

// verdict says what became of a captured packet.
type verdict uint8

const (
	isTCP       verdict = iota
	isOther             // not TCP
	isFragment          // a piece of an IP packet with TCP in it
	isBad               // damaged or cut short
	isOtherLink         // of a link that is not read
	isTunnel            // in a tunnel that is not read
	isHeld              // a piece of an IP packet that is not whole yet
	isRepeated          // a piece that is there already
)

// LINKTYPE_ numbers.
//
// Source: https://www.tcpdump.org/linktypes.html
const (
	linkNull      = 0
	linkEthernet  = 1
	linkPPP       = 9
	linkRawBSD    = 12
	linkRawOpen   = 14
	linkPPPSerial = 50
	linkPPPEther  = 51
	linkRaw       = 101
	linkCiscoHDLC = 104
	linkWifi      = 105
	linkLoop      = 108
	linkLinuxSLL  = 113
	linkPFLog     = 117
	linkRadiotap  = 127
	linkIPv4      = 228
	linkIPv6      = 229
	linkPktap     = 258
	linkLinuxSLL2 = 276
)

// EtherType numbers.
//
// Source: the IANA registry of IEEE 802 numbers.
const (
	etherIPv4     = 0x0800
	etherTRILL    = 0x22f3
	etherERSPAN3  = 0x22eb
	etherBridged  = 0x6558 // an Ethernet frame
	etherVLAN     = 0x8100
	etherIPv6     = 0x86dd
	etherMPLS     = 0x8847
	etherMPLSMany = 0x8848
	etherPPPoE    = 0x8864
	etherPPP      = 0x880b
	etherERSPAN   = 0x88be
	etherMACsec   = 0x88e5
	etherBackbone = 0x88e7
	etherTrustSec = 0x8909
	etherHSR      = 0x892f
	etherService  = 0x894f
	etherQinQ     = 0x88a8
	etherQinQOld  = 0x9100
)

// IP protocol numbers.
//
// Source: the IANA registry of protocol numbers.
const (
	ipHopByHop = 0
	ipIPv4     = 4
	ipTCP      = 6
	ipUDP      = 17
	ipIPv6     = 41
	ipRouting  = 43
	ipFragment = 44
	ipGRE      = 47
	ipAuth     = 51
	ipOptions  = 60
	ipL2TP     = 115
)

// UDP ports of tunnels.
//
// Source: the IANA port registry; 8472 is Linux's default for VXLAN.
const (
	portL2TP     = 1701
	portGTP      = 2152
	portVXLAN    = 4789
	portVXLANGPE = 4790
	portGeneve   = 6081
	portVXLANOld = 8472
)

// maxEthernet is how many bytes a frame may hold; what stands for the EtherType is a
// length up to it.
const maxEthernet = 1500

// maxNested is how many headers may stand before TCP; more are no traffic.
const maxNested = 64

// dissection is the way from a packet's first byte to its TCP segment.
type dissection struct {
	segment  Segment
	src, dst netip.Addr
	nested   int
	pieces   *fragments // nil: pieces are not put together
}

// dissect returns the TCP segment in a packet, if the verdict is isTCP. The
// payload aliases the packet. The lengths in IP headers bound it, except 0, which
// stands for all that there is: network cards that segment for the system hand
// out such packets, also ones longer than the field could say.
func dissect(p capturedPacket) (Segment, verdict) { return dissectWith(nil, p) }

// dissectWith is dissect that puts IP packets together that come in pieces.
func dissectWith(pieces *fragments, p capturedPacket) (Segment, verdict) {
	d := dissection{pieces: pieces}
	d.segment.Time = p.time
	v := d.link(p.link, p.data)
	return d.segment, v
}

func (d *dissection) link(link uint16, b []byte) verdict {
	switch link {
	case linkEthernet:
		return d.ethernet(b)
	case linkNull, linkLoop:
		// The address family before the packet is in either byte order and
		// differs from system to system; the packet says the same.
		return d.ip(skip(b, 4))
	case linkLinuxSLL:
		if len(b) < 16 {
			return isBad
		}
		return d.ether(binary.BigEndian.Uint16(b[14:]), b[16:])
	case linkLinuxSLL2:
		if len(b) < 20 {
			return isBad
		}
		return d.ether(binary.BigEndian.Uint16(b), b[20:])
	case linkPPP, linkPPPSerial:
		return d.ppp(b)
	case linkPPPEther:
		return d.ether(etherPPPoE, b)
	case linkCiscoHDLC:
		if len(b) < 4 {
			return isBad
		}
		return d.ether(binary.BigEndian.Uint16(b[2:]), b[4:])
	case linkWifi:
		return d.wifi(b)
	case linkRadiotap:
		if len(b) < 4 {
			return isBad
		}
		return d.wifi(skip(b, int(binary.LittleEndian.Uint16(b[2:]))))
	case linkPFLog:
		if len(b) == 0 {
			return isBad
		}
		return d.ip(skip(b, (int(b[0])+3)&^3))
	case linkPktap:
		if d.nested++; len(b) < 12 || d.nested > maxNested {
			return isBad
		}
		head, inner := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[8:])
		if head < 12 || uint64(head) > uint64(len(b)) || inner > 1<<16-1 {
			return isBad
		}
		return d.link(uint16(inner), b[head:])
	case linkRaw, linkRawBSD, linkRawOpen, linkIPv4, linkIPv6:
		return d.ip(b)
	}

	return isOtherLink
}

// skip returns what follows the first n bytes, or nothing.
func skip(b []byte, n int) []byte { return b[min(n, len(b)):] }

func (d *dissection) ethernet(b []byte) verdict {
	if len(b) < 14 {
		return isBad
	}
	return d.ether(binary.BigEndian.Uint16(b[12:]), b[14:])
}

// ether reads what an EtherType announces.
func (d *dissection) ether(typ uint16, b []byte) verdict {
	if d.nested++; d.nested > maxNested {
		return isBad
	}

	switch typ {
	case etherIPv4, etherIPv6:
		return d.ip(b)
	case etherVLAN, etherQinQ, etherQinQOld:
		if len(b) < 4 {
			return isBad
		}
		return d.ether(binary.BigEndian.Uint16(b[2:]), b[4:])
	case etherBridged:
		return d.ethernet(b)
	case etherBackbone:
		return d.ethernet(skip(b, 4))
	case etherHSR:
		if len(b) < 6 {
			return isBad
		}
		return d.ether(binary.BigEndian.Uint16(b[4:]), b[6:])
	case etherService:
		return d.service(b)
	case etherPPP:
		return d.ppp(b)
	case etherTRILL, etherMACsec, etherTrustSec:
		return isTunnel
	case etherERSPAN:
		return d.ethernet(skip(b, 8))
	case etherERSPAN3:
		head := 12
		if len(b) < head {
			return isBad
		}
		if b[11]&1 != 0 {
			head += 8
		}
		return d.ethernet(skip(b, head))
	case etherMPLS, etherMPLSMany:
		for len(b) >= 4 {
			bottom := b[2]&1 != 0
			if b = b[4:]; bottom {
				return d.labelled(b)
			}
		}
		return isBad
	case etherPPPoE:
		return d.ppp(skip(b, 6))
	}
	if typ <= maxEthernet {
		return d.snap(b)
	}
	return isOther
}

// ip reads an IP packet of either version.
//
// Source: RFC 791 section 3.1, RFC 8200 sections 3 and 4.
func (d *dissection) ip(b []byte) verdict {
	if d.nested++; len(b) == 0 || d.nested > maxNested {
		return isBad
	}
	switch b[0] >> 4 {
	case 4:
		return d.ip4(b)
	case 6:
		return d.ip6(b)
	}
	return isBad
}

func (d *dissection) ip4(b []byte) verdict {
	if len(b) < 20 {
		return isBad
	}
	head, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 {
		total = len(b)
	}
	if head < 20 || head > total || head > len(b) {
		return isBad
	}
	d.src, d.dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	const more, offset = 1 << 13, 1<<13 - 1
	if f := binary.BigEndian.Uint16(b[6:]); f&(more|offset) != 0 {
		return d.fragment(b[9], uint32(binary.BigEndian.Uint16(b[4:])), 8*int(f&offset), f&more != 0, total-head, b[head:])
	}
	return d.protocol(b[9], b[head:min(total, len(b))])
}

func (d *dissection) ip6(b []byte) verdict {
	if len(b) < 40 {
		return isBad
	}

	length, next := int(binary.BigEndian.Uint16(b[4:])), b[6]
	d.src, d.dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	cut := false
	if b = b[40:]; length > 0 {
		cut = length > len(b)
		b = b[:min(length, len(b))]
	}

	for {
		size := 0
		switch next {
		case ipHopByHop, ipRouting, ipOptions:
			if len(b) >= 2 {
				size = 8 * (int(b[1]) + 1)
			}
		case ipAuth:
			if len(b) >= 2 {
				size = 4 * (int(b[1]) + 2)
			}
		case ipFragment:
			if size = 8; len(b) < size {
				return isBad
			}
			const more, offset = 1, 0xfff8
			if f := binary.BigEndian.Uint16(b[2:]); f&(more|offset) != 0 {
				size := len(b) - 8
				if cut {
					size++ // longer than what is there
				}
				return d.fragment(b[0], binary.BigEndian.Uint32(b[4:]), int(f&offset), f&more != 0, size, b[8:])
			}
		default:
			return d.protocol(next, b)
		}

		if d.nested++; size == 0 || size > len(b) || d.nested > maxNested {
			return isBad
		}
		next, b = b[0], b[size:]
	}
}

// fragment reads a piece of an IP packet, whose size the header says, and the packet
// when it is whole.
func (d *dissection) fragment(protocol byte, id uint32, at int, more bool, size int, b []byte) verdict {
	switch {
	case d.pieces == nil:
		return unread(protocol)
	case size > len(b):
		return isBad
	}
	whole, v := d.pieces.add(fragmentKey{d.src, d.dst, id, protocol}, d.segment.Time, at, more, b[:size])
	if whole == nil {
		return v
	}
	return d.protocol(protocol, whole)
}

// protocol reads what is in an IP packet.
func (d *dissection) protocol(p byte, b []byte) verdict {
	switch p {
	case ipTCP:
		return d.tcp(b)
	case ipIPv4, ipIPv6:
		return d.ip(b)
	case ipGRE:
		return d.gre(b)
	case ipUDP:
		return d.udp(b)
	case ipL2TP:
		return isTunnel
	}
	return isOther
}

// tcp reads a TCP header.
//
// Source: RFC 9293 section 3.1.
func (d *dissection) tcp(b []byte) verdict {
	if len(b) < 20 {
		return isBad
	}
	head := int(b[12]>>4) * 4
	if head < 20 || head > len(b) {
		return isBad
	}
	const fin, syn, rst, ack = 1, 2, 4, 16
	s, flags := &d.segment, b[13]
	s.Source = netip.AddrPortFrom(d.src, binary.BigEndian.Uint16(b))
	s.Destination = netip.AddrPortFrom(d.dst, binary.BigEndian.Uint16(b[2:]))
	s.Sequence, s.AckNumber = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
	s.FIN, s.SYN, s.RST, s.ACK = flags&fin != 0, flags&syn != 0, flags&rst != 0, flags&ack != 0
	s.Payload = b[head:len(b):len(b)]
	return isTCP
}
