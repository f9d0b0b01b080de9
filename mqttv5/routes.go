package mqttv5

import (
	"sync"

	"github.com/eclipse/paho.golang/paho"
)

// routes hands incoming messages to whoever waits for their exact topic. No
// wildcard is ever subscribed.
type routes struct {
	mu      sync.RWMutex
	byTopic map[string]map[*route]struct{}
}

// route is one receiver; take must not block.
type route struct {
	topic string
	take  func(*paho.Publish)
}

func newRoutes() *routes { return &routes{byTopic: make(map[string]map[*route]struct{})} }

func (r *routes) add(topic string, take func(*paho.Publish)) *route {
	e := &route{topic, take}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byTopic[topic] == nil {
		r.byTopic[topic] = make(map[*route]struct{})
	}
	r.byTopic[topic][e] = struct{}{}
	return e
}

// remove reports whether nobody waits for the topic any more.
func (r *routes) remove(e *route) (last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byTopic[e.topic], e)
	if len(r.byTopic[e.topic]) > 0 {
		return false
	}
	delete(r.byTopic, e.topic)
	return true
}

func (r *routes) dispatch(p *paho.Publish) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for e := range r.byTopic[p.Topic] {
		e.take(p)
	}
}
