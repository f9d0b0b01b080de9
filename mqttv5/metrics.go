package mqttv5

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// counters are what a client counts. They exist whether or not anybody registered
// them.
type counters struct {
	connects    prometheus.Counter
	failures    prometheus.Counter
	disconnects prometheus.Counter
	delivered   prometheus.Counter
	bytes       prometheus.Counter
	nobody      prometheus.Counter
	refused     prometheus.Counter
	registered  prometheus.Counter
	latency     prometheus.Histogram

	all *prometheus.Registry // those above, and whether a connection is up
}

// newCounters takes what says whether a connection is up.
func newCounters(isUp func() bool) *counters {
	c := &counters{all: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		m := prometheus.NewCounter(prometheus.CounterOpts{Name: "ulogkit_mqtt_" + name, Help: help})
		c.all.MustRegister(m)
		return m
	}

	c.connects = counter("connects_total", "Connections that came up.")
	c.failures = counter("connect_failures_total", "Attempts to connect that failed.")
	c.disconnects = counter("disconnects_total", "Connections that were lost.")
	c.delivered = counter("published_total", "Messages acknowledged with success.")
	c.bytes = counter("published_bytes_total", "Payload bytes acknowledged with success.")
	c.nobody = counter("no_subscriber_total", "Messages acknowledged although nobody was subscribed.")
	c.refused = counter("refused_total", "Messages acknowledged with a failure code.")
	c.registered = counter("registrations_total", "Boot handshakes that gave a token.")

	c.latency = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "ulogkit_mqtt_puback_seconds", Help: "Time from sending a message to its acknowledgement.",
		Buckets: []float64{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120}, // a local broker to a link of 2 KiB/s
	})

	up := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ulogkit_mqtt_up", Help: "1 while a connection is up."}, func() float64 {
		if isUp() {
			return 1
		}
		return 0
	})

	c.all.MustRegister(c.latency, up)
	return c
}

// NewCollector returns a collector for the caller's own Prometheus registry. Either
// of client and outbox may be nil.
//
// The metrics have no labels of their own. Two clients or outboxes in one registry need
// one each, which prometheus.WrapRegistererWith gives; without, the registry refuses the
// second with a prometheus.AlreadyRegisteredError. NAMES.md lists all metrics.
func NewCollector(c *Client, o *Outbox) prometheus.Collector {
	all := prometheus.NewRegistry()
	if c != nil {
		all.MustRegister(c.count.all)
	}
	if o != nil {
		all.MustRegister(outbox.NewCollector(o))
	}
	return all
}
