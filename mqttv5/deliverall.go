package mqttv5

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// DeliverAll delivers what waits in an outbox until nothing does or ctx ends, and
// returns how many records still wait. It ends, too, when nobody is subscribed to
// those that are left. That some wait when ctx ends is no error: they are safe on
// disk. The error says why delivery cannot go on, and how many records were refused or
// are damaged.
func (c *Client) DeliverAll(ctx context.Context, o *Outbox) (waiting int, err error) {
	fail := func(class, err error, hint string) error {
		return &Error{Op: "deliver outbox " + o.Dir(), Class: class, Err: err, Hint: hint}
	}
	before := o.Stats()

	inner, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	var barren atomic.Bool
	go func() {
		defer stop()
		ended <- c.deliver(inner, o, func() {
			barren.Store(true)
			stop()
		})
	}()
	waited := o.WaitEmpty(inner)
	stop()

	var errs []error
	if err := <-ended; err != nil {
		errs = append(errs, err)
	}
	after := o.Stats()
	if barren.Load() {
		errs = append(errs, fail(ErrNobody, fmt.Errorf("nobody was subscribed to what is left, %d records", after.Waiting), "start what takes them, or allow that there is nobody"))
	}
	if waited != nil && !errors.Is(waited, context.Canceled) {
		errs = append(errs, waited)
	}
	if n := after.Parked - before.Parked; n > 0 {
		errs = append(errs, fail(ErrRefused, fmt.Errorf("%d refused for good and parked", n), "see the list of records for the reasons"))
	}
	if n := after.Damaged; n > 0 {
		errs = append(errs, fail(ErrStorage, fmt.Errorf("%d damaged on disk", n), "see the list of records, and drop them"))
	}
	return after.Waiting, errors.Join(errs...)
}
