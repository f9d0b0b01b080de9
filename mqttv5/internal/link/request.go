package link

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// maxRequests is how many requests wait for their answers at one time, with a
// subscription each. AWS allows 50 subscriptions a connection; those that stay, of
// log configurations, take 30. What is left is enough for the 100 publishes a
// second that AWS allows when an answer takes 200 ms.
const maxRequests = 20

// attemptsPerTimeout is how often a request is sent within Config.Timeout, if
// nobody answers: a SUBACK may come before the subscription works.
const attemptsPerTimeout = 5

// Request is a message that is answered by another.
type Request struct {
	Op      string   // what it is for, for errors: "register device SN1"
	What    string   // what it is: "boot request"
	Message *Message // the answer is awaited on its ReplyTopic

	// Read takes an answer; an error says why it cannot be used. If more is set
	// there may be a better one, otherwise the request ends with the error. It is
	// not called again once it has taken one, and must not block.
	Read func(*Received) (more bool, err error)

	Hint string // what to check when there is no answer
}

// Request subscribes to the answer, waits for the SUBACK, asks, and asks again while
// there is no answer, for Config.Timeout at most. An answer may come before the
// request's PUBACK. When the link is lost it goes on with the next one; a code that
// refuses the subscription, the message or the connection ends it with ErrRefused
// and the broker's words.
func (k *Keeper) Request(ctx context.Context, r *Request) error {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, k.cfg.Timeout)
	defer cancel()
	end, _ := ctx.Deadline()
	q := &query{Request: r, keeper: k, time: end.Sub(start).Round(time.Millisecond), done: make(chan error, 1)}
	select {
	case k.requests <- struct{}{}:
		defer func() { <-k.requests }()
	case <-ctx.Done():
		return q.unanswered(ctx)
	}
	defer k.Handle(r.Message.ReplyTopic, q.take)()

	for asked := false; ; asked = true {
		l, err := k.Up(ctx)
		if err != nil && !asked {
			return err // one attempt to connect
		}
		q.lost = err
		if err == nil {
			err = q.ask(ctx, l)
			timeIsUp := ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded)
			if err == nil || l.alive() && !timeIsUp {
				return err
			}
			if !l.alive() {
				q.lost = k.lastError(ctx, l)
			}
		}

		switch {
		case errors.Is(err, fault.ErrClosed), k.ctx.Err() != nil:
			return fault.ErrClosed
		case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded):
			return q.unanswered(ctx)
		case needsPerson(err):
			return q.failed(err)
		}
	}
}

// lastError explains how a link ended.
func (k *Keeper) lastError(ctx context.Context, l *Link) error {
	k.awaitJudgement(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lastErr != nil {
		return k.lastErr
	}
	return l.cause
}

// query is a Request under way.
type query struct {
	*Request
	keeper *Keeper
	time   time.Duration // that it has
	done   chan error    // how the reading of an answer ended
	lost   error         // how the last link or attempt ended

	mu       sync.Mutex
	finished bool
	unusable error // of the last answer that could not be used
	nobody   bool  // the broker said that nobody is subscribed to the message
}

// take reads what arrives on the reply topic.
func (q *query) take(m *Received) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.finished {
		return // a second answer changes nothing
	}
	more, err := q.Read(m)
	if err != nil && more {
		q.unusable = err
		return
	}
	q.finished = true
	if err != nil {
		err = &fault.Error{Op: q.Op, Class: fault.ErrRefused, Err: err, Hint: "the cloud answered with nothing that can be used"}
	}
	q.done <- err
}

// ask asks on one link until there is an answer, or the link or ctx ends.
func (q *query) ask(ctx context.Context, l *Link) error {
	if err := l.Subscribe(ctx, q.Message.ReplyTopic); err != nil {
		return q.failed(err)
	}
	defer l.Release(q.Message.ReplyTopic)

	again := time.NewTicker(max(q.keeper.cfg.Timeout/attemptsPerTimeout, 10*time.Millisecond))
	defer again.Stop()
	refused := make(chan error, 1)
	for {
		if err := l.Send(ctx, q.Message, func(a Ack, _ time.Duration) { q.acknowledged(a, refused) }); err != nil {
			return q.failed(err)
		}

		select {
		case err := <-q.done:
			return err
		case err := <-refused:
			return err
		case <-l.dead:
			return q.failed(l.cause)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-again.C:
		}
	}
}

// acknowledged is told of the request's PUBACK. The end of the link is told by the
// link.
func (q *query) acknowledged(a Ack, refused chan<- error) {
	switch {
	case a.Err != nil:
	case a.Code.Failed():
		select {
		case refused <- refusal(q.Op+": publish to "+q.Message.Topic, a.Code, a.Reason, "the certificate's policy must allow it"):
		default:
		}
	case a.Code == fault.ReasonNoMatchingSubscribers:
		q.mu.Lock()
		q.nobody = true
		q.mu.Unlock()
	}
}

// failed says what the request was for when it cannot go on.
func (q *query) failed(err error) error {
	e := &fault.Error{Op: q.Op, Class: fault.ErrNetwork, Code: fault.Code(err), Err: err}
	var inner *fault.Error
	errors.As(err, &inner)
	switch {
	case errors.Is(err, fault.ErrClosed):
		return fault.ErrClosed
	case inner != nil && strings.HasPrefix(inner.Op+": ", q.Op+": "):
		return err // it says so already
	case inner != nil:
		// One sentence and one hint.
		outer := *inner
		outer.Op = q.Op + ": " + inner.Op
		return &outer
	case e.Code != 0:
		e.Class = fault.ErrRefused
	}
	return e
}

// unanswered is the error of a request whose time is up.
func (q *query) unanswered(ctx context.Context) error {
	if q.keeper.ctx.Err() != nil {
		return fault.ErrClosed
	}
	q.mu.Lock()
	defer q.mu.Unlock()

	e := &fault.Error{Op: q.Op, Class: fault.ErrNetwork, Hint: q.Hint}
	switch {
	case q.unusable != nil:
		e.Class, e.Err = fault.ErrRefused, q.unusable
		e.Hint = "the cloud answered, but with nothing that can be used"
		return e
	case errors.Is(ctx.Err(), context.Canceled):
		e.Err, e.Hint = context.Cause(ctx), ""
		return e
	}

	e.Err = fmt.Errorf("no answer to the %s on %s within %v", q.What, q.Message.ReplyTopic, q.time)
	switch code := fault.Code(q.lost); {
	case code != 0:
		e.Class, e.Code = fault.ErrRefused, code
		e.Err = fmt.Errorf("%w: %w", e.Err, q.lost)
	case q.lost != nil:
		e.Err = fmt.Errorf("%w: %w", e.Err, q.lost)
	case q.nobody:
		e.Err = fmt.Errorf("%w; the broker says that nobody takes such requests", e.Err)
	}
	return e
}
