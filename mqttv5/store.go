package mqttv5

import (
	"context"
	"sync"
)

// DefaultStoreLimit is the number of tokens a store keeps when it is given 0.
const DefaultStoreLimit = 4096

// SessionKey names the session that a token belongs to. A token obtained from one
// broker or for one firmware is never used with another.
type SessionKey struct {
	Broker        string // host:port
	CustomerID    string
	GroupID       string
	ApplicationID uint32
	DeviceSerial  string
	GitHash       string // firmware the token was issued for
}

// slot is the key without the firmware: one device has one current token.
func (k SessionKey) slot() SessionKey {
	k.GitHash = ""
	return k
}

// SessionStore keeps session tokens between uploads. Implementations are safe for
// concurrent use. Token reports false when there is no token, or when it was
// issued for another GitHash.
type SessionStore interface {
	Token(ctx context.Context, key SessionKey) (token uint32, ok bool, err error)
	SetToken(ctx context.Context, key SessionKey, token uint32) error
	DropToken(ctx context.Context, key SessionKey) error
}

// MemoryStore keeps the most recently used tokens in memory.
type MemoryStore struct {
	mu   sync.Mutex
	list recent
}

// NewMemoryStore returns an empty store of at most limit tokens; 0 means
// DefaultStoreLimit.
func NewMemoryStore(limit int) *MemoryStore {
	return &MemoryStore{list: newRecent(limit)}
}

// Token implements SessionStore.
func (s *MemoryStore) Token(_ context.Context, key SessionKey) (uint32, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token, ok := s.list.get(key)
	return token, ok, nil
}

// SetToken implements SessionStore.
func (s *MemoryStore) SetToken(_ context.Context, key SessionKey, token uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list.set(key, token)
	return nil
}

// DropToken implements SessionStore.
func (s *MemoryStore) DropToken(_ context.Context, key SessionKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list.drop(key)
	return nil
}
