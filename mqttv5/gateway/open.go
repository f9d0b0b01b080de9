package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5"
)

const (
	openAgain = 250 * time.Millisecond // between attempts
	openLimit = 10 * time.Minute
)

// OpenOutbox opens an outbox. One that another process has open, as an upload does
// while it delivers, is waited for, up to ten minutes; the Logger is told once. The
// error then wraps mqttv5.ErrOutboxHeld.
func OpenOutbox(ctx context.Context, cfg mqttv5.OutboxConfig) (*mqttv5.Outbox, error) {
	again := time.NewTicker(openAgain)
	defer again.Stop()
	limit := time.NewTimer(openLimit)
	defer limit.Stop()

	told := false
	for {
		o, err := mqttv5.OpenOutbox(cfg)
		if !errors.Is(err, mqttv5.ErrOutboxHeld) {
			return o, err
		}
		if !told && cfg.Logger != nil {
			cfg.Logger.Warn("another process has the outbox open; waiting for it", "dir", cfg.Dir, "for", openLimit)
		}
		told = true

		select {
		case <-again.C:
		case <-limit.C:
			return nil, err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
