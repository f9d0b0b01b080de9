package mqttv5

import "github.com/prometheus/client_golang/prometheus"

// collector reads the counters when it is asked; nothing is counted twice.
type collector struct {
	c *Client
	o *Outbox
}

// NewCollector returns a collector for the caller's own Prometheus registry. Either
// of client and outbox may be nil.
func NewCollector(c *Client, o *Outbox) prometheus.Collector { return collector{c, o} }

func metric(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("ulogkit_"+name, help, nil, nil)
}

var (
	metricConnects    = metric("mqtt_connects_total", "Connections that came up.")
	metricFailures    = metric("mqtt_connect_failures_total", "Attempts to connect that failed.")
	metricDisconnects = metric("mqtt_disconnects_total", "Connections that were lost.")
	metricUp          = metric("mqtt_up", "1 while a connection is up.")
	metricPublished   = metric("mqtt_published_total", "Messages acknowledged with success.")
	metricPayload     = metric("mqtt_published_bytes_total", "Payload bytes acknowledged with success.")
	metricNobody      = metric("mqtt_no_subscriber_total", "Messages acknowledged although nobody was subscribed.")
	metricRefused     = metric("mqtt_refused_total", "Messages acknowledged with a failure code.")
	metricRegistered  = metric("mqtt_registrations_total", "Boot handshakes that gave a token.")
	metricLatency     = metric("mqtt_puback_seconds", "Time from sending a message to its acknowledgement.")

	metricAccepted  = metric("outbox_accepted_total", "Records accepted since the outbox was made.")
	metricDelivered = metric("outbox_delivered_total", "Records delivered since the outbox was made.")
	metricDropped   = metric("outbox_dropped_total", "Records dropped by hand since the outbox was made.")
	metricRetried   = metric("outbox_retried_total", "Sendings that failed and will be repeated, in this process.")
	metricWaiting   = metric("outbox_waiting_records", "Records to be delivered.")
	metricParked    = metric("outbox_parked_records", "Records set aside with a reason.")
	metricDamaged   = metric("outbox_damaged_records", "Records whose bytes changed on disk.")
	metricBytes     = metric("outbox_bytes", "Bytes of all records on disk.")
	metricOldest    = metric("outbox_oldest_seconds", "Age of the oldest waiting record, in time the outbox was open.")
)

// Describe implements prometheus.Collector.
func (m collector) Describe(ch chan<- *prometheus.Desc) {
	if m.c != nil {
		for _, d := range [...]*prometheus.Desc{
			metricConnects, metricFailures, metricDisconnects, metricUp, metricPublished,
			metricPayload, metricNobody, metricRefused, metricRegistered, metricLatency,
		} {
			ch <- d
		}
	}
	if m.o != nil {
		for _, d := range [...]*prometheus.Desc{
			metricAccepted, metricDelivered, metricDropped, metricRetried, metricWaiting,
			metricParked, metricDamaged, metricBytes, metricOldest,
		} {
			ch <- d
		}
	}
}

// Collect implements prometheus.Collector.
func (m collector) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	if m.c != nil {
		n := &m.c.count
		counter(metricConnects, float64(n.connects.Load()))
		counter(metricFailures, float64(n.failures.Load()))
		counter(metricDisconnects, float64(n.disconnects.Load()))
		up := 0.0
		if m.c.keeper.IsUp() {
			up = 1
		}
		gauge(metricUp, up)
		counter(metricPublished, float64(n.delivered.Load()))
		counter(metricPayload, float64(n.bytes.Load()))
		counter(metricNobody, float64(n.nobody.Load()))
		counter(metricRefused, float64(n.refused.Load()))
		counter(metricRegistered, float64(n.registered.Load()))
		count, sum, buckets := m.c.latency.read()
		ch <- prometheus.MustNewConstHistogram(metricLatency, count, sum, buckets)
	}
	if m.o != nil {
		s := m.o.Stats()
		counter(metricAccepted, float64(s.Accepted))
		counter(metricDelivered, float64(s.Delivered))
		counter(metricDropped, float64(s.Dropped))
		counter(metricRetried, float64(s.Retried))
		gauge(metricWaiting, float64(s.Waiting))
		gauge(metricParked, float64(s.Parked))
		gauge(metricDamaged, float64(s.Damaged))
		gauge(metricBytes, float64(s.Bytes))
		gauge(metricOldest, s.OldestAge.Seconds())
	}
}

// read returns the histogram as Prometheus wants it: cumulative.
func (h *histogram) read() (count uint64, sum float64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64, len(latencyBounds))
	for i := range h.buckets {
		count += h.buckets[i].Load()
		if i < len(latencyBounds) {
			buckets[latencyBounds[i]] = count
		}
	}
	return count, float64(h.nanos.Load()) / 1e9, buckets
}
