package files

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/durable/durabletest"
)

// An output is on the disk under its name when a command says that it has written it,
// or the old one is.
func TestOutputsAreDurable(t *testing.T) {
	text := func(w io.Writer) error {
		_, err := io.WriteString(w, "new")
		return err
	}

	for name, c := range map[string]struct {
		step func(f string) error
		want string
	}{
		"write": {
			func(f string) error { return (&Output{Name: f, Force: true}).Write([]byte("new"), nil) },
			"fsync temp, rename f, fsync .",
		},
		"stream": {
			func(f string) error {
				_, err := (&Output{Name: f, Force: true}).WriteFrom(text, nil)
				return err
			},
			"fsync temp, rename f, fsync .",
		},
		"grow": {
			func(f string) error {
				out, err := (&Output{Name: f, Force: true}).Grow(text)
				if err != nil {
					return err
				}
				return out.Close()
			},
			"fsync temp, rename f, fsync .",
		},
		"extract": {
			func(f string) error { return Extract(f, []byte("new"), true) },
			"fsync temp, rename f, fsync .",
		},
		"patch": {
			func(f string) error { return Patch(f, []byte("new"), 0, 3, nil) },
			"fsync f",
		},
		"folder": {
			func(f string) error { return MakeDir(filepath.Join(filepath.Dir(f), "a", "b")) },
			"mkdir a, mkdir a/b, fsync a, fsync .",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "f")
			write(t, file, "old")
			calls, failed := durabletest.Calls(t, dir, func(dir string) error { return c.step(filepath.Join(dir, "f")) })
			if got := strings.Join(calls, ", "); got != c.want || failed {
				t.Errorf("got %s (failed: %v), want %s", got, failed, c.want)
			}
			if name != "folder" {
				holds(t, file, "new")
			}
		})
	}
}

// An extraction's folder is its owner's alone, and one that was there stays as it is.
func TestMakeDirIsTheOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := errors.Join(os.Mkdir(open, 0o755), MakeDir(filepath.Join(dir, "new")), MakeDir(open)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"new": 0o700, "open": 0o755} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got mode %v, %v, want %o", name, info.Mode(), err, want)
		}
	}
}
