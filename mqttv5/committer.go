package mqttv5

import (
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Bytes of records in one transaction, at most; a few more for the last.
const maxBatch = 8 << 20

// committer groups changes into transactions: while one is being synced to disk,
// the next collects. A lone caller waits for his own sync and no longer; many
// callers share one.
type committer struct {
	update func(func(*bolt.Tx) error) error
	after  func(*bolt.Tx) error // part of every transaction

	mu      sync.Mutex
	pending []*change
	wake    chan struct{}
	timed   bool // a timer will signal
	closed  bool
	idle    chan struct{} // closed when the loop has ended
}

// change is one step. done, which may be nil, is called after the commit with its
// error, in order, from the committer's goroutine.
type change struct {
	apply func(*bolt.Tx) error
	size  int
	done  func(error)
	lazy  bool // nobody waits for it: it may wait for company
}

// A lazy change waits at most this long.
const lazyDelay = 20 * time.Millisecond

func newCommitter(update func(func(*bolt.Tx) error) error, after func(*bolt.Tx) error) *committer {
	c := &committer{update: update, after: after, wake: make(chan struct{}, 1), idle: make(chan struct{})}
	go c.run()
	return c
}

// add queues a change and does not wait. It reports false after close.
func (c *committer) add(x *change) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.pending = append(c.pending, x)
	if !x.lazy {
		c.signal()
	} else if !c.timed {
		c.timed = true
		time.AfterFunc(lazyDelay, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.timed = false
			c.signal()
		})
	}
	return true
}

func (c *committer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *committer) run() {
	defer close(c.idle)
	for range c.wake {
		for {
			batch, closed := c.take()
			if len(batch) == 0 {
				if closed {
					return
				}
				break
			}
			c.commit(batch)
		}
	}
}

func (c *committer) take() ([]*change, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, size := 0, 0
	for n < len(c.pending) && size < maxBatch {
		size += c.pending[n].size
		n++
	}
	batch := c.pending[:n:n]
	c.pending = c.pending[n:]
	return batch, c.closed
}

func (c *committer) commit(batch []*change) {
	err := c.update(func(tx *bolt.Tx) error {
		for _, x := range batch {
			if err := x.apply(tx); err != nil {
				return err
			}
		}
		return c.after(tx)
	})
	for _, x := range batch {
		if x.done != nil {
			x.done(err)
		}
	}
}

// close commits what is queued and ends.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.signal()
	c.mu.Unlock()
	<-c.idle
}
