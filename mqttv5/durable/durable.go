// Package durable writes files that must survive a crash. It is the one way in
// which this repository replaces a file: ReplaceFile for bytes, Create for a
// stream, MakeDir for the folders above, Subfolder for those within and SetAside for
// what cannot be used.
//
// A name holds the old file or the new one and nothing between, whenever the
// process is killed or the power fails, and when a call has returned nil the new
// one is there to stay: its bytes and its folder's entry have been synced. Place alone
// does not wait for that.
package durable

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// KeepMode as a mode gives a new file 0666 less the umask, and one that replaces
// another that one's mode and, where this process may, its owner.
const KeepMode fs.FileMode = 0

// ReplaceFile makes b the content of a file. See Create for mode.
func ReplaceFile(name string, b []byte, mode fs.FileMode) error {
	f, err := Create(name, mode)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Commit()
}

// File is a new file that is not yet under its name.
type File struct {
	*os.File        // the temporary file beside it
	name     string // where it goes
	done     bool
}

// Create begins a file that Commit puts under its name. Until then it has a name
// of its own in the same folder, which nobody else has: two processes that write
// one file do not disturb each other, and the one that commits last stays. The mode
// is exact, whatever the umask is; see KeepMode.
//
// What is there under the name must be a regular file. A symbolic link is refused:
// whoever means its target resolves it first.
func Create(name string, mode fs.FileMode) (*File, error) {
	old, err := os.Lstat(name)
	switch {
	case err == nil:
		if err := regular(name, old); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}

	keep := mode == KeepMode && old != nil
	perm := fs.FileMode(0o600)
	switch {
	case keep:
		mode = old.Mode().Perm()
	case mode == KeepMode:
		perm = 0o666
	}

	temp := filepath.Join(filepath.Dir(name), prefix(name)+rand.Text()+suffix)
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	w := &File{File: f, name: name}
	if keep {
		keepOwner(f, old)
	}

	if mode != KeepMode {
		if err := f.Chmod(mode); err != nil {
			w.Abort()
			return nil, err
		}
	}
	return w, nil
}

// Commit makes the file durable under its name and closes it. When it fails, what
// was there before still is, and nothing is left beside it; only a folder that
// cannot be synced leaves the new file in its place, with an error.
func (f *File) Commit() error {
	defer f.Abort()
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return f.renameDurably()
}

// Place is Commit for a file that need not outlive a power cut: nobody sees half of
// it, and nobody waits for the disk.
func (f *File) Place() error {
	defer f.Abort()
	if err := f.Close(); err != nil {
		return err
	}
	return f.rename()
}

// Appear is Commit for a file that grows: what is written so far is made durable
// under its name, and the file stays open for more. The caller closes it.
func (f *File) Appear() error {
	if err := f.Sync(); err != nil {
		f.Abort()
		return err
	}
	if err := f.renameDurably(); err != nil {
		f.Abort()
		return err
	}
	return nil
}

func (f *File) rename() error {
	if err := os.Rename(f.Name(), f.name); err != nil {
		return err
	}
	f.done = true
	return nil
}

func (f *File) renameDurably() error {
	if err := f.rename(); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(f.name))
}

// Abort throws the file away, unless it was committed. It is safe to defer.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	f.Close()
	os.Remove(f.Name())
}

// Temporary files are named so that nobody takes them for something of the user's.
func prefix(name string) string { return "." + filepath.Base(name) + "." }

const suffix = ".tmp"

// Sweep removes what processes that were killed while they wrote a file left beside
// it. The caller sees to it that nobody writes the file now.
func Sweep(name string) error { return sweep(filepath.Dir(name), prefix(name)) }

// SweepDir is Sweep for all files of a folder.
func SweepDir(dir string) error { return sweep(dir, ".") }

func sweep(dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	random := len(rand.Text())
	for _, e := range entries {
		name, ends := strings.CutSuffix(e.Name(), suffix)
		at := len(name) - random
		ours := ends && at > 1 && strings.HasPrefix(name, prefix) && (prefix == "." || at == len(prefix)) && name[at-1] == '.'
		if ours && e.Type().IsRegular() {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// Rename moves a file to another name, replacing what is there, and makes that
// durable. Both names are in one folder; the file itself must have been synced.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// SetAside renames a file that cannot be used to NAME.damaged-TIME, durably, and
// returns that name. It replaces nothing.
func SetAside(name string) (aside string, err error) {
	aside = name + ".damaged-" + time.Now().UTC().Format("20060102T150405.000000000")
	if _, err := os.Lstat(aside); err == nil {
		return "", &fs.PathError{Op: "set aside", Path: aside, Err: fs.ErrExist}
	}
	return aside, Rename(name, aside)
}

// CheckLock reports what keeps a name from being that of a lock file, which whoever
// takes the lock opens and, if need be, makes: through a link that somebody has put
// there it would be a file elsewhere.
func CheckLock(name string) error {
	info, err := os.Lstat(name)
	if err != nil || info.Mode().IsRegular() {
		return nil // taking the lock tells what is wrong
	}
	return &fs.PathError{Op: "lock", Path: name, Err: fmt.Errorf("%s is a %s, not a lock file", filepath.Base(name), Kind(info))}
}

// ReadStart reads the first n bytes of a file, and all of one that is shorter: what a
// file holds must not say how much memory it takes.
func ReadStart(name string, n int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, n))
}

// SyncDir makes the entries of a folder durable: files that were made, renamed and
// removed in it.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MakeDir makes a folder and those above it that do not exist, each durable in the
// one above. A folder that is there stays as it is.
func MakeDir(dir string, mode fs.FileMode) error {
	var missing []string // the deepest first
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		_, err := os.Stat(at)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return err
		}
		missing = append(missing, at)
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	for _, made := range missing {
		if err := SyncDir(filepath.Dir(made)); err != nil {
			return err
		}
	}
	return nil
}

// Subfolder returns the folder of that name in dir, and makes it, durably, unless it
// is there. See CheckSubfolder.
func Subfolder(dir, name string, mode fs.FileMode) (path string, err error) {
	path = filepath.Join(dir, name)
	if err := CheckSubfolder(dir, name); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return path, err
	}
	if err := CheckSubfolder(dir, name); err != nil { // another process may have made it
		return path, err
	}
	return path, SyncDir(dir)
}

// CheckSubfolder reports what keeps a name in dir, which anybody can predict, from being
// that of a folder: through a link that somebody has put there, what is kept in it would
// go elsewhere, and what lies elsewhere would be taken away. A folder that a person
// names may be a link.
func CheckSubfolder(dir, name string) error {
	path := filepath.Join(dir, name)
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return nil
	case info.Mode()&fs.ModeSymlink == 0:
		return &fs.PathError{Op: "use folder", Path: path, Err: fmt.Errorf("%s is a %s, not a folder; move it away", name, Kind(info))}
	}
	target, err := os.Readlink(path)
	if err != nil {
		return err
	}
	return &fs.PathError{Op: "use folder", Path: path, Err: fmt.Errorf("%s is a symbolic link to %s, which is not followed; remove the link, or mount what it leads to there", name, target)}
}

// regular reports what keeps a file from being replaced.
func regular(name string, fi fs.FileInfo) error {
	if fi.Mode().IsRegular() {
		return nil
	}
	return &fs.PathError{Op: "replace", Path: name, Err: fmt.Errorf("it is a %s, not a regular file", Kind(fi))}
}

// Kind says in words what a file is.
func Kind(fi fs.FileInfo) string {
	switch {
	case fi.Mode().IsRegular():
		return "regular file"
	case fi.IsDir():
		return "directory"
	case fi.Mode()&fs.ModeSymlink != 0:
		return "symbolic link"
	}
	return "special file"
}
