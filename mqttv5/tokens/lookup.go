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
//
// The file may be one of the vendor's library, which knows a token by its serial number
// and firmware alone. Without a path what File keeps at its default path comes first,
// and then what the library keeps at its own.
type Lookup struct {
	log *slog.Logger

	mu    sync.Mutex
	files []*lookupFile // the first that knows a token tells whose it is
}

// lookupFile is a file as it was read last.
type lookupFile struct {
	path    string
	seen    fs.FileInfo // nil when there was none
	known   map[tokenOf]Key
	foreign map[uint32]Key // of the library, by token
	builds  builds
}

// builds are the git hashes of the firmware that tokens were issued for; empty where
// several were.
type builds map[uint32]string

func (b builds) add(token uint32, gitHash string) {
	if other, taken := b[token]; taken && other != gitHash {
		gitHash = ""
	}
	b[token] = gitHash
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

	path, err := defaultPath(cfg.Path)
	if err != nil {
		return nil, err
	}
	s.files = append(s.files, &lookupFile{path: path})
	if err := s.files[0].load(); err != nil {
		return nil, err
	}

	if beside := libraryPath(); cfg.Path == "" && beside != "" {
		f := &lookupFile{path: beside}
		if err := f.load(); err != nil { // nobody has named it
			s.log.Warn("devices are not looked up in a file that is none of the library's", "error", err)
		}
		s.files = append(s.files, f)
	}
	return s, nil
}

// Lookup returns the session that a token of an application belongs to. It reports
// false when there is none, and when there are several, of different brokers: a
// device must not get the name of another.
func (s *Lookup) Lookup(customer, group string, application, token uint32) (Key, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.files {
		s.refresh(f)
		key, ok := f.known[tokenOf{customer, group, application, token}]
		if !ok {
			if key, ok = f.foreign[token]; ok && key.DeviceSerial != "" {
				key.CustomerID, key.GroupID, key.ApplicationID = customer, group, application
			}
		}
		if ok {
			return key, key.DeviceSerial != ""
		}
	}
	return Key{}, false
}

// GitHash returns the git hash of the firmware that a token was issued for, for a log
// whose application is not known. It reports false when there is none, and when there
// are several, of different firmware.
func (s *Lookup) GitHash(token uint32) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.files {
		s.refresh(f)
		if hash, ok := f.builds[token]; ok {
			return hash, hash != ""
		}
	}
	return "", false
}

// refresh reads a file again when it has changed.
func (s *Lookup) refresh(f *lookupFile) {
	if !changed(f.path, f.seen) {
		return
	}
	if err := f.load(); err != nil {
		s.log.Warn("cannot look up devices; those of before stay known", "error", err)
	}
}

// load reads the file. What cannot be read is not tried again until it changes.
func (f *lookupFile) load() error {
	list, fi, err := read(f.path, math.MaxInt)
	f.seen = fi
	if errors.Is(err, fs.ErrNotExist) {
		f.known, f.foreign, f.builds = nil, nil, nil
		return nil
	}
	if errors.Is(err, errForeign) {
		if theirs, ok := readForeign(f.path); ok {
			f.known, f.foreign, f.builds = nil, theirs.byToken(), theirs.builds()
			return nil
		}
	}
	if err != nil {
		return failed("read", f.path, err)
	}

	f.known, f.foreign, f.builds = map[tokenOf]Key{}, nil, builds{}
	for e := range list.all() {
		f.builds.add(e.token, e.key.GitHash)
		at := tokenOf{e.key.CustomerID, e.key.GroupID, e.key.ApplicationID, e.token}
		if other, taken := f.known[at]; taken && (other.DeviceSerial != e.key.DeviceSerial || other.GitHash != e.key.GitHash) {
			e.key = Key{} // nobody's
		}
		f.known[at] = e.key
	}
	return nil
}

// byToken returns whose each token is. One that two devices have is nobody's.
func (f foreign) byToken() map[uint32]Key {
	known := make(map[uint32]Key, len(f))
	for _, m := range f {
		token, hash, ok := m.token()
		if !ok || m.name == "" {
			continue
		}
		key := Key{DeviceSerial: m.name, GitHash: hash}
		if _, taken := known[token]; taken {
			key = Key{}
		}
		known[token] = key
	}
	return known
}

// builds returns what firmware each token was issued for.
func (f foreign) builds() builds {
	all := make(builds, len(f))
	for _, m := range f {
		if token, hash, ok := m.token(); ok {
			all.add(token, hash)
		}
	}
	return all
}
