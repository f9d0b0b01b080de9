package text

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// Follow returns a reader of the file at path that waits at its end for more,
// until ctx is done, which ends it. It looks for more after every interval. A
// file that was cut or rewritten is read from its beginning, and one that was
// replaced is read to its end before the new one is; a decoder tells that in its
// report. One that is gone is waited for. The caller closes the reader.
func Follow(ctx context.Context, path string, interval time.Duration) (io.ReadCloser, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &follower{ctx: ctx, path: path, interval: interval, file: file}, nil
}

// changer is a reader that can go on with the bytes of another file. changed says
// once what has happened, before the first of these bytes.
type changer interface {
	changed() (what string, ok bool)
}

// lenKnown is how many bytes tell whether a file was rewritten: that many at its
// beginning, and the last ones that were read.
const lenKnown = 64

type follower struct {
	ctx      context.Context
	path     string
	interval time.Duration
	file     *os.File
	offset   int64
	head     []byte   // of the file, up to lenKnown
	tail     []byte   // before offset, up to lenKnown
	next     *os.File // to go on with once the end of file is reached
	change   string
}

// Read implements io.Reader. It returns no bytes where another file begins.
func (f *follower) Read(b []byte) (int, error) {
	for {
		n, err := f.file.Read(b)
		f.know(b[:n])
		if n > 0 || err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		if f.next != nil { // all that was written to the old one before has been read
			f.file.Close()
			f.file, f.next = f.next, nil
			f.begin("the file was replaced; the old one was read to its end")
			return 0, nil
		}

		if again, err := f.again(); err != nil {
			return 0, err
		} else if f.change != "" {
			return 0, nil
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

		if _, err := f.again(); err != nil {
			return 0, err
		} else if f.change != "" {
			return 0, nil
		}
	}
}

// know keeps what tells whether the file stays the same.
func (f *follower) know(b []byte) {
	f.offset += int64(len(b))
	if missing := lenKnown - len(f.head); missing > 0 {
		f.head = append(f.head, b[:min(missing, len(b))]...)
	}
	f.tail = append(f.tail, b[max(0, len(b)-lenKnown):]...)
	f.tail = f.tail[max(0, len(f.tail)-lenKnown):]
}

// begin goes to the beginning.
func (f *follower) begin(change string) {
	f.offset, f.head, f.tail, f.change = 0, nil, nil, change
}

// changed implements changer.
func (f *follower) changed() (what string, ok bool) {
	what, f.change = f.change, ""
	return what, what != ""
}

// again opens the file that has replaced the one at hand, or goes to the beginning
// of one that has changed. It reports whether there may be more to read.
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
		if f.next != nil {
			f.next.Close()
		}
		f.next = file
		return true, nil
	}

	switch {
	case mine.Size() < f.offset:
		f.begin("the file was cut, and is read from its beginning; what was written to it shortly before may be missing")
	case !f.same():
		f.begin("the file was rewritten, and is read from its beginning; what was written to it shortly before may be missing")
	default:
		return false, nil
	}

	_, err = f.file.Seek(0, io.SeekStart)
	return true, err
}

// same reports whether what was read still is in the file.
func (f *follower) same() bool {
	b := make([]byte, lenKnown)
	for _, part := range []struct {
		want []byte
		at   int64
	}{{f.head, 0}, {f.tail, f.offset - int64(len(f.tail))}} {
		n, err := f.file.ReadAt(b[:len(part.want)], part.at)
		if (err == nil || errors.Is(err, io.EOF)) && !bytes.Equal(b[:n], part.want) {
			return false
		}
	}
	return true
}

// Close implements io.Closer.
func (f *follower) Close() error {
	if f.next != nil {
		f.next.Close()
	}
	return f.file.Close()
}
