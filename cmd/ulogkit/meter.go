package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mattn/go-isatty"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/progress"
)

// screen returns the terminal on which a person watches standard error, and nil where
// there is none. A command that writes its results line by line passes streams: when
// these go to a terminal they tell how far it is.
func screen(streams bool) io.Writer {
	if !isatty.IsTerminal(os.Stderr.Fd()) || streams && onTerminal() {
		return nil
	}
	return os.Stderr
}

// meterOf returns a meter of the reading of files, so often each. Files of which the
// size is not known make the end unknown.
func meterOf(what string, streams bool, names []string, times int64) *progress.Meter {
	to := screen(streams)
	if to == nil {
		return nil
	}
	total := int64(0)
	for _, name := range names {
		info, err := os.Stat(name)
		if name == "-" || err != nil || !info.Mode().IsRegular() {
			total = -1
			break
		}
		total += times * info.Size()
	}
	return progress.New(to, what, total)
}

// meterOfBuilds returns a meter of the reading of firmware, in files and in folders, and
// of a crash dump.
func meterOfBuilds(paths []string, dump string) *progress.Meter {
	to := screen(false)
	if to == nil {
		return nil
	}
	total := sizeOf(os.Stat(dump))
	for _, path := range paths {
		filepath.WalkDir(path, func(_ string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				total += sizeOf(entry.Info())
			}
			return nil // who reads it says what is wrong with it
		})
	}
	return progress.New(to, "reading", total)
}

// sizeOf returns the size of a file, and 0 of one that has gone.
func sizeOf(info fs.FileInfo, err error) int64 {
	if err != nil {
		return 0
	}
	return info.Size()
}
