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

// The folder of what other processes submit is no link either: the records in it are
// taken away, and it is told which link it is (F53).
func TestPlantedFolder(t *testing.T) {
	elsewhere := t.TempDir()
	submitLog(t, openSubmitter(t, elsewhere), 1)
	dir := t.TempDir()
	if err := os.Symlink(intakeDir(elsewhere), intakeDir(dir)); err != nil {
		t.Skip(err)
	}

	_, opened := Open(Config{Dir: dir})
	_, submits := OpenSubmitter(Config{Dir: dir})
	_, listed := List(dir)
	for what, err := range map[string]error{"open": opened, "submit": submits, "list": listed} {
		if !errors.Is(err, fault.ErrStorage) || !strings.Contains(err.Error(), "in is a symbolic link to "+intakeDir(elsewhere)) {
			t.Errorf("%s: got %v, want %v about the link", what, err, fault.ErrStorage)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v in the outbox, want the link alone", entries, err)
	}

	// One that is put there later is not followed either.
	os.Remove(intakeDir(dir))
	o := openOutbox(t, dir)
	defer o.Close()
	if err := os.Symlink(intakeDir(elsewhere), intakeDir(dir)); err != nil {
		t.Fatal(err)
	}
	o.intake.sweep()
	if err := o.intake.pickUp(); err == nil || len(inTheIntake(t, elsewhere)) != 1 {
		t.Errorf("got %v, and %v elsewhere, want it left alone", err, inTheIntake(t, elsewhere))
	}
}
