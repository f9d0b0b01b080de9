package otlp

import (
	"context"
	"errors"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

func TestRecordsBecomeLogRecordsAndMetrics(t *testing.T) {
	r := newReceiver(t)
	d, err := dict.FromStrings(map[uint32]string{
		0x1000: "temperature %d of %s is %.1f", 0x2000: "metric_%s=%.15g", 0x3000: "metric_heartbeat=1", 0x4000: "metric_%s=%u",
	})
	if err != nil {
		t.Fatal(err)
	}
	d.SetModules(map[uint8]string{3: "sensor"})
	src := &memorySource{}
	src.add(logRecord(t, 1, 3, 77,
		&format.Record{Level: format.LevelWarning, Module: 3, FmtAddr: 0x1000, TickDelta: 32768 * 50, Args: []format.Arg{format.ArgI32(-5), format.ArgString("oven\xff"), format.ArgDouble(1.25)}},
		&format.Record{Level: format.LevelMetric, Module: 31, FmtAddr: 0x2000, TickDelta: 32768 * 3, Args: []format.Arg{format.ArgString("volts"), format.ArgDouble(3.5)}},
		&format.Record{Level: format.LevelMetric, Module: 31, FmtAddr: 0x3000, TickDelta: 0},
		&format.Record{Level: format.LevelMetric, Module: 31, FmtAddr: 0x4000, TickDelta: 0, Args: []format.Arg{format.ArgString("count"), format.ArgU32(math.MaxUint32)}},
		&format.Record{Level: format.LevelCritical, Module: 1, FmtAddr: 0x9999, TickDelta: 16384, Args: []format.Arg{format.ArgU64(math.MaxUint64), format.ArgDropped()}},
	))
	src.add(logRecord(t, 2, 1, 78, &format.Record{Level: format.LevelDebug, Sequence: 9}, &format.Record{Level: format.LevelDebug, Sequence: 12}))
	e := newExporter(t, Config{
		URL: r.srv.URL + "/", Source: src, Headers: map[string]string{"Authorization": "Bearer x"},
		Device: func(d Device) (mqttv5.DeviceInfo, bool) {
			info := mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: "SN1", DeviceType: "lamp", GitVersion: "v1", GitHash: "abcdef0"}
			return info, d == Device{CustomerID: "7", GroupID: "G", ApplicationID: 42, Token: 77}
		},
		Choose: func(d2 Device, _ format.Log) Choice {
			if d2.Info.GitHash != "abcdef0" {
				return Choice{}
			}
			return Choice{Dictionary: d}
		},
	})
	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.headers[0].Get("Authorization") != "Bearer x" {
		t.Errorf("got Authorization %q, want Bearer x", r.headers[0].Get("Authorization"))
	}
	if len(r.logs) != 2 || len(r.metrics) != 1 {
		t.Fatalf("got %d resources with logs and %d with metrics, want 2 and 1", len(r.logs), len(r.metrics))
	}
	res := attributes(r.logs[0].Resource.Attributes)
	for key, want := range map[string]string{
		"service.name": "ulogger", "service.instance.id": "SN1", "service.version": "v1", "device.model.identifier": "lamp",
		"vcs.ref.head.revision": "abcdef0", "ulogger.customer_id": "7", "ulogger.group_id": "G", "device.id": "SN1",
	} {
		if got := res[key].GetStringValue(); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if res["ulogger.application_id"].GetIntValue() != 42 || res["ulogger.session_token"].GetIntValue() != 77 {
		t.Errorf("got resource %v, want application 42 and session token 77", res)
	}
	if got := instance(r.logs[1].Resource); got != "session 78" {
		t.Errorf("got %q for the unknown device, want session 78", got)
	}

	first := r.logs[0].ScopeLogs[0].LogRecords[0]
	at := attributes(first.Attributes)
	if first.Body.GetStringValue() != "temperature -5 of oven\uFFFD is 1.2" || first.SeverityNumber != logs.SeverityNumber_SEVERITY_NUMBER_WARN || first.SeverityText != "warning" {
		t.Errorf("got record %v, want body %q, severity %v and its text warning",
			first, "temperature -5 of oven\uFFFD is 1.2", logs.SeverityNumber_SEVERITY_NUMBER_WARN)
	}
	// 3.5 s of ticks follow it; the report was at 100 s of the device.
	if first.ObservedTimeUnixNano != uint64(received.UnixNano()) || first.TimeUnixNano != uint64(received.Add(-3500*time.Millisecond).UnixNano()) || at["ulogger.uptime_seconds"].GetDoubleValue() != 96.5 {
		t.Errorf("got time %d, observed %d, uptime %v, want 3.5 s before %d, observed then, uptime 96.5",
			first.TimeUnixNano, first.ObservedTimeUnixNano, at["ulogger.uptime_seconds"], received.UnixNano())
	}
	args := at["ulogger.args"].GetArrayValue().Values
	if len(args) != 3 || args[0].GetIntValue() != -5 || args[1].GetStringValue() != "oven\uFFFD" || args[2].GetDoubleValue() != 1.25 {
		t.Errorf("got arguments %v, want -5, %q and 1.25", args, "oven\uFFFD")
	}
	if at["ulogger.template"].GetStringValue() != "temperature %d of %s is %.1f" || at["ulogger.module_name"].GetStringValue() != "sensor" || at["ulogger.module"].GetIntValue() != 3 ||
		at["ulogger.fmt_addr"].GetIntValue() != 0x1000 || at["ulogger.frame"].GetIntValue() != 0 || !strings.HasPrefix(at["ulogger.key"].GetStringValue(), "0100") {
		t.Errorf("got attributes %v, want the template, module 3 named sensor, address 0x1000, frame 0 and a key that begins with 0100", at)
	}
	second := r.logs[0].ScopeLogs[0].LogRecords[1]
	at = attributes(second.Attributes)
	args = at["ulogger.args"].GetArrayValue().Values
	if second.Body.GetStringValue() != `0x00009999 18446744073709551615 ""` || args[0].GetStringValue() != "18446744073709551615" || args[1].Value != nil || at["ulogger.frame"].GetIntValue() != 4 {
		t.Errorf("got record %v, want body %q, arguments 18446744073709551615 and one without a value, frame 4",
			second, `0x00009999 18446744073709551615 ""`)
	}
	old := r.logs[1].ScopeLogs[0].LogRecords
	if len(old) != 2 || old[1].TimeUnixNano != 0 || attributes(old[1].Attributes)["ulogger.sequence"].GetIntValue() != 12 {
		t.Errorf("got records %v of version 1, want 2, the second without a time and of sequence 12", old)
	}

	points := map[string]any{}
	for _, m := range r.metrics[0].ScopeMetrics[0].Metrics {
		for _, p := range m.GetGauge().DataPoints {
			points[m.Name] = p.Value
			if p.TimeUnixNano != uint64(received.Add(-500*time.Millisecond).UnixNano()) {
				t.Errorf("%s: got time %d, want 500 ms before %d", m.Name, p.TimeUnixNano, received.UnixNano())
			}
		}
	}
	if len(points) != 3 || instance(r.metrics[0].Resource) != "SN1" {
		t.Errorf("got metrics %v of %q, want 3 of SN1", points, instance(r.metrics[0].Resource))
	}
	if m := r.metrics[0].ScopeMetrics[0].Metrics[0]; m.Name != "ulogger.volts" || m.GetGauge().DataPoints[0].GetAsDouble() != 3.5 {
		t.Errorf("got first metric %v, want ulogger.volts of 3.5", m)
	}
	if got := r.metrics[0].ScopeMetrics[0].Metrics[2].GetGauge().DataPoints[0].GetAsInt(); got != math.MaxUint32 {
		t.Errorf("count is %v, want %v", got, math.MaxUint32)
	}
	want := Stats{Messages: 2, LogRecords: 4, DataPoints: 3, Undecoded: 3, Missing: 2, Position: 3}
	if e.Stats() != want {
		t.Errorf("stats %+v, want %+v", e.Stats(), want)
	}
}

func TestMetricsAreExportedWithoutADictionary(t *testing.T) {
	r := newReceiver(t)
	src := &memorySource{}
	src.add(logRecord(t, 1, 3, 1,
		&format.Record{Level: format.LevelMetric, Module: 31, Args: []format.Arg{format.ArgString("a"), format.ArgI32(-1)}},
		&format.Record{Level: format.LevelMetric, Module: 31, Args: []format.Arg{format.ArgString("b"), format.ArgU32(7)}},
		&format.Record{Level: format.LevelMetric, Module: 31, Args: []format.Arg{format.ArgString("c"), format.ArgDouble(0.5)}},
		&format.Record{Level: format.LevelMetric, Module: 31},
		&format.Record{Level: format.LevelMetric, Module: 31, Args: []format.Arg{format.ArgDropped(), format.ArgDouble(0.5)}},
	))
	e := newExporter(t, Config{URL: r.srv.URL, Source: src})
	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.DataPoints != 3 || s.LogRecords != 2 {
		t.Errorf("stats %+v, want DataPoints 3 and LogRecords 2", s)
	}
}

func TestCrashDumpBecomesAFatalLogRecord(t *testing.T) {
	r := newReceiver(t)
	src := &memorySource{}
	h := &format.CoreDumpHeader{}
	h.SetVersion(1)
	h.SetLenTotal(264 + 88)
	h.SetApplicationID(42)
	if err := errors.Join(h.SetDeviceSerial("SN9"), h.SetGitHash("abcdef0")); err != nil {
		t.Fatal(err)
	}

	crash := make([]byte, 88)
	copy(crash, []byte{0x63, 0x43, 3, 0})
	crash[8+60] = 0x34 // pc
	b, err := format.CoreDump{Header: h, Crash: crash}.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}

	src.add(ingest.Record{Time: received, Kind: ingest.KindCoreDump, Topic: "core-dump/v0/7", Payload: b})
	e := newExporter(t, Config{URL: r.srv.URL, Source: src})
	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	rec := r.logs[0].ScopeLogs[0].LogRecords[0]
	if instance(r.logs[0].Resource) != "SN9" || rec.SeverityNumber != logs.SeverityNumber_SEVERITY_NUMBER_FATAL4 ||
		!strings.Contains(rec.Body.GetStringValue(), "352 bytes") || attributes(rec.Attributes)["ulogger.crash.pc"].GetIntValue() != 0x34 {
		t.Errorf("got record %v of %v, want severity FATAL4, a body with 352 bytes, and pc 0x34, of SN9", rec, r.logs[0].Resource)
	}
}

// Outages and requests to wait leave nothing out, and the position follows only
// what was taken.
func TestOutagesLeaveNothingOut(t *testing.T) {
	r := newReceiver(t)
	position := filepath.Join(t.TempDir(), "position")
	src := &memorySource{}
	for i := range 10 {
		src.add(logRecord(t, i, 3, uint32(1+i%3), say(i)))
	}
	cut := func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }
	r.script = []func(http.ResponseWriter){status(503), status(429, "Retry-After", "0"), status(502), status(504), cut, nil, status(503)}
	e := newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: position, BatchRecords: 4})
	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}

	got := r.bodies()
	slices.Sort(got)
	if !reflect.DeepEqual(got, bodiesOf(0, 10)) {
		t.Errorf("got %q exported, want %q", got, bodiesOf(0, 10))
	}
	if s := e.Stats(); s.Retries != 6 || s.Position != 11 || s.LogRecords != 10 {
		t.Errorf("stats %+v, want Retries 6, Position 11 and LogRecords 10", s)
	}

	if b, err := os.ReadFile(position); err != nil || !strings.Contains(string(b), `"next":11}`) {
		t.Errorf("got position %q, error %v, want one that ends with %q", b, err, `"next":11}`)
	}

	// Another exporter goes on there, and knows the copies of what was before.
	src.add(src.records[3])
	src.add(logRecord(t, 10, 3, 1, say(10)))
	e = newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: position})
	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}

	if got := r.bodies(); len(got) != 11 || got[10] != "0x00001000 10" {
		t.Errorf("got %q exported, want 11 bodies, the last %q", got, "0x00001000 10")
	}
	if s := e.Stats(); s.Messages != 1 || s.Position != 13 {
		t.Errorf("got stats %+v, want Messages 1 and Position 13", s)
	}
}

func TestRetryAfterIsWaitedFor(t *testing.T) {
	r := newReceiver(t)
	src := &memorySource{}
	src.add(logRecord(t, 1, 3, 1, say(1)))
	r.script = []func(http.ResponseWriter){status(503, "Retry-After", "1")}
	e := newExporter(t, Config{URL: r.srv.URL, Source: src})
	begin := time.Now()
	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(begin); d < time.Second {
		t.Errorf("it took %v, want at least %v", d, time.Second)
	}
}

// A refusal ends the export; nothing is skipped.
func TestRefusalEndsTheExportAndSkipsNothing(t *testing.T) {
	for _, code := range []int{401, 404, 500, 307} {
		r := newReceiver(t)
		position := filepath.Join(t.TempDir(), "position")
		src := &memorySource{}
		for i := range 4 {
			src.add(logRecord(t, i, 3, 1, say(i)))
		}
		r.script = []func(http.ResponseWriter){nil, status(code, "Content-Type", "text/plain", "Location", r.srv.URL+"/elsewhere")}
		e := newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: position, BatchRecords: 2})
		err := e.Drain(t.Context())
		if err == nil || !strings.Contains(err.Error(), "not today?") || !strings.Contains(err.Error(), "nothing after record 2") {
			t.Errorf("got %v, want an error that says %q and %q", err, "not today?", "nothing after record 2")
		}

		if b, _ := os.ReadFile(position); !strings.Contains(string(b), `"next":3}`) || e.Stats().Position != 3 {
			t.Errorf("got position %q and %d, want one with %q and 3", b, e.Stats().Position, `"next":3}`)
		}
		if err := e.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}

		if got := r.bodies(); !reflect.DeepEqual(got, bodiesOf(0, 4)) {
			t.Errorf("got %q exported, want %q", got, bodiesOf(0, 4))
		}
	}
}

func TestPartialSuccessCountsWhatWasRejected(t *testing.T) {
	r := newReceiver(t)
	src := &memorySource{}
	src.add(logRecord(t, 1, 3, 1, say(1), say(2), say(3)))
	r.script = []func(http.ResponseWriter){func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/x-protobuf")
		// ExportLogsServiceResponse{partial_success: {rejected_log_records: 2, error_message: "no"}}
		w.Write([]byte{0x0a, 0x06, 0x08, 0x02, 0x12, 0x02, 'n', 'o'})
	}}
	e := newExporter(t, Config{URL: r.srv.URL, Source: src})
	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.LogRecords != 1 || s.Rejected != 2 || s.Position != 2 {
		t.Errorf("stats %+v, want LogRecords 1, Rejected 2 and Position 2", s)
	}
}

func TestLossAndQuarantineAreCounted(t *testing.T) {
	r := newReceiver(t)
	src := &memorySource{lost: map[uint64]bool{2: true}}
	for i := range 4 {
		src.add(logRecord(t, i, 3, 1, say(i)))
	}
	src.records[2].Reason = "bad"
	e := newExporter(t, Config{URL: r.srv.URL, Source: src})
	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.Lost != 1 || s.Quarantined != 1 || s.Messages != 2 || s.Position != 5 {
		t.Errorf("stats %+v, want Lost 1, Quarantined 1, Messages 2 and Position 5", s)
	}
}

// A log with more frames than fit a request is split, and the position does not
// move into it.
func TestLargeLogIsSplitAndThePositionWaits(t *testing.T) {
	r := newReceiver(t)
	src := &memorySource{}
	var frames []*format.Record
	for i := range 25 {
		frames = append(frames, say(i))
	}
	src.add(logRecord(t, 1, 3, 1, frames...))
	r.script = []func(http.ResponseWriter){nil, status(401)}
	e := newExporter(t, Config{URL: r.srv.URL, Source: src, BatchRecords: 10})
	if err := e.Drain(t.Context()); err == nil || e.Stats().Position != 0 {
		t.Fatalf("got %v, position %d, want an error and position 0", err, e.Stats().Position)
	}
	if err := e.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.bodies(); len(got) != 35 || !reflect.DeepEqual(got[10:], bodiesOf(0, 25)) {
		t.Errorf("got %q exported, want the first 10 twice: %q", got, bodiesOf(0, 25))
	}
}

func TestRunFollowsTheSource(t *testing.T) {
	r := newReceiver(t)
	src := &lockedSource{}
	src.add(logRecord(t, 1, 3, 1, say(1)))
	e := newExporter(t, Config{URL: r.srv.URL, Source: src})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	for n := 1; n < 5; n++ {
		for len(r.bodies()) < n {
			select {
			case err := <-done:
				t.Fatal(err)
			case <-time.After(time.Millisecond):
			}
		}
		src.add(logRecord(t, n+1, 3, 1, say(n+1)))
	}

	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestChooseFromTakesTheOneThatFits(t *testing.T) {
	var dicts []Dictionary
	for _, texts := range []map[uint32]string{
		{0x1000: "%s", 0x2000: "%s"}, {0x1000: "%d", 0x2000: "%s"}, {0x1000: "%d", 0x2000: "%u"}, {0x1000: "%i", 0x2000: "%x"},
	} {
		d, err := dict.FromStrings(texts)
		if err != nil {
			t.Fatal(err)
		}
		dicts = append(dicts, d)
	}

	choose := ChooseFrom(dicts)
	for _, c := range []struct {
		args []format.Arg // at 0x1000, at 0x2000
		want Dictionary
	}{
		{[]format.Arg{format.ArgI32(1), format.ArgU32(1)}, dicts[2]},
		{[]format.Arg{format.ArgString("a"), format.ArgString("b")}, dicts[0]},
		{[]format.Arg{format.ArgI32(1), format.ArgString("b")}, dicts[1]},
		{[]format.Arg{format.ArgDouble(1), format.ArgDouble(1)}, nil},
	} {
		r := logRecord(t, 1, 3, 1, &format.Record{FmtAddr: 0x1000, Args: c.args[:1]}, &format.Record{FmtAddr: 0x2000, Args: c.args[1:]})
		l, _, err := format.ParseLog(r.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if got := choose(Device{}, l).Dictionary; got != c.want {
			t.Errorf("%v: dictionary %v, want %v", c.args, got, c.want)
		}
	}
}

func TestNewRefusesABadConfig(t *testing.T) {
	src := &memorySource{}
	bad := filepath.Join(t.TempDir(), "position")
	if err := os.WriteFile(bad, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []Config{
		{Source: src},
		{URL: "localhost:4318", Source: src},
		{URL: "ftp://x", Source: src},
		{URL: "http://x?y", Source: src},
		{URL: "http://x"},
		{URL: "http://x", Source: src, BatchRecords: -1},
		{URL: "http://x", Source: src, PositionFile: bad},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("got no error for %+v, want one", cfg)
		}
	}
}

func FuzzPayload(f *testing.F) {
	f.Add(logRecord(f, 1, 3, 1, say(1), say(2)).Payload, true)
	f.Add(logRecord(f, 1, 1, 1, say(1), say(2)).Payload, false)
	f.Fuzz(func(t *testing.T, b []byte, log bool) {
		r := ingest.Record{Time: received, Kind: ingest.KindCoreDump, Topic: "core-dump/v0/7", Payload: b}
		if log {
			r.Kind, r.Topic = ingest.KindLog, "binlog/v0/7/42"
		}
		cfg, stats := Config{BatchRecords: 1000}, Stats{}
		var batch batch
		batch.init(&cfg, &stats)
		for range batch.add(&r) {
		}
		if _, err := proto.Marshal(&batch.logs); err != nil {
			t.Fatal(err)
		}
		if _, err := proto.Marshal(&batch.metrics); err != nil {
			t.Fatal(err)
		}
	})
}
