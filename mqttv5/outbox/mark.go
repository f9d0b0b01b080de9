package outbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// A mark beside the file says that there is one: it is made once the first file is on
// disk, before anything is accepted. Without it a file that storage lost, or cut to
// nothing, would be taken for an outbox that is new.
func markName(dir string) string { return filepath.Join(dir, "outbox.made") }

const mark = "This folder holds an outbox of ulogkit. If outbox.db is gone, its records are lost.\n"

var errGone = errors.New("the file is empty or gone, and there was one")

// gone reports whether the file of an outbox is lost without a trace of its own.
func gone(dir string) (bool, error) {
	_, err := os.Lstat(markName(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info, err := os.Stat(fileName(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return err == nil && info.Size() == 0, err
}

// leaveMark makes the mark, if there is none.
func leaveMark(dir string) error {
	if _, err := os.Lstat(markName(dir)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return durable.ReplaceFile(markName(dir), []byte(mark), 0o600)
}

// standIn makes an empty file where there is none, to be set aside as what is left.
func standIn(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}
