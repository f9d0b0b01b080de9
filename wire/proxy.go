package wire

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
)

const (
	proxyV1    = "PROXY "
	proxyV2    = "\r\n\r\n\x00\r\nQUIT\n"
	maxProxyV1 = 107 // bytes, with the end of the line
	maxProxyV2 = 16 + 4096
)

// parseProxy reads the header with which a proxy introduces a client before the
// client's first byte, and returns its length. The address is not valid when the
// proxy speaks for itself, or for a socket that has none.
//
// Source: the PROXY protocol, versions 1 and 2, sections 2.1 and 2.2.
func parseProxy(b []byte) (n int, client netip.AddrPort, g guess) {
	for _, magic := range [...]string{proxyV1, proxyV2} {
		if len(b) < len(magic) && magic[:len(b)] == string(b) {
			return 0, client, unsure
		}
	}
	switch {
	case bytes.HasPrefix(b, []byte(proxyV1)):
		return parseProxyLine(b)
	case bytes.HasPrefix(b, []byte(proxyV2)):
		return parseProxyBlock(b)
	}
	return 0, client, no
}

func parseProxyLine(b []byte) (n int, client netip.AddrPort, g guess) {
	end := bytes.Index(b[:min(len(b), maxProxyV1)], []byte("\r\n"))
	if end < 0 {
		if len(b) < maxProxyV1 {
			return 0, client, unsure
		}
		return 0, client, no
	}

	n = end + 2
	fields := bytes.Split(b[:end], []byte{' '})
	family := string(fields[1])
	if family == "UNKNOWN" {
		return n, client, yes
	}
	if len(fields) != 6 || family != "TCP4" && family != "TCP6" {
		return 0, client, no
	}

	address, err := netip.ParseAddr(string(fields[2]))
	port, err2 := strconv.ParseUint(string(fields[4]), 10, 16)
	if err != nil || err2 != nil || address.Is4() != (family == "TCP4") {
		return 0, client, no
	}
	return n, netip.AddrPortFrom(address.WithZone(""), uint16(port)), yes
}

func parseProxyBlock(b []byte) (n int, client netip.AddrPort, g guess) {
	const lenHead = 16
	if len(b) < lenHead {
		return 0, client, unsure
	}

	const local, proxy = 0x20, 0x21 // version 2 and the command
	n = lenHead + int(binary.BigEndian.Uint16(b[14:]))
	if b[12] != local && b[12] != proxy || n > maxProxyV2 {
		return 0, client, no
	}
	if len(b) < n {
		return 0, client, unsure
	}

	const tcp4, tcp6 = 0x11, 0x21
	switch body := b[lenHead:n]; {
	case b[12] == local:
	case b[13] == tcp4 && len(body) >= 12:
		client = netip.AddrPortFrom(netip.AddrFrom4([4]byte(body)), binary.BigEndian.Uint16(body[8:]))
	case b[13] == tcp6 && len(body) >= 36:
		client = netip.AddrPortFrom(netip.AddrFrom16([16]byte(body)), binary.BigEndian.Uint16(body[32:]))
	}
	return n, client, yes
}

// maxTunnelHead is how long what a client asks of an HTTP proxy, or the answer, may be.
const maxTunnelHead = 8 << 10

// parseTunnel reads with what a client has an HTTP proxy open a connection, or the
// proxy's word that it is open, and returns its length: what follows is what the two
// ends say to each other. Where the client goes to a port that has other uses than
// MQTT, it is HTTP like any other.
//
// Source: RFC 9110 section 9.3.6.
func parseTunnel(b []byte, answer bool) (n int, g guess) {
	magic := "CONNECT "
	if answer {
		magic = "HTTP/1."
	}
	if k := min(len(b), len(magic)); string(b[:k]) != magic[:k] {
		return 0, no
	}
	end := bytes.Index(b[:min(len(b), maxTunnelHead)], []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) < maxTunnelHead {
			return 0, unsure
		}
		return 0, no
	}
	line, _, _ := bytes.Cut(b[:end], []byte("\r\n"))
	fields := bytes.Fields(line)
	if len(fields) < 2 {
		return 0, no
	}
	if answer {
		if len(fields[1]) != 3 || fields[1][0] != '2' {
			return 0, no
		}
		return end + 4, yes
	}
	port, err := strconv.ParseUint(string(fields[1][bytes.LastIndexByte(fields[1], ':')+1:]), 10, 16)
	if err != nil || slices.Contains(portsOfOthers[:], uint16(port)) {
		return 0, no
	}
	return end + 4, yes
}
