package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5"
)

// Worker takes messages from the broker into a Sink. Run it once.
type Worker struct {
	cfg    Config
	dialer *mqttv5.Dialer
	count  *counters
	status *status
	pipe   *pipeline

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
		return nil, fmt.Errorf("new ingest worker: %w", err)
	}
	w := &Worker{cfg: cfg, count: newCounters(cfg.Name), grace: 5 * time.Second, quiet: 2 * time.Second}
	if w.dialer, err = mqttv5.NewDialer(cfg.Connection); err != nil {
		return nil, err
	}
	w.cfg.Connection = w.dialer.Config()
	w.status = &status{log: w.cfg.Connection.Hooks.Logger.With("worker", cfg.Name, "group", cfg.Group), count: w.count}
	w.pipe = newPipeline(&w.cfg, w.status, w.count)
	return w, nil
}

// Health returns how the worker is.
func (w *Worker) Health() Health { return w.status.health() }

// Run works until ctx ends; it then stores and acknowledges the batch that it has
// begun and says goodbye. It returns nil, unless the configuration cannot work: its
// metrics are registered already, or another client uses its identifier and the
// two throw each other out. All other errors it waits out and tries again.
func (w *Worker) Run(ctx context.Context) error {
	w.mu.Lock()
	started := w.started
	w.started = true
	w.mu.Unlock()
	if started {
		return errors.New("run ingest worker: it was run already; make a new one")
	}
	if r := w.cfg.Metrics; r != nil {
		if err := w.count.register(r); err != nil {
			return fmt.Errorf("run ingest worker: register metrics: %w", err)
		}
		defer w.count.unregister(r)
	}
	for {
		lived, err := w.serve(ctx)
		if ctx.Err() != nil {
			return nil
		}
		w.count.disconnects.Inc()
		wait, fatal := w.dialer.Wait(err, lived)
		w.status.disconnected(err, wait)
		if fatal != nil {
			w.status.fatal(fatal)
			return fatal
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
	}
}

// serve works on one connection until it or ctx ends. The pipeline has ended when
// it returns, so that the messages of two connections are never in memory at once.
func (w *Worker) serve(ctx context.Context) (lived time.Duration, err error) {
	login, cancel := context.WithTimeout(ctx, w.cfg.Connection.TokenTimeout)
	defer cancel()
	raw, err := w.dialer.Dial(login)
	if err != nil {
		return 0, err
	}
	l, code, err := openLink(login, raw, &w.cfg)
	if err != nil {
		return 0, w.dialer.LoginError(login, code, err)
	}
	// What the session still holds can arrive before the subscription is made.
	work, abort := context.WithCancel(context.WithoutCancel(ctx))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		w.pipe.run(work, stop, l)
	}()
	defer func() {
		l.fail(mqttv5.ErrClosed)
		abort()
		<-done
		<-l.paho.Done()
	}()
	if err := l.subscribe(login, w.cfg.Group, w.cfg.Filters); err != nil {
		return 0, w.lost(l, err)
	}
	w.count.connects.Inc()
	w.status.connected()
	w.status.log.Info("connected", "filters", w.cfg.Filters)
	select {
	case <-l.dead:
		return time.Since(l.opened), w.lost(l, l.cause)
	case <-ctx.Done():
	}
	left := w.cfg.Leave && w.leave(l)
	close(stop)
	t := time.NewTimer(w.grace)
	defer t.Stop()
	select {
	case <-done:
	case <-l.dead:
		left = false
	case <-t.C:
		left = false
	}
	left = left && len(l.queue) == 0
	l.goodbye(left)
	w.status.log.Info("stopped", "left_group", left)
	return time.Since(l.opened), nil
}

// lost explains the end of a link. The broker's own words come before what was
// being done at that time.
func (w *Worker) lost(l *link, err error) error {
	select {
	case <-l.dead:
		err = l.cause
	default:
	}
	if e := (*mqttv5.Error)(nil); errors.As(err, &e) {
		return err
	}
	return w.dialer.LostError(l.code, err)
}

// leave unsubscribes, waits until the broker has had nothing more to give for a
// while, and reports whether the session can end. A worker whose sink fails cannot
// leave: the broker may discard what a session holds when it ends.
func (w *Worker) leave(l *link) bool {
	ctx, cancel := context.WithTimeout(context.Background(), w.cfg.Connection.TokenTimeout)
	defer cancel()
	if err := l.unsubscribe(ctx, w.cfg.Group, w.cfg.Filters); err != nil {
		w.status.log.Warn("cannot unsubscribe; the session stays", "error", err)
		return false
	}
	tick := time.NewTicker(w.quiet / 8)
	defer tick.Stop()
	last := time.Now()
	for time.Since(last) < w.quiet {
		select {
		case <-tick.C:
		case <-l.dead:
			return false
		}
		h := w.Health()
		if h.Sink != "" {
			w.status.log.Warn("cannot leave the group while the sink fails; the session stays")
			return false
		}
		if len(l.queue) > 0 || h.Unacknowledged > 0 || h.LastStored.After(last) {
			last = time.Now()
		}
	}
	return true
}
