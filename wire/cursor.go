package wire

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// cursor takes an MQTT packet apart. After the first error it returns zeros,
// so that one look at err at the end is enough.
type cursor struct {
	b       []byte
	err     error
	strict  bool // what would be a remark is an error
	remarks Remark
}

// remark notes a departure from the specification, or fails if the reading is
// strict.
func (c *cursor) remark(r Remark, err error) {
	if c.strict {
		c.fail(err)
		return
	}
	c.remarks |= r
}

func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.b = nil
}

// take returns the next n bytes.
func (c *cursor) take(n int, f *field) []byte {
	if n > len(c.b) {
		c.fail(f.short)
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

func (c *cursor) u8(f *field) uint8 {
	if v := c.take(1, f); v != nil {
		return v[0]
	}
	return 0
}

func (c *cursor) u16(f *field) uint16 {
	if v := c.take(2, f); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (c *cursor) u32(f *field) uint32 {
	if v := c.take(4, f); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

// varint reads a variable byte integer.
//
// Source: MQTT 5.0 section 1.5.5.
func (c *cursor) varint(f *field) uint32 {
	var v uint32
	for i := 0; i < 4; i++ {
		if i == len(c.b) {
			c.fail(f.short)
			return 0
		}
		d := c.b[i]
		v |= uint32(d&0x7f) << (7 * i)
		if d < 0x80 {
			c.b = c.b[i+1:]
			if i > 0 && d == 0 {
				c.remark(remarkLength, f.value)
			}
			return v
		}
	}
	c.fail(f.value)
	return 0
}

// binary reads bytes with a two-byte length before them.
func (c *cursor) binary(f *field) []byte {
	return c.take(int(c.u16(f)), f)
}

// text reads a UTF-8 string with a two-byte length before it.
//
// Source: MQTT 5.0 section 1.5.4.
func (c *cursor) text(f *field) []byte {
	v := c.binary(f)
	if !validText(v) {
		c.remark(remarkText, f.value)
	}
	return v
}

func validText(b []byte) bool {
	return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
}

// appendText appends b with its length before it.
func appendText(dst, b []byte, f *field) ([]byte, error) {
	if len(b) > 0xffff {
		return nil, f.long
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(b)))
	return append(dst, b...), nil
}

func appendVarint(dst []byte, v uint32) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}
