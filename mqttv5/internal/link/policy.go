package link

import (
	"errors"
	"math"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// Pace holds the waits that follow from what a broker says and does. Defaults are
// those of MQTT facts.
type Pace struct {
	Stable       time.Duration // a connection that lived this long resets the backoff. Default: 30 s.
	EvictionWait time.Duration // after DISCONNECT 0x8E. Default: 10 s.
	EvictionSpan time.Duration // three evictions within it stop the keeper. Default: 1 min.
	QuotaWait    time.Duration // after 0x97. Default: 30 s.
}

func (p *Pace) fill() {
	orDefault(&p.Stable, 30*time.Second)
	orDefault(&p.EvictionWait, 10*time.Second)
	orDefault(&p.EvictionSpan, time.Minute)
	orDefault(&p.QuotaWait, 30*time.Second)
}

// maxEvictions is how many evictions within Pace.EvictionSpan stop a keeper.
const maxEvictions = 3

// maxShortLives is how many connections in a row may be closed by the broker, without
// a word and before they were stable, until another client with our identifier is
// suspected: mosquitto does not say 0x8E to one that it evicts.
const maxShortLives = 3

// verdict is what follows from the end of a connection or of a login.
type verdict struct {
	wait   time.Duration // at least, before the next CONNECT
	person bool          // a person must act: wait the longest backoff
	halve  bool          // send more slowly from now on
	poison bool          // a message that was in flight is to blame
	evict  bool          // another connection has our client identifier
}

// judge applies the table of MQTT facts ("MQTT 5 points that trip").
func (p *Pace) judge(code fault.ReasonCode, login bool) verdict {
	switch code {
	case fault.ReasonSessionTakenOver:
		return verdict{wait: p.EvictionWait, evict: true}
	case fault.ReasonQuotaExceeded, fault.ReasonRateTooHigh:
		return verdict{wait: p.QuotaWait, halve: true}
	case fault.ReasonPacketTooLarge, fault.ReasonPayloadFormatInvalid, fault.ReasonTopicNameInvalid:
		return verdict{poison: !login}
	case fault.ReasonNotAuthorized, fault.ReasonBadClientID, fault.ReasonBadUserOrPassword, fault.ReasonBanned,
		fault.ReasonUnsupportedVersion, fault.ReasonUseAnotherServer, fault.ReasonServerMoved:
		return verdict{person: true}
	case fault.ReasonReceiveMaximum:
		return verdict{halve: true} // a bug of ours; the keeper says so
	}
	return verdict{}
}

// Poison reports whether a connection ended because of a message that was in
// flight.
func Poison(cause error) bool { return (&Pace{}).judge(fault.Code(cause), false).poison }

// needsPerson reports whether trying again is of no use until a person has acted.
func needsPerson(err error) bool {
	return errors.Is(err, fault.ErrCredentials) || errors.Is(err, fault.ErrConfig) || errors.Is(err, fault.ErrClosed) ||
		(&Pace{}).judge(fault.Code(err), false).person
}

// backoff gives the waits between attempts to connect: full jitter below a bound
// that doubles, and never less than the minimum.
type backoff struct {
	min, max time.Duration
	stable   time.Duration
	random   func() float64 // uniform in [0, 1)
	failures int
}

// next returns the wait after one more failure.
func (b *backoff) next() time.Duration {
	bound := float64(b.min) * math.Pow(2, float64(min(b.failures, 30)))
	b.failures++
	d := time.Duration(b.random() * min(bound, float64(b.max)))
	return max(d, b.min)
}

// lived is told how long a connection lasted: only a stable one forgives failures,
// or a server that accepts and drops would be called without end (MQTT facts
// row 5).
func (b *backoff) lived(d time.Duration) {
	if d >= b.stable {
		b.failures = 0
	}
}
