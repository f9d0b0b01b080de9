package otlp

import (
	"slices"
	"testing"
	"time"

	logs "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// Text logs, metrics and events, also compressed and of several devices, become log
// records and points of gauges.
func TestTextAndReportsBecomeLogRecordsAndPoints(t *testing.T) {
	rcv, src := newReceiver(t), &memorySource{}
	at := time.Unix(1_795_867_200, 500_000_000)
	metrics, err := telemetry.EncodeBatch([]telemetry.Device[telemetry.Metric]{
		{Serial: "SN-1", ApplicationID: 7, Samples: []telemetry.Metric{{Name: "temperature", Value: 21.5, Time: at}, {Name: "temperature", Value: 22}}},
		{Serial: "SN-2", ApplicationID: 9, Samples: []telemetry.Metric{{Name: "humidity", Value: 40, Time: at}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	packed, compressed := telemetry.Compress(metrics, telemetry.CompressAlways)
	if !compressed {
		t.Fatal("got metrics that are not compressed, want them compressed")
	}
	src.add(ingest.Record{Time: received, Kind: ingest.KindMetrics, Topic: "site/metrics/v0/42/G/7", Payload: packed, Key: ingest.Key{1}})
	src.add(ingest.Record{
		Time: received, Kind: ingest.KindEvents, Topic: "events/v0/42/7", Key: ingest.Key{2},
		Payload: []byte(`{"device_serial":"SN-1","events":[{"type":"door-opened","timestamp":1795867200.5},{"type":"late"}]}`),
	})
	src.add(ingest.Record{
		Time: received, Kind: ingest.KindTextLog, Topic: "logs/v0/42/7", Key: ingest.Key{3},
		Payload: []byte(`{"sequence":4,"device_type":"board","version":"v1.2","git":"3f2c9a1","serial":"SN-3"}
{"t":1795867200.5,"lv":1,"m":"a"}
{"t":12.25,"lv":5,"m":"b"}
{"t":1795867200500,"lv":3,"m":"c"}
`),
	})
	if err := newExporter(t, Config{Source: src, URL: rcv.srv.URL}).Drain(t.Context()); err != nil {
		t.Fatal(err)
	}

	if got := rcv.bodies(); !slices.Equal(got, []string{"door-opened", "late", "a", "b", "c"}) {
		t.Fatalf("got log records %q, want door-opened, late, a, b and c", got)
	}
	event := rcv.logs[0].ScopeLogs[0].LogRecords
	if event[0].TimeUnixNano != uint64(at.UnixNano()) || event[1].TimeUnixNano != 0 || event[1].ObservedTimeUnixNano != uint64(received.UnixNano()) || event[0].SeverityText != "event" {
		t.Errorf("got events %v, want the first at %d and of severity event, the second without a time and observed at %d",
			event, at.UnixNano(), received.UnixNano())
	}
	text := rcv.logs[1].ScopeLogs[0].LogRecords
	if text[0].TimeUnixNano != uint64(at.UnixNano()) || text[0].SeverityNumber != logs.SeverityNumber_SEVERITY_NUMBER_DEBUG {
		t.Errorf("got first line %v, want severity DEBUG at %d", text[0], at.UnixNano())
	}
	if up := attributes(text[1].Attributes)["ulogger.uptime_seconds"]; text[1].TimeUnixNano != 0 || up.GetDoubleValue() != 12.25 || text[1].SeverityNumber != logs.SeverityNumber_SEVERITY_NUMBER_FATAL {
		t.Errorf("got second line %v, want no time, uptime 12.25 and severity %v", text[1], logs.SeverityNumber_SEVERITY_NUMBER_FATAL)
	}
	if clock := attributes(text[2].Attributes)["ulogger.clock"]; text[2].TimeUnixNano != 0 || clock.GetDoubleValue() != 1795867200500 {
		t.Errorf("got third line %v, want no time and clock 1795867200500", text[2])
	}
	of := attributes(rcv.logs[1].Resource.Attributes)
	for key, want := range map[string]string{"device.id": "SN-3", "device.model.identifier": "board", "service.version": "v1.2", "vcs.ref.head.revision": "3f2c9a1"} {
		if got := of[key].GetStringValue(); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}

	if len(rcv.metrics) != 2 {
		t.Fatalf("got metrics of %d devices, want 2", len(rcv.metrics))
	}
	one, two := rcv.metrics[0], rcv.metrics[1]
	if got := one.ScopeMetrics[0].Metrics; len(got) != 1 || got[0].Name != "ulogger.temperature" {
		t.Fatalf("got metrics %v, want ulogger.temperature alone", got)
	}
	points := one.ScopeMetrics[0].Metrics[0].GetGauge().DataPoints
	if len(points) != 2 || points[0].GetAsDouble() != 21.5 || points[0].TimeUnixNano != uint64(at.UnixNano()) || points[1].TimeUnixNano != uint64(received.UnixNano()) {
		t.Errorf("got points %v, want 21.5 at %d and a second at %d", points, at.UnixNano(), received.UnixNano())
	}
	of = attributes(two.Resource.Attributes)
	if of["device.id"].GetStringValue() != "SN-2" || of["ulogger.application_id"].GetIntValue() != 9 || of["ulogger.group_id"].GetStringValue() != "G" {
		t.Errorf("got second device %v, want SN-2 of application 9 and group G", of)
	}
}

// A long text log is sent in several requests, whole.
func TestExportSplitsTextLogs(t *testing.T) {
	rcv, src := newReceiver(t), &memorySource{}
	src.add(ingest.Record{Time: received, Kind: ingest.KindTextLog, Topic: "logs/v0/42/7", Payload: []byte(`{"serial":"S"}
{"t":1,"lv":2,"m":"a"}
{"t":2,"lv":2,"m":"b"}
{"t":3,"lv":2,"m":"c"}`)})
	if err := newExporter(t, Config{Source: src, URL: rcv.srv.URL, BatchRecords: 2}).Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := rcv.bodies(); !slices.Equal(got, []string{"a", "b", "c"}) || rcv.requests != 2 {
		t.Errorf("%q in %d requests, want 3 lines in 2", got, rcv.requests)
	}
}
