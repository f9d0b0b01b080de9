package link

import (
	"context"
	"errors"
	"iter"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// Subscribed keeps a topic subscribed, over as many links as it takes. It yields each
// link that the topic is subscribed on, once; the caller asks for the next when that
// one is dead. An error is the last thing it yields: ctx ended, the keeper has
// stopped, or the server refused the subscription. What arrives goes to Handle.
func (k *Keeper) Subscribed(ctx context.Context, topic string) iter.Seq2[*Link, error] {
	return func(yield func(*Link, error) bool) {
		for {
			l, err := k.subscribePatiently(ctx, topic)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(l, nil) {
				l.Release(topic)
				return
			}
		}
	}
}

// subscribePatiently subscribes on a link, with as many attempts as it takes.
func (k *Keeper) subscribePatiently(ctx context.Context, topic string) (*Link, error) {
	for {
		l, err := k.UpPatiently(ctx)
		if err != nil {
			return nil, err
		}
		if err = l.Subscribe(ctx, topic); err == nil {
			return l, nil
		}
		if ctx.Err() != nil || errors.Is(err, fault.ErrRefused) && l.alive() {
			return nil, err
		}
	}
}
