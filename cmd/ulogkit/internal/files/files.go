// Package files reads and writes the files that the command line is given: "-"
// stands for standard input and output, a file that is read has a bounded size, and
// one that is written is there whole or not at all. What a person may not have meant
// is refused before a command starts: an output that is also an input, and one that
// replaces a file which the command did not write itself.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
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

// Replace makes the bytes the content of the named file, or writes them to stdout
// if the name is "-". An existing file keeps its mode and is replaced at once, so
// that a reader and a power cut see the old content or the new; behind a symbolic
// link it is the target that is replaced. What is not a regular file, such as a
// pipe, is written to.
func Replace(name string, b []byte, stdout io.Writer) error {
	if name == "-" {
		_, err := stdout.Write(b)
		return err
	}
	target, regular, err := resolve(name)
	if err != nil {
		return cause(err)
	}
	if !regular {
		return writeTo(name, b)
	}
	return cause(durable.ReplaceFile(target, b, durable.KeepMode))
}

// resolve follows links to the file that is to be written, which need not be
// there. It is not regular if it must be written to and never be replaced.
func resolve(name string) (target string, regular bool, err error) {
	// Stat sees through links that have no name to resolve to, such as
	// /dev/stdout when it is a pipe: those must never be renamed over.
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		return "", false, &fs.PathError{Op: "write", Path: name, Err: errDirectory}
	case err == nil && !info.Mode().IsRegular():
		return name, false, nil
	case err == nil:
		target, err = filepath.EvalSymlinks(name)
		return target, true, err
	case !errors.Is(err, fs.ErrNotExist):
		return "", false, err
	}
	if _, err := os.Lstat(name); err == nil {
		return "", false, errors.New("is a symbolic link to nothing")
	}
	return name, true, nil
}

var errDirectory = errors.New("is a directory")

// Patch writes the bytes over those at the offset of the named file, by one write
// down to the disk, or all of whole to stdout if the name is "-". The file stays
// the one it is: its owner, mode and attributes, and what else links to it. Bytes
// that lie within the first 512 are written all or not at all, since no disk
// writes less than that.
func Patch(name string, whole []byte, at, n int, stdout io.Writer) error {
	if name == "-" {
		_, err := stdout.Write(whole)
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return cause(err)
	}
	if _, err = f.WriteAt(whole[at:at+n], int64(at)); err == nil {
		err = f.Sync()
	}
	return cause(errors.Join(err, f.Close()))
}

func writeTo(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return cause(err)
	}
	_, err = f.Write(b)
	return cause(errors.Join(err, f.Close()))
}
