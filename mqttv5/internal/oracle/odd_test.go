package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// The library takes every version byte, and so reads headers that nobody has seen.
func testVersions(t *testing.T, l *library) {
	var logs [][]byte
	for v := range 256 {
		logs = append(logs, append([]byte{byte(v)}, make([]byte, 24)...))
	}
	table := newLedger("version of a log")
	for v, theirs := range libraryTakes(t, l, logs) {
		log, _, err := format.ParseLog(logs[v])
		name := fmt.Sprint(v)
		if v > 4 {
			name = "above 4"
		}
		table.compare(t, name, fmt.Sprint(err == nil && log.Verify() == nil), fmt.Sprint(theirs))
	}
	table.done(t)
}

// What one side sends and the other does not.
func testOddUploads(t *testing.T, l *library) {
	reply := func(serial string) []string {
		switch serial {
		case "silent", "stale", "#", "+": // nothing but what is retained
			return nil
		}
		return []string{`{"token":77}`}
	}
	b := startBroker(t, reply, nothing)
	client := connect(t, mqttv5.Config{Port: b.port, GroupID: "0", TokenTimeout: 2 * time.Minute})
	said := func(err error) string { return fmt.Sprint(err == nil) }
	own := config(plain(b.port, 0)) // a connection for each call
	l.call(t, request{Call: "Client", Args: []any{b.port, "lent"}, Keep: "lent"}, nil)
	defer l.call(t, request{Call: "lent.disconnect"}, nil)
	with := func(patience float64) any {
		return config(map[string]any{"client": map[string]any{"$kept": "lent"}, "customer_id": 42, "group_id": 0, "token_timeout": patience})
	}
	lent := with(enough)
	ask := func(r request) string {
		var ok json.RawMessage
		l.call(t, r, &ok)
		return strings.ReplaceAll(string(ok), "null", "none")
	}
	log := formattest.LogBytes(t)[0]

	table := newLedger("upload")
	for _, serial := range []string{"SN 1", "é", "silent"} {
		info, who := device(serial)
		ctx, cfg := t.Context(), lent
		if serial == "silent" {
			cfg = with(1)
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Second)
			defer cancel()
		}
		_, err := client.UploadLog(ctx, info, log)
		theirs := ask(request{Call: "upload_log", Args: []any{who, octets(log), cfg}, With: map[string]any{"store": object("SessionStore", nil)}})
		table.compare(t, "serial "+serial, said(err), theirs)
	}
	for name, dump := range map[string][]byte{"empty dump": {}, "dump of noise": []byte("noise"), "dump": formattest.DumpBytes(t)[0]} {
		_, err := client.PublishCoreDump(t.Context(), dump)
		table.compare(t, name, said(err), ask(request{Call: "publish_core_dump", Args: []any{octets(dump), lent}}))
	}
	_, err := mqttv5.New(mqttv5.Config{Broker: "127.0.0.1", Port: b.port, CustomerID: customer})
	table.compare(t, "no certificate", said(err), ask(request{Call: "publish_core_dump", Args: []any{octets("x"), own}}))
	table.done(t)

	// A reply that the broker kept is of some earlier time.
	table = newLedger("retained boot reply")
	info, who := device("stale")
	if err := b.server.Publish("boot/v0/42/0/7/stale", []byte(`{"token":5}`), true, 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	ours := "none"
	if token, err := client.GetSessionToken(ctx, info); err == nil {
		ours = fmt.Sprint(token)
	}
	table.compare(t, "5, then nothing", ours, ask(request{Call: "get_session_token", Args: []any{who, own}}))
	table.done(t)

	// A topic of a serial with wildcards is refused before anything is sent.
	table = newLedger("serial")
	for _, serial := range []string{"#", "+", "a/b", ""} {
		info, who := device(serial)
		err := info.Validate()
		table.compare(t, serial, said(err), ask(request{Call: "get_session_token", Args: []any{who, lent}}))
	}
	table.done(t)
}

// A configuration that the broker kept counts: it is what the cloud said last.
func testKeptLogConfig(t *testing.T, l *library) {
	b := startBroker(t, nothing, nothing)
	if err := b.server.Publish("config/v0/42/0/7/kept", []byte(nine), true, 1); err != nil {
		t.Fatal(err)
	}
	info, who := device("kept")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ours := "none"
	for c, err := range connect(t, mqttv5.Config{Port: b.port, GroupID: "0"}).WatchLogConfig(ctx, info) {
		if err != nil {
			t.Fatal(err)
		}
		ours = fmt.Sprint(c.Level, c.ModuleFlags, c.Timeout)
		break
	}
	var theirs map[string]any
	l.call(t, request{Call: "wait_for_log_config", Args: []any{who, config(plain(b.port, 0))}, With: map[string]any{"timeout": enough}}, &theirs)
	if want := fmt.Sprint(format.LevelError, 5, 10*time.Second); ours != want || theirs["log_level"] != "ERROR" || theirs["module_flags"] != 5.0 || theirs["timeout_seconds"] != 10.0 {
		t.Errorf("ours %s, the library %v, want %s", ours, theirs, want)
	}
}

// What is no report is not sent; the library looks at batches alone, and at their shape.
func testOddReports(t *testing.T, l *library) {
	b := startBroker(t, nothing, nothing)
	client := connect(t, mqttv5.Config{Port: b.port, GroupID: "0"})
	l.call(t, request{Call: "Client", Args: []any{b.port, "odd"}, Keep: "odd"}, nil)
	cfg := config(map[string]any{"client": map[string]any{"$kept": "odd"}, "customer_id": 42})
	type metrics = []telemetry.Metric
	type entry = telemetry.Device[telemetry.Metric]
	good := metrics{{Name: "t", Value: 1}}
	one := func(name string, value any) []any { return []any{map[string]any{"name": name, "value": value}} }

	info := mqttv5.DeviceInfo{ApplicationID: application, DeviceSerial: "PY-1", GitHash: gitHash}
	table := newLedger("report")
	for _, c := range []struct {
		name   string
		ours   metrics
		theirs any
	}{
		{"good", good, one("t", 1)},
		{"no metrics", metrics{}, []any{}},
		{"no name", metrics{{Value: 1}}, one("", 1)},

		{"484,037 bytes", many(t, 484_037), one(strings.Repeat("x", 484_000), 1)},
	} {
		_, err := client.PublishMetrics(t.Context(), info, c.ours)
		var ok bool
		l.call(t, request{Call: "publish_metrics", Args: []any{"PY-1", application, c.theirs, cfg}}, &ok)
		table.compare(t, c.name, fmt.Sprint(err == nil), fmt.Sprint(ok))
	}
	for _, c := range []struct {
		name   string
		ours   []entry
		theirs []any
	}{
		{"batch", []entry{{Serial: "A", Samples: good}}, []any{map[string]any{"device_serial": "A", "metrics": one("t", 1)}}},
		{"empty batch", nil, []any{}},
		{"batch, no serial", []entry{{Samples: good}}, []any{map[string]any{"device_serial": "", "metrics": one("t", 1)}}},
		{"batch, no metrics", []entry{{Serial: "A"}}, []any{map[string]any{"device_serial": "A", "metrics": []any{}}}},
		{"batch, one of two bad", []entry{{Serial: "A", Samples: good}, {Serial: "B"}}, []any{map[string]any{"device_serial": "A", "metrics": one("t", 1)}, map[string]any{"device_serial": "B"}}},
	} {
		_, err := client.PublishMetricsBatch(t.Context(), application, c.ours, telemetry.CompressAuto)
		var ok bool
		a, failed := l.ask(request{Call: "publish_metrics_batch", Args: []any{c.theirs, application, cfg}})
		if failed != nil {
			t.Fatal(failed)
		}
		json.Unmarshal(a.Result, &ok)
		table.compare(t, c.name, fmt.Sprint(err == nil), fmt.Sprint(ok))
	}
	table.done(t)
	l.call(t, request{Call: "odd.disconnect"}, nil)
}

// many returns metrics of at least so many bytes of JSON.
func many(t *testing.T, size int) (list []telemetry.Metric) {
	t.Helper()
	for n := 0; n < size; n += 200 {
		list = append(list, telemetry.Metric{Name: strings.Repeat("x", 200), Value: 1})
	}
	return list
}
