package otlp

import (
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"

	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// addText adds the lines of a text log.
func (b *batch) addText(r *ingest.Record, yield func(full bool) bool) {
	log, err := ingest.ParseTextLog(r.Payload)
	if err != nil {
		return // ingest stores intact ones only
	}

	d := deviceOf(r.Topic, 0, nil)
	d.Info = device.Info{
		ApplicationID: d.ApplicationID, DeviceSerial: log.Serial, DeviceType: log.DeviceType, GitVersion: log.Version, GitHash: log.Git,
	}
	for i := range log.Lines {
		line := &log.Lines[i]
		record := &logs.LogRecord{
			ObservedTimeUnixNano: uint64(r.Time.UnixNano()),
			SeverityNumber:       severity(line.Level), SeverityText: line.Level.String(), Body: str(line.Text),
			Attributes: []*common.KeyValue{
				intAttr("ulogger.line", int64(i)), intAttr("ulogger.sequence", int64(log.Sequence)), textAttr("ulogger.key", r.Key.String()),
			},
		}
		if at, ok := line.Time(); ok {
			record.TimeUnixNano = nanoseconds(at)
		} else if up, ok := line.Uptime(); ok {
			record.Attributes = append(record.Attributes, &common.KeyValue{Key: "ulogger.uptime_seconds", Value: double(up)})
		} else {
			record.Attributes = append(record.Attributes, &common.KeyValue{Key: "ulogger.clock", Value: double(line.Clock)})
		}

		b.addLog(d, record)
		if !yield(b.full()) {
			return
		}
	}
}

// addReport adds metrics and events. What has no time is of the time it came.
func (b *batch) addReport(r *ingest.Record, yield func(full bool) bool) {
	kind := telemetry.KindMetrics
	if r.Kind == ingest.KindEvents {
		kind = telemetry.KindEvents
	}

	report, err := telemetry.Parse(kind, r.Payload)
	if err != nil {
		return // ingest stores intact ones only
	}

	for _, of := range report.Metrics {
		d := reporter(r, of.Serial, of.ApplicationID)
		for _, m := range of.Samples {
			point := &metrics.NumberDataPoint{Value: &metrics.NumberDataPoint_AsDouble{AsDouble: m.Value}}
			b.addPoint(d, "ulogger."+m.Name, point, nanoseconds(m.Time), r.Time)
			if !yield(b.full()) {
				return
			}
		}
	}

	for _, of := range report.Events {
		d := reporter(r, of.Serial, of.ApplicationID)
		for _, e := range of.Samples {
			b.addLog(d, &logs.LogRecord{
				TimeUnixNano: nanoseconds(e.Time), ObservedTimeUnixNano: uint64(r.Time.UnixNano()),
				SeverityNumber: logs.SeverityNumber_SEVERITY_NUMBER_INFO, SeverityText: "event", Body: str(e.Type),
				Attributes: []*common.KeyValue{textAttr("ulogger.key", r.Key.String())},
			})
			if !yield(b.full()) {
				return
			}
		}
	}
}

// reporter returns the device of a report. A batch may name an application that is
// not the topic's.
func reporter(r *ingest.Record, serial string, application uint32) Device {
	d := deviceOf(r.Topic, 0, nil)
	if application != 0 {
		d.ApplicationID = application
	}
	d.Info = device.Info{ApplicationID: d.ApplicationID, DeviceSerial: serial}
	return d
}

// nanoseconds returns a time in ns since 1970, 0 for none and for one that OTLP
// cannot hold.
func nanoseconds(t time.Time) uint64 {
	if t.IsZero() || t.Year() >= 2262 {
		return 0
	}
	return uint64(t.UnixNano())
}
