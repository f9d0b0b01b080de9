package tokens

import (
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"sync"
)

// Lookup looks devices up in the file of a File, which it only reads, by their
// tokens. It reads the file again when it has changed. It knows the current
// token of each device: one that a newer has replaced is unknown. It is safe for
// concurrent use.
type Lookup struct {
	path string
	log  *slog.Logger

	mu    sync.Mutex
	seen  fs.FileInfo // of the file that was read last; nil when there was none
	known map[tokenOf]Key
}

// tokenOf is what a log and its topic tell of a session.
type tokenOf struct {
	customer, group    string
	application, token uint32
}

// OpenLookup reads the token file that cfg.Path names. One that does not exist
// holds no tokens until it does. If the file is damaged later, Logger is told, and
// what it held before stays known. Limit is not used.
func OpenLookup(cfg Config) (*Lookup, error) {
	s := &Lookup{log: cfg.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.path, err = defaultPath(cfg.Path); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	return s, nil
}

// Lookup returns the session that a token of an application belongs to. It reports
// false when there is none, and when there are several, of different brokers: a
// device must not get the name of another.
func (s *Lookup) Lookup(customer, group string, application, token uint32) (Key, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if changed(s.path, s.seen) {
		if err := s.load(); err != nil {
			s.log.Warn("cannot look up devices; those of before stay known", "error", err)
		}
	}
	key := s.known[tokenOf{customer, group, application, token}]
	return key, key.DeviceSerial != ""
}

// load reads the file. What cannot be read is not tried again until it changes.
func (s *Lookup) load() error {
	list, fi, err := read(s.path, math.MaxInt)
	s.seen = fi
	if errors.Is(err, fs.ErrNotExist) {
		s.known = nil
		return nil
	}
	if err != nil {
		return failed("read", s.path, err)
	}

	s.known = map[tokenOf]Key{}
	for e := range list.all() {
		at := tokenOf{e.key.CustomerID, e.key.GroupID, e.key.ApplicationID, e.token}
		if other, taken := s.known[at]; taken && (other.DeviceSerial != e.key.DeviceSerial || other.GitHash != e.key.GitHash) {
			e.key = Key{} // nobody's
		}
		s.known[at] = e.key
	}
	return nil
}
