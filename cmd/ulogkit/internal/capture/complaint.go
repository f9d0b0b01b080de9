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
	add(s.Cut, "packet", " cut")
	add(s.Undecided, "packet", " of MQTT 3.1.1 or 5.0, which is not known")
	add(s.GapBytes, "byte", " not captured")
	if s.GapBytes == 0 {
		add(s.Gaps, "gap", " in what was captured")
	}

	add(s.LostBytes, "byte", " passed over")
	add(s.Fragments, "IP fragment", " without the rest of the packet: capture all of them, or where packets are whole")
	add(s.Damaged, "packet", " damaged or cut: capture with the full packet length")
	add(s.UnknownLink, "packet", " of a kind of link that is not read")
	add(s.Tunnels, "packet", " in tunnels that are not read")
	add(s.WebSockets, "direction", " of MQTT over WebSocket not read")
	add(s.Encrypted, "encrypted connection", ": record with --tap of upload or cloud")
	if len(parts) == 0 && s.Messages == 0 {
		return fmt.Errorf("no MQTT in %s", number(s.Packets, "packet"))
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

// Remarks returns what else there is to say of a capture, which is no complaint:
// what was left out since it is not MQTT, or since no receiver would take it, and
// which times are guessed.
func Remarks(s *wire.Stats) (out []string) {
	n := &s.NotMQTT
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{n.SSH, "SSH"}, {n.HTTP, "HTTP"}, {n.TLS, "TLS to other services"}, {n.Other, "not recognised"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) > 0 {
		out = append(out, fmt.Sprintf("%s not MQTT, with %s: %s", number(n.SSH+n.HTTP+n.TLS+n.Other, "connection"), number(n.Bytes, "byte"), strings.Join(parts, ", ")))
	}
	if s.Void > 0 {
		out = append(out, number(s.Void, "segment")+" outside the window of a connection left out, as its receiver does")
	}
	if s.GuessedTimes > 0 {
		out = append(out, number(s.GuessedTimes, "packet")+" with times that may be wrong: the file says their unit or offset in a form that cannot be read; microseconds since 1970 were taken")
	}
	return out
}

// Summary says in a line what was read.
func Summary(s *wire.Stats) string {
	verdict := "lossless"
	if !s.Lossless() {
		verdict = "not lossless"
	}
	return fmt.Sprintf("%s, %s, %s of MQTT, %s", number(s.Packets, "packet"), number(s.Connections, "connection"), number(s.Messages, "packet"), verdict)
}

func number(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
