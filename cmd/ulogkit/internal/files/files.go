// Package files reads and writes the files that the command line is given:
// "-" stands for standard input and output, a file that is read has a bounded
// size, and one that is written is there whole or not at all.
package files

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// MaxSize is the most that Read takes, in bytes: a thousand times the largest
// log, and more than the memory of any device that could dump it.
const MaxSize = 64 << 20

// Read returns the bytes of the named file, or of stdin if the name is "-".
func Read(name string, stdin io.Reader) ([]byte, error) {
	from := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, cause(err)
		}
		defer f.Close()
		from = f
	}
	b, err := io.ReadAll(io.LimitReader(from, MaxSize+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(b) > MaxSize {
		return nil, fmt.Errorf("has more than %d MiB, which no log or crash dump has", MaxSize>>20)
	}
	return b, nil
}

// cause drops the name from an error, since callers say it.
func cause(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	if link := (*os.LinkError)(nil); errors.As(err, &link) {
		return link.Err
	}
	return err
}

// Write makes the bytes the content of the named file, or writes them to
// stdout if the name is "-". An existing file keeps its mode and is replaced
// at once, so that a reader and a power cut see the old content or the new; a
// new file gets mode 0644 less the umask. What is not a regular file, such as
// a pipe, is written to.
func Write(name string, b []byte, stdout io.Writer) error {
	if name == "-" {
		_, err := stdout.Write(b)
		return err
	}
	mode, exists := fs.FileMode(0o644), false
	// Stat sees through links that have no name to resolve to, such as
	// /dev/stdout when it is a pipe: those must never be renamed over.
	info, err := os.Stat(name)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return overwrite(name, b)
	case err == nil:
		mode, exists = info.Mode().Perm(), true
		if name, err = filepath.EvalSymlinks(name); err != nil {
			return cause(err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return cause(err)
	default:
		if _, err := os.Lstat(name); err == nil {
			return errors.New("is a symbolic link to nothing")
		}
	}
	dir := filepath.Dir(name)
	temp := filepath.Join(dir, "."+filepath.Base(name)+"."+rand.Text()+".tmp")
	if err = create(temp, mode, exists, b); err == nil {
		err = os.Rename(temp, name)
	}
	if err != nil {
		os.Remove(temp)
		return cause(err)
	}
	return cause(syncDir(dir))
}

// create writes a new file down to the disk. An exact mode is not subject to
// the umask.
func create(name string, mode fs.FileMode, exact bool, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil && exact {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func overwrite(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return cause(err)
	}
	_, err = f.Write(b)
	return cause(errors.Join(err, f.Close()))
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
