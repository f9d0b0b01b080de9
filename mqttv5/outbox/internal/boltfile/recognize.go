package boltfile

// Recognize reports whether a file that begins with these bytes is one of bbolt's: its
// magic number stands behind the head of the first page.
func Recognize(start []byte) bool {
	return len(start) >= pageHead+4 && nativeEndian.Uint32(start[pageHead:]) == magic
}
