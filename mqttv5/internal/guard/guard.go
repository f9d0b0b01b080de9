// Package guard stands between a hostile peer and those who believe it. Reader
// reads a stream of MQTT packets and refuses what no honest peer sends: a length
// of more than four bytes or a packet longer than a limit. It looks at fixed
// headers only, so that a decoder behind it never sizes an allocation by a hostile
// length. NoAuth keeps paho from a nil handler, and Printable is for what a peer
// says in words.
package guard

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// ErrHostile is wrapped by every refusal.
var ErrHostile = errors.New("not acceptable as MQTT")

// Reader passes on the bytes of well-framed packets. Its zero value is not usable;
// see New.
type Reader struct {
	r       *bufio.Reader
	max     int
	inspect func(first byte, body []byte) error
	types   uint16
	take    func(body []byte) bool
	taken   byte

	state  int // bytes of the fixed header seen: 0 is none, 1 the type, 2-5 the length
	first  byte
	length int
	shift  uint
	body   []byte // inspected body not yet passed on
	left   int    // bytes of the body not yet passed on
	err    error
}

// New returns a Reader of r that refuses packets whose remaining length exceeds
// limit bytes.
func New(r io.Reader, limit int) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 16<<10), max: limit}
}

// Inspect calls f with each packet of the types whose bits are set in types (bit 8
// is SUBSCRIBE) before any byte of its body is passed on; an error ends the
// stream. It must be called before the first Read.
func (g *Reader) Inspect(types uint16, f func(first byte, body []byte) error) {
	g.types, g.inspect = types, f
}

// maxTaken is the longest body that Take sees, in bytes.
const maxTaken = 4

// Take offers each short packet whose first byte is first to f, which may keep it:
// then its bytes are not passed on. It is for acknowledgements, which come in
// numbers. It must be called before the first Read.
func (g *Reader) Take(first byte, f func(body []byte) bool) { g.taken, g.take = first, f }

// takeAll removes the packets that Take's function keeps.
func (g *Reader) takeAll() error {
	for {
		head, err := g.r.Peek(2)
		if err != nil || head[0] != g.taken || head[1] > maxTaken {
			if len(head) > 0 {
				err = nil // there is a byte to pass on
			}
			return err
		}
		n := 2 + int(head[1])
		packet, err := g.r.Peek(n)
		if err != nil || !g.take(packet[2:]) {
			return nil
		}
		g.r.Discard(n)
	}
}

// Read implements io.Reader. After an error it returns that error for ever.
func (g *Reader) Read(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := g.read(p)
	if err != nil {
		g.err = err
	}
	return n, err
}

// read reads into p what may be passed on: a byte of a header, or a part of a body.
func (g *Reader) read(p []byte) (int, error) {
	if g.state == bodyState {
		return g.readBody(p)
	}
	if g.state == 0 && g.take != nil {
		if err := g.takeAll(); err != nil {
			return 0, err
		}
	}
	c, err := g.r.ReadByte()
	if err != nil {
		return 0, err
	}
	if err := g.header(c); err != nil {
		// Without the byte: io.ReadFull ignores an error that comes with all it
		// asked for, and the decoder would believe the length.
		return 0, err
	}
	p[0] = c
	return 1, nil
}

const bodyState = 6

// header takes one byte of a packet's fixed header.
func (g *Reader) header(c byte) error {
	if g.state == 0 {
		if c>>4 == 0 {
			return fmt.Errorf("%w: packet type 0", ErrHostile)
		}
		g.first, g.length, g.shift, g.state = c, 0, 0, 1
		return nil
	}

	g.length |= int(c&0x7f) << g.shift
	g.shift += 7
	g.state++
	if c&0x80 != 0 {
		if g.state > 4 {
			return fmt.Errorf("%w: packet length of more than 4 bytes", ErrHostile)
		}
		return nil
	}
	if g.length > g.max {
		return fmt.Errorf("%w: packet of %d bytes, the limit is %d", ErrHostile, g.length, g.max)
	}

	g.left, g.state = g.length, bodyState
	if g.inspect != nil && g.types&(1<<(g.first>>4)) != 0 {
		g.body = make([]byte, g.length)
		if _, err := io.ReadFull(g.r, g.body); err != nil {
			return err
		}
		if err := g.inspect(g.first, g.body); err != nil {
			return fmt.Errorf("%w: %w", ErrHostile, err)
		}
	}

	if g.left == 0 {
		g.state = 0
	}
	return nil
}

func (g *Reader) readBody(p []byte) (n int, err error) {
	if len(p) > g.left {
		p = p[:g.left]
	}
	if g.body != nil {
		n = copy(p, g.body)
		g.body = g.body[n:]
	} else {
		n, err = g.r.Read(p)
	}
	g.left -= n
	if g.left == 0 {
		g.state, g.body = 0, nil
	}
	return n, err
}
