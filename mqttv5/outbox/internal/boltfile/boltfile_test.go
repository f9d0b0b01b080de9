package boltfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

var bucket = []byte("b")

// filled returns an open file with n keys, of some 1,000 bytes each.
func filled(t *testing.T, name string, n int) *File {
	t.Helper()
	f, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	err = f.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		for i := 0; err == nil && i < n; i++ {
			err = b.Put([]byte{byte(i >> 8), byte(i)}, make([]byte, 1000))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// count returns how many keys a file has.
func count(t *testing.T, f *File) (n int) {
	t.Helper()
	if err := f.View(func(tx *bolt.Tx) error { n = tx.Bucket(bucket).Stats().KeyN; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// What a process that was killed left of a new file is no part of the next, and a link
// that somebody put in its place leads nowhere.
func TestOldTemporaryFileIsNoPartOfANewOne(t *testing.T) {
	put := func(put func(key, value []byte) error) error { return put([]byte("k"), []byte("v")) }
	for _, plant := range []func(t *testing.T, temp string){
		func(t *testing.T, temp string) { filled(t, temp, 50).Close() },
		func(t *testing.T, temp string) {
			victim := filepath.Join(filepath.Dir(temp), "victim")
			if err := errors.Join(os.WriteFile(victim, nil, 0o644), os.Symlink(victim, temp)); err != nil {
				t.Skip(err)
			}
			t.Cleanup(func() {
				if info, err := os.Lstat(victim); err != nil || info.Size() > 0 || info.Mode() != 0o644 {
					t.Errorf("got a victim of %d bytes, mode %v, %v, want it as it was", info.Size(), info.Mode(), err)
				}
			})
		},
	} {
		name := filepath.Join(t.TempDir(), "f")
		plant(t, name+".tmp")
		if n, err := Build(name, bucket, put); n != 1 || err != nil {
			t.Errorf("build: got %d keys, %v, want 1", n, err)
		}

		name = filepath.Join(t.TempDir(), "f")
		f := filled(t, name, 3)
		plant(t, name+".tmp")
		if err := f.Compact(); err != nil || count(t, f) != 3 {
			t.Errorf("compact: got %d keys, %v, want 3", count(t, f), err)
		}
	}
}

// A new file that cannot be finished leaves nothing: the room is needed.
func TestBuildThatFailsLeavesNothing(t *testing.T) {
	dir, broken := t.TempDir(), errors.New("broken")
	for n := range 2 * batch {
		_, err := Build(filepath.Join(dir, "f"), bucket, func(put func(key, value []byte) error) error {
			for i := range n {
				if err := put([]byte{byte(i)}, []byte("v")); err != nil {
					return err
				}
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Fatalf("got %v, want %v", err, broken)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("got %v, %v, want an empty folder", left, err)
	}
}

// A panic over a broken page is damage, and so is a page that the disk no longer has:
// neither ends the process.
func TestBrokenPagesDoNotEndTheProcess(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	f := filled(t, name, 2000)
	for _, run := range []func(func(*bolt.Tx) error) error{f.View, f.Update} {
		if err := run(func(*bolt.Tx) error { panic("page 7: invalid page type") }); !IsDamage(err) || !strings.Contains(err.Error(), "page 7") {
			t.Errorf("got %v, want damage", err)
		}
	}

	if err := os.Truncate(name, 2*int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if err := f.View(func(tx *bolt.Tx) error { tx.Bucket(bucket).Get([]byte{7, 7}); return nil }); !IsDamage(err) {
		t.Errorf("got %v of a file that was cut, want damage", err)
	}
}

// No file is made through a link that leads to nothing.
func TestOpenMakesNothingThroughALink(t *testing.T) {
	dir := t.TempDir()
	link, target := filepath.Join(dir, "f"), filepath.Join(dir, "target")
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	if _, err := Open(link); err == nil || !strings.Contains(err.Error(), "symbolic link to nothing") {
		t.Errorf("got %v, want it refused", err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v where the link leads, want nothing made through it", err)
	}
}
