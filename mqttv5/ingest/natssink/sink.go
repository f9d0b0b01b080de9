package natssink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// Config says where the stream is.
type Config struct {
	// URL names the servers: nats://HOST:PORT, several with commas. Default: none,
	// required.
	URL string

	// Stream is the stream's name. Default: "ULOGKIT".
	Stream string

	// Subject is what the stream's subjects begin with; "log" or another kind
	// follows after a dot. Default: the stream's name.
	Subject string

	// Replicas is the number of servers that keep the stream. Default: 3.
	Replicas int

	// Window is how long the servers recognise copies. Default: 2 min, as theirs.
	Window time.Duration

	// Timeout bounds each request to the servers, and the wait for each
	// acknowledgement. Default: 5 s.
	Timeout time.Duration

	// Options are added to the connection's: credentials, certificates. Default:
	// none.
	Options []nats.Option
}

// Sink publishes records to a stream. It implements ingest.Sink and ingest.Source.
type Sink struct {
	cfg Config
	nc  *nats.Conn
	js  jetstream.JetStream
}

// Open connects to the servers and makes the stream if there is none. A stream
// that exists keeps its limits; it must be on files and have the replicas asked
// for.
func Open(ctx context.Context, cfg Config) (*Sink, error) {
	if cfg.URL == "" {
		return nil, errors.New("open JetStream sink: URL is empty; it is of the form nats://HOST:PORT")
	}
	if cfg.Stream == "" {
		cfg.Stream = "ULOGKIT"
	}
	if cfg.Subject == "" {
		cfg.Subject = cfg.Stream
	}
	if cfg.Replicas == 0 {
		cfg.Replicas = 3
	}
	if cfg.Window == 0 {
		cfg.Window = 2 * time.Minute
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	options := append([]nats.Option{
		nats.Name("ulogkit ingest"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.Timeout(cfg.Timeout),
		// What is published without a connection fails at once, and the worker
		// keeps it; a buffer would only make the worker wait for the timeout.
		nats.ReconnectBufSize(-1),
	}, cfg.Options...)
	nc, err := nats.Connect(cfg.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("open JetStream sink: connect: %w", err)
	}
	s := &Sink{cfg: cfg, nc: nc}
	if err := s.open(ctx); err != nil {
		nc.Close()
		return nil, fmt.Errorf("open JetStream sink: stream %s: %w", cfg.Stream, err)
	}
	return s, nil
}

func (s *Sink) open(ctx context.Context) (err error) {
	if s.js, err = jetstream.New(s.nc,
		jetstream.WithDefaultTimeout(s.cfg.Timeout),
		jetstream.WithPublishAsyncTimeout(s.cfg.Timeout),
		jetstream.WithPublishAsyncMaxPending(1<<16),
		jetstream.WithPublishAsyncErrHandler(func(jetstream.JetStream, *nats.Msg, error) {}), // Append sees it
	); err != nil {
		return err
	}
	stream, err := s.js.Stream(ctx, s.cfg.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = s.js.CreateStream(ctx, jetstream.StreamConfig{
			Name:        s.cfg.Stream,
			Description: "uLogger logs and crash dumps as they were uploaded",
			Subjects:    []string{s.cfg.Subject + ".>"},
			Storage:     jetstream.FileStorage,
			Replicas:    s.cfg.Replicas,
			Duplicates:  s.cfg.Window,
		})
	}
	if err != nil {
		return err
	}
	got := stream.CachedInfo().Config
	if got.Storage != jetstream.FileStorage {
		return errors.New("it is kept in memory; delete it, or name another stream")
	}
	if got.Replicas != s.cfg.Replicas {
		return fmt.Errorf("it has %d replicas, %d are asked for; change one or the other", got.Replicas, s.cfg.Replicas)
	}
	return nil
}

// Append implements ingest.Sink.
func (s *Sink) Append(ctx context.Context, records []ingest.Record) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout+time.Second)
	defer cancel()
	futures := make([]jetstream.PubAckFuture, 0, len(records))
	var failed error
	for i := range records {
		// Retrying is the worker's business: a retry of one record here could
		// overtake others.
		f, err := s.js.PublishMsgAsync(message(s.cfg.Subject, &records[i]), jetstream.WithRetryAttempts(0))
		if err != nil {
			failed = err
			break
		}
		futures = append(futures, f)
	}
	// The connection has copied the payloads, so that they are the caller's again
	// even if an acknowledgement is not waited for.
	for _, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			failed = errors.Join(failed, err)
		case <-ctx.Done():
			return fmt.Errorf("append to stream %s: %w", s.cfg.Stream, errors.Join(failed, ctx.Err()))
		}
		if failed != nil {
			break // the rest fails the same way, or is recognised as a copy
		}
	}
	if failed != nil {
		return fmt.Errorf("append to stream %s: %w", s.cfg.Stream, failed)
	}
	return nil
}

// Close closes the connection. What Append has returned for is stored.
func (s *Sink) Close() error {
	s.nc.Close()
	return nil
}
