package mqttv5

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// What is published arrives good, behind a prefix and with a group as well.
func TestPublishedReportsArriveGood(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{Prefix: "site/ulogger/"})
	cfg := cloudConfig(cloud)
	cfg.TopicPrefix, cfg.GroupID = "site/ulogger/", "g1"
	c := newClient(t, cfg)
	ctx, dev, at := within(t), testDevice(1), time.Unix(1732829000, 0)
	many := make([]telemetry.Device[telemetry.Event], 100)
	for i := range many {
		many[i] = telemetry.Device[telemetry.Event]{Serial: testDevice(i).DeviceSerial, Samples: []telemetry.Event{{Type: "door", Time: at}}}
	}

	var receipts []Receipt
	for _, f := range []func() (Receipt, error){
		func() (Receipt, error) { return c.PublishMetrics(ctx, dev, []telemetry.Metric{{Name: "t", Value: 1}}) },
		func() (Receipt, error) { return c.PublishEvents(ctx, dev, []telemetry.Event{{Type: "door"}}) },
		func() (Receipt, error) { return c.Heartbeat(ctx, dev, at) },
		func() (Receipt, error) { return c.Heartbeat(ctx, dev, at) }, // the same one
		func() (Receipt, error) { return c.Heartbeat(ctx, dev, time.Time{}) },
		func() (Receipt, error) { return c.Heartbeat(ctx, dev, time.Time{}) }, // another
		func() (Receipt, error) { return c.PublishEventsBatch(ctx, 7, many, telemetry.CompressAuto) },
		func() (Receipt, error) {
			return c.PublishMetricsBatch(ctx, 7, []telemetry.Device[telemetry.Metric]{{Serial: "A", Samples: []telemetry.Metric{{Name: "t"}}}}, telemetry.CompressNever)
		},
	} {
		r, err := f()
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, r)
	}
	all := cloud.Received()
	if len(all) != len(receipts) {
		t.Fatalf("received %d, want %d", len(all), len(receipts))
	}
	for i, r := range all {
		if r.Err != nil || r.ID != receipts[i].ID || !strings.HasPrefix(r.Topic, "site/ulogger/") || !strings.Contains(r.Topic, "/v0/975773647/g1/") || r.Duplicate != (i == 3) {
			t.Errorf("message %d: got %+v, want no Err, ID %s, a Topic site/ulogger/... with /v0/975773647/g1/, and Duplicate %v", i, r, receipts[i].ID, i == 3)
		}
	}
	if r := all[6]; len(r.Devices) != 100 || !telemetry.Compressed(r.Payload) {
		t.Errorf("got a batch of %d devices, compressed %v, want 100 and true", len(r.Devices), telemetry.Compressed(r.Payload))
	}

	// Nothing is sent of what the cloud could not use.
	big := []telemetry.Device[telemetry.Metric]{{Serial: "A", Samples: make([]telemetry.Metric, 10_000)}}
	for i := range big[0].Samples {
		big[0].Samples[i].Name = "temperature"
	}
	if _, err := c.PublishMetricsBatch(ctx, 7, big, telemetry.CompressNever); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "split it") {
		t.Errorf("too large: got %v, want %v that says \"split it\"", err, ErrTooLarge)
	}
	if _, err := c.PublishMetrics(ctx, dev, []telemetry.Metric{{Name: "t", Value: math.NaN()}}); !errors.Is(err, ErrBadData) {
		t.Errorf("value that is no number: got %v, want %v", err, ErrBadData)
	}
	if _, err := c.PublishEvents(ctx, dev, nil); !errors.Is(err, ErrBadData) {
		t.Errorf("no events: got %v, want %v", err, ErrBadData)
	}
	if n := len(cloud.Received()); n != len(receipts) {
		t.Errorf("got %d messages, want %d as before", n, len(receipts))
	}
	if _, err := New(Config{CustomerID: "7", InsecurePlaintext: true, Broker: "127.0.0.1", TopicPrefix: "a#/"}); !errors.Is(err, ErrConfig) {
		t.Errorf("prefix with a wildcard: got %v, want %v", err, ErrConfig)
	}
}

// Reports that were accepted survive an outage and a restart, with the time at which
// they were given.
func TestDeliveredReportsKeepTheirTimes(t *testing.T) {
	dir := t.TempDir()
	o := openOutbox(t, dir)
	begin := time.Now()
	ctx, dev := t.Context(), testDevice(1)
	var ids []string
	for _, f := range []func() (string, error){
		func() (string, error) {
			return outbox.SubmitReport(ctx, o, dev, []telemetry.Metric{{Name: "t", Value: 1}})
		},
		func() (string, error) { return outbox.SubmitReport(ctx, o, dev, []telemetry.Event{{Type: "door"}}) },
		func() (string, error) {
			return outbox.SubmitBatch(ctx, o, 7, []telemetry.Device[telemetry.Metric]{{Serial: "A", Samples: []telemetry.Metric{{Name: "t"}}}}, telemetry.CompressAlways)
		},
		func() (string, error) {
			return outbox.SubmitBatch(ctx, o, 7, []telemetry.Device[telemetry.Event]{{Serial: "A", Samples: []telemetry.Event{{Type: "x"}}}}, telemetry.CompressAuto)
		},
	} {
		id, err := f()
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if _, err := outbox.SubmitReport(ctx, o, dev, []telemetry.Event{{}}); !errors.Is(err, ErrBadData) {
		t.Errorf("event without a type: got %v, want %v", err, ErrBadData)
	}
	o.Close()

	o = openOutbox(t, dir)
	defer o.Close()
	cloud := startCloud(t, localcloud.Config{})
	stop := deliverIn(t, newClient(t, cloudConfig(cloud)), o)
	if err := o.WaitEmpty(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	got := map[string]localcloud.Received{}
	for _, r := range cloud.Received() {
		got[r.ID] = r
	}
	for i, id := range ids {
		r, ok := got[id]
		kind := []telemetry.Kind{telemetry.KindMetrics, telemetry.KindEvents}[i%2]
		report, err := telemetry.Parse(kind, r.Payload)
		if !ok || err != nil || r.Err != nil || string(r.Kind) != string(kind) {
			t.Fatalf("record %d: got %+v (found: %v), %v, want it found, of Kind %s and without errors", i, r, ok, err, kind)
		}
		var at time.Time
		if kind == telemetry.KindMetrics {
			at = report.Metrics[0].Samples[0].Time
		} else {
			at = report.Events[0].Samples[0].Time
		}
		if at.Before(begin.Add(-time.Second)) || at.After(time.Now()) {
			t.Errorf("record %d: got the time %v, want a time from %v to now", i, at, begin.Add(-time.Second))
		}
	}
}
