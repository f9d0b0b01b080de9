package natssink

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// Messages that are asked for at once.
const fetchSize = 256

// reader replays a stream. It implements ingest.Reader. The consumer that it makes
// is in the memory of one of the servers, which may be behind the stream's leader,
// or die; the leader itself is asked whether there is more.
type reader struct {
	s      *Source
	stream jetstream.Stream
	next   uint64 // sequence number of the record to return next

	consumer jetstream.Consumer
	fetched  []fetched
}

// fetched is a message of the stream.
type fetched struct {
	seq    uint64
	header nats.Header
	data   []byte
}

// Next implements ingest.Reader.
func (r *reader) Next(ctx context.Context) (ingest.Record, error) {
	for {
		if err := ctx.Err(); err != nil {
			return ingest.Record{}, err
		}
		if len(r.fetched) == 0 {
			if err := r.fetch(ctx); errors.Is(err, jetstream.ErrMsgNotFound) {
				return ingest.Record{}, ingest.ErrEnd
			} else if err != nil {
				return ingest.Record{}, r.s.failed(err)
			}
		}

		m := r.fetched[0]
		if m.seq > r.next {
			return ingest.Record{}, r.lost(m.seq-1, errors.New("the stream has deleted them"))
		}

		r.fetched = r.fetched[1:]
		if m.seq < r.next {
			continue // the leader gave it already
		}

		rec, err := record(m.seq, m.header, m.data)
		if err != nil {
			return ingest.Record{}, r.lost(m.seq, err)
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

// fetch asks for messages. It returns jetstream.ErrMsgNotFound only if the leader
// says that the stream has no more.
func (r *reader) fetch(ctx context.Context) error {
	if err := r.consume(ctx); err != nil || len(r.fetched) > 0 {
		return err
	}
	var m *jetstream.RawStreamMsg
	err := r.s.ask(ctx, func(ctx context.Context) (err error) {
		m, err = r.stream.GetMsg(ctx, r.next, jetstream.WithGetMsgSubject(">"))
		return err
	})
	if err != nil {
		return err
	}
	// The consumer is behind or gone; the next one may be elsewhere.
	r.fetched = append(r.fetched, fetched{m.Sequence, m.Header, m.Data})
	r.leave(ctx)
	return nil
}

// consume asks the consumer for messages, once.
func (r *reader) consume(ctx context.Context) error {
	if r.consumer == nil {
		if err := r.s.ask(ctx, func(ctx context.Context) (err error) {
			r.consumer, err = r.s.js.CreateConsumer(ctx, r.s.cfg.Stream, jetstream.ConsumerConfig{
				AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.next,
				MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
			})
			return err
		}); err != nil {
			r.consumer = nil
			return err
		}
	}

	batch, err := r.consumer.FetchNoWait(fetchSize) // waits for a second at most
	if err != nil {
		return nil // without a connection; the leader's answer is waited for
	}

	r.fetched = r.fetched[:0]
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		r.fetched = append(r.fetched, fetched{meta.Sequence.Stream, m.Headers(), m.Data()})
	}
	return nil
}

// leave deletes the consumer. The servers do it themselves after a minute if this
// fails.
func (r *reader) leave(ctx context.Context) {
	if r.consumer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.s.cfg.Timeout)
	defer cancel()
	r.s.js.DeleteConsumer(ctx, r.s.cfg.Stream, r.consumer.CachedInfo().Name)
	r.consumer = nil
}

// Close implements ingest.Reader.
func (r *reader) Close() error {
	r.leave(context.Background())
	return nil
}
