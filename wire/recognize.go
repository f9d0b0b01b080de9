package wire

import "encoding/binary"

// Recognize reports whether a file that begins with these bytes is a capture file:
// pcap in either order of bytes, with micro- or nanoseconds, or pcapng.
func Recognize(start []byte) bool {
	if len(start) < 4 {
		return false
	}
	if binary.BigEndian.Uint32(start) == blockSection {
		return true
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(start) {
		case pcapMicros, pcapNanos, pcapModified:
			return true
		}
	}
	return false
}
