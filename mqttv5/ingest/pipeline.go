package ingest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/wait"
)

// Waits between attempts to store a batch.
const (
	minRetry = 100 * time.Millisecond
	maxRetry = 5 * time.Second
)

// pipeline takes messages from the broker to the sinks and acknowledges them. It
// serves one connection at a time and reuses everything it has, so that a message
// costs no allocation.
type pipeline struct {
	sink, quarantine Sink
	status           *status
	count            *counters
	minRetry         time.Duration

	keys *keyer
	seen *recent

	batch []link.Received
	good  []Record
	bad   []Record
}

// messages are those that a link brings.
type messages interface {
	Inbox() <-chan link.Received
	Acknowledge(*link.Received) bool
	Cork()
	Uncork()
}

func newPipeline(cfg *Config, s *status, c *counters) *pipeline {
	return &pipeline{
		sink: cfg.Sink, quarantine: cfg.Quarantine, status: s, count: c, minRetry: minRetry,
		keys: newKeyer(), seen: newRecent(cfg.Window, windowAge),
		batch: make([]link.Received, 0, cfg.ReceiveMaximum),
	}
}

// run works until stop is closed, and then finishes the batch that it has begun,
// or until ctx ends.
func (p *pipeline) run(ctx context.Context, stop <-chan struct{}, in messages) {
	for p.collect(ctx, stop, in.Inbox()) {
		mark := p.seen.mark()
		p.examine()
		if !p.store(ctx) {
			// What is not stored must not pass for a copy when it comes again.
			p.seen.forget(mark)
			p.release()
			return
		}
		p.acknowledge(in)
		p.status.stored()
		p.release()
	}
}

// acknowledge acknowledges the batch, in the order of arrival and in one write.
// The link would leave that to paho otherwise, whose acknowledgements wait for a
// ticker of 50 ms (MQTT facts row 11): with a Receive Maximum of 128 that would be
// 2,560 messages a second at most.
func (p *pipeline) acknowledge(in messages) {
	in.Cork()
	defer in.Uncork()
	n := 0
	for i := range p.batch {
		if in.Acknowledge(&p.batch[i]) {
			n++
		}
	}
	p.count.acknowledged.Add(float64(n))
}

// collect waits for a message and takes what else has arrived, a Receive Maximum
// at most. While a batch is being stored the next one gathers.
func (p *pipeline) collect(ctx context.Context, stop <-chan struct{}, queue <-chan link.Received) bool {
	select {
	case <-stop:
		return false
	default:
	}

	select {
	case <-stop:
		return false
	case <-ctx.Done():
		return false
	case d := <-queue:
		p.batch = append(p.batch, d)
	}

	for len(p.batch) < cap(p.batch) {
		select {
		case d := <-queue:
			p.batch = append(p.batch, d)
		default:
			return true
		}
	}
	return true
}

// examine sorts the batch into good, bad and copies.
func (p *pipeline) examine() {
	p.status.received(len(p.batch))
	for i := range p.batch {
		d := &p.batch[i]
		kind := topicKind(d.Topic)
		r := Record{Time: d.At, Kind: kind, Topic: d.Topic, ID: d.ID, Payload: d.Payload}
		untimed, bad := check(kind, r.Payload)
		if r.Key = p.keys.key(kind, r.Topic, r.ID, r.Payload); untimed && r.ID == "" {
			r.Key = randomKey()
		}
		p.count.bytes.Add(float64(len(r.Payload)))
		if !p.seen.add(r.Key, r.Time) {
			p.count.copies.Inc()
			continue
		}
		if bad != nil {
			r.Reason = bad.Error()
			p.bad = append(p.bad, r)
			continue
		}

		p.count.received[kind].Inc()
		if kind == KindLog {
			p.count.missing.Add(float64(missing(r.Payload)))
		}

		p.good = append(p.good, r)
	}
}

// store stores the batch, however long that takes. It gives up when ctx ends.
func (p *pipeline) store(ctx context.Context) bool {
	if !p.append(ctx, p.sink, &p.good, "sink") || !p.append(ctx, p.quarantine, &p.bad, "quarantine") {
		return false
	}
	for i := range p.bad {
		p.count.quarantined.Inc()
		p.status.log.Warn("message put into quarantine", "topic", p.bad[i].Topic, "bytes", len(p.bad[i].Payload), "reason", p.bad[i].Reason)
	}
	p.count.stored.Add(float64(len(p.good)))
	return true
}

// append stores records, all but those that are too large for the sink: they go into
// quarantine.
func (p *pipeline) append(ctx context.Context, sink Sink, records *[]Record, what string) bool {
	for delay := p.minRetry; len(*records) > 0; delay = min(2*delay, maxRetry) {
		start := time.Now()
		err := sink.Append(ctx, *records)
		if err == nil {
			p.count.latency.Observe(time.Since(start).Seconds())
			p.count.batch.Observe(float64(len(*records)))
			p.status.sinkWorks(what)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if tooLarge := (*TooLargeError)(nil); errors.As(err, &tooLarge) && records == &p.good {
			r := p.good[tooLarge.Index]
			r.Reason = tooLarge.Error()
			p.bad = append(p.bad, r)
			p.good = slices.Delete(p.good, tooLarge.Index, tooLarge.Index+1)
			continue
		}

		p.count.failures.Inc()
		p.status.sinkFails(what, err)
		if !wait.For(ctx, delay) {
			return false
		}
	}
	return true
}

// release forgets the batch, so that its payloads can be freed.
func (p *pipeline) release() {
	clear(p.batch)
	clear(p.good)
	clear(p.bad)
	p.batch, p.good, p.bad = p.batch[:0], p.good[:0], p.bad[:0]
}
