package dict

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrNoDictionary means that a store has nothing for a firmware.
var ErrNoDictionary = errors.New("no dictionary for this firmware")

// maxFiles is the number of files that a store follows.
const maxFiles = 4096

// minHash is the length from which a git hash is taken as one, the shortest
// that git abbreviates to.
const minHash = 7

// Store finds the dictionary of a firmware in the files of a directory and of those
// below it: ELF
// files and dictionary files, added and replaced as firmware is built. It
// reads a file when it is first asked for, and again when it has changed. A
// file that cannot be read any more, since it is being written, keeps what it
// had.
//
// A file belongs to a firmware if its ID says so, or if its name without
// extension is the firmware's git hash or version, or else if the firmware
// holds the git hash as text, which agents need to tell it.
//
// A Store may be used by several goroutines.
type Store struct {
	dir   string
	file  string // the only one of the store, or empty
	mu    sync.Mutex
	files map[string]*storeFile // by name
}

type storeFile struct {
	size    int64
	changed time.Time
	dict    *Dictionary
	err     error // of the last try to read it
}

// OpenStore returns the store of the files in the directory at path, or of the
// one file that is there.
func OpenStore(path string) (*Store, error) {
	s := &Store{dir: path, files: map[string]*storeFile{}}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; give an ELF file of firmware, a dictionary, or a directory of them", path, reason(err))
	}
	if !info.IsDir() {
		s.dir, s.file = filepath.Split(path)
	} else if _, err := s.names(); err != nil {
		return nil, err
	}
	return s, nil
}

// reason returns the error without the name of the file and of the call.
func reason(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// All reads all dictionaries of the store, in the order of the files' names. A
// file that has not changed has the dictionary of the last call, and so has one
// that cannot be read any more. Files that hold none are skipped; the errors say
// which of either kind there are and why. It fails if nothing is left.
func (s *Store) All() (all []*Dictionary, skipped []error, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names, err := s.names()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		d, err := s.load(name)
		if err != nil {
			skipped = append(skipped, err)
		}
		if d != nil {
			all = append(all, d)
		}
	}

	switch {
	case len(all) > 0:
		return all, skipped, nil
	case s.file != "":
		return nil, nil, skipped[0]
	}

	err = fmt.Errorf("%s: %w: no .elf, .axf, .out, .json or .csv file in it is one", s.dir, ErrNoDictionary)
	return nil, nil, errors.Join(append([]error{err}, skipped...)...)
}

// names lists the files that may hold a dictionary, in order, and forgets those
// that are gone.
func (s *Store) names() ([]string, error) {
	if s.file != "" {
		return []string{s.file}, nil
	}

	var names []string
	err := filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(s.dir, path)
		hidden := strings.HasPrefix(e.Name(), ".") && path != s.dir
		switch {
		case err != nil && path == s.dir:
			return err
		case err != nil || hidden:
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case !e.IsDir() && s.holds(path, name):
			names = append(names, name)
		}

		return nil
	})
	if err != nil {
		return nil, err
	}

	slices.Sort(names)
	if len(names) > maxFiles {
		return nil, fmt.Errorf("%s: %w: %d files, a store has %d at most", s.dir, ErrTooLarge, len(names), maxFiles)
	}
	for name := range s.files {
		if _, ok := slices.BinarySearch(names, name); !ok {
			delete(s.files, name)
		}
	}
	return names, nil
}

// holds reports whether a file may hold a dictionary: by its name, or where that has
// no extension, by its first bytes.
func (s *Store) holds(path, name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".elf", ".axf", ".out", ".json", ".csv":
		return true
	case "":
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return false // to open a pipe would wait
		}
		f, err := os.Open(path)
		if err != nil {
			return false
		}
		defer f.Close()
		var magic [4]byte
		n, _ := f.ReadAt(magic[:], 0)
		return string(magic[:n]) == "\x7fELF"
	}
	return false
}

// Lookup returns the dictionary of a firmware. The error is ErrNoDictionary if
// there is none; it tells which files could not be read, since one of those may
// be the right one.
func (s *Store) Lookup(id ID) (*Dictionary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	names, err := s.names()
	if err != nil {
		return nil, err
	}

	// A name that fits spares reading all other files.
	slices.SortStableFunc(names, func(a, b string) int { return rank(a, id) - rank(b, id) })
	var failed []error
	for _, match := range []func(*Dictionary, string) bool{id.isOf, id.isHeldBy} {
		failed = failed[:0]
		for _, name := range names {
			d, err := s.load(name)
			if d == nil {
				failed = append(failed, err)
				continue
			}
			if match(d, name) {
				return d, nil
			}
		}
	}

	err = fmt.Errorf("%s: %w: git hash %q, version %q", s.dir, ErrNoDictionary, id.GitHash, id.Version)
	return nil, errors.Join(append([]error{err}, failed...)...)
}

// load returns the dictionary in a file, read anew if the file has changed. With
// the error that the file cannot be read it may return what it had.
func (s *Store) load(name string) (*Dictionary, error) {
	path := filepath.Join(s.dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, reason(err))
	}
	f := s.files[name]
	if f == nil {
		f = &storeFile{}
		s.files[name] = f
	}
	if f.size != info.Size() || !f.changed.Equal(info.ModTime()) {
		var d *Dictionary
		if d, f.err = Load(path); f.err == nil {
			f.dict = d
		}
		f.size, f.changed = info.Size(), info.ModTime()
	}
	return f.dict, f.err
}

// rank sorts the files whose names fit to the front.
func rank(name string, id ID) int {
	if id.names(name) {
		return 0
	}
	return 1
}

// names reports whether a file is named after the firmware.
func (id ID) names(file string) bool {
	file = filepath.Base(file)
	stem := strings.TrimSuffix(file, filepath.Ext(file))
	return stem != "" && (stem == id.Version || sameHash(stem, id.GitHash))
}

// isOf reports whether d, from a file of this name, says that it is of the
// firmware.
func (id ID) isOf(d *Dictionary, file string) bool {
	if d.ID.DeviceType != "" && id.DeviceType != "" && d.ID.DeviceType != id.DeviceType {
		return false
	}
	if d.ID.GitHash != "" && id.GitHash != "" {
		return sameHash(d.ID.GitHash, id.GitHash)
	}
	return id.Version != "" && d.ID.Version == id.Version || id.names(file)
}

// isHeldBy reports whether the firmware d holds the git hash.
func (id ID) isHeldBy(d *Dictionary, _ string) bool {
	return len(id.GitHash) >= minHash && d.Contains(id.GitHash)
}

// sameHash reports whether one git hash is the other or abbreviates it.
func sameHash(a, b string) bool {
	return min(len(a), len(b)) >= minHash && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}
