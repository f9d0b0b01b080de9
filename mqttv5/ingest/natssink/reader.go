package natssink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// Messages that are asked for at once.
const fetchSize = 256

// reader replays a stream. It implements ingest.Reader. The consumer that it makes
// on the servers is in memory and on one of them; when that server dies it makes
// another one.
type reader struct {
	s    *Sink
	next uint64 // sequence number of the record to return next

	consumer jetstream.Consumer
	fetched  []jetstream.Msg
}

// Read implements ingest.Source.
func (s *Sink) Read(ctx context.Context, from uint64) (ingest.Reader, error) {
	r := &reader{s: s, next: max(from, 1)}
	info, err := r.info(ctx)
	if err != nil {
		return nil, err
	}
	r.next = max(r.next, info.State.FirstSeq)
	return r, nil
}

func (r *reader) info(ctx context.Context) (*jetstream.StreamInfo, error) {
	stream, err := r.s.js.Stream(ctx, r.s.cfg.Stream) // asks the servers
	if err != nil {
		return nil, r.failed(err)
	}
	return stream.CachedInfo(), nil
}

func (r *reader) failed(err error) error {
	return fmt.Errorf("read stream %s: %w", r.s.cfg.Stream, err)
}

// Next implements ingest.Reader.
func (r *reader) Next(ctx context.Context) (ingest.Record, error) {
	for {
		if err := ctx.Err(); err != nil {
			return ingest.Record{}, err
		}
		if len(r.fetched) == 0 {
			if err := r.fetch(ctx); err != nil {
				return ingest.Record{}, err
			}
		}
		m := r.fetched[0]
		meta, err := m.Metadata()
		if err != nil {
			return ingest.Record{}, r.failed(err)
		}
		seq := meta.Sequence.Stream
		if seq > r.next {
			return ingest.Record{}, r.lost(seq-1, errors.New("the stream has deleted them"))
		}
		r.fetched = r.fetched[1:]
		if seq < r.next {
			continue // a consumer that was lost and made again begins where it likes
		}
		rec, err := record(seq, m.Headers(), m.Data())
		if err != nil {
			return ingest.Record{}, r.lost(seq, err)
		}
		r.next++
		return rec, nil
	}
}

func (r *reader) lost(last uint64, err error) error {
	e := &ingest.LossError{First: r.next, Last: last, Err: err}
	r.next = last + 1
	return e
}

// fetch asks for messages. It returns ErrEnd only if the servers say that the
// stream has no more.
func (r *reader) fetch(ctx context.Context) error {
	var last error
	for range 3 {
		if r.consumer == nil {
			c, err := r.s.js.CreateConsumer(ctx, r.s.cfg.Stream, jetstream.ConsumerConfig{
				AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.next,
				MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
			})
			if err != nil {
				return r.failed(err)
			}
			r.consumer = c
		}
		batch, err := r.consumer.FetchNoWait(fetchSize)
		if err == nil {
			for m := range batch.Messages() {
				r.fetched = append(r.fetched, m)
			}
			if err = batch.Error(); len(r.fetched) > 0 {
				return nil // an error comes again if it matters
			}
		}
		if err == nil {
			info, err := r.info(ctx)
			if err != nil {
				return err
			}
			if info.State.LastSeq < r.next {
				return ingest.ErrEnd
			}
		}
		// There is more, or the consumer is gone: another one tells.
		last = err
		r.Close()
	}
	if last == nil {
		// Three consumers saw nothing behind next: what the stream counts there
		// was deleted.
		return ingest.ErrEnd
	}
	return r.failed(last)
}

// Close implements ingest.Reader.
func (r *reader) Close() error {
	if r.consumer == nil {
		return nil
	}
	name := r.consumer.CachedInfo().Name
	r.consumer = nil
	ctx, cancel := context.WithTimeout(context.Background(), r.s.cfg.Timeout)
	defer cancel()
	// The servers delete it themselves after a minute if this fails.
	r.s.js.DeleteConsumer(ctx, r.s.cfg.Stream, name)
	return nil
}
