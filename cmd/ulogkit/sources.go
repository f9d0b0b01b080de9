package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/progress"
	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/times"
	"github.com/ulogkit/ulogkit/format/text"
)

// expandSources replaces the folders among the names by the files in and below them,
// without hidden ones, in the order of their names.
func expandSources(names []string) (files []string, err error) {
	for _, name := range names {
		info, err := os.Stat(name)
		if name == "-" || err != nil || !info.IsDir() {
			files = append(files, name) // what is wrong shows when it is opened
			continue
		}

		before := len(files)
		err = filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
			switch hidden := path != name && strings.HasPrefix(entry.Name(), "."); {
			case err != nil:
				return err
			case hidden && entry.IsDir():
				return filepath.SkipDir
			case !hidden && entry.Type().IsRegular():
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(files) == before {
			return nil, fmt.Errorf("%s: the folder holds no files", name)
		}
	}
	return files, nil
}

// input makes an input of a time line, if the file can be read twice. The meter counts
// what is read.
func input(name, received string, meter *progress.Meter) (in text.Input, ok bool, err error) {
	info, err := os.Stat(name)
	if name == "-" || err != nil || !info.Mode().IsRegular() {
		return text.Input{}, false, nil
	}

	in = text.Input{Name: name, Open: func() (io.ReadCloser, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, errors.Unwrap(err) // the name is told anyway
		}
		return meter.File(f), nil
	}}
	switch received {
	case "":
	case "mtime":
		in.Received = info.ModTime()
	case "name":
		if in.Received, ok = times.InName(filepath.Base(name)); !ok {
			return in, false, fmt.Errorf("--received name: %q holds no time, as in 20261128T093000Z or 1764322200", filepath.Base(name))
		}
	default:
		if in.Received, err = times.Parse(received); err != nil {
			return in, false, fmt.Errorf("--received: %w", err)
		}
	}
	return in, true, nil
}

// setBound reads a bound of time: seconds of the device, or a wall time.
func setBound(s string, seconds *float64, wall *time.Time) (err error) {
	if s == "" {
		return nil
	}
	if *seconds, err = strconv.ParseFloat(strings.TrimSuffix(s, "s"), 64); err == nil {
		return nil
	}
	*wall, err = times.Parse(s)
	if err != nil {
		return fmt.Errorf("%q is neither seconds of the device nor a time as in 2026-11-28T09:30:00Z", s)
	}
	return nil
}
