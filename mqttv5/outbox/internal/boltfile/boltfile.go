// Package boltfile opens a file of bbolt that may be damaged, and makes one anew.
//
// bbolt trusts its file: a page number that points nowhere ends the process. Here
// the structure is checked first, and a fault in the mapped file or a panic over a
// broken page becomes an error. Nothing here knows what the file holds.
package boltfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// ErrDamaged says that the structure of a file is broken.
var ErrDamaged = errors.New("file structure is damaged")

// IsDamage tells a broken file from one that cannot be used now.
func IsDamage(err error) bool {
	if errors.Is(err, os.ErrPermission) {
		return false
	}
	for _, damage := range [...]error{ErrDamaged, bolterrors.ErrInvalid, bolterrors.ErrChecksum, bolterrors.ErrVersionMismatch} {
		if errors.Is(err, damage) {
			return true
		}
	}
	return false
}

// File is an open file.
type File struct {
	name string

	mu  sync.RWMutex // held for writing while the file is exchanged
	db  *bolt.DB
	err error // why db is nil
}

// Open checks the structure of a file and opens it, or makes one, for its owner
// alone, durable in its folder. Each commit is synced.
func Open(name string) (*File, error) {
	if err := check(name); err != nil {
		return nil, err
	}
	_, err := os.Lstat(name)
	isNew := errors.Is(err, os.ErrNotExist)
	if _, err := os.Stat(name); !isNew && errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is a symbolic link to nothing; no file is made through it", filepath.Base(name))
	}

	f := &File{name: name}
	if err := f.open(); err != nil {
		return nil, err
	}
	if isNew {
		if err := durable.SyncDir(filepath.Dir(name)); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

func (f *File) open() error {
	return sheltered(func() (err error) {
		f.db, err = bolt.Open(f.name, 0o600, &bolt.Options{Timeout: time.Second, FreelistType: bolt.FreelistMapType})
		return err
	})
}

// Update runs a transaction that is on disk when it returns nil.
func (f *File) Update(step func(*bolt.Tx) error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.err != nil {
		return f.err
	}
	return sheltered(func() error { return f.db.Update(step) })
}

// View runs a transaction that only reads.
func (f *File) View(step func(*bolt.Tx) error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.err != nil {
		return f.err
	}
	return sheltered(func() error { return f.db.View(step) })
}

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil
	}
	f.err = bolterrors.ErrDatabaseNotOpen
	return sheltered(f.db.Close)
}

// Syncs reports whether commits are synced, as they are unless somebody has turned
// that off.
func (f *File) Syncs() bool { return !f.db.NoSync && !f.db.NoGrowSync && !f.db.NoFreelistSync }

// Size returns how long the file is, in bytes.
func (f *File) Size() (int64, error) {
	fi, err := os.Stat(f.name)
	if err != nil {
		return 0, err
	}
	return fi.Size(), nil
}

// How much Compact copies in one transaction, in bytes.
const compactBatch = 4 << 20

// Compact copies what the file holds into a new one without its free pages, and puts
// that in its place when all of it is on disk. Transactions wait meanwhile. When it
// fails, the file is as it was.
func (f *File) Compact() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	temp := f.name + ".tmp" // whoever compacts holds the outbox's lock
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err := sheltered(func() error {
		db, err := bolt.Open(temp, 0o600, nil)
		if err != nil {
			return err
		}
		return errors.Join(bolt.Compact(db, f.db, compactBatch), db.Close())
	})
	if err != nil {
		os.Remove(temp)
		return err
	}

	if err := sheltered(f.db.Close); err != nil {
		os.Remove(temp)
		f.err = err
		return err
	}

	err = durable.Rename(temp, f.name)
	if err != nil {
		os.Remove(temp) // the room is needed
	}

	f.err = f.open()
	return errors.Join(err, f.err)
}

// sheltered turns a fault in the mapped file, as of a failing disk, and a panic of
// bbolt over a broken page into an error.
func sheltered(step func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return step()
}

// batch is how many entries Build writes in one transaction.
const batch = 64

// Build makes a new file with one bucket, of what fill gives to put, and when all of
// it is on disk puts the file under its name. It returns the number of keys; of two
// values for one key the later stays.
func Build(name string, bucket []byte, fill func(put func(key, value []byte) error) error) (n int, err error) {
	temp := name + ".tmp" // whoever builds holds the outbox's lock
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	db, err := bolt.Open(temp, 0o600, nil)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			db.Close()
			os.Remove(temp)
		}
	}()

	type pair struct{ key, value []byte }
	var pairs []pair
	flush := func() error {
		defer func() { pairs = pairs[:0] }()
		return db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(bucket)
			if err != nil {
				return err
			}
			for _, p := range pairs {
				if err := b.Put(p.key, p.value); err != nil {
					return err
				}
			}
			return nil
		})
	}

	err = fill(func(key, value []byte) error {
		pairs = append(pairs, pair{append([]byte(nil), key...), append([]byte(nil), value...)})
		if len(pairs) < batch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err == nil {
		// Of what was committed: statistics do not see what a transaction has put.
		err = db.View(func(tx *bolt.Tx) error {
			n = tx.Bucket(bucket).Stats().KeyN
			return nil
		})
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		return 0, err
	}
	return n, durable.Rename(temp, name)
}
