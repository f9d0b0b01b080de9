package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// Worker takes messages from the broker into a Sink. Run it once.
type Worker struct {
	cfg     Config
	keeper  *link.Keeper
	filters []string // as they are subscribed to
	count   *counters
	status  *status
	pipe    *pipeline

	grace time.Duration // for the last batch at the end
	quiet time.Duration // without a message, before a worker that leaves is gone

	mu      sync.Mutex
	started bool
}

// New checks the configuration and the credential files. It does not touch the
// network.
func New(cfg Config) (*Worker, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fault.InClass(fault.ErrConfig, fmt.Errorf("new ingest worker: %w", err))
	}
	w := &Worker{cfg: cfg, count: newCounters(cfg.Name), grace: 5 * time.Second, quiet: 2 * time.Second}
	if w.filters, err = shared(cfg.Group, cfg.Filters); err != nil {
		return nil, fault.InClass(fault.ErrConfig, fmt.Errorf("new ingest worker: %w", err))
	}
	connection := cfg.connection()
	connection.Event = w.connectionEvent
	if w.keeper, err = link.New(connection); err != nil {
		return nil, err
	}
	w.status = &status{log: w.cfg.Connection.Hooks.Logger.With("worker", cfg.Name, "group", cfg.Group), count: w.count}
	w.pipe = newPipeline(&w.cfg, w.status, w.count)
	return w, nil
}

// Health returns how the worker is.
func (w *Worker) Health() Health { return w.status.health() }

// Run works until ctx ends; it then stores and acknowledges the batch that it has
// begun and says goodbye. It returns nil, unless another client uses its
// identifier and the two throw each other out. All other errors it waits out and tries
// again.
func (w *Worker) Run(ctx context.Context) error {
	w.mu.Lock()
	started := w.started
	w.started = true
	w.mu.Unlock()
	if started {
		return errors.New("run ingest worker: it was run already; make a new one")
	}
	defer w.keeper.Close(context.Background()) // nothing is in flight

	for {
		l, err := w.keeper.UpPatiently(ctx)
		if err == nil {
			w.serve(ctx, l)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			w.status.fatal(err)
			return fault.InClass(fault.ErrNetwork, err)
		}
	}
}

// connectionEvent counts and tells of connections that failed or ended.
func (w *Worker) connectionEvent(e link.Event) {
	if e.Kind == link.Failed || e.Kind == link.Lost {
		w.count.disconnects.Inc()
		w.status.disconnected(e.Err, e.Again)
	}
}

// serve works on one link until it or ctx ends. The pipeline has ended when it
// returns, so that the messages of two links are never in memory at once.
func (w *Worker) serve(ctx context.Context, l *link.Link) {
	// What the session still holds can arrive before the subscription is made.
	work, abort := context.WithCancel(context.WithoutCancel(ctx))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		w.pipe.run(work, stop, l)
	}()
	defer func() {
		abort()
		<-done
	}()

	if err := w.subscribe(ctx, l); err != nil {
		if ctx.Err() != nil {
			l.Goodbye(false) // no loss, though nothing was subscribed yet
		}
		l.End(err)
		return
	}
	w.count.connects.Inc()
	w.status.connected()
	w.status.log.Info("connected", "filters", w.cfg.Filters)
	select {
	case <-l.Dead():
		return
	case <-ctx.Done():
	}

	left := w.cfg.Leave && w.leave(l)
	close(stop)
	t := time.NewTimer(w.grace)
	defer t.Stop()
	select {
	case <-done:
	case <-l.Dead():
		left = false
	case <-t.C:
		left = false
	}
	left = left && len(l.Inbox()) == 0
	l.Goodbye(left)
	w.status.log.Info("stopped", "left_group", left)
}

// subscribe subscribes to all filters in one packet. When the broker refuses that, those
// that it may refuse are asked for one by one, and left out, which is told.
func (w *Worker) subscribe(ctx context.Context, l *link.Link) error {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Connection.TokenTimeout)
	defer cancel()

	err := l.Subscribe(ctx, w.filters...)
	if !fault.Code(err).Failed() || len(w.cfg.optional) == 0 {
		w.status.refused(nil)
		return err
	}

	optional, err := shared(w.cfg.Group, w.cfg.optional)
	if err != nil {
		return err
	}
	required := slices.DeleteFunc(slices.Clone(w.filters), func(f string) bool { return slices.Contains(optional, f) })
	if err := l.Subscribe(ctx, required...); err != nil {
		return err
	}
	var refused []string
	for i, f := range optional {
		err := l.Subscribe(ctx, f)
		if fault.Code(err).Failed() {
			refused = append(refused, w.cfg.optional[i])
			w.status.log.Warn("not subscribed; what is published there is not taken", "filter", w.cfg.optional[i], "error", err)
			continue
		}
		if err != nil {
			return err
		}
	}

	w.status.refused(refused)
	return nil
}

// leave unsubscribes, waits until the broker has had nothing more to give for a
// while, and reports whether the session can end. A worker whose sink fails cannot
// leave: the broker may discard what a session holds when it ends.
func (w *Worker) leave(l *link.Link) bool {
	ctx, cancel := context.WithTimeout(context.Background(), w.cfg.Connection.TokenTimeout)
	defer cancel()

	if err := l.Unsubscribe(ctx, w.filters...); err != nil {
		w.status.log.Warn("cannot unsubscribe; the session stays", "error", err)
		return false
	}
	tick := time.NewTicker(w.quiet / 8)
	defer tick.Stop()

	last := time.Now()
	for time.Since(last) < w.quiet {
		select {
		case <-tick.C:
		case <-l.Dead():
			return false
		}

		h := w.Health()
		if h.Sink != "" {
			w.status.log.Warn("cannot leave the group while the sink fails; the session stays")
			return false
		}
		if len(l.Inbox()) > 0 || h.Unacknowledged > 0 || h.LastStored.After(last) {
			last = time.Now()
		}
	}
	return true
}
