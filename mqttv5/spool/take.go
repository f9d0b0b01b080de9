package spool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

// maxFile is the longest file that is read, in bytes: as long as any message.
const maxFile = 16 << 20

var (
	errWait = errors.New("it may still be being written")
	errStop = errors.New("the outbox takes nothing now")
)

// take takes one file in, and moves it out of the way when that is on disk.
func (s *Spool) take(ctx context.Context, f file, dev device.Info) error {
	name := filepath.Join(s.cfg.Dir, f.name)
	b, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}

	ids, err := s.submit(ctx, f.name, b, dev)
	switch {
	case err == nil:
		s.count(func(st *Stats) { st.Accepted++ })
		s.cfg.Accepted(f.name, ids)
		return s.accepted(f.name)
	case ctx.Err() != nil, errors.Is(err, fault.ErrClosed):
		return errStop
	case errors.Is(err, fault.ErrOutboxFull), errors.Is(err, fault.ErrStorage):
		s.tell("", err.Error())
		return errStop
	case time.Since(f.mtime) < s.cfg.Settle:
		return errWait
	}
	return s.setAside(f.name, err)
}

// read reads a file that must be the regular one that was listed.
func read(name string) ([]byte, error) {
	in, err := openFile(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("it is a %s; only regular files are taken", durable.Kind(info))
	}
	return io.ReadAll(io.LimitReader(in, maxFile+1))
}

// submit gives a file to the outbox as what it is.
func (s *Spool) submit(ctx context.Context, name string, b []byte, dev device.Info) (ids []string, err error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("it is longer than %d bytes", maxFile)
	}
	if _, _, err := format.ParseCoreDump(b); err == nil {
		return one(s.out.SubmitCoreDump(ctx, b))
	}
	if dev == (device.Info{}) {
		return nil, errors.New("it is no crash dump, and nothing says which device it is of; name the device, or put it into a device's folder")
	}
	switch filepath.Ext(name) {
	case ".txt", ".ndjson":
		if isLog(b) {
			break // whatever it is called
		}
		return s.submitText(ctx, name, b, dev)
	}
	return one(s.out.SubmitLog(ctx, dev, b))
}

// isLog reports whether b is a binary log whose checksum is right.
func isLog(b []byte) bool {
	log, _, err := format.ParseLog(b)
	return err == nil && log.Verify() == nil
}

// submitText gives lines of text to the outbox. Bytes that are not UTF-8 do not get
// through, which is told; what is not text at all is refused.
func (s *Spool) submitText(ctx context.Context, name string, b []byte, dev device.Info) ([]string, error) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return nil, fmt.Errorf("it is no text, since the byte at offset %d is 0: end the name of a log or a crash dump in .bin", i)
	}
	entries, err := payload.ReadText(bytes.NewReader(b), time.Now(), format.LevelInfo)
	if err != nil {
		return nil, err
	}
	ids, err := s.out.SubmitText(ctx, dev, entries)
	if err != nil {
		return nil, err
	}

	replaced := 0
	for line := range bytes.Lines(b) {
		if !utf8.Valid(line) {
			replaced++
		}
	}
	if replaced > 0 {
		s.cfg.Logger.Warn("text of the spool is not UTF-8; these bytes were replaced", "file", filepath.Join(s.cfg.Dir, name), "lines", replaced)
	}
	return ids, nil
}

func one(id string, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	return []string{id}, nil
}
