package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Tap records what connections carry as a pcapng file, with the Ethernet, IP
// and TCP headers that a sniffer would have seen had nothing been encrypted.
// The server's port is 1883 in the file, whatever it was, since tools take
// other ports for TLS or for nothing they know.
//
// A tap sees passwords, session tokens and logs: make the file readable by its
// owner alone. A connection is never disturbed by its tap; an error in writing
// the file ends the recording and is told by Err and Close.
//
// The methods are safe for concurrent use.
type Tap struct {
	mu   sync.Mutex
	file *tapFile // nil after an error or Close
	err  error
	now  func() time.Time
}

// NewTap returns a tap that writes to w. Each packet is written at once, so
// that the file is whole even if the program is killed.
func NewTap(w io.Writer) (*Tap, error) {
	file, err := newTapFile(w)
	if err != nil {
		return nil, fmt.Errorf("tap: %w", err)
	}
	return &Tap{file: file, now: time.Now}, nil
}

// Client wraps a client's connection, above TLS if there is any.
func (t *Tap) Client(c net.Conn) net.Conn { return t.wrap(c, true) }

// Server wraps a connection that a server accepted, above TLS if there is any.
func (t *Tap) Server(c net.Conn) net.Conn { return t.wrap(c, false) }

// Err returns what went wrong in writing the file, or nil.
func (t *Tap) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Close ends the recording, not the connections, and returns what went wrong
// in writing the file. It does not close the writer.
func (t *Tap) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.file = nil
	return t.err
}

// record writes packets, as long as that goes well.
func (t *Tap) record(write func(f *tapFile, now time.Time) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil {
		return
	}
	if err := write(t.file, t.now()); err != nil {
		t.err = fmt.Errorf("tap: %w: recording ended", err)
		t.file = nil
	}
}

func (t *Tap) wrap(c net.Conn, client bool) net.Conn {
	flow := newTapFlow(c, client)
	t.record(flow.handshake)
	lock, ok := c.(sync.Locker)
	if !ok {
		lock = new(sync.Mutex)
	}
	out := &tapConn{Conn: c, Locker: lock, tap: t, flow: flow}
	out.in = bufio.NewReaderSize(readFunc(out.receive), maxTapRead)
	return out
}

// tapConn is a connection that is recorded. It can be locked, since paho writes
// a packet in pieces: a bare TCP connection takes them as one, any other must
// keep other writers out in between.
type tapConn struct {
	net.Conn
	sync.Locker
	tap  *Tap
	flow *tapFlow

	readMu sync.Mutex
	in     *bufio.Reader
}

// maxTapRead is how much is read from the connection at once. Clients like to
// ask for a byte at a time, and Wireshark loses its way in segments like that.
const maxTapRead = 16 << 10

// Read implements net.Conn.
func (c *tapConn) Read(p []byte) (int, error) {
	c.readMu.Lock()
	defer c.readMu.Unlock()
	return c.in.Read(p)
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// receive reads from the connection and records what came.
func (c *tapConn) receive(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.tap.record(func(f *tapFile, now time.Time) error { return c.flow.data(f, now, remote, p[:n]) })
	}
	if errors.Is(err, io.EOF) {
		c.tap.record(func(f *tapFile, now time.Time) error { return c.flow.finish(f, now, remote) })
	}
	return n, err
}

// Write implements net.Conn. The bytes are recorded before they are sent, since
// the answer may be read, by another goroutine, before Write returns. What a
// failed Write did not send is in the file nevertheless; a reset follows it.
func (c *tapConn) Write(p []byte) (int, error) {
	c.tap.record(func(f *tapFile, now time.Time) error { return c.flow.data(f, now, local, p) })
	n, err := c.Conn.Write(p)
	if err != nil {
		c.tap.record(c.flow.reset)
	}
	return n, err
}

// Close implements net.Conn.
func (c *tapConn) Close() error {
	c.tap.record(func(f *tapFile, now time.Time) error { return c.flow.finish(f, now, local) })
	return c.Conn.Close()
}

// NetConn returns the wrapped connection, as crypto/tls does.
func (c *tapConn) NetConn() net.Conn { return c.Conn }

// side is who sends: this end of the connection, or the other.
type side int

const (
	local side = iota
	remote
)

// tapFlow is the synthetic TCP connection of one tapped connection. The tap's
// lock guards it.
type tapFlow struct {
	client   side
	ends     [2]netip.AddrPort // by side
	seq      [2]uint32         // of the next byte, by side
	finished [2]bool           // has sent FIN, by side
	ended    bool              // was reset
}

func newTapFlow(c net.Conn, client bool) *tapFlow {
	f := &tapFlow{client: local}
	if !client {
		f.client = remote
	}
	f.ends[local], f.ends[remote] = endpoint(c.LocalAddr()), endpoint(c.RemoteAddr())
	server := 1 - f.client
	f.ends[server] = netip.AddrPortFrom(f.ends[server].Addr(), portMQTT)
	// Addresses that are no IP, as of a pipe, or of two families, get the same
	// stand-ins, from the block for documentation.
	if a, b := f.ends[local].Addr(), f.ends[remote].Addr(); !a.IsValid() || !b.IsValid() || a.Is4() != b.Is4() {
		f.ends[f.client] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), max(f.ends[f.client].Port(), 1))
		f.ends[server] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 2}), portMQTT)
	}
	return f
}

// endpoint returns the IP address and port of an address, if it has them.
func endpoint(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}

func (f *tapFlow) handshake(file *tapFile, now time.Time) error {
	server := 1 - f.client
	if err := f.send(file, now, f.client, tcpFlags{syn: true}, nil); err != nil {
		return err
	}
	if err := f.send(file, now, server, tcpFlags{syn: true, ack: true}, nil); err != nil {
		return err
	}
	return f.send(file, now, f.client, tcpFlags{ack: true}, nil)
}

// maxTapSegment is the most bytes in one synthetic segment. An IPv4 packet
// would hold 65,495.
const maxTapSegment = 32 << 10

func (f *tapFlow) data(file *tapFile, now time.Time, from side, b []byte) error {
	if f.ended || f.finished[from] {
		return nil
	}
	for len(b) > 0 {
		n := min(len(b), maxTapSegment)
		if err := f.send(file, now, from, tcpFlags{ack: true, psh: n == len(b)}, b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return f.send(file, now, 1-from, tcpFlags{ack: true}, nil)
}

func (f *tapFlow) finish(file *tapFile, now time.Time, from side) error {
	if f.ended || f.finished[from] {
		return nil
	}
	f.finished[from] = true
	if err := f.send(file, now, from, tcpFlags{fin: true, ack: true}, nil); err != nil {
		return err
	}
	return f.send(file, now, 1-from, tcpFlags{ack: true}, nil)
}

func (f *tapFlow) reset(file *tapFile, now time.Time) error {
	if f.ended {
		return nil
	}
	f.ended = true
	return f.send(file, now, local, tcpFlags{rst: true, ack: true}, nil)
}

type tcpFlags struct{ syn, ack, psh, fin, rst bool }

func (f *tapFlow) send(file *tapFile, now time.Time, from side, flags tcpFlags, b []byte) error {
	err := file.write(now, f.ends[from], f.ends[1-from], from == f.client, f.seq[from], f.seq[1-from], flags, b)
	f.seq[from] += uint32(len(b))
	if flags.syn || flags.fin {
		f.seq[from]++
	}
	return err
}
