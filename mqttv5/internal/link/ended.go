package link

import (
	"errors"
	"fmt"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// ended judges the end of a link.
func (k *Keeper) ended(l *Link) {
	if errors.Is(l.cause, fault.ErrClosed) {
		return
	}
	code := fault.Code(l.cause)
	v := k.cfg.Pace.judge(code, false)
	lived := time.Since(l.opened)

	k.mu.Lock()
	k.backoff.lived(lived)
	k.shortLives++
	if code != 0 || k.cfg.Lent != nil || !isCut(l.cause) || lived >= k.cfg.Pace.Stable {
		k.shortLives = 0
	}
	err := k.lostError(l.cause, k.shortLives >= maxShortLives)
	k.lastErr = err
	k.plan(v)
	if v.evict {
		k.evicted()
	}
	stopped, again := k.stopped, time.Until(k.retryAt)
	k.mu.Unlock()

	if v.halve {
		k.rate.halve()
		k.cfg.Event(Event{Kind: Throttled, Code: code, Err: err})
	}
	if v.evict {
		k.cfg.Event(Event{Kind: Evicted, Code: code, Err: errors.Join(err, stopped)})
	}
	if code == fault.ReasonReceiveMaximum {
		k.cfg.Logger.Error("more messages in flight than the broker allows; please report this bug", "error", err)
	}
	k.cfg.Logger.Warn("connection lost", "broker", k.cfg.Address(), "error", err)
	k.cfg.Event(Event{Kind: Lost, Code: code, Err: err, Again: again})
}

// plan sets when to connect again. The caller holds mu.
func (k *Keeper) plan(v verdict) {
	now := time.Now()
	wait := k.backoff.next()
	if v.person {
		wait = k.backoff.max
	}
	k.retryAt = later(now.Add(max(wait, v.wait)), k.notBefore)
	k.notBefore = later(k.notBefore, now.Add(v.wait))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// evicted counts evictions and stops the keeper when another client insists on the
// same identifier. The caller holds mu.
func (k *Keeper) evicted() {
	span := k.cfg.Pace.EvictionSpan
	now := time.Now()
	kept := k.evictions[:0]
	for _, t := range append(k.evictions, now) {
		if now.Sub(t) < span {
			kept = append(kept, t)
		}
	}
	k.evictions = kept
	if len(kept) >= maxEvictions && k.stopped == nil {
		k.stopped = &fault.Error{
			Op: "stay connected to " + k.cfg.Address(), Class: fault.ErrRefused, Code: fault.ReasonSessionTakenOver,
			Err:  fmt.Errorf("another connection with client identifier %q took over %d times within %v", k.cfg.Tuning.ClientID, maxEvictions, span),
			Hint: k.cfg.Rival + " and start again",
		}
	}
}
