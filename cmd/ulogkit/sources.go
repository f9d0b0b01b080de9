package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/progress"
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
		if in.Received, ok = timeInName(filepath.Base(name)); !ok {
			return in, false, fmt.Errorf("--received name: %q holds no time, as in 20261128T093000Z or 1764322200", filepath.Base(name))
		}
	default:
		if in.Received, err = parseWallTime(received); err != nil {
			return in, false, fmt.Errorf("--received: %w", err)
		}
	}
	return in, true, nil
}

var namedTimes = []struct {
	re     *regexp.Regexp
	layout string
}{
	{regexp.MustCompile(`\d{4}-?\d\d-?\d\d[T_-]\d\d[:-]?\d\d[:-]?\d\d(\.\d+)?Z?`), "20060102150405"},
	{regexp.MustCompile(`\b1\d{12}\b|\b1\d{9}\b`), ""},
}

// timeInName finds a time in the name of a file: a date with a time, in UTC, or
// seconds or milliseconds since 1970.
func timeInName(name string) (time.Time, bool) {
	for _, form := range namedTimes {
		found := form.re.FindString(strings.ReplaceAll(name, "_", "-"))
		if found == "" {
			continue
		}
		if form.layout == "" {
			n, err := strconv.ParseInt(found, 10, 64)
			if len(found) == 13 {
				return time.UnixMilli(n), err == nil
			}
			return time.Unix(n, 0), err == nil
		}

		whole, fraction, _ := strings.Cut(strings.TrimSuffix(found, "Z"), ".")
		t, err := time.Parse(form.layout, strings.NewReplacer("-", "", ":", "", "T", "").Replace(whole))
		if err != nil {
			continue
		}

		part, _ := strconv.ParseFloat("0."+fraction+"0", 64)
		return t.Add(time.Duration(part * float64(time.Second))), true
	}
	return time.Time{}, false
}

var wallLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
}

// parseWallTime reads a wall time; one without a zone is UTC, as those of records.
func parseWallTime(s string) (time.Time, error) {
	for _, layout := range wallLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time; write it as in 2026-11-28T09:30:00Z", s)
}

// setBound reads a bound of time: seconds of the device, or a wall time.
func setBound(s string, seconds *float64, wall *time.Time) (err error) {
	if s == "" {
		return nil
	}
	if *seconds, err = strconv.ParseFloat(strings.TrimSuffix(s, "s"), 64); err == nil {
		return nil
	}
	*wall, err = parseWallTime(s)
	if err != nil {
		return fmt.Errorf("%q is neither seconds of the device nor a time as in 2026-11-28T09:30:00Z", s)
	}
	return nil
}
