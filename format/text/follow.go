package text

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// Follow returns a reader of the file at path that waits at its end for more,
// until ctx is done, which ends it. It looks for more after every interval. A
// file that was cut or replaced is read from its beginning; one that is gone is
// waited for. The caller closes the reader.
func Follow(ctx context.Context, path string, interval time.Duration) (io.ReadCloser, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &follower{ctx: ctx, path: path, interval: interval, file: file}, nil
}

type follower struct {
	ctx      context.Context
	path     string
	interval time.Duration
	file     *os.File
	offset   int64
}

// Read implements io.Reader.
func (f *follower) Read(b []byte) (int, error) {
	for {
		n, err := f.file.Read(b)
		f.offset += int64(n)
		if n > 0 || err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		if again, err := f.again(); err != nil {
			return 0, err
		} else if again {
			continue
		}
		timer := time.NewTimer(f.interval)
		select {
		case <-f.ctx.Done():
			timer.Stop()
			return 0, io.EOF
		case <-timer.C:
		}
	}
}

// again goes to the beginning if the file was cut or replaced.
func (f *follower) again() (bool, error) {
	mine, err := f.file.Stat()
	if err != nil {
		return false, err
	}
	if there, err := os.Stat(f.path); err == nil && !os.SameFile(mine, there) {
		file, err := os.Open(f.path)
		if err != nil {
			return false, nil // it is gone again
		}
		f.file.Close()
		f.file, f.offset = file, 0
		return true, nil
	}
	if mine.Size() >= f.offset {
		return false, nil
	}
	f.offset = 0
	_, err = f.file.Seek(0, io.SeekStart)
	return true, err
}

// Close implements io.Closer.
func (f *follower) Close() error { return f.file.Close() }
