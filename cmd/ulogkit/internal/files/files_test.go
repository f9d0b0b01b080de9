package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// zeros never ends.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestReadHasABound(t *testing.T) {
	if _, err := Read("-", zeros{}); err == nil || !strings.Contains(err.Error(), "64 MiB") {
		t.Errorf("error %v, want an error that says \"64 MiB\"", err)
	}
	b, err := Read("-", io.LimitReader(zeros{}, MaxSize))
	if err != nil || len(b) != MaxSize {
		t.Errorf("%d bytes, error %v, want %d", len(b), err, MaxSize)
	}
}

func TestErrorsLeaveTheNameToTheCaller(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]error{filepath.Join(dir, "absent"): fs.ErrNotExist, dir: syscall.EISDIR} {
		if _, err := Read(name, nil); !errors.Is(err, want) || strings.Contains(err.Error(), dir) {
			t.Errorf("read %s: got error %v, want %v without the folder's name", name, err, want)
		}
	}
	if err := Replace(filepath.Join(dir, "absent", "x"), nil, nil); !errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), dir) {
		t.Errorf("write: got error %v, want %v without the folder's name", err, fs.ErrNotExist)
	}
}

func TestReplaceKeepsModeLinkAndReaders(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "x")
	var stdout bytes.Buffer
	if err := Replace("-", []byte("out"), &stdout); err != nil || stdout.String() != "out" {
		t.Errorf("got %q on standard output, error %v; want %q", &stdout, err, "out")
	}

	if err := Replace(name, []byte("one"), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o666); err != nil { // no umask leaves this to a new file
		t.Fatal(err)
	}

	link := filepath.Join(dir, "link")
	if err := os.Symlink("x", link); err != nil {
		t.Fatal(err)
	}

	// A reader that has the old file open goes on reading the old content.
	reader, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := Replace(link, []byte("two"), nil); err != nil {
		t.Fatal(err)
	}

	old, err := io.ReadAll(reader)
	if err != nil || string(old) != "one" {
		t.Errorf("got %q in the open file, error %v; want %q", old, err, "one")
	}
	b, err := os.ReadFile(name)
	if err != nil || string(b) != "two" {
		t.Errorf("got %q in the file, error %v; want %q", b, err, "two")
	}

	info, err := os.Lstat(name)
	if err != nil || info.Mode() != 0o666 {
		t.Errorf("got mode %v of the file, error %v; want %v", info.Mode(), err, fs.FileMode(0o666))
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("got mode %v of the link, error %v; want a symbolic link", info.Mode(), err)
	}

	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("got %v in the folder, error %v; want the file and the link alone", entries, err)
	}
}

// What is not a regular file is written to and never replaced, under whatever
// name it is reached.
func TestPipesAreWrittenToNotReplaced(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()

	// This link has no file name at its end, as /dev/stdout has none.
	if err := os.Symlink(fmt.Sprintf("/dev/fd/%d", writer.Fd()), link); err != nil {
		t.Fatal(err)
	}
	open := map[string]func() (*os.File, error){
		fifo: func() (*os.File, error) { return os.OpenFile(fifo, os.O_RDWR, 0) }, // with a reader, Write does not wait
		link: func() (*os.File, error) { return reader, nil },
	}

	for name, open := range open {
		before, err := os.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		from, err := open()
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		if err := Replace(name, []byte("through"), nil); err != nil {
			t.Fatal(err)
		}

		b := make([]byte, 7)
		if _, err := io.ReadFull(from, b); err != nil || string(b) != "through" {
			t.Errorf("%s: got %q, error %v; want %q", name, b, err, "through")
		}
		if after, err := os.Lstat(name); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: got another file, error %v; want the one that was there", name, err)
		}
	}

	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("got %v in the folder, error %v; want 2 entries", entries, err)
	}
}

func TestLinkToNothingIsNotWrittenThrough(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("absent", link); err != nil {
		t.Fatal(err)
	}
	if err := Replace(link, nil, nil); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("error %v, want an error that says \"symbolic link\"", err)
	}
}

// A patched file stays the one it is: its mode, its owner and what else links to
// it; of its bytes only those that are asked for change.
func TestPatchKeepsTheFile(t *testing.T) {
	dir := t.TempDir()
	name, hard := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(name, 0o640), os.Link(name, hard)); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(name, 1234, 4321); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}

	if err := Patch(name, []byte("abcdefghij"), 2, 3, nil); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(hard)
	if err != nil || string(b) != "01cde56789" {
		t.Errorf("got %q, %v by the other link, want 01cde56789", b, err)
	}
	after, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) || after.Mode() != before.Mode() {
		t.Errorf("got mode %v, want %v of the same file", after.Mode(), before.Mode())
	}
	if got, want := after.Sys().(*syscall.Stat_t), before.Sys().(*syscall.Stat_t); got.Uid != want.Uid || got.Gid != want.Gid {
		t.Errorf("got owner %d:%d, want %d:%d", got.Uid, got.Gid, want.Uid, want.Gid)
	}

	var out bytes.Buffer
	if err := Patch("-", []byte("all of it"), 2, 3, &out); err != nil || out.String() != "all of it" {
		t.Errorf("got %q, %v on standard output, want all of it", out.String(), err)
	}
}
