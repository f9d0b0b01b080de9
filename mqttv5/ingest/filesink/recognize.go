package filesink

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Recognize reports whether a file that begins with these bytes is one of a sink: its
// identity or a segment.
func Recognize(start []byte) bool {
	for _, head := range []string{segmentMagic, identityHead, identityHead1} {
		if bytes.HasPrefix(start, []byte(head)) {
			return true
		}
	}
	return false
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

// Own reports whether a file of this name in the directory of a sink is the sink's own.
func Own(name string) bool {
	switch name {
	case identityName(""), newestName(""), acceptedName(""), lockName(""):
		return true
	}
	stem, ext := strings.TrimSuffix(name, filepath.Ext(name)), filepath.Ext(name)
	_, ok := parseStem(stem)
	return ok && (ext == ".seg" || ext == ".idx")
}
