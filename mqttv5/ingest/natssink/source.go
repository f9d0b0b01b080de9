package natssink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/wait"
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

	// Replicas is the number of servers that keep the stream. OpenSource takes any.
	// Default: 3.
	Replicas int

	// Window is how long the servers recognise copies, in a stream that is made.
	// Default: 2 min, as theirs.
	Window time.Duration

	// Timeout bounds each request to the servers, and the wait for each
	// acknowledgement. While the servers elect a leader, requests for opening and
	// reading are made again, for ten times as long. Default: 5 s.
	Timeout time.Duration

	// Options are added to the connection's: credentials, certificates. Default:
	// none.
	Options []nats.Option
}

const (
	// patience is for how many timeouts a request is made again.
	patience = 10

	// pause is between two attempts.
	pause = 100 * time.Millisecond
)

// Source reads a stream. It implements ingest.Source.
type Source struct {
	cfg Config
	nc  *nats.Conn
	js  jetstream.JetStream
}

// OpenSource connects to the servers to read a stream that there is, whatever its
// settings. It makes and changes nothing.
func OpenSource(ctx context.Context, cfg Config) (*Source, error) {
	s, err := connect(cfg)
	if err != nil {
		return nil, fault.InClass(fault.ErrNetwork, fmt.Errorf("open JetStream source: %w", err))
	}
	if _, err := s.stream(ctx); err != nil {
		s.Close()
		return nil, fault.InClass(fault.ErrNetwork, fmt.Errorf("open JetStream source: stream %s: %w", s.cfg.Stream, err))
	}
	return s, nil
}

// connect fills in the defaults and connects; it makes no stream.
func connect(cfg Config) (*Source, error) {
	if cfg.URL == "" {
		return nil, errors.New("URL is empty; it is of the form nats://HOST:PORT")
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
		return nil, fmt.Errorf("connect: %w", err)
	}
	js, err := jetstream.New(nc,
		jetstream.WithPublishAsyncTimeout(cfg.Timeout),
		jetstream.WithPublishAsyncMaxPending(1<<16),
		jetstream.WithPublishAsyncErrHandler(func(jetstream.JetStream, *nats.Msg, error) {}), // Append sees it
	)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &Source{cfg: cfg, nc: nc, js: js}, nil
}

// Close closes the connection.
func (s *Source) Close() error {
	s.nc.Close()
	return nil
}

// Read implements ingest.Source.
func (s *Source) Read(ctx context.Context, from uint64) (ingest.Reader, error) {
	stream, err := s.stream(ctx)
	if err != nil {
		return nil, s.failed(err)
	}
	info := stream.CachedInfo()
	// Any server that keeps a replica answers a direct get, also one that is
	// behind. This handle is to ask the leader.
	info.Config.AllowDirect = false
	return &reader{s: s, stream: stream, next: max(from, 1, info.State.FirstSeq)}, nil
}

// Extent implements ingest.Source. A stream is known by its name and by when it was
// made.
func (s *Source) Extent(ctx context.Context) (ingest.Extent, error) {
	stream, err := s.stream(ctx)
	if err != nil {
		return ingest.Extent{}, s.failed(err)
	}
	info := stream.CachedInfo()
	return ingest.Extent{
		ID: s.cfg.Stream + " " + info.Created.UTC().Format(time.RFC3339Nano), Name: "stream " + s.cfg.Stream,
		First: max(info.State.FirstSeq, 1), Next: info.State.LastSeq + 1,
	}, nil
}

// stream looks the stream up.
func (s *Source) stream(ctx context.Context) (stream jetstream.Stream, err error) {
	err = s.ask(ctx, func(ctx context.Context) error {
		stream, err = s.js.Stream(ctx, s.cfg.Stream)
		return err
	})
	return stream, err
}

func (s *Source) failed(err error) error {
	return fault.InClass(fault.ErrNetwork, fmt.Errorf("read stream %s: %w", s.cfg.Stream, err))
}

// ask makes a request until it is answered. One that reaches the servers while they
// elect a leader never is, so that each attempt has a timeout of its own.
func (s *Source) ask(ctx context.Context, request func(context.Context) error) error {
	enough := time.Now().Add(patience * s.cfg.Timeout)
	for {
		attempt, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
		err := request(attempt)
		cancel()
		if err == nil || !temporary(err) || ctx.Err() != nil || time.Now().After(enough) {
			return err
		}
		if !wait.For(ctx, pause) {
			return ctx.Err()
		}
	}
}

// temporary reports whether an error is one of servers that are away or have no
// leader.
func temporary(err error) bool {
	for _, e := range [...]error{jetstream.ErrJetStreamNotEnabled, jetstream.ErrJetStreamNotEnabledForAccount} {
		if errors.Is(err, e) {
			return false
		}
	}
	if api := (*jetstream.APIError)(nil); errors.As(err, &api) {
		return api.Code == 503
	}
	for _, e := range [...]error{context.DeadlineExceeded, nats.ErrTimeout, nats.ErrReconnectBufExceeded, nats.ErrConnectionReconnecting, nats.ErrDisconnected} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
