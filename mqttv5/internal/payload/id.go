package payload

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/ulogkit/ulogkit/format"
)

// LogID returns the record id of a log that is sent without an outbox. It does not
// depend on the session.
func LogID(serial string, buf []byte) string {
	before, after := format.AroundSessionToken(buf)
	return ContentID("log", serial, before, after)
}

// ContentID derives a record id from what is sent, so that sending it again, even by
// another process, gives the same id.
func ContentID(kind, serial string, content ...[]byte) string {
	h := sha256.New()
	h.Write([]byte(kind + "\x00" + serial + "\x00"))
	for _, part := range content {
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
