// Package delivery delivers an outbox to its end.
package delivery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ulogkit/ulogkit/mqttv5"
)

// Run delivers what waits in an outbox until nothing does or ctx ends, and returns
// how many records still wait. That some do when ctx ends is no error: they are safe
// on disk. The error says why delivery cannot go on, and how many records were
// refused or are damaged.
func Run(ctx context.Context, client *mqttv5.Client, outbox *mqttv5.Outbox) (waiting int, err error) {
	fail := func(class, err error, hint string) error {
		return &mqttv5.Error{Op: "deliver outbox " + outbox.Dir(), Class: class, Err: err, Hint: hint}
	}
	before := outbox.Stats()
	inner, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		defer stop()
		ended <- client.Deliver(inner, outbox)
	}()
	waited := outbox.WaitEmpty(inner)
	stop()
	var errs []error
	if err := <-ended; err != nil {
		errs = append(errs, err)
	}
	after := outbox.Stats()
	if waited != nil && !errors.Is(waited, context.Canceled) {
		errs = append(errs, waited)
	}
	if n := after.Parked - before.Parked; n > 0 {
		errs = append(errs, fail(mqttv5.ErrRefused, fmt.Errorf("%d refused for good and parked", n), "see the list of records for the reasons"))
	}
	if n := after.Damaged; n > 0 {
		errs = append(errs, fail(mqttv5.ErrStorage, fmt.Errorf("%d damaged on disk", n), "see the list of records, and drop them"))
	}
	return after.Waiting, errors.Join(errs...)
}

// OpenExisting opens an outbox that must be there already.
func OpenExisting(cfg mqttv5.OutboxConfig) (*mqttv5.Outbox, error) {
	if _, err := os.Stat(filepath.Join(cfg.Dir, "outbox.db")); errors.Is(err, fs.ErrNotExist) {
		return nil, &mqttv5.Error{Op: "open outbox " + cfg.Dir, Class: mqttv5.ErrStorage, Err: errors.New("there is none")}
	}
	return mqttv5.OpenOutbox(cfg)
}

// Aside returns the ids of all records that are parked, and of those that are
// damaged if these are wanted too.
func Aside(outbox *mqttv5.Outbox, damaged bool) (ids []string, err error) {
	for r, err := range outbox.Records() {
		if err != nil {
			return nil, err
		}
		if r.State == mqttv5.StateParked || damaged && r.State == mqttv5.StateDamaged {
			ids = append(ids, r.ID)
		}
	}
	return ids, nil
}
