package mqttv5

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// noSubscriber makes a broker say that nobody is subscribed to what says unwanted, as
// long as more says so.
func noSubscriber(b *mqtttest.Broker, more func() bool) {
	b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
		if strings.Contains(string(p.Payload), "unwanted") && more() {
			c.Puback(p.PacketID, byte(ReasonNoMatchingSubscribers))
			return true
		}
		return false
	}
}

// A message that nobody was subscribed to is gone: no success, unless the caller says
// so (F47, case nobody-subscribed).
func TestF47NobodySubscribed(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := mqtttest.NewBroker(t)
			noSubscriber(b, func() bool { return true })
			var mu sync.Mutex
			var events []Event
			c := fakeClient(t, b, func(cfg *Config) {
				cfg.AllowNoSubscriber = allowed
				cfg.Hooks.Event = func(e Event) {
					mu.Lock()
					defer mu.Unlock()
					if e.Kind != EventConnected {
						events = append(events, e)
					}
				}
			})

			r, err := c.PublishText(t.Context(), testDevice(1), []TextEntry{{Time: 1, Level: format.LevelInfo, Text: "unwanted"}})
			if allowed && (err != nil || len(r) != 1 || r[0].Code != ReasonNoMatchingSubscribers) {
				t.Errorf("allowed: got %+v, %v, want a receipt with the code", r, err)
			}
			if !allowed && (!errors.Is(err, ErrNobody) || len(r) != 0) {
				t.Errorf("got %+v, %v, want %v", r, err, ErrNobody)
			}

			if len(events) != 1 || events[0].Kind != EventNoSubscriber || (events[0].Err == nil) != allowed {
				t.Errorf("allowed %v: got events %+v, want one that says so", allowed, events)
			}
			c.Close()
			b.Stop()
		})
	}
}

// Who takes the records is away for a while; the outbox has kept them.
func TestRecordsWaitForTheirSubscriber(t *testing.T) {
	back := time.Time{}
	withFaults(t, func(b *mqtttest.Broker) {
		noSubscriber(b, func() bool { return time.Now().Before(back) })
	}, nil, func(t *testing.T, f *faults) {
		back = time.Now().Add(time.Hour)
		id := f.or.one(t, f.o, 1, 1, "unwanted at first")
		f.deliver()
		if err := f.o.WaitEmpty(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(back); d < 0 || d > 10*time.Minute {
			t.Errorf("got record %s delivered %v after the subscriber was back, want at most 10 minutes", id, d)
		}
		if s := f.o.Stats(); s.Parked != 0 || s.Delivered != 1 {
			t.Errorf("got %+v, want it delivered", s)
		}
	})
}

// Nobody ever takes them: they are parked in the end, and others are not held up.
func TestRecordsThatNobodyTakesAreParked(t *testing.T) {
	withFaults(t, func(b *mqtttest.Broker) { noSubscriber(b, func() bool { return true }) }, nil, func(t *testing.T, f *faults) {
		start := time.Now()
		f.parked[f.or.one(t, f.o, 1, 1, "unwanted")] = true
		f.deliver()
		if err := f.o.WaitEmpty(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < time.Hour || d > 3*time.Hour {
			t.Errorf("got it parked after %v, want about two hours", d)
		}
		for r, err := range f.o.Records() {
			if err != nil || !strings.Contains(r.Reason, "nobody was subscribed") {
				t.Errorf("got %+v, %v, want the reason", r, err)
			}
		}
	})
}

// A delivery that is to end when all is delivered ends when nothing more can be.
func TestDeliverAllEndsWhenNobodyIsSubscribed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		noSubscriber(b, func() bool { return true })
		c := fakeClient(t, b, nil)
		o := openOutbox(t, dir)
		or := newOracle()
		or.one(t, o, 1, 1, "unwanted")
		or.submit(t, o, 3, 2, 100)
		start := time.Now()
		waiting, err := c.DeliverAll(t.Context(), o)
		if waiting == 0 || !errors.Is(err, ErrNobody) {
			t.Errorf("got %d waiting, %v, want %v", waiting, err, ErrNobody)
		}

		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("got the end after %v, want it soon", d)
		}
		if s := o.Stats(); s.Delivered != uint64(7-waiting) || s.Parked != 0 {
			t.Errorf("got %+v, want the others delivered", s)
		}

		if err := o.Close(); err != nil {
			t.Error(err)
		}
		c.Close()
		b.Stop()
	})
}
