package outbox

import (
	"os"

	"github.com/ulogkit/ulogkit/mqttv5/outbox/internal/boltfile"
)

// Recognize reports whether a file that begins with these bytes, 20 or more, is that
// of an outbox, by its format.
func Recognize(start []byte) bool { return boltfile.Recognize(start) }

// RecognizeDir reports whether a directory holds an outbox, or held one before its
// file was lost. It changes nothing.
func RecognizeDir(dir string) bool {
	for _, name := range []string{fileName(dir), markName(dir)} {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// Holds reports whether a folder is one that the outbox in dir has its files in.
func Holds(dir, folder string) bool {
	is, err := os.Stat(folder)
	if err != nil {
		return false
	}
	for _, own := range []string{dir, intakeDir(dir)} {
		if info, err := os.Stat(own); err == nil && os.SameFile(is, info) {
			return true
		}
	}
	return false
}
