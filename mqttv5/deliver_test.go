package mqttv5

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

func openOutbox(t testing.TB, dir string) *Outbox {
	t.Helper()
	o, err := OpenOutbox(OutboxConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// deliverIn runs Deliver in the background; the result ends it.
func deliverIn(t testing.TB, c *Client, o *Outbox) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Deliver(ctx, o) }()
	var once sync.Once
	var err error
	return func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
}

func submitLogs(t testing.TB, o *Outbox, devices, each int) (ids []string) {
	t.Helper()
	for n := range each {
		for d := range devices {
			id, err := o.SubmitLog(t.Context(), testDevice(d), testLog(t, uint64(1000*d+n), 200))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
	}
	return ids
}

func TestDeliverSendsWhatWasAcceptedBefore(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{})
	c := newClient(t, cloudConfig(cloud))
	dir := t.TempDir()
	o := openOutbox(t, dir)
	ids := submitLogs(t, o, 5, 10)
	dump := formattest.DumpBytes(t)[0]
	id, err := o.SubmitCoreDump(t.Context(), dump)
	if err != nil {
		t.Fatal(err)
	}

	ids = append(ids, id)
	// What was accepted survives closing.
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = openOutbox(t, dir)
	if s := o.Stats(); s.Waiting != len(ids) || s.Accepted != uint64(len(ids)) {
		t.Fatalf("after reopening: got %+v, want Waiting and Accepted %d", s, len(ids))
	}

	stop := deliverIn(t, c, o)
	if err := o.WaitEmpty(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	got := cloud.Received()
	if len(got) != len(ids) {
		t.Fatalf("got %d records, want the %d that were accepted", len(got), len(ids))
	}
	order := map[string]string{}
	for _, g := range got {
		if g.Err != nil || g.Duplicate {
			t.Errorf("%s: got error %v and duplicate %v, want none and false", g.ID, g.Err, g.Duplicate)
		}
		// Sequence numbers have the same length up to 9 and from 10 to 99.
		if last := order[g.DeviceSerial]; len(last) > len(g.ID) || (len(last) == len(g.ID) && last > g.ID) {
			t.Errorf("%s: got %s after %s, want the order in which they were accepted", g.DeviceSerial, g.ID, last)
		}
		order[g.DeviceSerial] = g.ID
	}

	if s := o.Stats(); s.Waiting != 0 || s.Bytes != 0 || s.Delivered != uint64(len(ids)) {
		t.Errorf("got stats %+v, want Waiting 0, Bytes 0 and Delivered %d", s, len(ids))
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}

	o = openOutbox(t, dir)
	defer o.Close()
	if s := o.Stats(); s.Waiting != 0 || s.Delivered != uint64(len(ids)) {
		t.Errorf("after delivery and reopening: got %+v, want Waiting 0 and Delivered %d", s, len(ids))
	}
}

func TestDeliverKeepsOrderWithinADevice(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		// Every third message is refused once, to be sent again later.
		var mu sync.Mutex
		refused := map[string]bool{}
		n := 0
		b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
			mu.Lock()
			defer mu.Unlock()
			n++
			id := mqtttest.RecordID(p)
			if n%3 != 0 || refused[id] {
				return false
			}
			refused[id] = true
			c.Puback(p.PacketID, byte(0x83))
			return true
		}

		c := fakeClient(t, b, nil)
		o := openOutbox(t, dir)
		ids := submitLogs(t, o, 3, 8)
		stop := deliverIn(t, c, o)
		if err := o.WaitEmpty(t.Context()); err != nil {
			t.Fatal(err)
		}

		stop()
		o.Close()
		c.Close()
		b.Stop()
		last := map[int]int{}
		for _, id := range b.IDs() {
			i := -1
			for k := range ids {
				if ids[k] == id {
					i = k
				}
			}
			d := i % 3
			if i < last[d] {
				t.Errorf("device %d: got record %d after %d, want them in order", d, i, last[d])
			}
			last[d] = i
		}

		if s := fmt.Sprint(len(refused)); s == "0" {
			t.Error("got 0 refusals, want some")
		}
	})
}

func TestDeliverOfAClosedOutboxSaysSo(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		c := fakeClient(t, b, nil)
		o := openOutbox(t, dir)
		stop := deliverIn(t, c, o)
		synctest.Wait()
		if err := o.Close(); err != nil { // nothing is leased
			t.Fatal(err)
		}
		synctest.Wait()
		if err := stop(); !errors.Is(err, ErrClosed) {
			t.Errorf("while it is delivered: got %v, want ErrClosed", err)
		}
		if err := c.Deliver(t.Context(), o); !errors.Is(err, ErrClosed) {
			t.Errorf("before it is delivered: got %v, want ErrClosed", err)
		}
		c.Close()
		b.Stop()
	})
}

// Two clients may deliver one outbox: each record goes by one of them, in order.
func TestTwoClientsDeliverOneOutbox(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{Plaintext: true})
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	ids := submitLogs(t, o, 8, 20)
	store := NewMemoryStore(0)
	var stops []func() error
	for range 2 {
		cfg := cloudConfig(cloud)
		cfg.Store = store
		stops = append(stops, deliverIn(t, newClient(t, cfg), o))
	}

	if err := o.WaitEmpty(within(t)); err != nil {
		t.Fatal(err)
	}
	for _, stop := range stops {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}

	got := map[string]bool{}
	for _, r := range cloud.Received() {
		if r.Err != nil || got[r.ID] {
			t.Errorf("%s: got error %v, twice: %v; want none, and once", r.ID, r.Err, got[r.ID])
		}
		got[r.ID] = true
	}

	if len(got) != len(ids) {
		t.Errorf("got %d records, want %d", len(got), len(ids))
	}
}
