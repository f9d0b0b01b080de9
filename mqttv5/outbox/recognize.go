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
