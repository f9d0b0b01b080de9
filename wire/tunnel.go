package wire

import "encoding/binary"

// ppp reads a frame of the point-to-point protocol, with or without the address and
// control bytes before it. What is compressed, encrypted or spread over several links
// is not read.
//
// Source: RFC 1661 sections 2 and 6.5, RFC 1662 section 3.1, RFC 1144, RFC 1990.
func (d *dissection) ppp(b []byte) verdict {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 3 {
		b = b[2:]
	}
	if len(b) < 2 {
		return isBad
	}
	protocol := uint16(b[0]) // one byte when it is odd
	if b = b[1:]; protocol&1 == 0 {
		protocol, b = protocol<<8|uint16(b[0]), b[1:]
	}
	switch protocol {
	case 0x21, 0x57:
		return d.ip(b)
	case 0x2d, 0x2f, 0x3d, 0x53, 0x55, 0xfb, 0xfd:
		return isTunnel
	}
	return isOther
}

// snap reads a packet behind a header of logical link control.
//
// Source: RFC 1042.
func (d *dissection) snap(b []byte) verdict {
	if len(b) >= 8 && b[0] == 0xaa && b[1] == 0xaa && b[2] == 3 && b[3]|b[4]|b[5] == 0 {
		return d.ether(binary.BigEndian.Uint16(b[6:]), b[8:])
	}
	return isOther
}

// wifi reads a frame of a wireless network. One that is encrypted, or has several
// packets in it, is not read.
//
// Source: IEEE 802.11-2020 section 9.2.
func (d *dissection) wifi(b []byte) verdict {
	if len(b) < 24 {
		return isOther // acknowledgements and the like are shorter
	}
	const typ, data, null, qos = 0x0c, 0x08, 0x40, 0x80
	const bothDS, more, protected, order = 3, 4, 0x40, 0x80
	if b[0]&typ != data || b[0]&null != 0 {
		return isOther
	}

	head := 24
	if b[1]&bothDS == bothDS {
		head += 6
	}
	several := b[1]&more != 0 || b[22]&15 != 0
	if b[0]&qos != 0 {
		if len(b) < head+2 {
			return isBad
		}
		const aggregated = 0x80
		several = several || b[head]&aggregated != 0
		if head += 2; b[1]&order != 0 {
			head += 4
		}
	}

	if several || b[1]&protected != 0 {
		return isTunnel
	}
	return d.snap(skip(b, head))
}

// vxlan reads what a VXLAN header stands before, with a group policy or the next
// protocol in it or without.
//
// Source: RFC 7348 section 5, draft-smith-vxlan-group-policy, draft-ietf-nvo3-vxlan-gpe
// section 3.
func (d *dissection) vxlan(b []byte) verdict {
	const valid, next, policy = 0x08, 0x04, 0x80
	switch {
	case b[0]&valid == 0:
		return isOther // no network identifier: something else on this port
	case b[0]&^(valid|policy) == 0:
		return d.ethernet(b[8:])
	case b[0]&^valid == next:
		return d.next(b[3], b[8:])
	}
	return isTunnel
}

// next reads what the next-protocol number of VXLAN and of a service header announces.
func (d *dissection) next(protocol byte, b []byte) verdict {
	switch protocol {
	case 1, 2:
		return d.ip(b)
	case 3:
		return d.ethernet(b)
	}
	return isTunnel
}

// service reads a network service header.
//
// Source: RFC 8300 section 2.
func (d *dissection) service(b []byte) verdict {
	if len(b) < 8 {
		return isBad
	}
	return d.next(b[3], skip(b, 4*int(b[1]&0x3f)))
}

// labelled reads what follows the last MPLS label: IP, or an Ethernet frame, which four
// bytes of zeros and a number may stand before. Nothing but its own look tells which.
//
// Source: RFC 3032, RFC 4385 section 3, RFC 4448 section 4.
func (d *dissection) labelled(b []byte) verdict {
	if len(b) > 0 && (b[0]>>4 == 4 || b[0]>>4 == 6) {
		return d.ip(b)
	}
	for _, at := range [...]int{4, 0} {
		if frame := skip(b, at); len(frame) >= 14 && (at == 0 || b[0]|b[1] == 0) {
			switch binary.BigEndian.Uint16(frame[12:]) {
			case etherIPv4, etherIPv6, etherVLAN, etherQinQ:
				return d.ethernet(frame)
			}
		}
	}
	return isTunnel
}

// udp reads the tunnels that run over UDP.
//
// Source: RFC 8926 section 3.4, 3GPP TS 29.281 section 5.1.
func (d *dissection) udp(b []byte) verdict {
	if len(b) < 8 {
		return isOther
	}
	port, b := binary.BigEndian.Uint16(b[2:]), b[8:]
	if len(b) < 8 {
		return isOther
	}

	switch port {
	case portVXLAN, portVXLANOld, portVXLANGPE:
		return d.vxlan(b)
	case portGeneve:
		if head := 8 + 4*int(b[0]&0x3f); b[0]>>6 == 0 && head <= len(b) {
			return d.ether(binary.BigEndian.Uint16(b[2:]), b[head:])
		}
	case portGTP:
		const version1, fields, data = 0x30, 7, 255
		if b[0]&^fields == version1 && b[1] == data {
			return d.gtp(b[0]&fields != 0, b)
		}
	case portL2TP:
		return isTunnel
	}

	return isOther
}

// gtp reads the user data of a mobile network.
func (d *dissection) gtp(more bool, b []byte) verdict {
	if !more {
		return d.ip(b[8:])
	}
	if len(b) < 12 {
		return isBad
	}
	next, b := b[11], b[12:]
	for next != 0 { // extension headers
		if len(b) == 0 || b[0] == 0 || 4*int(b[0]) > len(b) {
			return isBad
		}
		n := 4 * int(b[0])
		next, b = b[n-1], b[n:]
	}
	return d.ip(b)
}

// gre reads generic routing encapsulation.
//
// Source: RFC 2784 section 2, RFC 2890 section 2, RFC 2637 section 4.1.
func (d *dissection) gre(b []byte) verdict {
	if len(b) < 4 {
		return isBad
	}
	const checksum, routing, key, sequence, acknowledged, version = 0x8000, 0x4000, 0x2000, 0x1000, 0x80, 7
	flags, typ, head := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:]), 4
	if flags&(routing|version) == 1 && typ == etherPPP { // point-to-point tunnelling
		for _, f := range [...]uint16{key, sequence, acknowledged} {
			if flags&f != 0 {
				head += 4
			}
		}
		if head >= len(b) {
			return isOther // an acknowledgement alone
		}
		return d.ppp(b[head:])
	}

	if flags&(routing|version) != 0 {
		return isTunnel
	}
	for _, f := range [...]uint16{checksum, key, sequence} {
		if flags&f != 0 {
			head += 4
		}
	}

	if typ == etherERSPAN && flags&sequence == 0 {
		typ = etherBridged // the first kind of ERSPAN has no header
	}
	return d.ether(typ, skip(b, head))
}
