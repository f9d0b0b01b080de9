package wire

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// parseSOCKS reads all with which a client has a SOCKS proxy of version 4, 4A or 5 open a
// connection, and returns its length: what follows is what the two ends say to each
// other. Where the client goes to a port that has other uses than MQTT, it is none of
// ours.
//
// Source: RFC 1928 sections 3, 4 and 6; RFC 1929 section 2; the memos "SOCKS: A protocol
// for TCP proxy across firewalls" and "SOCKS 4A".
func parseSOCKS(b []byte) (n int, g guess) {
	p := &prefix{b: b}
	var port uint16
	if p.peek() == 4 {
		p.expect(4, 1)
		port = p.port()
		address := p.take(4)
		p.text()
		if p.good() && bytes.HasPrefix(address, []byte{0, 0, 0}) && address[3] != 0 { // a name follows
			p.text()
		}
	} else {
		p.expect(5)
		p.take(p.length()) // methods to log in, of which there is one
		if p.peek() == 1 { // a name and a password
			p.expect(1)
			p.take(p.length())
			p.take(int(p.next()))
		}
		p.expect(5, 1, 0)
		port = p.address()
	}

	if p.good() && slices.Contains(portsOfOthers[:], port) {
		p.wrong = true
	}
	return p.verdict()
}

// parseSOCKSAnswer reads all that a SOCKS proxy answers when it opens a connection.
func parseSOCKSAnswer(b []byte) (n int, g guess) {
	p := &prefix{b: b}
	if p.peek() == 0 {
		p.expect(0, 0x5a)
		p.take(6)
		return p.verdict()
	}
	p.expect(5)
	if p.peek() == 2 {
		p.expect(2, 1, 0)
	} else {
		p.expect(0)
	}
	p.expect(5, 0, 0)
	p.address()
	return p.verdict()
}

// prefix takes apart the first bytes of a stream, of which there may be too few. After
// the first that is missing or wrong it takes no more.
type prefix struct {
	b            []byte
	n            int // taken
	short, wrong bool
}

func (p *prefix) good() bool { return !p.short && !p.wrong }

// verdict returns how long all is, if that is all there and as it should be.
func (p *prefix) verdict() (n int, g guess) {
	switch {
	case p.wrong:
		return 0, no
	case p.short:
		return 0, unsure
	}
	return p.n, yes
}

// peek returns the next byte, or -1.
func (p *prefix) peek() int {
	if !p.good() || p.n >= len(p.b) {
		return -1
	}
	return int(p.b[p.n])
}

// take returns the next n bytes, or nil.
func (p *prefix) take(n int) []byte {
	if !p.good() || len(p.b)-p.n < n {
		p.short = true
		return nil
	}
	p.n += n
	return p.b[p.n-n : p.n]
}

// next takes a byte; without one it returns 0.
func (p *prefix) next() byte {
	if b := p.take(1); b != nil {
		return b[0]
	}
	return 0
}

// length takes a byte with a length, which is not 0.
func (p *prefix) length() int {
	n := int(p.next())
	p.wrong = p.wrong || n == 0 && p.good()
	return n
}

// port takes a port; without one it returns 0.
func (p *prefix) port() uint16 {
	if b := p.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// expect takes bytes that must be these.
func (p *prefix) expect(want ...byte) {
	for _, c := range want {
		if got := p.next(); p.good() && got != c {
			p.wrong = true
		}
	}
}

// text takes what ends in a zero.
func (p *prefix) text() {
	const longest = 255
	for range longest + 1 {
		if p.next() == 0 {
			return
		}
	}
	p.wrong = true
}

// address takes an address of SOCKS 5 and returns its port.
func (p *prefix) address() uint16 {
	switch kind := p.next(); {
	case !p.good():
	case kind == 1:
		p.take(4)
	case kind == 3:
		p.take(p.length())
	case kind == 4:
		p.take(16)
	default:
		p.wrong = true
	}
	return p.port()
}
