package otlp

import (
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// scope is the instrumentation scope of all that is exported.
var scope = &common.InstrumentationScope{Name: "github.com/ulogkit/ulogkit"}

// batch gathers what goes into one request for logs and one for metrics.
type batch struct {
	cfg   *Config
	stats *Stats
	texts texts

	next    uint64 // sequence number behind what was added
	last    string // key of what was added last
	size    int    // records and points
	bytes   int    // of them, about
	devices map[Device]*output

	// These are on the wire what ExportLogsServiceRequest and
	// ExportMetricsServiceRequest are, whose packages would bring a gRPC server
	// and gateway with them.
	logs    logs.LogsData
	metrics metrics.MetricsData
}

// output is one device's part of the batch.
type output struct {
	resource *resource.Resource
	logs     *logs.ScopeLogs
	metrics  *metrics.ScopeMetrics
	gauges   map[string]*metrics.Gauge
}

func (b *batch) init(cfg *Config, stats *Stats) {
	b.cfg, b.stats = cfg, stats
	b.texts.init(cfg, stats)
	b.reset()
}

// reset empties the batch.
func (b *batch) reset() {
	b.size, b.bytes = 0, 0
	b.devices = map[Device]*output{}
	b.logs.ResourceLogs, b.metrics.ResourceMetrics = nil, nil
}

func (b *batch) full() bool { return b.size >= b.cfg.BatchRecords || b.bytes >= b.cfg.BatchBytes }

// add adds what a record holds. It yields after each log record whether the batch
// is full, and goes on when it has been sent.
func (b *batch) add(r *ingest.Record) iter.Seq[bool] {
	return func(yield func(full bool) bool) {
		switch r.Kind {
		case ingest.KindCoreDump:
			b.addCrash(r)
			return
		case ingest.KindTextLog:
			b.addText(r, yield)
			return
		case ingest.KindMetrics, ingest.KindEvents:
			b.addReport(r, yield)
			return
		}

		l, _, err := format.ParseLog(r.Payload)
		if err != nil {
			return // ingest stores intact logs only
		}
		d := deviceOf(r.Topic, l.SessionToken(), b.cfg.Device)
		printf := b.texts.of(d, l)
		clock := newClock(l, r.Time)
		frames := l.Frames()
		for index := 0; frames.Next(); index++ {
			f := frames.Frame()
			p, err := format.ParsePayload(f.Payload)
			if err != nil {
				continue
			}
			at, uptime := clock.next(f.TickDelta)
			b.addFrame(d, r, l, &f, p, printf, index, at, uptime)
			if !yield(b.full()) {
				return
			}
		}
	}
}

// clock reckons when the frames of a log were logged, back from its report: the last
// frame is taken to be as late as that, which it may be earlier than. The first pass
// over the frames has given the ticks that follow each. It knows of no other log, as
// package format/text/clock does: the time of a record must not depend on where an
// export began.
type clock struct {
	reported time.Time // as the device's own clock has it, or when the report came
	rate     uint64    // ticks a second; 0 if there is no clock
	tick     uint64    // of the report
	left     uint64    // ticks from the frame before to the last
}

func newClock(l format.Log, received time.Time) clock {
	c := clock{reported: received}
	tick, rate, ok := l.Clock()
	if !ok || rate == 0 {
		return c
	}
	c.rate, c.tick = uint64(rate), uint64(tick)
	if us, _ := l.Epoch(); us > 0 && us <= math.MaxInt64/1000 {
		c.reported = time.UnixMicro(int64(us))
	}
	frames := l.Frames()
	for frames.Next() {
		c.left += uint64(frames.Frame().TickDelta)
	}
	return c
}

// next returns the time of the next frame, in ns since 1970, and the device's own
// in seconds since it started; 0 and -1 if they cannot be told.
func (c *clock) next(delta uint32) (at uint64, uptime float64) {
	if c.rate == 0 {
		return 0, -1
	}
	c.left -= uint64(delta)
	seconds := float64(c.left) / float64(c.rate)
	uptime = -1
	if c.tick >= c.left {
		uptime = float64(c.tick-c.left) / float64(c.rate)
	}
	ns := float64(c.reported.UnixNano()) - seconds*1e9
	if ns < 0 {
		return 0, uptime
	}
	return uint64(c.reported.UnixNano() - int64(seconds*1e9)), uptime
}

// addFrame adds one frame of a log: as a point where it is a metric, otherwise as a
// record.
func (b *batch) addFrame(d Device, r *ingest.Record, l format.Log, f *format.Frame, p format.Payload, printf *printfs, index int, at uint64, uptime float64) {
	template := printf.template(p.FmtAddr())
	var body string
	if template != nil {
		b.texts.buf = template.Append(b.texts.buf[:0], p)
		body = valid(b.texts.buf)
	}

	if p.Level() == format.LevelMetric {
		if name, value, ok := metricOf(p, body); ok {
			b.addPoint(d, name, value, at, r.Time)
			return
		}
	}

	record := &logs.LogRecord{
		TimeUnixNano: at, ObservedTimeUnixNano: uint64(r.Time.UnixNano()),
		SeverityNumber: severity(p.Level()), SeverityText: p.Level().String(),
		Attributes: []*common.KeyValue{
			intAttr("ulogger.module", int64(p.Module())),
			intAttr("ulogger.fmt_addr", int64(p.FmtAddr())),
			intAttr("ulogger.frame", int64(index)),
			textAttr("ulogger.key", r.Key.String()),
			{Key: "ulogger.args", Value: arguments(p)},
		},
	}
	add := func(kv *common.KeyValue) { record.Attributes = append(record.Attributes, kv) }
	if l.FramesNumbered() {
		add(intAttr("ulogger.sequence", int64(f.Sequence)))
	}
	if uptime >= 0 {
		add(&common.KeyValue{Key: "ulogger.uptime_seconds", Value: double(uptime)})
	}

	if name := printf.module(p.Module()); name != "" {
		add(textAttr("ulogger.module_name", name))
	}
	if template != nil {
		add(textAttr("ulogger.template", valid([]byte(template.Format()))))
	} else {
		b.stats.Undecoded++
		body = undecoded(p)
	}

	record.Body = str(body)
	b.addLog(d, record)
}

// undecoded is the text of a record whose format string is not known.
func undecoded(p format.Payload) string {
	var s strings.Builder
	fmt.Fprintf(&s, "0x%08x", p.FmtAddr())
	args := p.Args()
	for args.Next() {
		s.WriteByte(' ')
		switch a := args.Arg(); a.Type() {
		case format.ArgTypeI32, format.ArgTypeI64:
			s.WriteString(strconv.FormatInt(a.Int(), 10))
		case format.ArgTypeDouble:
			s.WriteString(strconv.FormatFloat(a.Float(), 'g', -1, 64))
		case format.ArgTypeString:
			s.WriteString(strconv.Quote(string(a.Text())))
		default:
			s.WriteString(strconv.FormatUint(a.Uint(), 10))
		}
	}
	return s.String()
}

// addCrash adds a crash dump, as one record with the registers that matter most.
func (b *batch) addCrash(r *ingest.Record) {
	d, _, err := format.ParseCoreDump(r.Payload)
	if err != nil {
		return // ingest stores intact dumps only
	}
	device := deviceOfCrash(r.Topic, d.Header)
	record := &logs.LogRecord{
		ObservedTimeUnixNano: uint64(r.Time.UnixNano()),
		SeverityNumber:       logs.SeverityNumber_SEVERITY_NUMBER_FATAL4, SeverityText: "crash",
		Body:       str(fmt.Sprintf("device crashed and left a dump of %d bytes", len(r.Payload))),
		Attributes: []*common.KeyValue{textAttr("ulogger.key", r.Key.String()), intAttr("ulogger.crash.bytes", int64(len(r.Payload)))},
	}
	if c, err := format.ParseCrashCatcher(d.Crash); err == nil {
		record.Attributes = append(record.Attributes,
			intAttr("ulogger.crash.pc", int64(c.Registers.PC())), intAttr("ulogger.crash.lr", int64(c.Registers.LR())),
			intAttr("ulogger.crash.sp", int64(c.Registers.SP())))
		if f := c.FaultRegisters(); f != nil {
			record.Attributes = append(record.Attributes, intAttr("ulogger.crash.cfsr", int64(f.CFSR())), intAttr("ulogger.crash.hfsr", int64(f.HFSR())))
		}
	}
	b.addLog(device, record)
}

// device returns a device's part of the batch.
func (b *batch) device(d Device) *output {
	o := b.devices[d]
	if o == nil {
		o = &output{resource: d.resource()}
		b.devices[d] = o
	}
	return o
}

func (b *batch) addLog(d Device, r *logs.LogRecord) {
	o := b.device(d)
	if o.logs == nil {
		o.logs = &logs.ScopeLogs{Scope: scope}
		b.logs.ResourceLogs = append(b.logs.ResourceLogs, &logs.ResourceLogs{Resource: o.resource, ScopeLogs: []*logs.ScopeLogs{o.logs}})
	}
	o.logs.LogRecords = append(o.logs.LogRecords, r)
	b.size++
	b.bytes += proto.Size(r)
}

// addPoint adds one value of a metric of a device.
func (b *batch) addPoint(d Device, name string, value *metrics.NumberDataPoint, at uint64, received time.Time) {
	o := b.device(d)
	if o.metrics == nil {
		o.metrics, o.gauges = &metrics.ScopeMetrics{Scope: scope}, map[string]*metrics.Gauge{}
		b.metrics.ResourceMetrics = append(b.metrics.ResourceMetrics, &metrics.ResourceMetrics{Resource: o.resource, ScopeMetrics: []*metrics.ScopeMetrics{o.metrics}})
	}
	g := o.gauges[name]
	if g == nil {
		g = &metrics.Gauge{}
		o.gauges[name] = g
		o.metrics.Metrics = append(o.metrics.Metrics, &metrics.Metric{Name: name, Data: &metrics.Metric_Gauge{Gauge: g}})
	}
	if value.TimeUnixNano = at; at == 0 {
		value.TimeUnixNano = uint64(received.UnixNano()) // a data point must have one
	}
	g.DataPoints = append(g.DataPoints, value)
	b.size++
	b.bytes += proto.Size(value)
}

// valid returns text as UTF-8, which protobuf insists on.
func valid(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}
