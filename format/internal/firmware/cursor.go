package firmware

import (
	"bytes"
	"encoding/binary"
)

// Cursor reads from B; past its end it gives zeroes and Bad is set.
type Cursor struct {
	B   []byte
	Bad bool
}

// Take reads n bytes, which are not copied.
func (c *Cursor) Take(n int64) []byte {
	if n < 0 || n > int64(len(c.B)) {
		c.B, c.Bad = nil, true
		return nil
	}
	b := c.B[:n]
	c.B = c.B[n:]
	return b
}

// U8 reads a byte.
func (c *Cursor) U8() uint8 {
	if b := c.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads a little-endian integer.
func (c *Cursor) U16() uint16 {
	if b := c.Take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// U32 reads a little-endian integer.
func (c *Cursor) U32() uint32 {
	if b := c.Take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Uleb reads an unsigned LEB128.
func (c *Cursor) Uleb() (v uint64) {
	for shift := 0; !c.Bad; shift += 7 {
		x := c.U8()
		if shift < 64 {
			v |= uint64(x&0x7f) << shift
		}
		if x < 0x80 {
			return v
		}
	}
	return 0
}

// Sleb reads a signed LEB128.
func (c *Cursor) Sleb() (v int64) {
	for shift := 0; !c.Bad; {
		x := c.U8()
		if shift < 64 {
			v |= int64(x&0x7f) << shift
		}
		shift += 7
		if x < 0x80 {
			if x&0x40 != 0 && shift < 64 {
				v |= -1 << shift
			}
			return v
		}
	}
	return 0
}

// Text reads a text that ends in NUL.
func (c *Cursor) Text() string { return string(c.text()) }

// text is Text without a copy.
func (c *Cursor) text() []byte {
	n := bytes.IndexByte(c.B, 0)
	if n < 0 {
		c.B, c.Bad = nil, true
		return nil
	}
	return c.Take(int64(n) + 1)[:n]
}
