package link

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/wait"
)

// Keeper owns one connection: it opens it when it is needed, at most one at a time
// and never too soon after the last, and judges its end. It is safe for concurrent
// use.
type Keeper struct {
	cfg      Config
	identity *identity
	rate     *throttle
	routes   routes
	requests chan struct{} // holds one for each Request under way

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu         sync.Mutex
	current    *Link
	attempt    *attempt
	backoff    backoff
	notBefore  time.Time // no CONNECT earlier
	retryAt    time.Time // whoever can wait waits until then
	lastErr    error     // of the last attempt or connection
	evictions  []time.Time
	shortLives int   // connections in a row that the broker closed at once
	stopped    error // set for good
}

// attempt is one connection being opened; all who need it share it.
type attempt struct {
	done chan struct{}
	link *Link
	err  error
}

// EventKind says what happened to a connection.
type EventKind int

// Kinds of events.
const (
	Connected EventKind = iota + 1 // a connection is up
	Failed                         // an attempt to connect failed; Err says why
	Lost                           // a connection ended; Err says why
	Throttled                      // the broker asked for a lower rate
	Evicted                        // another connection uses our client identifier
)

// Event is one thing of note about a connection.
type Event struct {
	Kind  EventKind
	Code  fault.ReasonCode
	Err   error
	Again time.Duration // Failed and Lost: until who can wait connects again
}

// New checks the configuration and the credential files. It does not touch the
// network.
func New(cfg Config) (*Keeper, error) {
	cfg, err := cfg.WithDefaults()
	if err != nil {
		return nil, err
	}
	k := &Keeper{
		cfg: cfg, identity: newIdentity(&cfg),
		rate:     newThrottle(cfg.Tuning.PublishesPerSecond, cfg.Tuning.BytesPerSecond),
		requests: make(chan struct{}, maxRequests),
		backoff:  backoff{min: cfg.Tuning.MinBackoff, max: cfg.Tuning.MaxBackoff, stable: cfg.Pace.Stable, random: rand.Float64},
	}
	if !cfg.InsecurePlaintext && cfg.Lent == nil {
		if _, err := k.identity.load(); err != nil {
			return nil, err
		}
	}
	if u, _ := cfg.ProxyURL(); u != nil { // checked with the configuration
		k.cfg.Dial = through(u, cfg.Dial)
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k, nil
}

// Handle makes take receive the messages of a topic, on whatever link they arrive,
// until the function that it returns is called; take must not block. Subscribing is
// the caller's.
func (k *Keeper) Handle(topic string, take func(*Received)) (remove func()) {
	return k.routes.add(topic, take)
}

// Up returns the link that is up, or opens one. It makes one attempt.
func (k *Keeper) Up(ctx context.Context) (*Link, error) {
	k.awaitJudgement(ctx)
	k.mu.Lock()
	if k.stopped != nil {
		defer k.mu.Unlock()
		return nil, k.stopped
	}

	if l := k.current; l != nil && l.alive() {
		k.mu.Unlock()
		return l, nil
	}

	a := k.attempt
	if a == nil {
		a = &attempt{done: make(chan struct{})}
		k.attempt = a
		k.work.Add(1)
		go k.run(a)
	}
	last := k.lastErr
	k.mu.Unlock()

	select {
	case <-a.done:
		return a.link, a.err
	case <-ctx.Done():
		if last != nil {
			return nil, last // says more than that time is up
		}
		return nil, k.slowError(wait.Error(ctx))
	}
}

// slowError is about an attempt that has not ended when the caller gives up: with the
// proxy, which may be what does not answer.
func (k *Keeper) slowError(err error) error {
	e := &fault.Error{Op: "connect to " + k.cfg.Address(), Class: fault.ErrNetwork, Err: err, Hint: "check host, port and firewall"}
	if u, _ := k.cfg.ProxyURL(); u != nil && k.cfg.Lent == nil {
		e.Err, e.Hint = &proxyError{proxyAddress(u), err, ""}, "check the proxy's host and port, and the broker's"
	}
	return e
}

// IsUp reports whether a link is up.
func (k *Keeper) IsUp() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current != nil && k.current.alive()
}

// Slowdown returns what the rates are divided by since the broker asked for less; 1
// is full speed.
func (k *Keeper) Slowdown() float64 {
	k.rate.mu.Lock()
	defer k.rate.mu.Unlock()
	return k.rate.divisor
}

// awaitJudgement waits until it is known what follows from the end of the last
// link: without it the next one could come too soon.
func (k *Keeper) awaitJudgement(ctx context.Context) {
	k.mu.Lock()
	l := k.current
	k.mu.Unlock()
	if l == nil || l.alive() {
		return
	}
	select {
	case <-l.judged:
	case <-ctx.Done():
	}
}

// UpPatiently returns a link that is up, with as many attempts as it takes. It
// gives up when ctx ends or the keeper has stopped.
func (k *Keeper) UpPatiently(ctx context.Context) (*Link, error) {
	for {
		k.awaitJudgement(ctx)
		k.mu.Lock()
		left, err := time.Until(k.retryAt), k.lastErr
		if k.attempt != nil || (k.current != nil && k.current.alive()) {
			left = 0 // somebody has not waited
		}
		k.mu.Unlock()
		if !wait.For(ctx, left) {
			return nil, errors.Join(err, context.Cause(ctx))
		}

		l, err := k.Up(ctx)
		if err == nil {
			return l, nil
		}

		k.mu.Lock()
		stopped := k.stopped
		k.mu.Unlock()
		if stopped != nil {
			return nil, stopped
		}
		if ctx.Err() != nil {
			return nil, err
		}
	}
}

// run makes one attempt and then watches the link until it ends.
func (k *Keeper) run(a *attempt) {
	defer k.work.Done()
	l, err := k.try()

	k.mu.Lock()
	if err == nil && k.stopped != nil { // Close did not see this link
		err = k.stopped
		l.End(err)
	}
	a.link, a.err, k.attempt = l, err, nil
	if err != nil {
		a.link, k.lastErr = nil, err
		k.plan(k.cfg.Pace.judge(fault.Code(err), true))
	} else {
		k.current, k.lastErr = l, nil
	}
	again := time.Until(k.retryAt)
	k.mu.Unlock()

	if err != nil {
		if !errors.Is(err, fault.ErrClosed) {
			k.cfg.Logger.Warn("connect failed", "broker", k.cfg.Address(), "error", err)
			k.cfg.Event(Event{Kind: Failed, Code: fault.Code(err), Err: err, Again: again})
		}
		close(a.done)
		return
	}
	k.cfg.Logger.Info("connected", "broker", k.cfg.Address())
	k.cfg.Event(Event{Kind: Connected})
	close(a.done)

	<-l.dead
	k.ended(l)
	close(l.judged)
	<-l.carrier.done()
}

// try waits until an attempt may be made and makes it.
func (k *Keeper) try() (*Link, error) {
	k.mu.Lock()
	left := time.Until(k.notBefore)
	k.mu.Unlock()
	if !wait.For(k.ctx, left) {
		return nil, fault.ErrClosed
	}

	k.mu.Lock()
	// The retry of one who fails at once must not come at once either.
	k.notBefore = time.Now().Add(k.cfg.Tuning.MinBackoff)
	k.mu.Unlock()
	return k.open()
}

// Go runs f in a goroutine that Close waits for; its context ends with Close. The
// error is not nil when the keeper has stopped.
func (k *Keeper) Go(f func(ctx context.Context)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped != nil {
		return k.stopped
	}
	k.work.Add(1)
	go func() {
		defer k.work.Done()
		f(k.ctx)
	}()
	return nil
}

// Close ends the connection, waiting for messages in flight until ctx ends. Calls
// after it fail with ErrClosed.
func (k *Keeper) Close(ctx context.Context) {
	k.mu.Lock()
	k.stopped = fault.ErrClosed
	l := k.current
	k.mu.Unlock()
	if l != nil {
		l.close(ctx)
	}
	k.cancel()
	k.work.Wait()
}
