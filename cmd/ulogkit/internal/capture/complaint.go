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
	add := func(n int64, what, rest string) {
		if n == 1 {
			parts = append(parts, "1 "+what+rest)
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%d %ss%s", n, what, rest))
		}
	}
	add(s.Bad, "bad payload", "")
	add(int64(undecoded), "log", " not decoded")
	add(s.Malformed, "packet", " that MQTT does not allow")
	add(s.GapBytes, "byte", " not captured")
	if s.GapBytes == 0 {
		add(s.Gaps, "gap", " in what was captured")
	}
	add(s.LostBytes, "byte", " passed over")
	add(s.Fragments, "IP fragment", " not read: capture where packets are whole")
	add(s.Damaged, "packet", " damaged or cut: capture with the full packet length")
	add(s.UnknownLink, "packet", " of a kind of link that is not read")
	add(s.Encrypted, "encrypted connection", ": record with --tap of upload or cloud")
	if len(parts) == 0 && s.Messages == 0 {
		if s.Packets == 1 {
			return errors.New("no MQTT in 1 packet")
		}
		return fmt.Errorf("no MQTT in %d packets", s.Packets)
	}
	if len(parts) == 0 {
		return nil
	}
	return errors.New(strings.Join(parts, "; "))
}

// Withheld says how many payloads were not extracted, since they hold secrets.
func Withheld(n int) string {
	if n == 1 {
		return "1 payload holds a secret and was not extracted; --show-secrets extracts it too"
	}
	return fmt.Sprintf("%d payloads hold secrets and were not extracted; --show-secrets extracts them too", n)
}
