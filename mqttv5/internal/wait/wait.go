// Package wait waits for time under a context.
package wait

import (
	"context"
	"errors"
	"time"
)

// For waits and reports whether the context is still alive.
func For(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Error says why waiting ended, in words for people.
func Error(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	return context.Cause(ctx)
}
