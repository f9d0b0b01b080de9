package link

import "sync"

// routes hands messages that arrive to whoever waits for their exact topic. No
// wildcard is ever subscribed by those who use it.
type routes struct {
	mu      sync.RWMutex
	byTopic map[string]map[*route]struct{}
}

// route is one receiver; take must not block.
type route struct{ take func(*Received) }

// add makes take receive a topic until the function that it returns is called.
func (r *routes) add(topic string, take func(*Received)) (remove func()) {
	e := &route{take}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byTopic == nil {
		r.byTopic = make(map[string]map[*route]struct{})
	}
	if r.byTopic[topic] == nil {
		r.byTopic[topic] = make(map[*route]struct{})
	}
	r.byTopic[topic][e] = struct{}{}

	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.byTopic[topic], e)
		if len(r.byTopic[topic]) == 0 {
			delete(r.byTopic, topic)
		}
	}
}

func (r *routes) dispatch(m *Received) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for e := range r.byTopic[m.Topic] {
		e.take(m)
	}
}
