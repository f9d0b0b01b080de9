package mqttv5

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// Largest token file that is read, in bytes: far beyond DefaultStoreLimit entries.
const maxStoreFile = 16 << 20

// FileStoreConfig says where a FileStore keeps its tokens.
type FileStoreConfig struct {
	// Path is the file. Its directory is made when it does not exist.
	// Default: ~/.ulogger/session_tokens.json.
	Path string

	// Limit is the number of tokens to keep. Default: DefaultStoreLimit.
	Limit int

	// Logger is told when a damaged file was set aside. Default: discards.
	Logger *slog.Logger
}

// FileStore keeps the most recently used tokens in a file that many processes may
// share. Every change is merged into what the file holds, under a lock on the file
// PATH.lock, and written so that a crash leaves the old or the new file and
// nothing between. The file is for its owner alone (mode 0600).
//
// A file that cannot be read as JSON is set aside as PATH.damaged-TIME, the Logger
// is told, and the store begins anew: tokens can be fetched again.
type FileStore struct {
	path  string
	limit int
	log   *slog.Logger
	sync  func(*os.File) error // tests count it

	mu      sync.Mutex
	list    recent
	seen    os.FileInfo // of the file that list was read from; nil when there was none
	touched []SessionKey
}

// OpenFileStore returns a store on a file, which need not exist yet.
func OpenFileStore(cfg FileStoreConfig) (*FileStore, error) {
	s := &FileStore{path: cfg.Path, limit: cfg.Limit, log: cfg.Logger, sync: (*os.File).Sync, list: newRecent(cfg.Limit)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.path, err = storePath(s.path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return nil, s.fault("make directory of", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.locked(context.Background(), s.load); err != nil {
		return nil, err
	}
	return s, nil
}

// Path returns the file's name.
func (s *FileStore) Path() string { return s.path }

func (s *FileStore) fault(op string, err error) error { return storeFault(op, s.path, err) }

func storeFault(op, path string, err error) error {
	return &Error{Op: op + " token file " + path, Class: ErrStorage, Err: fault.PathCause(err)}
}

// storePath returns the path, or that of the default.
func storePath(path string) (string, error) {
	if path != "" {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", &Error{Op: "find token file", Class: ErrConfig, Err: err, Hint: "give a path"}
	}
	return filepath.Join(home, ".ulogger", "session_tokens.json"), nil
}

// Token implements SessionStore.
func (s *FileStore) Token(ctx context.Context, key SessionKey) (uint32, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if storeChanged(s.path, s.seen) {
		if err := s.locked(ctx, s.load); err != nil {
			return 0, false, err
		}
	}
	token, ok := s.list.get(key)
	if ok && len(s.touched) < s.list.limit {
		s.touched = append(s.touched, key) // the order is written with the next change
	}
	return token, ok, nil
}

// SetToken implements SessionStore.
func (s *FileStore) SetToken(ctx context.Context, key SessionKey, token uint32) error {
	return s.change(ctx, func() { s.list.set(key, token) })
}

// DropToken implements SessionStore.
func (s *FileStore) DropToken(ctx context.Context, key SessionKey) error {
	return s.change(ctx, func() { s.list.drop(key) })
}

// change merges one change into the file.
func (s *FileStore) change(ctx context.Context, f func()) error {
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
		if err := s.write(); err != nil {
			return s.fault("write", err)
		}
		s.touched = s.touched[:0]
		return nil
	})
}

// locked runs f while this process holds the lock on the side file. The token file
// itself cannot be locked: it is replaced by each change.
func (s *FileStore) locked(ctx context.Context, f func() error) error {
	lock := flock.New(s.path+".lock", flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, 5*time.Millisecond); err != nil {
		if ctx.Err() != nil {
			err = errors.New("another process holds its lock")
		}
		return s.fault("lock", err)
	}
	defer lock.Unlock()
	return f()
}

// storeChanged reports whether the file is another than the one that was seen last,
// nil when there was none.
func storeChanged(path string, seen os.FileInfo) bool {
	fi, err := os.Lstat(path)
	if err != nil {
		return seen != nil || !errors.Is(err, os.ErrNotExist)
	}
	return seen == nil || !os.SameFile(fi, seen) || !fi.ModTime().Equal(seen.ModTime()) || fi.Size() != seen.Size()
}

// openTokens opens the file, unless it is something else.
func openTokens(path string) (*os.File, os.FileInfo, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return nil, nil, storeFault("read", path, err)
	}
	if !fi.Mode().IsRegular() {
		return nil, fi, storeFault("read", path, fmt.Errorf("it is a %s, not a regular file; name the file itself", kindOf(fi)))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fi, storeFault("read", path, err)
	}
	return f, fi, nil
}

// load reads the file into list. The lock is held.
func (s *FileStore) load() error {
	f, fi, err := openTokens(s.path)
	if errors.Is(err, os.ErrNotExist) {
		s.list, s.seen = newRecent(s.limit), nil
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if fi.Mode().Perm()&0o077 != 0 {
		s.log.Warn("token file was open to others and is now mode 0600", "file", s.path, "mode", fmt.Sprintf("%04o", fi.Mode().Perm()))
		if err := f.Chmod(0o600); err != nil {
			return s.fault("protect", err)
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, maxStoreFile+1))
	if err != nil {
		return s.fault("read", err)
	}
	list, err := decodeTokens(b, s.limit)
	if err != nil {
		return s.setAside(err)
	}
	s.list, s.seen = list, fi
	return nil
}

// setAside keeps a damaged file for whoever wants to look, and begins anew.
func (s *FileStore) setAside(reason error) error {
	aside := s.path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000000000")
	if err := os.Rename(s.path, aside); err != nil {
		return s.fault("set aside", err)
	}
	s.log.Warn("token file was damaged and has been set aside; devices will register again", "file", s.path, "kept", aside, "reason", reason)
	s.list, s.seen = newRecent(s.limit), nil
	return nil
}

// write replaces the file. The lock is held.
func (s *FileStore) write() (err error) {
	dir, temp := filepath.Dir(s.path), s.path+".tmp"
	// What a killed process left behind. The lock makes the name ours.
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(encodeTokens(&s.list)); err != nil {
		return err
	}
	if err = s.sync(f); err != nil {
		return err
	}
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), s.path); err != nil {
		return err
	}
	s.seen = fi
	return syncDir(dir, s.sync)
}

// syncDir makes a rename durable.
func syncDir(dir string, sync func(*os.File) error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return sync(d)
}

func kindOf(fi os.FileInfo) string {
	switch {
	case fi.IsDir():
		return "directory"
	case fi.Mode()&os.ModeSymlink != 0:
		return "symbolic link"
	}
	return "special file"
}
