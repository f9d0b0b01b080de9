package outbox

import (
	"slices"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Bytes of records in one transaction, at most; a few more for the last.
const maxBatch = 8 << 20

// committer groups changes into transactions: while one is being synced to disk,
// the next collects. A lone caller waits for his own sync and no longer; many
// callers share one.
//
// A new record that does not fit is refused. Everything else makes room or has
// happened already, so it comes first, is tried in pieces and may use the room that
// is kept for it; an acknowledgement, for which nobody waits, is kept until it is
// written.
type committer struct {
	update    func(func(*bolt.Tx) error) error
	after     func(*bolt.Tx, []*change) error // part of every transaction
	yield     func(*bolt.Tx) error            // gives up the room that is kept
	unwritten func(changes int, err error)    // told when changes are kept, and with 0 when all were written

	kept  []*change // not written yet; the loop's alone
	fault error     // why; the loop's alone

	mu      sync.Mutex
	pending []*change
	wake    chan struct{}
	timed   bool // a timer will signal
	closed  bool
	idle    chan struct{} // closed when the loop has ended
}

// change is one step.
type change struct {
	apply func(*bolt.Tx) error
	size  int          // of a new record; 0 is a change of another kind
	done  func(error)  // if not nil, called with the commit's error from the committer's goroutine
	count func(*state) // what it adds to the state; may be nil
	lazy  bool         // nobody waits for it: it may wait for company
}

const (
	lazyDelay = 20 * time.Millisecond // a lazy change waits at most this long
	keptDelay = time.Second           // between attempts to write what is kept when nothing else is to be written
)

func newCommitter(o *Outbox) *committer {
	c := &committer{update: o.file.Update, after: o.afterChanges, yield: o.yieldSpare, unwritten: o.unwritten, wake: make(chan struct{}, 1), idle: make(chan struct{})}
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
	if x.lazy {
		c.signalIn(lazyDelay)
	} else {
		c.signal()
	}
	return true
}

func (c *committer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// signalIn signals later, unless a timer will do so already. The caller holds mu.
func (c *committer) signalIn(d time.Duration) {
	if c.timed {
		return
	}
	c.timed = true
	time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.timed = false
		c.signal()
	})
}

func (c *committer) run() {
	defer close(c.idle)
	for range c.wake {
		for {
			batch, more, closed := c.take()
			c.commit(batch)
			if more {
				continue
			}
			if closed {
				return
			}
			break
		}
	}
}

// take returns the next batch and whether there are more.
func (c *committer) take() (batch []*change, more, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, size := 0, 0
	for n < len(c.pending) && size < maxBatch {
		size += c.pending[n].size
		n++
	}
	batch = c.pending[:n:n]
	c.pending = c.pending[n:]
	return batch, len(c.pending) > 0, c.closed
}

// commit writes a batch of changes and those that were kept before. A record that
// cannot be written is refused; any other change is kept for the next time.
func (c *committer) commit(batch []*change) {
	var records []*change
	for _, x := range batch {
		if x.size > 0 {
			records = append(records, x)
		} else {
			c.kept = append(c.kept, x)
		}
	}

	err := c.write(slices.Concat(c.kept, records))
	if err == nil {
		c.kept, records = nil, nil
	} else if len(c.kept) > 0 {
		if err = c.writeKept(); err == nil {
			if err = c.write(records); err == nil {
				records = nil
			}
		}
	}

	for _, x := range records {
		x.done(err)
	}
	c.keep(err)
}

// write makes one transaction.
func (c *committer) write(changes []*change) error {
	if len(changes) == 0 {
		return nil
	}
	err := c.update(func(tx *bolt.Tx) error {
		for _, x := range changes {
			if err := x.apply(tx); err != nil {
				return err
			}
		}
		return c.after(tx, changes)
	})
	if err != nil {
		return err
	}
	for _, x := range changes {
		if x.done != nil {
			x.done(nil)
		}
	}
	return nil
}

// writeKept writes what it can, in order. The fewer changes, the fewer pages of the
// file must be written elsewhere before the old ones are free.
func (c *committer) writeKept() error {
	for n := len(c.kept); n > 0; n = min(n, len(c.kept)) {
		if err := c.write(c.kept[:n]); err == nil {
			c.kept = c.kept[n:]
		} else if n > 1 {
			n /= 2
		} else if c.update(c.yield) != nil {
			return err
		}
	}
	return nil
}

// keep refuses those of the changes left for which somebody waits, and tells when
// some begin to be kept and when they were written. They are tried again with each
// batch, and after a while without one.
func (c *committer) keep(err error) {
	c.kept = slices.DeleteFunc(c.kept, func(x *change) bool {
		if x.done != nil {
			x.done(err)
		}
		return x.done != nil
	})
	if len(c.kept) == 0 {
		if c.fault != nil {
			c.unwritten(0, nil)
		}
		c.fault = nil
		return
	}
	if c.fault == nil {
		c.unwritten(len(c.kept), err)
	}
	c.fault = err
	c.mu.Lock()
	c.signalIn(keptDelay)
	c.mu.Unlock()
}

// close commits what is queued and ends. The error says why changes were lost.
func (c *committer) close() error {
	c.mu.Lock()
	c.closed = true
	c.signal()
	c.mu.Unlock()
	<-c.idle
	return c.fault
}
