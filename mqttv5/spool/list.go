package spool

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// file is one that may be taken.
type file struct {
	name  string // from the spool's folder on
	size  int64
	mtime time.Time
}

// list returns the files of a folder in their order, the folders in it, and what else
// is there.
func list(dir, sub string) (files []file, folders []string, odd map[string]string, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, sub))
	if err != nil {
		return nil, nil, nil, err
	}

	odd = map[string]string{}
	for _, e := range entries {
		name := filepath.Join(sub, e.Name())
		info, err := e.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // gone meanwhile
		case err != nil:
			odd[name] = err.Error()
		case reserved(sub, e.Name()):
		case info.IsDir():
			folders = append(folders, e.Name())
		case !info.Mode().IsRegular():
			odd[name] = "it is a " + durable.Kind(info) + "; only regular files are taken"
		default:
			files = append(files, file{name, info.Size(), info.ModTime()})
		}
	}

	slices.SortStableFunc(files, func(a, b file) int { return a.mtime.Compare(b.mtime) }) // ReadDir sorts by name
	return files, folders, odd, nil
}

// reserved reports whether a name is not for messages.
func reserved(sub, name string) bool {
	switch {
	case strings.HasPrefix(name, "."), strings.HasSuffix(name, ".tmp"), strings.HasSuffix(name, ".part"):
		return true
	case sub == "":
		return name == dirDone || name == dirBad
	}
	return name == fileJSON || name == fileBLE
}
