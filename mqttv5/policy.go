package mqttv5

import (
	"errors"
	"math"
	"time"
)

// policy holds what the client does about each reason code, and how long it
// waits. Tests shorten the times.
type policy struct {
	minBackoff, maxBackoff time.Duration
	stable                 time.Duration // a connection that lived this long resets the backoff
	evictionWait           time.Duration // after DISCONNECT 0x8E
	evictionSpan           time.Duration // three evictions within it stop the client
	quotaWait              time.Duration // after 0x97
	uploadWait             time.Duration // before the second attempt to store firmware; doubles
}

func newPolicy(t Tuning) policy {
	return policy{
		minBackoff: t.MinBackoff, maxBackoff: t.MaxBackoff,
		stable:       30 * time.Second,
		evictionWait: 10 * time.Second,
		evictionSpan: time.Minute,
		quotaWait:    30 * time.Second,
		uploadWait:   time.Second,
	}
}

// Evictions within policy.evictionSpan that stop the client.
const maxEvictions = 3

// verdict is what follows from the end of a connection or of a login.
type verdict struct {
	wait   time.Duration // at least, before the next CONNECT
	slow   bool          // a person must act: wait the longest backoff
	halve  bool          // send more slowly from now on
	poison bool          // a message that was in flight is to blame
	evict  bool          // another connection has our client identifier
}

// judge applies the table of MQTT facts ("MQTT 5 points that trip").
func (p policy) judge(code ReasonCode, login bool) verdict {
	switch code {
	case ReasonSessionTakenOver:
		return verdict{wait: p.evictionWait, evict: true}
	case ReasonQuotaExceeded, ReasonRateTooHigh:
		return verdict{wait: p.quotaWait, halve: true}
	case ReasonPacketTooLarge, ReasonPayloadFormatInvalid, ReasonTopicNameInvalid:
		return verdict{poison: !login}
	case ReasonNotAuthorized, ReasonBadClientID, ReasonBadUserOrPassword, ReasonBanned,
		ReasonUnsupportedVersion, ReasonUseAnotherServer, ReasonServerMoved:
		return verdict{slow: true}
	case ReasonReceiveMaximum:
		return verdict{halve: true} // a bug of ours; the caller says so
	}
	return verdict{}
}

// codeOf returns the reason code with which a connection or a login ended; 0 when
// the server gave none.
func codeOf(err error) ReasonCode {
	var d *disconnectError
	if errors.As(err, &d) {
		return d.code
	}
	var c *connectError
	if errors.As(err, &c) {
		return c.code
	}
	var s *subscribeError
	if errors.As(err, &s) {
		return s.code
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// backoff gives the waits between attempts to connect: full jitter below a bound
// that doubles, and never less than the minimum.
type backoff struct {
	policy
	random   func() float64 // uniform in [0, 1)
	failures int
}

// next returns the wait after one more failure.
func (b *backoff) next() time.Duration {
	bound := float64(b.minBackoff) * math.Pow(2, float64(min(b.failures, 30)))
	b.failures++
	d := time.Duration(b.random() * min(bound, float64(b.maxBackoff)))
	return max(d, b.minBackoff)
}

// lived is told how long a connection lasted: only a stable one forgives failures,
// or a server that accepts and drops would be called without end (MQTT facts
// row 5).
func (b *backoff) lived(d time.Duration) {
	if d >= b.stable {
		b.failures = 0
	}
}
