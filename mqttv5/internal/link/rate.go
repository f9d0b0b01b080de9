package link

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// After the server asked for less, the rates double again each time this passes.
// The wait before connecting again after "Quota exceeded" must not use it up.
const throttleRecovery = time.Minute

// throttle keeps the message and byte rates below what the cloud allows to one
// connection. It outlives connections.
type throttle struct {
	messages, bytes *rate.Limiter
	full            [2]rate.Limit

	free atomic.Bool // no limit at all

	mu      sync.Mutex
	divisor float64 // 1 is full speed
	changed time.Time
}

func newThrottle(perSecond, bytesPerSecond float64) *throttle {
	limit := func(x float64) rate.Limit {
		if x < 0 {
			return rate.Inf
		}
		return rate.Limit(x)
	}
	t := &throttle{divisor: 1, full: [2]rate.Limit{limit(perSecond), limit(bytesPerSecond)}}
	// A burst of a quarter second, but never less than one message.
	t.messages = rate.NewLimiter(t.full[0], max(1, int(min(perSecond, 1e9)/4)))
	t.free.Store(t.unlimited())
	t.bytes = rate.NewLimiter(t.full[1], max(maxIncoming, int(min(bytesPerSecond, 1e9)/4)))
	return t
}

func (t *throttle) unlimited() bool { return t.full[0] == rate.Inf && t.full[1] == rate.Inf }

// wait waits until one message of n bytes may be sent.
func (t *throttle) wait(ctx context.Context, n int) error {
	if t.free.Load() {
		return ctx.Err()
	}
	t.recover()
	err := t.messages.Wait(ctx)
	if err == nil {
		err = t.bytes.WaitN(ctx, n)
	}
	if _, ok := ctx.Deadline(); err != nil && ok && ctx.Err() == nil {
		// The limiter's own sentence: it sees that the deadline would pass, or
		// has passed, before the context's timer does.
		return context.DeadlineExceeded
	}
	return err
}

// ready reports whether wait would return at once.
func (t *throttle) ready(n int) bool {
	return t.free.Load() || t.messages.Tokens() >= 1 && t.bytes.Tokens() >= float64(n)
}

// halve halves the rates, down to a 64th.
func (t *throttle) halve() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changed = time.Now()
	if t.divisor < 64 {
		t.set(t.divisor * 2)
	}
}

func (t *throttle) recover() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.divisor > 1 && time.Since(t.changed) >= throttleRecovery {
		t.changed = time.Now()
		t.set(t.divisor / 2)
	}
}

// set divides both full rates; 1 is full speed.
func (t *throttle) set(divisor float64) {
	t.divisor = divisor
	t.free.Store(divisor == 1 && t.unlimited())
	for i, l := range [...]*rate.Limiter{t.messages, t.bytes} {
		full := t.full[i]
		if full == rate.Inf {
			// Without a limit of our own the cloud's usual ones stand in
			// while it complains.
			full = [...]rate.Limit{awsPublishes, awsBytes}[i]
			if divisor == 1 {
				full = rate.Inf
			}
		}
		if full != rate.Inf {
			full /= rate.Limit(divisor)
		}
		l.SetLimit(full)
	}
}
