package filesink

import (
	"bytes"
	"io"
	"os"
)

// Recognize reports whether a file that begins with these bytes is one of a sink: its
// identity or a segment.
func Recognize(start []byte) bool {
	return bytes.HasPrefix(start, []byte(segmentMagic)) || bytes.HasPrefix(start, []byte(identityHead))
}

// RecognizeDir reports whether a directory holds a sink. It changes nothing, and
// looks at no more than names and the beginning of the identity.
func RecognizeDir(dir string) bool {
	if f, err := os.Open(identityName(dir)); err == nil {
		defer f.Close()
		head := make([]byte, len(identityHead))
		n, _ := io.ReadFull(f, head)
		if Recognize(head[:n]) {
			return true
		}
	}
	segments, err := listSegments(dir)
	return err == nil && len(segments) > 0
}
