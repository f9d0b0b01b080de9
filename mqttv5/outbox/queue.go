package outbox

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/device"
)

// queue is the outbox's order of delivery, in memory: first in, first out for each
// device, one record of a device in flight at a time, and devices side by side. A
// device that must wait holds up nobody else. The outbox's mutex guards it.
type queue struct {
	devices map[deviceKey]*deviceQueue
	ready   []*deviceQueue // may hold devices that are no longer ready
	waiting waitHeap
	count   int // entries in all devices
}

type deviceKey struct {
	application uint32
	serial      string
}

func keyOf(d *device.Info) deviceKey { return deviceKey{d.ApplicationID, d.DeviceSerial} }

// entry stands for one record that waits.
type entry struct {
	seq      uint64
	size     int   // bytes on disk
	clock    int64 // the outbox's clock when it was accepted, ms
	rank     uint8 // for Config.DropLowest
	attempts int   // Tries.Attempts, while this process lives
	refusals int   // Tries.Refusals
}

type deviceQueue struct {
	key       deviceKey
	entries   []*entry // by sequence number
	leased    *entry   // one of its entries, or nil
	queued    bool     // in ready
	notBefore time.Time
	index     int  // in waiting, or -1
	failures  int  // Tries.Failures
	renewed   bool // Tries.Renewed
}

func newQueue() *queue { return &queue{devices: make(map[deviceKey]*deviceQueue)} }

// add puts an entry in its place: at the end, except for records that return.
func (q *queue) add(key deviceKey, e *entry) {
	d := q.devices[key]
	if d == nil {
		d = &deviceQueue{key: key, index: -1}
		q.devices[key] = d
	}
	at, _ := d.search(e.seq)
	d.entries = slices.Insert(d.entries, at, e)
	q.count++
	q.offer(d)
}

func (d *deviceQueue) search(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(d.entries, seq, func(x *entry, seq uint64) int { return cmp.Compare(x.seq, seq) })
}

func (d *deviceQueue) has(seq uint64) bool {
	_, ok := d.search(seq)
	return ok
}

// offer makes a device ready if it is.
func (q *queue) offer(d *deviceQueue) {
	if d.leased != nil || d.queued || d.index >= 0 || len(d.entries) == 0 {
		return
	}
	if time.Now().Before(d.notBefore) {
		heap.Push(&q.waiting, d)
		return
	}
	d.queued = true
	q.ready = append(q.ready, d)
}

// next returns a device whose first entry may be sent now, and leases that.
// Without one it returns when the next one will be ready; the zero time is never.
func (q *queue) next(now time.Time) (*deviceQueue, time.Time) {
	for len(q.waiting) > 0 && !now.Before(q.waiting[0].notBefore) {
		d := heap.Pop(&q.waiting).(*deviceQueue)
		d.notBefore = time.Time{}
		q.offer(d)
	}
	for len(q.ready) > 0 {
		d := q.ready[0]
		q.ready[0] = nil
		q.ready = q.ready[1:]
		d.queued = false
		if d.leased != nil || len(d.entries) == 0 {
			continue
		}
		d.leased = d.entries[0]
		return d, time.Time{}
	}
	if len(q.waiting) > 0 {
		return nil, q.waiting[0].notBefore
	}
	return nil, time.Time{}
}

// release ends the lease of a device and makes it available again, after a wait.
func (q *queue) release(d *deviceQueue, wait time.Duration) {
	d.leased = nil
	d.notBefore = time.Time{}
	if wait > 0 {
		d.notBefore = time.Now().Add(wait)
	}
	q.offer(d)
	q.forget(d)
}

// remove takes out an entry.
func (q *queue) remove(d *deviceQueue, seq uint64) *entry {
	i, ok := d.search(seq)
	if !ok {
		return nil
	}
	e := d.entries[i]
	if i == 0 {
		d.entries[0] = nil // without moving the rest
		d.entries = d.entries[1:]
	} else {
		d.entries = slices.Delete(d.entries, i, i+1)
	}
	q.count--
	q.forget(d)
	return e
}

// forget drops a device that has nothing left, so that the map does not grow with
// every device ever seen.
func (q *queue) forget(d *deviceQueue) {
	if len(d.entries) > 0 || d.leased != nil || d.queued {
		return
	}
	if d.index >= 0 {
		heap.Remove(&q.waiting, d.index)
	}
	delete(q.devices, d.key)
}

// waitHeap orders devices by when they may be tried again.
type waitHeap []*deviceQueue

func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].notBefore.Before(h[j].notBefore) }
func (h waitHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push implements heap.Interface.
func (h *waitHeap) Push(x any) {
	d := x.(*deviceQueue)
	d.index = len(*h)
	*h = append(*h, d)
}

// Pop implements heap.Interface.
func (h *waitHeap) Pop() any {
	old := *h
	d := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	d.index = -1
	return d
}
