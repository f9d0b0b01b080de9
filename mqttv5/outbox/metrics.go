package outbox

import "github.com/prometheus/client_golang/prometheus"

// NewCollector returns a collector of what an outbox counts, for the caller's own
// Prometheus registry. mqttv5.NewCollector is this and what a client counts.
func NewCollector(o *Outbox) prometheus.Collector { return collector{o} }

// collector reads the Stats, all at one time.
type collector struct{ o *Outbox }

// collected are the metrics, and where they stand in Stats.
var collected = [...]struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(Stats) float64
}{
	{desc("accepted_total", "Records accepted since the outbox was made."), prometheus.CounterValue, func(s Stats) float64 { return float64(s.Accepted) }},
	{desc("delivered_total", "Records delivered since the outbox was made."), prometheus.CounterValue, func(s Stats) float64 { return float64(s.Delivered) }},
	{desc("dropped_total", "Records dropped by hand since the outbox was made."), prometheus.CounterValue, func(s Stats) float64 { return float64(s.Dropped) }},
	{desc("retried_total", "Sendings that failed and will be repeated, in this process."), prometheus.CounterValue, func(s Stats) float64 { return float64(s.Retried) }},
	{desc("waiting_records", "Records to be delivered."), prometheus.GaugeValue, func(s Stats) float64 { return float64(s.Waiting) }},
	{desc("parked_records", "Records set aside with a reason."), prometheus.GaugeValue, func(s Stats) float64 { return float64(s.Parked) }},
	{desc("damaged_records", "Records whose bytes changed on disk."), prometheus.GaugeValue, func(s Stats) float64 { return float64(s.Damaged) }},
	{desc("bytes", "Bytes of all records on disk."), prometheus.GaugeValue, func(s Stats) float64 { return float64(s.Bytes) }},
	{desc("oldest_seconds", "Age of the oldest waiting record, in time the outbox was open."), prometheus.GaugeValue, func(s Stats) float64 { return s.OldestAge.Seconds() }},
}

func desc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("ulogkit_outbox_"+name, help, nil, nil)
}

func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range collected {
		ch <- m.desc
	}
}

func (c collector) Collect(ch chan<- prometheus.Metric) {
	s := c.o.Stats()
	for _, m := range collected {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s))
	}
}
