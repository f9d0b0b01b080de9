package wait

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestForEndsWithTheTimeOrTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if got := For(ctx, time.Second); !got || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want true after 1s", got, time.Since(start))
		}
		if got := For(ctx, time.Hour); got || time.Since(start) != time.Minute {
			t.Errorf("got %v after %v, want false after 1m0s", got, time.Since(start))
		}
		if For(ctx, 0) {
			t.Error("got true for a context that has ended, want false")
		}
	})
}

func TestErrorSaysWhy(t *testing.T) {
	why := errors.New("closed")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if got := Error(ctx); got != why {
		t.Errorf("got %v, want %v", got, why)
	}
	late, stop := context.WithTimeout(t.Context(), 0)
	defer stop()
	if got := Error(late); got == nil || got.Error() != "no answer in time" {
		t.Errorf("got %v, want no answer in time", got)
	}
}
