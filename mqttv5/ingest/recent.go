package ingest

import (
	"encoding/binary"
	"time"
)

// defaultWindow is the number of messages among which copies are recognised.
const defaultWindow = 1 << 16

// recent remembers the keys of the last messages. It is a ring of them in order
// of arrival and, to find one, a hash table of places in the ring with linear
// probing. It allocates nothing after its creation, which a map that is always
// deleted from and inserted into does.
type recent struct {
	ring  []remembered
	table []uint32      // place in ring plus 1; 0 is empty
	next  uint64        // number of keys ever added; the next place is next % len(ring)
	first uint64        // the oldest that is remembered
	age   time.Duration // longest time that a key is remembered; 0 is no limit
}

type remembered struct {
	key Key
	at  int64 // ns since 1970
}

// newRecent returns a memory of at most n keys.
func newRecent(n int, age time.Duration) *recent {
	size := 16
	for size < 2*n {
		size *= 2
	}
	return &recent{ring: make([]remembered, n), table: make([]uint32, size), age: age}
}

// add remembers a key and reports true, or reports false if it is remembered
// already.
func (r *recent) add(key Key, at time.Time) bool {
	now := at.UnixNano()
	for r.age > 0 && r.first < r.next && now-r.at(r.first).at > int64(r.age) {
		r.drop(r.first)
		r.first++
	}
	slot, found := r.find(key)
	if found {
		return false
	}
	if r.next-r.first == uint64(len(r.ring)) {
		r.drop(r.first)
		r.first++
		slot, _ = r.find(key) // dropping moves entries
	}
	place := r.next % uint64(len(r.ring))
	r.ring[place] = remembered{key, now}
	r.table[slot] = uint32(place) + 1
	r.next++
	return true
}

// mark returns a point in time for forget.
func (r *recent) mark() uint64 { return r.next }

// forget forgets the keys added since mark.
func (r *recent) forget(mark uint64) {
	for r.next > max(mark, r.first) {
		r.next--
		r.drop(r.next)
	}
}

func (r *recent) at(n uint64) *remembered { return &r.ring[n%uint64(len(r.ring))] }

// home is where a key's search begins. Keys are hashes, so any of their bytes do.
func (r *recent) home(key Key) uint32 {
	return binary.LittleEndian.Uint32(key[:]) & uint32(len(r.table)-1)
}

// find returns the slot of a key, or the empty slot where it belongs.
func (r *recent) find(key Key) (slot uint32, found bool) {
	mask := uint32(len(r.table) - 1)
	for slot = r.home(key); ; slot = (slot + 1) & mask {
		place := r.table[slot]
		if place == 0 {
			return slot, false
		}
		if r.ring[place-1].key == key {
			return slot, true
		}
	}
}

// drop takes the n-th key out of the table and closes the hole: every entry that
// the hole would hide from its search moves into it.
func (r *recent) drop(n uint64) {
	hole, found := r.find(r.at(n).key)
	if !found {
		return
	}
	mask := uint32(len(r.table) - 1)
	for slot := (hole + 1) & mask; r.table[slot] != 0; slot = (slot + 1) & mask {
		home := r.home(r.ring[r.table[slot]-1].key)
		if (slot-home)&mask >= (slot-hole)&mask {
			r.table[hole] = r.table[slot]
			hole = slot
		}
	}
	r.table[hole] = 0
}
