package mqttv5

import (
	"net"
	"sync/atomic"

	"github.com/ulogkit/ulogkit/mqttv5/internal/guard"
)

// Largest packet, in bytes after its fixed header, that is read from the broker,
// and told to it as our Maximum Packet Size: a 128 KiB payload with its topic.
const maxIncoming = 132 << 10

// A buffer of this many bytes is written even when more is about to follow.
const flushAt = 64 << 10

// wireConn is the connection that paho writes packets to. It guards what is read,
// and it collects what is written: paho locks a connection around each packet and
// hands it over in three or four pieces, each of which would be a system call and
// a TLS record. Nothing is written until the last waiting writer unlocks.
type wireConn struct {
	net.Conn
	in *guard.Reader

	fail func(error) // told the first error of either direction; must not block

	// The lock is a channel: it is held while the network is slow, and a test
	// with fake time can see through a channel that everybody waits.
	lock    chan struct{}
	waiting atomic.Int32 // writers that wait for the lock, or will certainly write again
	buf     []byte       // guarded by the lock
	err     error        // guarded by the lock; ends all writing
}

func newWireConn(c net.Conn, fail func(error)) *wireConn {
	return &wireConn{Conn: c, in: guard.New(c, maxIncoming), fail: fail, lock: make(chan struct{}, 1)}
}

// Read implements net.Conn.
func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if err != nil {
		c.fail(err)
	}
	return n, err
}

// Lock implements sync.Locker, which paho looks for.
func (c *wireConn) Lock() {
	c.waiting.Add(1)
	c.lock <- struct{}{}
	c.waiting.Add(-1)
}

// Unlock writes what was collected unless another writer is about to add to it.
func (c *wireConn) Unlock() {
	if c.waiting.Load() == 0 || len(c.buf) >= flushAt {
		c.flush()
	}
	<-c.lock
}

// cork holds back writing until uncork, for a caller with more packets to come.
func (c *wireConn) cork() { c.waiting.Add(1) }

func (c *wireConn) uncork() {
	c.lock <- struct{}{}
	if c.waiting.Add(-1) == 0 {
		c.flush()
	}
	<-c.lock
}

// push writes what was collected although more may follow.
func (c *wireConn) push() {
	c.lock <- struct{}{}
	c.flush()
	<-c.lock
}

// Write adds to the buffer; the caller holds the lock.
func (c *wireConn) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.buf = append(c.buf, p...)
	return len(p), nil
}

func (c *wireConn) flush() {
	if len(c.buf) == 0 || c.err != nil {
		return
	}
	if _, c.err = c.Conn.Write(c.buf); c.err != nil {
		c.fail(c.err)
	}
	if cap(c.buf) > 4*flushAt {
		c.buf = nil // a burst must not hold its memory for ever
	}
	c.buf = c.buf[:0]
}
