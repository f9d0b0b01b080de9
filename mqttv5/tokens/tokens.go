// Package tokens keeps the session tokens of devices: in memory, or in a file that
// many processes share.
//
// A device gets a token by registering, which costs a round trip through the cloud;
// each of its logs carries the token. [Memory] forgets when the process ends, [File]
// does not, and [Lookup] answers the other question: whose is this token?
package tokens

import (
	"context"
	"sync"
)

// DefaultLimit is the number of tokens a store keeps when it is given 0.
const DefaultLimit = 4096

// Key names the session that a token belongs to. A token obtained from one broker
// or for one firmware is never used with another.
type Key struct {
	Broker        string // host:port
	CustomerID    string
	GroupID       string
	ApplicationID uint32
	DeviceSerial  string
	GitHash       string // firmware the token was issued for
}

// slot is the key without the firmware: one device has one current token.
func (k Key) slot() Key {
	k.GitHash = ""
	return k
}

// Store keeps session tokens between uploads. Implementations are safe for
// concurrent use. Token reports false when there is no token, or when it was
// issued for another GitHash.
type Store interface {
	Token(ctx context.Context, key Key) (token uint32, ok bool, err error)
	SetToken(ctx context.Context, key Key, token uint32) error
	DropToken(ctx context.Context, key Key) error
}

// Memory keeps the most recently used tokens in memory. It implements Store.
type Memory struct {
	mu   sync.Mutex
	list recent
}

// NewMemory returns an empty store of at most limit tokens; 0 means DefaultLimit.
func NewMemory(limit int) *Memory { return &Memory{list: newRecent(limit)} }

// Token implements Store.
func (s *Memory) Token(_ context.Context, key Key) (uint32, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token, ok := s.list.get(key)
	return token, ok, nil
}

// SetToken implements Store.
func (s *Memory) SetToken(_ context.Context, key Key, token uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list.set(key, token)
	return nil
}

// DropToken implements Store.
func (s *Memory) DropToken(_ context.Context, key Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list.drop(key)
	return nil
}
