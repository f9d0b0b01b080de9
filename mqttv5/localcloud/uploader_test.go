package localcloud_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// The uploader's outbox keeps by default to every limit of the real cloud: nothing
// is out of order and all arrives. Without its own limits it is caught.
func TestUploaderKeepsToTheLimitsOfAWS(t *testing.T) {
	t.Run("with its limits", func(t *testing.T) {
		t.Parallel()
		deliver(t, localcloud.AWS(), mqttv5.Tuning{PublishesPerSecond: 100, BytesPerSecond: 512 << 10}, func(t *testing.T, run *delivery) {
			if err := run.outbox.WaitEmpty(run.ctx); err != nil {
				t.Error(err)
			}
			if n := len(run.cloud.Received()); n != run.records {
				t.Errorf("got %d received, want %d", n, run.records)
			}
			for _, r := range run.cloud.Received() {
				if r.Err != nil || r.Duplicate {
					t.Errorf("%s: got error %v, duplicate %v, want neither", r.ID, r.Err, r.Duplicate)
				}
			}
			if len(run.told) > 0 {
				t.Errorf("got %d violations, the first %+v, want none", len(run.told), <-run.told)
			}
		})
	})

	t.Run("without limits", func(t *testing.T) {
		t.Parallel()
		strict := localcloud.AWS()
		strict.PublishesPerSecond = 10 // a slow machine does not exceed 100
		deliver(t, strict, mqttv5.Tuning{PublishesPerSecond: -1, BytesPerSecond: -1}, func(t *testing.T, run *delivery) {
			select {
			case <-run.told:
			case <-run.ctx.Done():
				t.Errorf("got no violation, want one: %v", run.ctx.Err())
			}
		})
	})
}

// delivery is an outbox that is being delivered.
type delivery struct {
	ctx     context.Context
	cloud   *localcloud.Cloud
	outbox  *mqttv5.Outbox
	records int
	told    chan localcloud.Violation
}

// deliver fills an outbox with more than the cloud takes in a second, by number and
// by bytes, and runs check while it is being delivered.
func deliver(t *testing.T, strict localcloud.Strict, tuning mqttv5.Tuning, check func(*testing.T, *delivery)) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	run := &delivery{ctx: ctx, records: 240, told: make(chan localcloud.Violation, 1000)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	var err error
	run.cloud, err = localcloud.Start(ctx, localcloud.Config{
		Plaintext: true, CustomerID: "7", Strict: strict, OnViolation: func(v localcloud.Violation) { run.told <- v },
	})
	must(err)
	defer run.cloud.Close()
	run.outbox, err = mqttv5.OpenOutbox(mqttv5.OutboxConfig{Dir: t.TempDir()})
	must(err)
	defer run.outbox.Close()
	small, large := log(t, 100), log(t, 60_000)
	var all sync.WaitGroup
	for i := range run.records {
		all.Go(func() {
			device := mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: string(rune('A' + i%8))}
			buf := small
			if i%8 == 0 {
				buf = large
			}
			if _, err := run.outbox.SubmitLog(ctx, device, buf); err != nil {
				t.Error(err)
			}
		})
	}

	all.Wait()
	client, err := mqttv5.New(mqttv5.Config{Broker: run.cloud.Host(), Port: run.cloud.Port(), CustomerID: "7", InsecurePlaintext: true, Tuning: tuning})
	must(err)
	defer client.Close()
	delivering, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- client.Deliver(delivering, run.outbox) }()
	check(t, run)
	stop()
	must(<-done)
}

// log returns a good log of so many bytes or a little more.
func log(t *testing.T, size int) []byte {
	t.Helper()
	b, err := format.NewLogBuilder(3)
	if err != nil {
		t.Fatal(err)
	}
	for b.Len() < size {
		if err := b.Add(&format.Record{Level: format.LevelInfo, Args: []format.Arg{format.ArgString("heater on")}}); err != nil {
			t.Fatal(err)
		}
	}
	buf, err := b.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return buf
}
