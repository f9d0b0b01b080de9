package localcloud

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
)

// sessions holds the tokens that were given out.
type sessions struct {
	mu      sync.Mutex
	byToken map[uint32]device
	tokens  map[device]uint32 // the last one
	asked   map[device]int
}

type device struct {
	application uint32
	serial      string
}

func newSessions() *sessions {
	s := &sessions{}
	s.forget()
	return s
}

func (s *sessions) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byToken, s.tokens, s.asked = make(map[uint32]device), make(map[device]uint32), make(map[device]int)
}

// begin gives a device a new token and says how often it has asked.
func (s *sessions) begin(d device) (token uint32, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b [4]byte
	for token == 0 || s.byToken[token] != (device{}) {
		rand.Read(b[:])
		token = binary.LittleEndian.Uint32(b[:])
	}
	s.byToken[token], s.tokens[d] = d, token
	s.asked[d]++
	return token, s.asked[d]
}

func (s *sessions) current(application uint32, serial string) (uint32, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tokens[device{application, serial}]
	return t, ok
}

func (s *sessions) owner(token uint32) (device, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.byToken[token]
	return d, ok
}
