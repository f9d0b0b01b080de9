package tokens

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// Config says where a File keeps its tokens, and where Lookup finds them.
type Config struct {
	// Path is the file. File makes its directory when it does not exist. The directory
	// may be a link, also the default one: a home folder is its owner's alone, who may
	// have put that elsewhere.
	// Default: ulogkit/session_tokens.json below $XDG_STATE_HOME, or ~/.local/state.
	Path string

	// Limit is the number of tokens to keep. Default: DefaultLimit.
	Limit int

	// Logger is told when a damaged file was set aside. Default: discards.
	Logger *slog.Logger
}

// File keeps the most recently used tokens in a file that many processes may share.
// It implements Store. Every change is merged into what the file holds, under a
// lock on the file PATH.lock, and written so that a crash leaves the old or the new
// file and nothing between. The file is for its owner alone (mode 0600).
//
// A file that begins as one of ours and cannot be read is set aside as
// PATH.damaged-TIME, the Logger is told, and the store begins anew: tokens can be
// fetched again. A file of anything else, of another program or of a newer version,
// is refused with ErrConfig and stays as it is.
//
// A file of the vendor's library is used in that library's own format, with its mode
// and owner and all that is not understood. At the default path of the library,
// ~/.ulogger/session_tokens.json, tokens are looked up when Path is not set, and
// nothing is written.
type File struct {
	path  string
	limit int
	log   *slog.Logger

	mu      sync.Mutex
	list    recent
	seen    fs.FileInfo // of the file that list was read from; nil when there was none
	touched []Key

	foreign bool           // the file is one of the vendor's library
	theirs  foreign        // what it held; list is then what was set here
	beside  string         // file in which a token is looked up that this one has not
	refused map[Key]uint32 // tokens of that file which were dropped here
}

// OpenFile returns a store on a file, which need not exist yet.
func OpenFile(cfg Config) (*File, error) {
	s := &File{limit: cfg.Limit, log: cfg.Logger, list: newRecent(cfg.Limit), refused: make(map[Key]uint32)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.path, err = defaultPath(cfg.Path); err != nil {
		return nil, err
	}
	if cfg.Path == "" {
		s.beside = libraryPath()
	} else if list, ok := readForeign(s.path); ok {
		s.openForeign(list, nil)
		return s, nil
	}

	// What is not ours gets no lock beside it either.
	if _, _, err := read(s.path, s.limit); errors.Is(err, errForeign) {
		return nil, failed("read", s.path, err)
	}
	if err := durable.MakeDir(filepath.Dir(s.path), 0o700); err != nil {
		return nil, failed("make directory of", s.path, err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	err = s.locked(context.Background(), func() error {
		if err := durable.Sweep(s.path); err != nil {
			s.log.Warn("what a killed process left beside the token file cannot be removed", "file", s.path, "reason", err)
		}
		return s.load()
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Path returns the file's name.
func (s *File) Path() string { return s.path }

// Files returns the files that a File or a Lookup of a path uses: that one, or without
// a path those at the default places, of ulogkit and of the vendor's library.
func Files(path string) (names []string) {
	name, err := defaultPath(path)
	if err == nil {
		names = append(names, name)
	}
	if beside := libraryPath(); path == "" && beside != "" {
		names = append(names, beside)
	}
	return names
}

// LockName returns the name of the lock of a token file.
func LockName(path string) string { return path + ".lock" }

func failed(op, path string, err error) error {
	e := &fault.Error{Op: op + " token file " + path, Class: fault.ErrStorage, Err: fault.PathCause(err)}
	if errors.Is(err, errForeign) {
		e.Class, e.Hint = fault.ErrConfig, "it was left as it is; name another file"
	}
	return e
}

// defaultPath returns the path, or that of the default.
func defaultPath(path string) (string, error) {
	if path != "" {
		return path, nil
	}
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "ulogkit", "session_tokens.json"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", &fault.Error{Op: "find token file", Class: fault.ErrConfig, Err: err, Hint: "give a path"}
	}
	return filepath.Join(home, ".local", "state", "ulogkit", "session_tokens.json"), nil
}

// libraryPath returns where the vendor's library keeps tokens, when it is asked to,
// and where ulogkit once did. It is empty when there is no home.
func libraryPath() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".ulogger", "session_tokens.json")
}

// fromBeside looks a token up in the file that is only read.
func (s *File) fromBeside(key Key) (uint32, bool) {
	if s.beside == "" {
		return 0, false
	}
	var token uint32
	var ok bool
	if theirs, is := readForeign(s.beside); is {
		token, ok = theirs.find(key.DeviceSerial, key.GitHash)
	} else if list, _, err := read(s.beside, s.limit); err == nil {
		token, ok = list.get(key)
	}
	return token, ok && token != s.refused[key]
}

// Token implements Store.
func (s *File) Token(ctx context.Context, key Key) (uint32, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	if s.foreign {
		if token, ok := s.list.get(foreignKey(key)); ok {
			return token, true, nil
		}
		if changed(s.path, s.seen) {
			if err := s.locked(ctx, func() error { return s.changeForeign(func(f foreign) foreign { return f }) }); err != nil {
				return 0, false, err
			}
		}
		token, ok := s.theirs.find(key.DeviceSerial, key.GitHash)
		return token, ok, nil
	}

	if changed(s.path, s.seen) {
		if err := s.locked(ctx, s.load); err != nil {
			return 0, false, err
		}
	}

	token, ok := s.list.get(key)
	if ok && len(s.touched) < s.list.limit {
		s.touched = append(s.touched, key) // the order is written with the next change
	}
	if !ok {
		token, ok = s.fromBeside(key)
	}
	return token, ok, nil
}

// SetToken implements Store.
func (s *File) SetToken(ctx context.Context, key Key, token uint32) error {
	if s.foreign {
		return s.setForeign(ctx, key, token)
	}
	return s.change(ctx, func() { s.list.set(key, token) })
}

// DropToken implements Store.
func (s *File) DropToken(ctx context.Context, key Key) error {
	if s.foreign {
		return s.setForeign(ctx, key, 0)
	}
	return s.change(ctx, func() {
		if token, ok := s.fromBeside(key); ok {
			s.refused[key] = token // it stays in that file, which is only read
		}
		s.list.drop(key)
	})
}

// change merges one change into the file.
func (s *File) change(ctx context.Context, f func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locked(ctx, func() error {
		if err := s.load(); err != nil {
			return err
		}
		for _, key := range s.touched {
			s.list.get(key)
		}

		f()
		if err := durable.ReplaceFile(s.path, encode(&s.list), 0o600); err != nil {
			return failed("write", s.path, err)
		}

		fi, err := os.Lstat(s.path)
		if err != nil {
			return failed("write", s.path, err)
		}
		s.seen, s.touched = fi, s.touched[:0]
		return nil
	})
}

// lockTime is how long a change waits for those of other processes. Who holds the lock
// has it for one write; on a slow disk, many in front of one take long.
const lockTime = time.Minute

// locked runs f while this process holds the lock on the side file. The token file
// itself cannot be locked: it is replaced by each change.
func (s *File) locked(ctx context.Context, f func() error) error {
	if err := durable.CheckLock(LockName(s.path)); err != nil {
		return failed("lock", s.path, err)
	}
	lock := flock.New(LockName(s.path), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(ctx, lockTime)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		if ctx.Err() != nil {
			err = errors.New("another process holds its lock")
		}
		return failed("lock", s.path, err)
	}
	defer lock.Unlock()
	return f()
}

// load reads the file into list. The lock is held.
func (s *File) load() error {
	list, fi, err := read(s.path, s.limit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.list, s.seen = newRecent(s.limit), nil
		return nil
	case errors.Is(err, errDamaged):
		return s.setAside(err)
	case err != nil:
		return failed("read", s.path, err)
	}

	if fi.Mode().Perm()&0o077 != 0 {
		s.log.Warn("token file was open to others and is now mode 0600", "file", s.path, "mode", fmt.Sprintf("%04o", fi.Mode().Perm()))
		if err := os.Chmod(s.path, 0o600); err != nil {
			return failed("protect", s.path, err)
		}
	}
	s.list, s.seen = list, fi
	return nil
}

// setAside keeps a damaged file for whoever wants to look, and begins anew.
func (s *File) setAside(reason error) error {
	aside, err := durable.SetAside(s.path)
	if err != nil {
		return failed("set aside", s.path, err)
	}
	s.log.Warn("token file was damaged and has been set aside; devices will register again", "file", s.path, "kept", aside, "reason", reason)
	s.list, s.seen = newRecent(s.limit), nil
	return nil
}

// read reads a token file and says what it is; it changes nothing. The FileInfo is
// nil when there is no file.
func read(path string, limit int) (recent, fs.FileInfo, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return recent{}, nil, err
	}
	if !fi.Mode().IsRegular() {
		return recent{}, fi, fmt.Errorf("it is a %s, not a regular file; name the file itself", durable.Kind(fi))
	}

	b, err := durable.ReadStart(path, maxContent+1)
	if err != nil {
		return recent{}, fi, err
	}
	list, err := decode(b, limit)
	return list, fi, err
}

// changed reports whether the file is another than the one that was seen last, nil
// when there was none.
func changed(path string, seen fs.FileInfo) bool {
	fi, err := os.Lstat(path)
	if err != nil {
		return seen != nil || !errors.Is(err, fs.ErrNotExist)
	}
	return seen == nil || !os.SameFile(fi, seen) || !fi.ModTime().Equal(seen.ModTime()) || fi.Size() != seen.Size()
}
