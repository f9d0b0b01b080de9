package outbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// F53: nothing is made through a link that stands where a file of the outbox will be.
func TestNothingIsMadeThroughPlantedLinks(t *testing.T) {
	for name, open := range map[string]func(dir string) error{
		"outbox.lock": func(dir string) error {
			o, err := Open(Config{Dir: dir})
			if err == nil {
				err = o.Close()
			}
			return err
		},
		"outbox.db": func(dir string) error {
			o, err := Open(Config{Dir: dir})
			if err == nil {
				err = o.Close()
			}
			return err
		},
		"in.lock": func(dir string) error {
			s, err := OpenSubmitter(Config{Dir: dir})
			if err == nil {
				_, err = s.SubmitLog(t.Context(), devicetest.Info(1), devicetest.Log(t, 1, 100))
			}
			return err
		},
	} {
		dir, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
		if err := os.Symlink(victim, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
		if err := open(dir); !errors.Is(err, fault.ErrStorage) || !strings.Contains(err.Error(), name+" is a symbolic link") {
			t.Errorf("%s: got %v, want %v about the link", name, err, fault.ErrStorage)
		}
		if _, err := os.Lstat(victim); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %v where the link leads, want %v: nothing is made through it", name, err, fs.ErrNotExist)
		}
	}
}
