package mqttv5

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// supervisor owns the client's one connection: it opens it when it is needed, at
// most one at a time and never too soon after the last, and judges its end.
type supervisor struct {
	cfg    *Config
	creds  *credentials
	rate   *throttle
	policy policy
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	route  func(*paho.Publish)
	event  func(Event)
	count  *counters

	ctx    context.Context // ends with the client
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu        sync.Mutex
	current   *link
	attempt   *attempt
	backoff   backoff
	notBefore time.Time // no CONNECT earlier
	retryAt   time.Time // whoever can wait waits until then
	lastErr   error     // of the last attempt or connection
	evictions []time.Time
	stopped   error // set for good
}

// attempt is one connection being opened; all who need it share it.
type attempt struct {
	done chan struct{}
	link *link
	err  error
}

// link returns the connection that is up, or opens one. It makes one attempt.
func (s *supervisor) link(ctx context.Context) (*link, error) {
	s.settled(ctx)
	s.mu.Lock()
	if s.stopped != nil {
		defer s.mu.Unlock()
		return nil, s.stopped
	}
	if l := s.current; l != nil && l.alive() {
		s.mu.Unlock()
		return l, nil
	}
	a := s.attempt
	if a == nil {
		a = &attempt{done: make(chan struct{})}
		s.attempt = a
		s.work.Add(1)
		go s.run(a)
	}
	last := s.lastErr
	s.mu.Unlock()
	select {
	case <-a.done:
		return a.link, a.err
	case <-ctx.Done():
		if last != nil {
			return nil, last // says more than that time is up
		}
		return nil, &Error{Op: "connect to " + s.cfg.address(), Class: ErrNetwork, Err: waitError(ctx), Hint: "check host, port and firewall"}
	}
}

// settled waits until it is known what follows from the end of the last
// connection: without it the next one could come too soon.
func (s *supervisor) settled(ctx context.Context) {
	s.mu.Lock()
	l := s.current
	s.mu.Unlock()
	if l == nil || l.alive() {
		return
	}
	select {
	case <-l.judged:
	case <-ctx.Done():
	}
}

// linkPatiently returns a connection that is up, with as many attempts as it
// takes. It gives up when ctx ends or the client stops.
func (s *supervisor) linkPatiently(ctx context.Context) (*link, error) {
	for {
		s.settled(ctx)
		s.mu.Lock()
		wait, err := time.Until(s.retryAt), s.lastErr
		if s.attempt != nil || (s.current != nil && s.current.alive()) {
			wait = 0 // somebody has not waited
		}
		s.mu.Unlock()
		if !sleep(ctx, wait) {
			return nil, errors.Join(err, context.Cause(ctx))
		}
		l, err := s.link(ctx)
		if err == nil {
			return l, nil
		}
		s.mu.Lock()
		stopped := s.stopped
		s.mu.Unlock()
		if stopped != nil {
			return nil, stopped
		}
		if ctx.Err() != nil {
			return nil, err
		}
	}
}

// sleep waits and reports whether the context is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func waitError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	return context.Cause(ctx)
}

// run makes one attempt and then watches the connection until it ends.
func (s *supervisor) run(a *attempt) {
	defer s.work.Done()
	s.mu.Lock()
	wait := time.Until(s.notBefore)
	s.mu.Unlock()
	var l *link
	var err error
	if sleep(s.ctx, wait) {
		s.mu.Lock()
		// The retry of one who fails at once must not come at once either.
		s.notBefore = time.Now().Add(s.policy.minBackoff)
		s.mu.Unlock()
		l, err = s.open()
	} else {
		err = ErrClosed
	}

	s.mu.Lock()
	if err == nil && s.stopped != nil { // stop did not see this link
		err = s.stopped
		l.fail(err)
	}
	a.link, a.err, s.attempt = l, err, nil
	if err != nil {
		a.link, s.lastErr = nil, err
		s.settle(s.policy.judge(codeOf(err), true))
	} else {
		s.current, s.lastErr = l, nil
	}
	s.mu.Unlock()
	if err != nil {
		if !errors.Is(err, ErrClosed) {
			s.count.failures.Add(1)
			s.cfg.Hooks.Logger.Warn("connect failed", "broker", s.cfg.address(), "error", err)
			s.event(Event{Kind: EventDisconnected, Code: codeOf(err), Err: err})
		}
		close(a.done)
		return
	}
	s.count.connects.Add(1)
	s.cfg.Hooks.Logger.Info("connected", "broker", s.cfg.address())
	s.event(Event{Kind: EventConnected})
	close(a.done)

	<-l.dead
	s.ended(l)
	close(l.judged)
	<-l.paho.Done()
}

// ended judges the end of a connection.
func (s *supervisor) ended(l *link) {
	if errors.Is(l.cause, ErrClosed) {
		return
	}
	code := codeOf(l.cause)
	v := s.policy.judge(code, false)
	s.mu.Lock()
	s.backoff.lived(time.Since(l.opened))
	s.lastErr = s.lostError(l.cause)
	err := s.lastErr
	s.settle(v)
	if v.evict {
		s.evicted()
	}
	stopped := s.stopped
	s.mu.Unlock()
	if v.halve {
		s.rate.halve()
		s.event(Event{Kind: EventThrottled, Code: code, Err: err})
	}
	if v.evict {
		s.event(Event{Kind: EventEvicted, Code: code, Err: errors.Join(err, stopped)})
	}
	s.count.disconnects.Add(1)
	log := s.cfg.Hooks.Logger
	if code == ReasonReceiveMaximum {
		log.Error("more messages in flight than the broker allows; please report this bug", "error", err)
	}
	log.Warn("connection lost", "broker", s.cfg.address(), "error", err)
	s.event(Event{Kind: EventDisconnected, Code: code, Err: err})
}

// settle sets when to connect again. The caller holds mu.
func (s *supervisor) settle(v verdict) {
	now := time.Now()
	wait := s.backoff.next()
	if v.slow {
		wait = s.policy.maxBackoff
	}
	s.retryAt = later(now.Add(max(wait, v.wait)), s.notBefore)
	s.notBefore = later(s.notBefore, now.Add(v.wait))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// evicted counts evictions and stops the client when another one insists on the
// same identifier. The caller holds mu.
func (s *supervisor) evicted() {
	now := time.Now()
	kept := s.evictions[:0]
	for _, t := range append(s.evictions, now) {
		if now.Sub(t) < s.policy.evictionSpan {
			kept = append(kept, t)
		}
	}
	s.evictions = kept
	if len(kept) >= maxEvictions && s.stopped == nil {
		s.stopped = &Error{
			Op: "stay connected to " + s.cfg.address(), Class: ErrRefused, Code: ReasonSessionTakenOver,
			Err:  fmt.Errorf("another connection with client identifier %q took over %d times within %v", s.cfg.Tuning.ClientID, maxEvictions, s.policy.evictionSpan),
			Hint: "give each gateway its own Tuning.ClientID and start again",
		}
	}
}

// open dials, shakes hands and logs in.
func (s *supervisor) open() (*link, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.TokenTimeout)
	defer cancel()
	conn, err := s.dialTLS(ctx)
	if err != nil {
		return nil, err
	}
	l, err := openLink(ctx, conn, s.cfg, s.rate, s.route)
	if err != nil {
		return nil, s.loginError(ctx, err)
	}
	return l, nil
}

// dialTLS connects with the credentials of the moment and finishes the handshake.
func (s *supervisor) dialTLS(ctx context.Context) (net.Conn, error) {
	var tlsConfig *tls.Config
	if !s.cfg.InsecurePlaintext {
		var err error
		if tlsConfig, err = s.creds.load(); err != nil {
			return nil, err
		}
	}
	conn, err := s.dial(ctx, "tcp", s.cfg.address())
	if err != nil {
		return nil, s.dialError(ctx, err)
	}
	if tlsConfig != nil {
		t := tls.Client(conn, tlsConfig)
		if err := t.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, s.handshakeError(ctx, err)
		}
		conn = t
	}
	if wrap := s.cfg.Hooks.WrapConn; wrap != nil {
		conn = wrap(conn)
	}
	return conn, nil
}

// start runs f in a goroutine that stop waits for, unless the client is closed.
func (s *supervisor) start(f func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped != nil {
		return s.stopped
	}
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		f()
	}()
	return nil
}

// stop ends the connection, waiting for messages in flight until ctx ends.
func (s *supervisor) stop(ctx context.Context) {
	s.mu.Lock()
	s.stopped = ErrClosed
	l := s.current
	s.mu.Unlock()
	if l != nil {
		l.close(ctx)
	}
	s.cancel()
	s.work.Wait()
}
