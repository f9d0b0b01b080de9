package localcloud

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/guard"
)

// Protocol levels of a CONNECT. The real cloud takes both of these and nothing
// older; every release of the vendor's library speaks 3.1.1.
const (
	version311 = 4
	version5   = 5
)

// bridgeBit is set in the protocol level of a mosquitto that bridges: it asks that its
// own messages are not sent back to it, for which MQTT 3.1.1 has no words. Refused, it
// waits for up to half a minute and asks without.
const bridgeBit = 0x80

func isVersion5(cl *mochi.Client) bool { return cl.Properties.ProtocolVersion == version5 }

// returnCode311 returns what MQTT 3.1.1 has for a reason code of a CONNACK (OASIS
// MQTT 3.1.1, section 3.2.2.3).
func returnCode311(code byte) byte {
	switch code {
	case packets.ErrUnsupportedProtocolVersion.Code, packets.ErrProtocolViolationProtocolVersion.Code, packets.Err3UnsupportedProtocolVersion.Code:
		return packets.Err3UnsupportedProtocolVersion.Code
	case packets.ErrClientIdentifierNotValid.Code, packets.Err3ClientIdentifierNotValid.Code:
		return packets.Err3ClientIdentifierNotValid.Code
	case packets.ErrNotAuthorized.Code, packets.Err3NotAuthorized.Code:
		return packets.Err3NotAuthorized.Code
	}
	return packets.Err3ServerUnavailable.Code
}

// sendingAway notes the reason code that a client is sent away with.
func sendingAway(cl *mochi.Client, code byte, words string) {
	conn, ok := cl.Net.Conn.(*clientConn)
	if !ok {
		return
	}
	if code == packets.ErrServerShuttingDown.Code {
		conn.tell() // not the client's doing
		return
	}
	conn.name(cl.ID)
	switch code {
	case packets.ErrSessionTakenOver.Code:
		conn.because(errors.New("another client has connected with the same client id"))
	case packets.ErrUnsupportedProtocolVersion.Code, packets.ErrProtocolViolationProtocolVersion.Code, packets.Err3UnsupportedProtocolVersion.Code:
		conn.because(fmt.Errorf("it speaks MQTT of protocol level %d; this cloud takes 3.1.1 (4) and 5", cl.Properties.ProtocolVersion))
	default:
		conn.because(fmt.Errorf("%s (0x%02x)", cmp.Or(words, "refused"), code))
	}
}

// guardedListener keeps from the broker what would crash it.
type guardedListener struct {
	net.Listener
	wrap func(net.Conn) net.Conn // nil: none
	max  int
	log  *slog.Logger
	open *connections
}

// connections are those that are open, so that the end of all can be waited for: the
// broker's own count is changed while it waits.
type connections struct {
	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool // no more are let in
}

// enter reports whether a connection is let in.
func (c *connections) enter(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	if c.open == nil {
		c.open = make(map[net.Conn]bool)
	}
	c.open[conn] = true
	return true
}

func (c *connections) leave(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}

// shut lets no more in, and reports whether all have left.
func (c *connections) shut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return len(c.open) == 0
}

// cut closes those that have not left.
func (c *connections) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		conn.Close()
	}
}

func (l guardedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if !l.open.enter(c) {
		c.Close()
		return nil, net.ErrClosed
	}
	accepted := c
	leave := sync.OnceFunc(func() { l.open.leave(accepted) })
	if l.wrap != nil {
		c = l.wrap(c)
	}
	conn := &clientConn{Conn: c, guard: guard.New(c, l.max), log: l.log, left: leave}
	version := byte(0)
	conn.guard.Inspect(1<<packets.Connect|1<<packets.Subscribe, func(first byte, body []byte) error {
		switch first >> 4 {
		case packets.Connect:
			if level := protocolLevel(body); level != nil {
				conn.bridge = *level&bridgeBit != 0
				*level &^= bridgeBit // the broker does not know it
				version = *level
			}
		case packets.Subscribe:
			if version == version5 {
				return checkSubscribe(body)
			}
		}

		return nil
	})
	return conn, nil
}

// clientConn is a client's connection. When it ends because the cloud wants it to,
// a line says why: someone develops a client here.
type clientConn struct {
	net.Conn
	guard *guard.Reader
	log   *slog.Logger
	left  func() // at the first Close

	bridge bool // see bridgeBit; written before the broker sees the CONNECT

	mu     sync.Mutex
	client string // client id, once it is known
	reason error  // the first one
	told   bool
}

// Read implements net.Conn.
func (c *clientConn) Read(p []byte) (int, error) {
	n, err := c.guard.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		c.tell() // it went by itself, or why it had to go is known already
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.because(errors.New("it was silent for longer than its keep-alive allows"))
	default:
		c.because(err)
	}
	return n, err
}

// Close implements net.Conn.
func (c *clientConn) Close() error {
	c.tell()
	defer c.left()
	return c.Conn.Close()
}

func (c *clientConn) name(client string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.client = client
}

// because gives the reason for the end. The first one holds.
func (c *clientConn) because(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason == nil {
		c.reason = reason
	}
}

// tell says why the client is sent away, if it is, and only once.
func (c *clientConn) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.told && c.reason != nil {
		c.log.Warn("client sent away", "client", c.client, "address", c.RemoteAddr().String(), "reason", c.reason)
	}
	c.told = true
}

// protocolLevel returns where the protocol level of a CONNECT stands, or nil.
func protocolLevel(body []byte) *byte {
	if len(body) < 2 {
		return nil
	}
	at := 2 + int(binary.BigEndian.Uint16(body))
	if at >= len(body) {
		return nil
	}
	return &body[at]
}

// checkSubscribe refuses a SUBSCRIBE of MQTT 5 whose last filter has no options
// byte: the broker reads it without looking and panics (MQTT 5 section 3.8).
func checkSubscribe(b []byte) error {
	short := errors.New("SUBSCRIBE ends too early")
	if len(b) < 3 {
		return short
	}

	b = b[2:]
	n, used := binary.Uvarint(b)
	if used <= 0 || used > 4 || n > uint64(len(b)-used) {
		return short
	}
	b = b[used+int(n):]
	for len(b) > 0 {
		if len(b) < 2 {
			return short
		}
		n := int(binary.BigEndian.Uint16(b))
		if len(b) < 2+n+1 {
			return short
		}
		b = b[2+n+1:]
	}
	return nil
}

// OnSubscribe implements mochi.Hook: a bridge does not get back what it sent.
func (h *hook) OnSubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	if conn, ok := cl.Net.Conn.(*clientConn); ok && conn.bridge {
		for i := range pk.Filters {
			pk.Filters[i].NoLocal = true
		}
	}
	h.freeIdentifier(cl, pk.PacketID)
	return pk
}

// OnUnsubscribe implements mochi.Hook.
func (h *hook) OnUnsubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	h.freeIdentifier(cl, pk.PacketID)
	return pk
}

// freeIdentifier lets a client use a packet identifier that the broker uses for a
// message of its own to it. mochi takes the two for one, and a client of MQTT 3.1.1
// hears no more than that its subscription failed. The message has been sent; that it
// was acknowledged matters to nobody.
func (h *hook) freeIdentifier(cl *mochi.Client, id uint16) {
	if cl.State.Inflight.Delete(id) {
		cl.State.Inflight.IncreaseSendQuota()
	}
}
