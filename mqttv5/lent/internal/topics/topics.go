// Package topics remembers what an adapter of a lent connection has subscribed.
package topics

import (
	"maps"
	"slices"
	"sync"

	"github.com/ulogkit/ulogkit/mqttv5/lent"
)

// Set holds a receiver for each topic. The zero value is empty.
type Set struct {
	mu        sync.RWMutex
	receivers map[string]func(lent.Received)
}

// Add makes receive the receiver of a topic.
func (s *Set) Add(topic string, receive func(lent.Received)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receivers == nil {
		s.receivers = make(map[string]func(lent.Received))
	}
	s.receivers[topic] = receive
}

// Remove forgets the receiver of a topic.
func (s *Set) Remove(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.receivers, topic)
}

// Has reports whether a topic has a receiver.
func (s *Set) Has(topic string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.receivers[topic] != nil
}

// List returns the topics in order.
func (s *Set) List() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Sorted(maps.Keys(s.receivers))
}

// Dispatch hands a message to the receiver of its topic and reports whether there was
// one.
func (s *Set) Dispatch(m lent.Received) bool {
	s.mu.RLock()
	receive := s.receivers[m.Topic]
	s.mu.RUnlock()
	if receive == nil {
		return false
	}
	receive(m)
	return true
}
