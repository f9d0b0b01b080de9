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

// proxyKind is what a client speaks with a proxy that is to connect it.
type proxyKind uint8

const (
	proxyNone proxyKind = iota
	proxyHTTP
	proxySOCKS
)

// parseWords reads what a client and a proxy say to each other before the client's
// connection is open, one word at a time, and returns how long it is.
func (s *conversation) parseWords(direction int, b []byte) (n int, g guess) {
	h := &s.halves[direction]
	switch s.halves[1-direction].asked {
	case proxyHTTP:
		n, h.connected, g = parseTunnelAnswer(b)
		if g == yes && !h.connected { // the client may ask again, with a password
			s.protocol = max(s.protocol, protocolHTTP)
			s.refused += int64(n)
		}
		return n, g
	case proxySOCKS:
		n, g = parseSOCKSAnswer(b)
		h.connected = g == yes
		return n, g
	}

	if n, g = parseTunnel(b); g != no {
		if g == yes {
			h.asked = proxyHTTP
		}
		return n, g
	}
	n, g = parseSOCKS(b)
	switch {
	case g != no: // the proxy answers before all is said
		h.asked, h.connected = proxySOCKS, g == yes
	case h.asked == proxySOCKS:
		h.asked = proxyNone
	}
	return n, g
}

// Limits of what an HTTP proxy is asked and answers, in bytes.
const (
	maxTunnelHead = 8 << 10
	maxRefusal    = 64 << 10
)

// tunnelHead returns the lines of what an HTTP proxy is asked or answers, and how long
// they are with the empty one behind them.
func tunnelHead(b []byte, magic string) (lines [][]byte, n int, g guess) {
	if k := min(len(b), len(magic)); string(b[:k]) != magic[:k] {
		return nil, 0, no
	}
	end := bytes.Index(b[:min(len(b), maxTunnelHead)], []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) < maxTunnelHead {
			return nil, 0, unsure
		}
		return nil, 0, no
	}
	return bytes.Split(b[:end], []byte("\r\n")), end + 4, yes
}

// parseTunnel reads with what a client has an HTTP proxy open a connection, and returns
// its length. Where the client goes to a port that has other uses than MQTT, it is HTTP
// like any other.
//
// Source: RFC 9110 section 9.3.6.
func parseTunnel(b []byte) (n int, g guess) {
	lines, n, g := tunnelHead(b, "CONNECT ")
	if g != yes {
		return 0, g
	}
	fields := bytes.Fields(lines[0])
	if len(fields) < 2 {
		return 0, no
	}
	port, err := strconv.ParseUint(string(fields[1][bytes.LastIndexByte(fields[1], ':')+1:]), 10, 16)
	if err != nil || slices.Contains(portsOfOthers[:], uint16(port)) {
		return 0, no
	}
	return n, yes
}

// parseTunnelAnswer reads a proxy's word that the connection is open, or that it is not,
// such as that it wants a password. The length is with the text for people that a
// refusal has; what follows an open one is what the two ends say to each other.
//
// Source: RFC 9110 sections 8.6 and 9.3.6, RFC 9112 section 7.1.
func parseTunnelAnswer(b []byte) (n int, open bool, g guess) {
	lines, n, g := tunnelHead(b, "HTTP/1.")
	if g != yes {
		return 0, false, g
	}
	fields := bytes.Fields(lines[0])
	if len(fields) < 2 || len(fields[1]) != 3 {
		return 0, false, no
	}
	if fields[1][0] == '2' {
		return n, true, yes
	}

	for _, line := range lines[1:] {
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			size, err := strconv.ParseUint(string(value), 10, 31)
			if err != nil || size > maxRefusal {
				return 0, false, no
			}
			if n += int(size); len(b) < n {
				return 0, false, unsure
			}
			return n, false, yes
		case bytes.EqualFold(name, []byte("Transfer-Encoding")) && bytes.EqualFold(value, []byte("chunked")):
			const last = "\r\n0\r\n\r\n"
			end := bytes.Index(b[n-2:min(len(b), maxRefusal)], []byte(last)) // of the head, or of a chunk
			switch {
			case end >= 0:
				return n - 2 + end + len(last), false, yes
			case len(b) < maxRefusal:
				return 0, false, unsure
			}
			return 0, false, no
		}
	}
	return n, false, yes
}
