package mqttv5

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// shaped is a link with a bandwidth, a latency and a send buffer: Write returns
// when the bytes are in the buffer, as that of a socket does. Times are those of
// the synctest bubble.
type shaped struct {
	net.Conn
	perSecond int           // bytes; 0 is no limit
	latency   time.Duration // one way, towards the broker
	slice     int           // most bytes at a time; 0 is any

	mu     sync.Mutex
	cond   *sync.Cond
	buf    []byte
	closed bool
}

const sendBuffer = 256 << 10

func shape(c net.Conn, perSecond int, latency time.Duration, slice int) *shaped {
	s := &shaped{Conn: c, perSecond: perSecond, latency: latency, slice: slice}
	s.cond = sync.NewCond(&s.mu)
	go s.run()
	return s
}

func (s *shaped) run() {
	for {
		s.mu.Lock()
		for len(s.buf) == 0 && !s.closed {
			s.cond.Wait()
		}
		if s.closed {
			s.mu.Unlock()
			return
		}

		n := min(len(s.buf), 1024)
		if s.slice > 0 {
			n = min(n, s.slice)
		}
		chunk := append([]byte(nil), s.buf[:n]...)
		s.mu.Unlock()
		if s.perSecond > 0 {
			time.Sleep(time.Duration(n) * time.Second / time.Duration(s.perSecond))
		}

		if _, err := s.Conn.Write(chunk); err != nil {
			s.Close()
			return
		}

		s.mu.Lock()
		s.buf = s.buf[n:]
		s.cond.Broadcast()
		s.mu.Unlock()
	}
}

// Write implements net.Conn.
func (s *shaped) Write(p []byte) (int, error) {
	time.Sleep(s.latency)
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.buf)+len(p) > sendBuffer && !s.closed {
		s.cond.Wait()
	}
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	s.buf = append(s.buf, p...)
	s.cond.Broadcast()
	return len(p), nil
}

// Close implements net.Conn.
func (s *shaped) Close() error {
	s.mu.Lock()
	s.closed = true
	s.cond.Broadcast()
	s.mu.Unlock()
	return s.Conn.Close()
}

// fickle is a link that is reset, stalls, or is cut for a minute, at random, in
// either direction.
type fickle struct {
	net.Conn
	mu  sync.Mutex
	rnd *rand.Rand
}

// Write implements net.Conn.
func (f *fickle) Write(p []byte) (int, error) {
	f.mu.Lock()
	dice, part := f.rnd.IntN(8), f.rnd.IntN(len(p)+1)
	f.mu.Unlock()
	switch {
	case dice == 0: // reset in the middle
		f.Conn.Write(p[:part])
		f.Conn.Close()
		return part, io.ErrClosedPipe
	case dice == 1: // stall
		time.Sleep(20 * time.Second)
	case dice == 2: // cut: nothing arrives, and after a minute it is over
		time.Sleep(time.Minute)
		f.Conn.Close()
	}
	return f.Conn.Write(p)
}

// Read implements net.Conn.
func (f *fickle) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	f.mu.Lock()
	dice := f.rnd.IntN(16)
	f.mu.Unlock()
	if dice > 0 || err != nil {
		return n, err
	}
	f.Conn.Close() // with what was under way
	return 0, io.ErrClosedPipe
}
