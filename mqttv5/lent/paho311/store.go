package paho311

import (
	"fmt"
	"sync"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
)

// store tells when a message has left the store of paho: that is when its PUBACK has
// come. A token says less: after a reconnection it completes without an error when the
// message is sent again.
type store struct {
	mqtt.Store

	mu      sync.Mutex
	waiting map[string][]chan struct{} // by key, who waits for it to go
}

// Put implements mqtt.Store. It keeps a copy, and Get gives one: paho marks what it
// finds as sent before, and in the store that it has by default these are the packets
// that another of its goroutines may be sending just then.
func (s *store) Put(key string, p packets.ControlPacket) { s.Store.Put(key, apart(p)) }

// Get implements mqtt.Store.
func (s *store) Get(key string) packets.ControlPacket { return apart(s.Store.Get(key)) }

// apart returns a message as a copy, but for its payload, which nobody changes.
func apart(p packets.ControlPacket) packets.ControlPacket {
	publish, ok := p.(*packets.PublishPacket)
	if !ok {
		return p
	}
	one := *publish
	return &one
}

// Del implements mqtt.Store.
func (s *store) Del(key string) {
	s.Store.Del(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, gone := range s.waiting[key] {
		close(gone)
	}
	delete(s.waiting, key)
}

// gone returns a channel that is closed when a message is no longer in the store.
func (s *store) gone(id uint16) <-chan struct{} {
	key := fmt.Sprintf("o.%d", id) // paho's, of what it sends
	gone := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Store.Get(key) == nil {
		close(gone)
		return gone
	}
	if s.waiting == nil {
		s.waiting = make(map[string][]chan struct{})
	}
	s.waiting[key] = append(s.waiting[key], gone)
	return gone
}
