package firmware

import (
	"bytes"
	"encoding/binary"
)

// BuildID returns what the linker wrote to tell builds apart, or nil.
//
// Source: the section .note.gnu.build-id of GNU ld and LLVM.
func (f *File) BuildID() []byte {
	const most, typeBuildID = 1 << 10, 3
	s := f.Section(".note.gnu.build-id", most)
	if s == nil {
		return nil
	}
	b, err := f.Read(s)
	if err != nil {
		return nil
	}
	c := Cursor{B: b}
	lenName, lenID, typ := c.U32(), c.U32(), c.U32()
	name := c.Take(int64(lenName+3) &^ 3)
	id := c.Take(int64(lenID))
	if c.Bad || typ != typeBuildID || !bytes.HasPrefix(name, []byte("GNU")) {
		return nil
	}
	return id
}

// DebugLink returns the name and the CRC-32 of the file that has the debug
// information, or "".
//
// Source: the GDB manual, Separate Debug Files.
func (f *File) DebugLink() (name string, sum uint32) {
	const most = 4 << 10
	s := f.Section(".gnu_debuglink", most)
	if s == nil {
		return "", 0
	}
	b, err := f.Read(s)
	n := bytes.IndexByte(b, 0)
	at := (n + 4) &^ 3
	if err != nil || n <= 0 || at+4 > len(b) {
		return "", 0
	}
	return string(b[:n]), binary.LittleEndian.Uint32(b[at:])
}
