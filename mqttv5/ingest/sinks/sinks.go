// Package sinks opens sinks by their names: file:DIR is a directory of files,
// nats://HOST[:PORT] a JetStream stream. Errors are of a class of package mqttv5:
// ErrConfig for a name that is no sink's, ErrStorage for a directory that cannot be
// used, ErrNetwork for a stream that cannot be reached.
package sinks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/natssink"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
)

// ErrName is the error about a name that is no sink's. It does not show the name,
// which may hold a password.
var ErrName = fault.InClass(fault.ErrConfig, errors.New("SINK is neither file:DIR nor nats://HOST[:PORT]"))

// ErrNoSink is the error about a directory that holds something else, or nothing.
var ErrNoSink = filesink.ErrNoSink

// NATS says how to get at a stream.
type NATS struct {
	Stream      string
	Credentials string // file
	CA          string // file
	Replicas    int    // of a stream to write to
}

func (n *NATS) config(name string) natssink.Config {
	cfg := natssink.Config{URL: name, Stream: n.Stream, Replicas: n.Replicas}
	if n.Credentials != "" {
		cfg.Options = append(cfg.Options, nats.UserCredentials(n.Credentials))
	}
	if n.CA != "" {
		cfg.Options = append(cfg.Options, rootCAs(n.CA))
	}
	return cfg
}

// rootCAs is nats.RootCAs with a file that is read, and whose errors say what is wrong
// with it, as for the broker's.
func rootCAs(file string) nats.Option {
	return func(o *nats.Options) error {
		read := func() (*x509.CertPool, error) {
			pool := x509.NewCertPool()
			_, err := link.AppendRoots(pool, file)
			return pool, err
		}
		if _, err := read(); err != nil {
			return err
		}
		if o.TLSConfig == nil {
			o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		o.RootCAsCB, o.Secure = read, true
		return nil
	}
}

// Pair is an open sink for messages, and one for those that are not intact.
type Pair struct {
	Good, Bad ingest.Sink
	close     []func() error
	log       *slog.Logger
}

// Close closes both.
func (p *Pair) Close() error {
	var errs []error
	for _, f := range p.close {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// FilePrefix is what the name of a sink of files begins with; its directory follows.
const FilePrefix = "file:"

// directory returns the directory that a name stands for, if it stands for one.
func directory(name string) (dir string, ok bool) {
	dir, ok = strings.CutPrefix(name, FilePrefix)
	return dir, ok && dir != ""
}

// Own reports whether a file has a name that a sink of files uses, or will use, in its
// folder, and in that of its quarantine.
func Own(name, file string) bool {
	dir, base := filepath.Dir(file), filepath.Base(file)
	quarantine, _ := Quarantine(name, NATS{})
	if !Holds(name, dir) && !Holds(quarantine, dir) {
		return false
	}
	return base == quarantineFolder || filesink.Own(base)
}

// Holds reports whether a directory is that of a sink, or would be if it were made.
func Holds(name, dir string) bool {
	own, ok := directory(name)
	if !ok {
		return false
	}
	a, err := os.Stat(own)
	b, other := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) && errors.Is(other, fs.ErrNotExist) && filepath.Base(own) == filepath.Base(dir) {
		a, err = os.Stat(filepath.Dir(own))
		b, other = os.Stat(filepath.Dir(dir))
	}
	return err == nil && other == nil && os.SameFile(a, b)
}

// isNATS reports whether a name is of the form nats://HOST, several with commas.
func isNATS(name string) bool {
	first := true
	for server := range strings.SplitSeq(name, ",") {
		if server = strings.TrimSpace(server); !first && !strings.Contains(server, "://") {
			server = "nats://" + server
		}
		u, err := url.Parse(server)
		if err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Host == "" {
			return false
		}
		first = false
	}
	return true
}

// Quarantine returns the name of the sink that is beside one for the messages that
// are not intact: DIR/quarantine, or the stream NAME_QUARANTINE.
func Quarantine(name string, n NATS) (string, NATS) {
	if dir, ok := directory(name); ok {
		return FilePrefix + filepath.Join(dir, quarantineFolder), n
	}
	n.Stream += "_QUARANTINE"
	return name, n
}

const quarantineFolder = "quarantine"

// CheckQuarantine refuses a quarantine in files that is no folder, but a link to one.
// Open does so by itself, and who reads one should.
func CheckQuarantine(name string) error {
	dir, ok := directory(name)
	if !ok {
		return nil
	}
	if err := durable.CheckSubfolder(dir, quarantineFolder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.InClass(fault.ErrStorage, fmt.Errorf("quarantine of %s: %w", name, fault.PathCause(err)))
	}
	return nil
}

// Open opens a sink to write to, and its quarantine. What is too large even for that
// goes to files in the directory large. The log gets what was lost in a sink.
func Open(ctx context.Context, name string, n NATS, large string, log *slog.Logger) (*Pair, error) {
	if err := CheckQuarantine(name); err != nil {
		return nil, err
	}
	p := &Pair{log: log}
	if err := p.open(ctx, name, n, &p.Good); err != nil {
		return nil, err
	}
	name, n = Quarantine(name, n)
	if err := p.open(ctx, name, n, &p.Bad); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if isNATS(name) {
		p.Bad = ingest.Overflow(p.Bad, func() (s ingest.Sink, err error) { return s, p.open(ctx, "file:"+large, n, &s) })
	}
	return p, nil
}

// open opens the sink that a name or an address stands for.
func (p *Pair) open(ctx context.Context, name string, n NATS, sink *ingest.Sink) error {
	if dir, ok := directory(name); ok {
		s, err := filesink.Open(filesink.Config{Dir: dir, Logger: p.log})
		if err == nil {
			*sink, p.close = s, append(p.close, s.Close)
		}
		return err
	}
	if !isNATS(name) {
		return ErrName
	}
	s, err := natssink.Open(ctx, n.config(name))
	if err == nil {
		*sink, p.close = s, append(p.close, s.Close)
	}
	return err
}

// Source is an open sink to read from.
type Source struct {
	ingest.Source
	// Dir is where positions in it are kept unless told otherwise; empty if there
	// is no natural place.
	Dir   string
	close func() error
}

// Close closes it.
func (s *Source) Close() error { return s.close() }

// Missing reports whether an error of Read says that there is no such sink.
func Missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, filesink.ErrNoSink) || errors.Is(err, jetstream.ErrStreamNotFound)
}

// Read opens a sink to read from. Workers may be writing to it. It makes and changes
// nothing.
func Read(ctx context.Context, name string, n NATS) (*Source, error) {
	if dir, ok := directory(name); ok {
		s, err := filesink.OpenSource(dir)
		if err != nil {
			return nil, err
		}
		return &Source{Source: s, Dir: dir, close: func() error { return nil }}, nil
	}
	if !isNATS(name) {
		return nil, ErrName
	}
	s, err := natssink.OpenSource(ctx, n.config(name))
	if err != nil {
		return nil, err
	}
	return &Source{Source: s, close: s.Close}, nil
}

// AcceptLosses remembers that a person has seen these losses of a sink. Only a sink
// of files keeps them.
func AcceptLosses(name string, losses []ingest.LossError) error {
	dir, ok := directory(name)
	if !ok {
		return errors.New("a stream keeps no accepted losses; what it has deleted is told each time")
	}
	return filesink.AcceptLosses(dir, losses)
}
