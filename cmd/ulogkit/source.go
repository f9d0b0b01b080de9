package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/inspect"
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
	boxes "github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// source is what upload takes files of: how they are checked, sent and put into an
// outbox.
type source interface {
	// prepare checks a file and returns what is sent of it.
	prepare(name string, b []byte) (payload []byte, err error)
	needsToken() bool
	send(ctx context.Context, client *mqttv5.Client, b []byte) ([]mqttv5.Receipt, error)
	submit(ctx context.Context, outbox boxes.Acceptor, b []byte) (ids []string, err error)
}

// source returns what the flags name and its files, and no source if they name none.
func (u *uploader) source(cmd *cobra.Command, args []string) (source, []string, error) {
	if u.core != "" {
		return &dumpSource{cmd, &u.Settings, u.strict}, []string{u.core}, nil
	}
	if u.text == "" && len(args) == 0 {
		return nil, nil, nil
	}

	device, err := deviceOf(cmd, &u.Settings)
	switch {
	case err != nil:
		return nil, nil, err
	case u.text != "":
		level, err := parseLevel("level", u.level)
		if err == nil && level == format.LevelMetric {
			err = errors.New("--level: text has no metrics")
		}
		return &textSource{device, level, time.Now()}, []string{u.text}, usage(err)
	case u.asIs:
		return asIsSource{logSource{device: device}}, args, nil
	}

	logs := logSource{device: device, strict: u.strict, notice: cmd.ErrOrStderr()}
	if u.epoch != "" {
		if logs.epochUs, err = parseEpoch(u.epoch); err != nil {
			return nil, nil, usage(err)
		}
	}
	return logs, args, nil
}

// logSource are binary logs, into which a session token is written.
type logSource struct {
	device mqttv5.DeviceInfo
	strict bool      // odd logs are refused
	notice io.Writer // is told of odd logs that are not

	epochUs uint64 // time of the report for headers that have none; 0: they go without
}

func (logSource) needsToken() bool { return true }

// prepare checks a log of which the uploader must know the header. One whose checksum
// is right is sent, whatever else is odd: the cloud may read it, and no device writes
// it a second time.
func (s logSource) prepare(name string, b []byte) ([]byte, error) {
	err := inspect.CheckLog(b)
	if err != nil && !s.strict {
		if l, _, bad := format.ParseLog(b); bad == nil && l.Verify() == nil {
			fmt.Fprintf(s.notice, "%s: %v; its checksum is right, so that it is sent; --strict refuses it\n", name, err)
			return s.timed(name, b), nil
		}
	}
	if errors.Is(err, format.ErrVersion) {
		err = fmt.Errorf("%w; --as-is sends it unchecked", err)
	}
	if err != nil {
		return nil, err
	}
	return s.timed(name, b), nil
}

// timed returns a sound log with the time that its header lacks. A header without
// that field goes as it is, which is said.
func (s logSource) timed(name string, b []byte) []byte {
	if s.epochUs == 0 {
		return b
	}
	l, _, err := format.ParseLog(b)
	if err != nil {
		return b // an empty file is no log, and has been refused
	}
	us, has := l.Epoch()
	switch {
	case !has:
		fmt.Fprintf(s.notice, "%s: a header of version %d has no time; it goes without\n", name, l.Version())
	case us == 0:
		b = bytes.Clone(b)
		if l, _, err = format.ParseLog(b); err == nil {
			l.SetEpoch(s.epochUs)
		}
	}
	return b
}

func (s logSource) send(ctx context.Context, client *mqttv5.Client, b []byte) ([]mqttv5.Receipt, error) {
	return one(client.UploadLog(ctx, s.device, b))
}

func (s logSource) submit(ctx context.Context, outbox boxes.Acceptor, b []byte) ([]string, error) {
	return one(outbox.SubmitLog(ctx, s.device, b))
}

// asIsSource are binary logs that are sent as they are, but for a session token of 0.
type asIsSource struct{ logSource }

func (asIsSource) prepare(_ string, b []byte) ([]byte, error) {
	return b, inspect.Other(b, inspect.ALog)
}

func (s asIsSource) send(ctx context.Context, client *mqttv5.Client, b []byte) ([]mqttv5.Receipt, error) {
	return one(client.UploadAsIs(ctx, s.device, b))
}

// textSource are lines of text.
type textSource struct {
	device mqttv5.DeviceInfo
	level  format.Level // of lines that name none
	now    time.Time
}

func (*textSource) needsToken() bool { return false }

func (s *textSource) prepare(_ string, b []byte) ([]byte, error) {
	if err := inspect.CheckText(b); err != nil {
		return nil, err
	}
	_, err := s.entries(b)
	return b, err
}

func (s *textSource) entries(b []byte) ([]mqttv5.TextEntry, error) {
	return mqttv5.ReadText(bytes.NewReader(b), s.now, s.level)
}

func (s *textSource) send(ctx context.Context, client *mqttv5.Client, b []byte) ([]mqttv5.Receipt, error) {
	list, err := s.entries(b)
	if err != nil {
		return nil, err
	}
	return client.PublishText(ctx, s.device, list)
}

func (s *textSource) submit(ctx context.Context, outbox boxes.Acceptor, b []byte) ([]string, error) {
	list, err := s.entries(b)
	if err != nil {
		return nil, err
	}
	return outbox.SubmitText(ctx, s.device, list)
}

// loss is what the upload of text does not keep.
func (s *textSource) loss(items []item) (err error) {
	for _, it := range items {
		replaced := 0
		for line := range bytes.Lines(it.payload) {
			if !utf8.Valid(line) {
				replaced++
			}
		}
		if replaced > 0 {
			err = errors.Join(err, fmt.Errorf("%s: %d lines were not UTF-8; their bytes were replaced", it.name, replaced))
		}
	}
	return err
}

// one returns a result as the only one, and none with an error.
func one[T any](x T, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return []T{x}, nil
}
