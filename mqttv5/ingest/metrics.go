package ingest

import "github.com/prometheus/client_golang/prometheus"

// counters are a worker's metrics. They exist whether or not anybody registered
// them.
type counters struct {
	received     [numKinds]prometheus.Counter // by Kind; intact messages that are no copies
	bytes        prometheus.Counter
	copies       prometheus.Counter
	quarantined  prometheus.Counter
	stored       prometheus.Counter
	acknowledged prometheus.Counter
	missing      prometheus.Counter
	failures     prometheus.Counter
	connects     prometheus.Counter
	disconnects  prometheus.Counter

	connected      prometheus.Gauge
	sinkUp         prometheus.Gauge
	unacknowledged prometheus.Gauge

	latency prometheus.Histogram
	batch   prometheus.Histogram

	all *prometheus.Registry // those above
}

// newCounters returns the counters of the worker of this name, all at 0.
func newCounters(worker string) *counters {
	c := &counters{all: prometheus.NewRegistry()}
	labels := prometheus.Labels{"worker": worker}
	counter := func(name, help string) prometheus.Counter {
		m := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "ulogkit", Subsystem: "ingest", Name: name, Help: help, ConstLabels: labels})
		c.all.MustRegister(m)
		return m
	}

	gauge := func(name, help string) prometheus.Gauge {
		m := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "ulogkit", Subsystem: "ingest", Name: name, Help: help, ConstLabels: labels})
		c.all.MustRegister(m)
		return m
	}

	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		m := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "ulogkit", Subsystem: "ingest", Name: name, Help: help, ConstLabels: labels, Buckets: buckets})
		c.all.MustRegister(m)
		return m
	}

	kinds := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "ulogkit", Subsystem: "ingest", Name: "messages_total",
		Help: "Intact messages received, copies left out.", ConstLabels: labels,
	}, []string{"kind"})
	c.all.MustRegister(kinds)
	for kind := range c.received {
		c.received[kind] = kinds.WithLabelValues(Kind(kind).String())
	}

	c.bytes = counter("bytes_total", "Payload bytes received, copies included.")
	c.copies = counter("copies_total", "Messages dropped because they were copies.")
	c.quarantined = counter("quarantined_total", "Messages that were not intact.")
	c.stored = counter("stored_total", "Messages stored durably in the sink.")
	c.acknowledged = counter("acknowledged_total", "Messages acknowledged to the broker.")
	c.missing = counter("missing_frames_total", "Frames missing between the frames of a version 1 log, by their sequence numbers.")
	c.failures = counter("sink_failures_total", "Attempts to store a batch that failed.")
	c.connects = counter("connects_total", "Connections that were made.")
	c.disconnects = counter("disconnects_total", "Connections and attempts that ended in an error.")
	c.connected = gauge("connected", "1 if the worker is connected to the broker.")
	c.sinkUp = gauge("sink_up", "1 if the last attempt to store a batch succeeded.")
	c.sinkUp.Set(1)
	c.unacknowledged = gauge("unacknowledged", "Messages being stored.")
	c.latency = histogram("append_seconds", "Time to store a batch.", prometheus.ExponentialBuckets(0.0001, 4, 9))
	c.batch = histogram("batch_messages", "Messages of a batch.", prometheus.ExponentialBuckets(1, 2, 10))
	return c
}

// NewCollector returns a collector for the caller's own Prometheus registry. The metrics
// have the label worker, which is Config.Name.
func NewCollector(w *Worker) prometheus.Collector { return w.count.all }
