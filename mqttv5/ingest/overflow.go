package ingest

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// Overflow returns a Sink that stores in main what main takes, and what is too large
// for it in the sink that open returns, which is called when the first such record
// comes, and again after an error.
func Overflow(main Sink, open func() (Sink, error)) Sink {
	return &overflow{main: main, open: open}
}

type overflow struct {
	main Sink
	open func() (Sink, error)

	mu    sync.Mutex
	large Sink
}

// Append implements Sink.
func (o *overflow) Append(ctx context.Context, records []Record) error {
	for {
		err := o.main.Append(ctx, records)
		tooLarge := (*TooLargeError)(nil)
		if !errors.As(err, &tooLarge) {
			return err
		}

		large, err := o.sink()
		if err != nil {
			return err
		}
		if err := large.Append(ctx, records[tooLarge.Index:tooLarge.Index+1]); err != nil {
			return err
		}
		// The caller's slice stays as it is: it may call again with it.
		if records = slices.Delete(slices.Clone(records), tooLarge.Index, tooLarge.Index+1); len(records) == 0 {
			return nil
		}
	}
}

func (o *overflow) sink() (Sink, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.large == nil {
		s, err := o.open()
		if err != nil {
			return nil, err
		}
		o.large = s
	}
	return o.large, nil
}
