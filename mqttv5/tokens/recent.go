package tokens

import (
	"container/list"
	"iter"
)

// recent holds tokens in order of use, most recent first. Order, not time, decides
// what is dropped, so that a clock that jumps changes nothing.
type recent struct {
	limit int
	order *list.List // of *entry
	slots map[Key]*list.Element
}

type entry struct {
	key   Key
	token uint32
}

func newRecent(limit int) recent {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return recent{limit: limit, order: list.New(), slots: make(map[Key]*list.Element)}
}

func (r *recent) get(key Key) (uint32, bool) {
	e, ok := r.slots[key.slot()]
	if !ok {
		return 0, false
	}
	t := e.Value.(*entry)
	if t.key != key {
		return 0, false
	}
	r.order.MoveToFront(e)
	return t.token, true
}

func (r *recent) set(key Key, token uint32) {
	if e, ok := r.slots[key.slot()]; ok {
		*e.Value.(*entry) = entry{key, token}
		r.order.MoveToFront(e)
		return
	}
	r.slots[key.slot()] = r.order.PushFront(&entry{key, token})
	for r.order.Len() > r.limit {
		last := r.order.Back()
		delete(r.slots, last.Value.(*entry).key.slot())
		r.order.Remove(last)
	}
}

func (r *recent) drop(key Key) {
	if e, ok := r.slots[key.slot()]; ok {
		delete(r.slots, key.slot())
		r.order.Remove(e)
	}
}

// all yields the entries, least recently used first, so that setting them in this
// order into another list keeps the order.
func (r *recent) all() iter.Seq[entry] {
	return func(yield func(entry) bool) {
		for e := r.order.Back(); e != nil; e = e.Prev() {
			if !yield(*e.Value.(*entry)) {
				return
			}
		}
	}
}
