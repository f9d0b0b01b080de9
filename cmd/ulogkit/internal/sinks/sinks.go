// Package sinks opens the sinks that the command line names: file:DIR is a
// directory of files, nats://HOST[:PORT] a JetStream stream.
package sinks

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/natssink"
)

// ErrName is the class of the errors about a name that is no sink's.
var ErrName = errors.New("not file:DIR or nats://HOST")

// Replicas is the number of servers that keep a stream that is made.
const Replicas = 3

// Pair is an open sink for messages, and one for those that are not intact.
type Pair struct {
	Good, Bad ingest.Sink
	close     []func() error
}

// Close closes both.
func (p *Pair) Close() error {
	var errs []error
	for _, f := range p.close {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// directory returns the directory that a name stands for, if it stands for one.
func directory(name string) (dir string, ok bool) {
	dir, ok = strings.CutPrefix(name, "file:")
	return dir, ok && dir != ""
}

func isNATS(name string) bool {
	return strings.HasPrefix(name, "nats://") || strings.HasPrefix(name, "tls://")
}

// Open opens a sink to write to, and beside it DIR/quarantine or the stream
// ULOGKIT_QUARANTINE.
func Open(ctx context.Context, name string, replicas int) (*Pair, error) {
	p := &Pair{}
	if dir, ok := directory(name); ok {
		for _, f := range [...]struct {
			dir  string
			sink *ingest.Sink
		}{{dir, &p.Good}, {filepath.Join(dir, "quarantine"), &p.Bad}} {
			s, err := filesink.Open(filesink.Config{Dir: f.dir})
			if err != nil {
				return nil, errors.Join(err, p.Close())
			}
			*f.sink, p.close = s, append(p.close, s.Close)
		}
		return p, nil
	}
	if !isNATS(name) {
		return nil, fmt.Errorf("%q is %w", name, ErrName)
	}
	for _, f := range [...]struct {
		stream string
		sink   *ingest.Sink
	}{{"ULOGKIT", &p.Good}, {"ULOGKIT_QUARANTINE", &p.Bad}} {
		s, err := natssink.Open(ctx, natssink.Config{URL: name, Stream: f.stream, Replicas: replicas})
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		*f.sink, p.close = s, append(p.close, s.Close)
	}
	return p, nil
}

// Source is an open sink to read from.
type Source struct {
	ingest.Source
	// Position is where the position of a reader is kept unless told otherwise;
	// empty if there is no natural place.
	Position string
	close    func() error
}

// Close closes it.
func (s *Source) Close() error { return s.close() }

// files reads a directory without its lock.
type files string

func (dir files) Read(_ context.Context, from uint64) (ingest.Reader, error) {
	return filesink.OpenReader(string(dir), from)
}

// Read opens a sink to read from. Workers may be writing to it.
func Read(ctx context.Context, name string, replicas int) (*Source, error) {
	if dir, ok := directory(name); ok {
		if _, err := filesink.OpenReader(dir, 0); err != nil {
			return nil, err // there is no such directory; nothing may be made
		}
		// What a worker that crashed has left becomes readable by opening it.
		if s, err := filesink.Open(filesink.Config{Dir: dir}); err == nil {
			if err := s.Close(); err != nil {
				return nil, err
			}
		} else if !errors.Is(err, filesink.ErrLocked) {
			return nil, err
		}
		return &Source{Source: files(dir), Position: filepath.Join(dir, "otlp.position"), close: func() error { return nil }}, nil
	}
	if !isNATS(name) {
		return nil, fmt.Errorf("%q is %w", name, ErrName)
	}
	s, err := natssink.Open(ctx, natssink.Config{URL: name, Replicas: replicas})
	if err != nil {
		return nil, err
	}
	return &Source{Source: s, close: s.Close}, nil
}
