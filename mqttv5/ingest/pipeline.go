package ingest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// propertyID is the user property with the uploader's record id.
const propertyID = "ulogkit-id"

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

	batch []delivery
	good  []Record
	bad   []Record
	acks  []byte
}

func newPipeline(cfg *Config, s *status, c *counters) *pipeline {
	return &pipeline{
		sink: cfg.Sink, quarantine: cfg.Quarantine, status: s, count: c, minRetry: minRetry,
		keys: newKeyer(), seen: newRecent(cfg.Window, windowAge),
		batch: make([]delivery, 0, cfg.ReceiveMaximum),
	}
}

// run works until stop is closed, and then finishes the batch that it has begun,
// or until ctx ends.
func (p *pipeline) run(ctx context.Context, stop <-chan struct{}, l *link) {
	for p.collect(ctx, stop, l.queue) {
		mark := p.seen.mark()
		p.examine()
		if !p.store(ctx) {
			// What is not stored must not pass for a copy when it comes again.
			p.seen.forget(mark)
			p.release()
			return
		}
		l.acknowledge(p.acks)
		p.count.acknowledged.Add(float64(len(p.acks) / lenAck))
		p.status.settled()
		p.release()
	}
}

const lenAck = 4

// collect waits for a message and takes what else has arrived, a Receive Maximum
// at most. While a batch is being stored the next one gathers.
func (p *pipeline) collect(ctx context.Context, stop <-chan struct{}, queue <-chan delivery) bool {
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

// examine sorts the batch into good, bad and copies, and prepares the
// acknowledgements of all, in the order of arrival.
func (p *pipeline) examine() {
	p.status.received(len(p.batch))
	for i := range p.batch {
		d := &p.batch[i]
		if d.id != 0 {
			p.acks = appendAck(p.acks, d.id)
		}
		kind := topicKind(d.topic)
		r := Record{Time: d.at, Kind: kind, Topic: d.topic, ID: recordID(d.props), Payload: d.payload}
		r.Key = p.keys.key(kind, r.Topic, r.ID, r.Payload)
		p.count.bytes.Add(float64(len(r.Payload)))
		if !p.seen.add(r.Key, r.Time) {
			p.count.copies.Inc()
			continue
		}
		ok, missing := intact(kind, r.Payload)
		if !ok {
			r.Reason = reason(kind, r.Payload)
			p.bad = append(p.bad, r)
			continue
		}
		p.count.received[kind].Inc()
		if missing > 0 {
			p.count.missing.Add(float64(missing))
		}
		p.good = append(p.good, r)
	}
}

// recordID returns the uploader's record id.
func recordID(p *packets.Properties) string {
	if p == nil {
		return ""
	}
	for i := range p.User {
		if p.User[i].Key == propertyID {
			return p.User[i].Value
		}
	}
	return ""
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
	for wait := p.minRetry; len(*records) > 0; wait = min(2*wait, maxRetry) {
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
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
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
	p.batch, p.good, p.bad, p.acks = p.batch[:0], p.good[:0], p.bad[:0], p.acks[:0]
}
