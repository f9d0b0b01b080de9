package link

import (
	"context"
	"sync"
	"time"
)

// Bounds of the flow window in bytes: one blob to begin with, and what a fast
// link can use.
const (
	firstWindow = 64 << 10
	maxWindow   = 8 << 20
)

// An acknowledgement that takes longer than this says that the link is full.
const fullAfter = 10 * time.Second

// window limits what is in flight on one connection: in messages by what the
// server allows, in bytes by what the link has shown it can carry. It begins with
// one blob, grows by what is acknowledged in good time and halves when
// acknowledgements come late (MQTT facts row 8).
type window struct {
	mu       sync.Mutex
	maxCount int
	maxBytes int
	count    int
	bytes    int
	queue    []*windowWaiter // first come, first served
	closed   error
}

type windowWaiter struct {
	n     int
	ready chan struct{}
}

func newWindow(maxCount int) *window {
	return &window{maxCount: maxCount, maxBytes: firstWindow}
}

func (w *window) fits(n int) bool {
	return w.count < w.maxCount && (w.bytes == 0 || w.bytes+n <= w.maxBytes)
}

// tryAcquire takes room for one message of n bytes if there is some now.
func (w *window) tryAcquire(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed != nil || len(w.queue) > 0 || !w.fits(n) {
		return false
	}
	w.count++
	w.bytes += n
	return true
}

// acquire waits for room for one message of n bytes.
func (w *window) acquire(ctx context.Context, n int) error {
	w.mu.Lock()
	if w.closed != nil {
		defer w.mu.Unlock()
		return w.closed
	}
	if len(w.queue) == 0 && w.fits(n) {
		w.count++
		w.bytes += n
		w.mu.Unlock()
		return nil
	}

	me := &windowWaiter{n, make(chan struct{})}
	w.queue = append(w.queue, me)
	w.mu.Unlock()
	select {
	case <-me.ready:
	case <-ctx.Done():
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	for i, x := range w.queue {
		if x == me { // not served: the context ended
			w.queue = append(w.queue[:i], w.queue[i+1:]...)
			w.serve()
			return context.Cause(ctx)
		}
	}
	return w.closed
}

// release gives back the room of one message without drawing a conclusion.
func (w *window) release(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count--
	w.bytes -= n
	w.serve()
}

// acked gives back the room of one message and learns from its latency.
func (w *window) acked(n int, latency time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case latency > fullAfter:
		w.maxBytes = max(firstWindow, w.maxBytes/2)
	case latency < fullAfter/2:
		w.maxBytes = min(maxWindow, w.maxBytes+n)
	}
	w.count--
	w.bytes -= n
	w.serve()
}

func (w *window) serve() {
	for len(w.queue) > 0 && w.fits(w.queue[0].n) {
		w.count++
		w.bytes += w.queue[0].n
		close(w.queue[0].ready)
		w.queue = w.queue[1:]
	}
}

// close makes all waiting and later acquires fail.
func (w *window) close(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed == nil {
		w.closed = cause
	}
	for _, x := range w.queue {
		close(x.ready)
	}
	w.queue = nil
}

// inFlight returns the bytes in flight.
func (w *window) inFlight() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bytes
}
