package link

import (
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/guard"
)

// Longest packet, in bytes after its fixed header, that is read from the broker
// without an Inbox, and told to it as our Maximum Packet Size: a 128 KiB payload
// with its topic.
const maxIncoming = 132 << 10

// A buffer of this many bytes is written even when more is about to follow.
const flushAt = 64 << 10

// A buffer of up to this many bytes is used again: a burst of many blobs must not
// hold its memory for ever, but sixteen of them are not one.
const keepBuffer = 2 << 20

// lastWords is how long a connection that cannot be written to is read from.
const lastWords = 200 * time.Millisecond

// wireConn is the connection that paho writes packets to. It guards what is read,
// and it collects what is written: paho locks a connection around each packet and
// hands it over in three or four pieces, each of which would be a system call and
// a TLS record. Whoever completes a packet while nobody writes to the network
// writes, and goes on with what others complete meanwhile; they do not wait. What
// is collected is bounded by the flow window.
type wireConn struct {
	net.Conn
	in *guard.Reader

	fail func(error) // told the first error of either direction; must not block

	mu       sync.Mutex // never held while the network is waited for
	idle     sync.Cond  // nobody writes to the network
	buf      []byte     // complete packets, but for the one being added
	spare    []byte
	flushing bool
	corks    int
	err      error // ends all writing
}

func newWireConn(c net.Conn, maxPacket int, fail func(error)) *wireConn {
	w := &wireConn{Conn: c, in: guard.New(c, maxPacket), fail: fail}
	w.idle.L = &w.mu
	return w
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
func (c *wireConn) Lock() { c.mu.Lock() }

// Unlock ends a packet.
func (c *wireConn) Unlock() {
	if c.corks == 0 || len(c.buf) >= flushAt {
		c.flush()
	}
	c.mu.Unlock()
}

// publish adds a PUBLISH packet.
func (c *wireConn) publish(m *Message, id uint16) {
	c.mu.Lock()
	if c.err == nil {
		c.buf = m.appendTo(c.buf, id)
	}
	c.Unlock()
}

// acknowledge adds a PUBACK of success: its reason code and properties are left
// out (MQTT 5 section 3.4.2).
func (c *wireConn) acknowledge(id uint16) {
	c.mu.Lock()
	if c.err == nil {
		c.buf = append(c.buf, packets.PUBACK<<4, 2, byte(id>>8), byte(id))
	}
	c.Unlock()
}

// cork holds back writing until uncork, for a caller with more packets to come.
func (c *wireConn) cork() {
	c.mu.Lock()
	c.corks++
	c.mu.Unlock()
}

func (c *wireConn) uncork() {
	c.mu.Lock()
	if c.corks--; c.corks == 0 {
		c.flush()
	}
	c.mu.Unlock()
}

// push writes what was collected although more may follow.
func (c *wireConn) push() {
	c.mu.Lock()
	c.flush()
	c.mu.Unlock()
}

// drain waits until everything is written, or nothing can be.
func (c *wireConn) drain() {
	c.mu.Lock()
	c.flush()
	for c.flushing {
		c.idle.Wait()
	}
	c.mu.Unlock()
}

// Write adds to the packet; the caller holds the lock.
func (c *wireConn) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.buf = append(c.buf, p...)
	return len(p), nil
}

// flush writes until nothing is left, unless somebody does already. The caller
// holds the lock, which is released for each write.
func (c *wireConn) flush() {
	if c.flushing || len(c.buf) == 0 || c.err != nil {
		return
	}

	c.flushing = true
	// Let those who are ready to send add to this write: it costs a lone sender
	// nothing, and many senders save most of their system calls.
	c.mu.Unlock()
	runtime.Gosched()
	c.mu.Lock()
	for len(c.buf) > 0 && c.err == nil {
		out := c.buf
		c.buf, c.spare = c.spare, nil
		c.mu.Unlock()
		_, err := c.Conn.Write(out)
		c.mu.Lock()
		if err != nil {
			c.err = err
			// What the broker said before it went is still to be read, and is
			// the better cause; the reader fails when there is nothing more.
			time.AfterFunc(lastWords, func() { c.fail(err) })
		}

		if cap(out) <= keepBuffer {
			c.spare = out[:0]
		}
	}

	c.flushing = false
	c.idle.Broadcast()
}
