package lent_test

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/lent"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

func deviceOf(application uint32, serial string) mqttv5.DeviceInfo {
	return mqttv5.DeviceInfo{ApplicationID: application, DeviceSerial: serial, DeviceType: "lamp", GitVersion: "v1", GitHash: "3f2c9a1"}
}

func borrow(t *testing.T, c lent.Connection) *mqttv5.Client {
	t.Helper()
	client, err := mqttv5.New(mqttv5.Config{
		CustomerID: customer, Lent: c, TokenTimeout: time.Minute,
		Tuning: mqttv5.Tuning{PublishesPerSecond: -1, BytesPerSecond: -1, MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// everywhere runs a test with each kind of host and each broker.
func everywhere(t *testing.T, packetTimeout time.Duration, test func(t *testing.T, far *farSide, link *shears, h *host)) {
	for name, far := range farSides {
		for kind, connect := range hosts {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel() // they wait more than they compute
				f := far(t)
				s := newShears(t, f.address)
				test(t, f, s, connect(t, s.port, packetTimeout))
			})
		}
	}
}

// wait waits until the far side holds n messages and returns all.
func (f *farSide) wait(t *testing.T, n int) []message {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		list := f.received()
		if len(list) >= n {
			return list
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %d messages, want %d", len(list), n)
		}
	}
}

// All that a client does it does on a connection that is lent, while the host goes on
// with it; answers for one serial number are told apart by the application, also when
// the host has subscribed to all of them.
func TestClientWorksOnALentConnection(t *testing.T) {
	everywhere(t, time.Minute, func(t *testing.T, far *farSide, link *shears, h *host) {
		if err := h.listen("boot/v0/42/+/+"); err != nil {
			t.Fatal(err)
		}
		client := borrow(t, h.lends)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()

		log := devicetest.Log(t, 1, 600)
		var wg sync.WaitGroup
		for _, application := range []uint32{7, 8, 9} {
			wg.Go(func() {
				if _, err := client.UploadLog(ctx, deviceOf(application, "SN-1"), log); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, m := range far.wait(t, 3) {
			v, _, err := format.ParseLog(m.payload)
			name, _ := topic.Parse(m.topic)
			application, ok := name.ApplicationID()
			if name.Kind != topic.Log || !ok || err != nil {
				t.Fatalf("%s: got %+v and %v, want the topic of a log, and one", m.topic, name, err)
			}
			if got, want := v.SessionToken(), far.token(application, "SN-1"); got != want {
				t.Errorf("application %d: token %d, want %d", application, got, want)
			}
		}

		if _, err := client.PublishMetrics(ctx, deviceOf(7, "SN-1"), []telemetry.Metric{{Name: "t", Value: 1}}); err != nil {
			t.Error(err)
		}
		if _, err := client.Heartbeat(ctx, deviceOf(7, "SN-1"), time.Time{}); err != nil {
			t.Error(err)
		}
		if token, err := client.GetSessionToken(ctx, deviceOf(7, "SN-2")); err != nil || token != far.token(7, "SN-2") {
			t.Errorf("got token %d, %v, want %d", token, err, far.token(7, "SN-2"))
		}
		if err := h.publish("events/v0/42/7", `{"device_serial":"GW","events":[{"type":"up"}]}`); err != nil {
			t.Error(err)
		}
		far.wait(t, 6)

		client.Close()
		if err := h.publish("events/v0/42/7", `{"device_serial":"GW","events":[{"type":"still up"}]}`); err != nil {
			t.Errorf("after Close: got %v, want the host to go on", err)
		}
		far.wait(t, 7)
		if n := link.connections(); n != 1 {
			t.Errorf("%d connections, want the host's alone", n)
		}
		if _, err := client.UploadLog(ctx, deviceOf(7, "SN-1"), log); err == nil {
			t.Error("got an upload of a closed client, want an error")
		}
	})
}

// Configurations go on after the link was lost, and nothing that was accepted is lost
// with it.
func TestLostLentConnectionLosesNoRecord(t *testing.T) {
	// Who lends with New tells of no loss: what was in flight ends with paho's patience,
	// and is sent again.
	everywhere(t, 3*time.Second, func(t *testing.T, far *farSide, link *shears, h *host) {
		client := borrow(t, h.lends)
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()

		next, stop := iter.Pull2(client.WatchLogConfig(ctx, deviceOf(7, "SN-1")))
		defer stop()
		wantConfig := func() {
			t.Helper()
			c, err, ok := next()
			if err != nil || !ok || c.Level != format.LevelError {
				t.Fatalf("got %+v, %v, %v, want Level %v, no error and true", c, err, ok, format.LevelError)
			}
		}
		wantConfig()
		link.cut()
		wantConfig()

		box, err := mqttv5.OpenOutbox(mqttv5.OutboxConfig{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer box.Close()
		const devices, each = 6, 25
		want := map[string]bool{}
		for i := range devices * each {
			log := devicetest.Log(t, uint64(i), 500+i)
			want[string(log[5:])] = true // behind version and token
			if _, err := box.SubmitLog(ctx, deviceOf(7, fmt.Sprint("D-", i%devices)), log); err != nil {
				t.Fatal(err)
			}
		}
		delivered := make(chan error, 1)
		go func() {
			_, err := client.DeliverAll(ctx, box)
			delivered <- err
		}()
		for n := range 3 {
			far.wait(t, 20*(n+1))
			link.cut()
		}
		if err := <-delivered; err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); len(want) > 0; time.Sleep(10 * time.Millisecond) {
			for _, m := range far.received() { // copies among them
				delete(want, string(m.payload[5:]))
			}
			if time.Now().After(deadline) {
				t.Fatalf("got %d of %d logs missing, want none", len(want), devices*each)
			}
		}
		if n := link.connections(); n < 2 {
			t.Errorf("got %d connections, want 2 or more as the link was cut", n)
		}
	})
}
