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
)

// Sink publishes records to a stream. It implements ingest.Sink, and it is the
// stream's Source as well.
type Sink struct{ *Source }

// Open connects to the servers and makes the stream if there is none. A stream
// that exists keeps its limits; it must be on files and have the replicas asked
// for.
func Open(ctx context.Context, cfg Config) (*Sink, error) {
	source, err := connect(cfg)
	if err != nil {
		return nil, fault.InClass(fault.ErrNetwork, fmt.Errorf("open JetStream sink: %w", err))
	}
	s := &Sink{source}
	if err := s.make(ctx); err != nil {
		s.Close()
		return nil, fault.InClass(fault.ErrNetwork, fmt.Errorf("open JetStream sink: stream %s: %w", s.cfg.Stream, err))
	}
	return s, nil
}

// make makes the stream if there is none, and checks it.
func (s *Sink) make(ctx context.Context) error {
	stream, err := s.stream(ctx)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		// Making it again changes nothing.
		err = s.ask(ctx, func(ctx context.Context) error {
			stream, err = s.js.CreateStream(ctx, jetstream.StreamConfig{
				Name:        s.cfg.Stream,
				Description: "uLogger logs and crash dumps as they were uploaded",
				Subjects:    []string{s.cfg.Subject + ".>"},
				Storage:     jetstream.FileStorage,
				Replicas:    s.cfg.Replicas,
				Duplicates:  s.cfg.Window,
			})
			return err
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
			failed = tooLarge(i, err)
			break
		}
		futures = append(futures, f)
	}

	// The connection has copied the payloads, so that they are the caller's again
	// even if an acknowledgement is not waited for.
	for i, f := range futures {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			failed = errors.Join(failed, tooLarge(i, err))
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

// Codes of the errors about a message that is larger than the stream's maximum, and
// about headers beyond 64 KiB: an MQTT property, such as a record id, may be as long,
// and its escapes make it longer.
const (
	exceedsStream  jetstream.ErrorCode = 10054
	exceedsHeaders jetstream.ErrorCode = 10097
)

// tooLarge makes the error about a record one that tells, if it does, that servers or
// stream will never take it.
func tooLarge(i int, err error) error {
	api := (*jetstream.APIError)(nil)
	if errors.Is(err, nats.ErrMaxPayload) || errors.As(err, &api) && (api.ErrorCode == exceedsStream || api.ErrorCode == exceedsHeaders) {
		return &ingest.TooLargeError{Index: i, Err: err}
	}
	return err
}
