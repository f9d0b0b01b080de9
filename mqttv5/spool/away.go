package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// Folders of the spool itself.
const (
	dirDone = "done"
	dirBad  = "bad"
)

// accepted removes a file, or moves it to done.
func (s *Spool) accepted(name string) error {
	if s.cfg.Keep {
		_, err := s.move(name, dirDone)
		return err
	}
	if err := os.Remove(filepath.Join(s.cfg.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("it was accepted and cannot be removed, so that it will be accepted again: %w", err)
	}
	return nil
}

// setAside moves a file to bad and writes the reason beside it.
func (s *Spool) setAside(name string, reason error) error {
	s.cfg.Logger.Error("file of the spool is bad; it is set aside", "file", name, "reason", reason)
	aside, err := s.move(name, dirBad)
	if err != nil {
		return err
	}
	s.count(func(st *Stats) { st.Bad++ })
	// Without room for it the log has the reason, and the file is safe.
	if err := durable.ReplaceFile(aside+".reason", []byte(reason.Error()+"\n"), 0o600); err != nil {
		s.cfg.Logger.Warn("cannot write why a file is bad", "file", aside, "error", err)
	}
	return nil
}

// move moves a file to a folder of the spool's own under a name that is free there,
// and returns that name.
func (s *Spool) move(name, to string) (path string, err error) {
	from := filepath.Join(s.cfg.Dir, name)
	dir, err := durable.Subfolder(s.cfg.Dir, to, 0o700)
	if err != nil {
		return "", err
	}
	if sub := filepath.Dir(name); sub != "." { // of a device
		if dir, err = durable.Subfolder(dir, sub, 0o700); err != nil {
			return "", err
		}
	}

	base := filepath.Base(name)
	for n := 1; ; n++ {
		path = filepath.Join(dir, base)
		// A link fails where a rename would replace what is there.
		err = os.Link(from, path)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		base = fmt.Sprintf("%s.%d", filepath.Base(name), n)
	}
	if err == nil {
		err = os.Remove(from)
	} else if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
		err = os.Rename(from, path) // a file system without links
	}
	if err != nil {
		return "", fmt.Errorf("cannot move it to %s: %w", to, err)
	}
	return path, durable.SyncDir(dir)
}
