package localcloud

import (
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
)

// takeovers keeps apart the connections that bear one client identifier. When one
// without a session ends, the broker removes subscriptions and client by that
// identifier, and does not look whether a later connection has it by then: a client
// that came back at once would stay connected and get nothing more. Here the later one
// waits until the earlier is gone, and an earlier one that ends while a later comes
// waits until that has taken over, for then the broker removes nothing.
type takeovers struct {
	mu     sync.Mutex
	coming map[string]*mochi.Client // between CONNECT and CONNACK, by client identifier
	ending map[string]*mochi.Client // are about to be removed
}

// takeoverTime is the longest wait for another connection.
const takeoverTime = 5 * time.Second

func newTakeovers() *takeovers {
	return &takeovers{coming: make(map[string]*mochi.Client), ending: make(map[string]*mochi.Client)}
}

// come waits until an earlier connection that is ending is gone.
func (t *takeovers) come(cl *mochi.Client, present *mochi.Clients) {
	await(func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		for id, old := range t.ending {
			if now, ok := present.Get(id); !ok || now != old {
				delete(t.ending, id)
			}
		}
		if t.ending[cl.ID] != nil {
			return false
		}
		for id, other := range t.coming {
			if other.Closed() { // it never came
				delete(t.coming, id)
			}
		}
		t.coming[cl.ID] = cl
		return true
	})
}

// came notes that a connection has taken over.
func (t *takeovers) came(cl *mochi.Client) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.coming[cl.ID] == cl {
		delete(t.coming, cl.ID)
	}
}

// end waits for a later connection that is coming, before the broker removes this one.
func (t *takeovers) end(cl *mochi.Client) {
	await(func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		if cl.IsTakenOver() {
			return true
		}
		if later := t.coming[cl.ID]; later != nil && later != cl && !later.Closed() {
			return false
		}
		t.ending[cl.ID] = cl
		return true
	})
}

// await waits until something is so, at most takeoverTime.
func await(so func() bool) {
	for begin := time.Now(); !so() && time.Since(begin) < takeoverTime; {
		time.Sleep(time.Millisecond)
	}
}
