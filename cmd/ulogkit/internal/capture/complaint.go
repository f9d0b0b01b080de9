package capture

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ulogkit/ulogkit/wire"
)

// Complaint returns an error that says what of a capture was bad, lost or could
// not be read, or nil if all is well. Undecoded is the number of logs for which
// no firmware fitted.
func Complaint(s *wire.Stats, undecoded int) error {
	var parts []string
	add := func(n int64, format string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, n))
		}
	}
	add(s.Bad, "%d payloads are bad")
	add(int64(undecoded), "%d logs could not be decoded")
	add(s.Malformed, "%d packets are not MQTT")
	add(s.GapBytes, "%d bytes were not captured")
	if s.GapBytes == 0 {
		add(s.Gaps, "%d streams were not captured whole")
	}
	add(s.LostBytes, "%d bytes were passed over")
	add(s.Fragments, "%d fragments of IP packets were not read: capture where they are whole")
	add(s.Damaged, "%d packets are damaged or cut: capture with the full packet length")
	add(s.UnknownLink, "%d packets are of a kind of link that is not read")
	add(s.Encrypted, "%d connections are encrypted: record them with --tap of upload or cloud")
	if len(parts) == 0 && s.Messages == 0 {
		parts = append(parts, fmt.Sprintf("no MQTT in %d packets", s.Packets))
	}
	if len(parts) == 0 {
		return nil
	}
	return errors.New(strings.Join(parts, "; "))
}
