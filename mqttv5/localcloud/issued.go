package localcloud

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
)

// issued holds the session tokens that were given out.
type issued struct {
	mu      sync.Mutex
	byToken map[uint32]device
	tokens  map[device]uint32 // the last one
	asked   map[device]int
}

type device struct {
	application uint32
	serial      string
}

func newIssued() *issued {
	i := &issued{}
	i.forget()
	return i
}

func (i *issued) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.byToken, i.tokens, i.asked = make(map[uint32]device), make(map[device]uint32), make(map[device]int)
}

// issue gives a device a new token and says how often it has asked.
func (i *issued) issue(d device) (token uint32, times int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var b [4]byte
	for token == 0 || i.byToken[token] != (device{}) {
		rand.Read(b[:])
		token = binary.LittleEndian.Uint32(b[:])
	}
	i.byToken[token], i.tokens[d] = d, token
	i.asked[d]++
	return token, i.asked[d]
}

func (i *issued) current(application uint32, serial string) (uint32, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	t, ok := i.tokens[device{application, serial}]
	return t, ok
}

func (i *issued) owner(token uint32) (device, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	d, ok := i.byToken[token]
	return d, ok
}
