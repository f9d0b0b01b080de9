package topics

import (
	"context"
	"time"
)

const (
	attempt = 10 * time.Second      // one attempt to subscribe again may take so long
	pause   = time.Second           // after one that failed
	look    = 50 * time.Millisecond // how often it is looked whether there is reason to go on
)

// Calls are what an adapter does on its present connection.
type Calls struct {
	Subscribe   func(ctx context.Context, topic string) error
	Unsubscribe func(ctx context.Context, topic string) error
	Failed      func(topic string, err error) // told of an attempt
	Alive       func() bool                   // reports whether the connection is there
}

// Renew subscribes again to topics on a new connection, each until it is granted or
// nobody waits for it. It ends with the context, and with the connection.
func (s *Set) Renew(ctx context.Context, topics []string, calls Calls) {
	for _, topic := range topics {
		for s.Has(topic) {
			one, stop := context.WithTimeout(ctx, attempt)
			err := calls.Subscribe(one, topic)
			stop()
			if err == nil {
				if !s.Has(topic) { // it was given up meanwhile
					calls.Unsubscribe(ctx, topic)
				}
				break
			}
			if ctx.Err() == nil {
				calls.Failed(topic, err)
			}
			if !s.rest(ctx, topic, calls.Alive) {
				return // the next connection comes here again
			}
		}
	}
}

// rest waits a while, but not for a topic that was given up. It reports false as soon
// as the connection has ended.
func (s *Set) rest(ctx context.Context, topic string, alive func() bool) bool {
	t := time.NewTicker(look)
	defer t.Stop()
	for end := time.Now().Add(pause); time.Now().Before(end) && s.Has(topic) && alive(); {
		select {
		case <-t.C:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil && alive()
}
