package mqttv5

import (
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// The fault list, F01 to F08: what a broker does with messages.

func TestF01CloseMidPublish(t *testing.T) {
	const cuts = 512
	withFaults(t, func(b *mqtttest.Broker) {
		b.OnConn = func(c *mqtttest.Conn) bool {
			if c.N >= cuts {
				return true
			}
			if _, err := packets.ReadPacket(c); err != nil {
				return false
			}
			c.Send(&packets.Connack{Properties: &packets.Properties{}})
			io.CopyN(io.Discard, c, int64(1+c.N*2)) // the messages have some 700 bytes
			return false
		}
	}, nil, func(t *testing.T, f *faults) {
		f.or.submit(t, f.o, 1, 3, 500)
		f.deliver()
		copies := f.finish()
		for id, n := range copies {
			if n != 1 {
				t.Errorf("%s: %d whole copies, want 1", id, n)
			}
		}
		if n := len(f.b.Times()); n != 1 { // the connects that the script answered are not counted
			t.Errorf("%d connections after the cuts, want 1", n)
		}
	})
}

func TestF02AckLost(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}

	withFaults(t, func(b *mqtttest.Broker) {
		b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
			mu.Lock()
			defer mu.Unlock()
			id := mqtttest.RecordID(p)
			if seen[id] {
				return false
			}
			seen[id] = true
			c.Close()
			return true
		}
	}, nil, func(t *testing.T, f *faults) {
		f.or.submit(t, f.o, 1, 20, 100)
		f.deliver()
		for id, n := range f.finish() {
			if n != 2 {
				t.Errorf("%s: %d copies, want 2", id, n)
			}
		}
	})
}

func TestF03AckNeverSent(t *testing.T) {
	withFaults(t, func(b *mqtttest.Broker) {
		b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool { return c.N == 0 }
	}, nil, func(t *testing.T, f *faults) {
		f.or.submit(t, f.o, 3, 2, 100)
		start := time.Now()
		f.deliver()
		copies := f.finish()
		connects := f.b.Times()
		if len(connects) != 2 {
			t.Fatalf("%d connections, want 2", len(connects))
		}
		if d := connects[1].Sub(start); d < 30*time.Second || d > 40*time.Second {
			t.Errorf("connected again after %v, want the 30 s of AckTimeout and little more", d)
		}
		for id, n := range copies {
			if n > 2 {
				t.Errorf("%s: got %d copies for one lost connection, want 2 at most", id, n)
			}
		}
	})
}

func TestF04SessionNotPresent(t *testing.T) {
	withFaults(t, func(b *mqtttest.Broker) {
		b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
			if c.N == 0 {
				c.Close()
			}
			return c.N == 0
		}
	}, nil, func(t *testing.T, f *faults) {
		// One who waits for an acknowledgement is told.
		_, err := f.c.PublishText(t.Context(), testDevice(9), []TextEntry{{Time: 1, Level: 1, Text: "x"}})
		if !errors.Is(err, ErrNetwork) || !strings.Contains(err.Error(), "sending it again is safe") {
			t.Errorf("waiter: got %v, want %v that says \"sending it again is safe\"", err, ErrNetwork)
		}
		f.b.Forget(-1)
		f.or.submit(t, f.o, 2, 2, 100)
		f.deliver()
		f.finish()
	})
}

func TestF05QuotaExceeded(t *testing.T) {
	var mu sync.Mutex
	left := 5
	refused := map[string]time.Time{}

	withFaults(t, func(b *mqtttest.Broker) {
		b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
			mu.Lock()
			defer mu.Unlock()
			id := mqtttest.RecordID(p)
			if at, ok := refused[id]; ok && time.Since(at) < time.Second {
				t.Errorf("%s: got it again after %v, want a second or more", id, time.Since(at))
			}
			if left == 0 {
				return false
			}
			left--
			refused[id] = time.Now()
			c.Puback(p.PacketID, byte(ReasonQuotaExceeded))
			return true
		}
	}, func(cfg *Config) { cfg.Tuning.PublishesPerSecond = 100 }, func(t *testing.T, f *faults) {
		f.or.submit(t, f.o, 2, 4, 100)
		f.deliver()
		f.finish()
		if got := f.c.keeper.Slowdown(); got < 2 {
			t.Errorf("got the rate divided by %v, want 2 at least", got)
		}
		time.Sleep(10 * time.Minute) // fake
		for range 8 {
			f.or.submit(t, f.o, 1, 1, 10)
			if err := f.o.WaitEmpty(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if got := f.c.keeper.Slowdown(); got != 1 {
			t.Errorf("got the rate divided by %v long after, want 1", got)
		}
	})
}

func TestF06RefusedForEver(t *testing.T) {
	for _, code := range []ReasonCode{ReasonNotAuthorized, ReasonTopicNameInvalid, ReasonPayloadFormatInvalid, 0x80} {
		t.Run(code.String(), func(t *testing.T) {
			bad := testDevice(0).DeviceSerial
			withFaults(t, func(b *mqtttest.Broker) {
				b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
					if !strings.Contains(string(p.Payload), `"serial":"`+bad+`"`) || strings.Contains(string(p.Payload), "fresh") {
						return false
					}
					c.Puback(p.PacketID, byte(code))
					return true
				}
			}, nil, func(t *testing.T, f *faults) {
				ids := f.or.submit(t, f.o, 3, 3, 50)
				f.deliver()
				if err := f.o.WaitEmpty(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := f.stop(); err != nil {
					t.Fatal(err)
				}

				// It survives a restart.
				dir := f.o.Dir()
				if err := f.o.Close(); err != nil {
					t.Fatal(err)
				}
				f.o = openOutbox(t, dir)
				parked := 0
				for r, err := range f.o.Records() {
					if err != nil {
						t.Fatal(err)
					}
					if r.State != StateParked || r.Code != code || r.Device.DeviceSerial != bad || !strings.Contains(r.Reason, code.String()) || r.Attempts < 1 {
						t.Errorf("got record %+v, want State %v, Code %v, DeviceSerial %s, a Reason that says %q and 1 or more Attempts",
							r, StateParked, code, bad, code)
					}
					parked++
					f.parked[r.ID] = true
				}

				if parked != 3 {
					t.Errorf("%d parked, want 3", parked)
				}
				copies := map[string]int{}
				for _, p := range f.b.Published() {
					copies[mqtttest.RecordID(p)]++
				}
				for _, id := range ids {
					if !f.parked[id] && copies[id] != 1 {
						t.Errorf("%s of another device: got %d copies, want 1", id, copies[id])
					}
				}

				// Once the cause is gone, retry delivers and drop drops.
				f.b.OnPublish = nil
				i := 0
				for id := range f.parked {
					if i++; i == 1 {
						if err := f.o.Drop(id); err != nil {
							t.Error(err)
						}
						continue
					}
					if err := f.o.Retry(id); err != nil {
						t.Error(err)
					}
				}

				f.deliver()
				f.finish()
				if s := f.o.Stats(); s.Parked != 0 || s.Dropped != 1 || s.Bytes != 0 {
					t.Errorf("stats %+v, want Parked 0, Dropped 1 and Bytes 0", s)
				}
			})
		})
	}
}

func TestF07StrayAcks(t *testing.T) {
	release := make(chan struct{})
	withFaults(t, func(b *mqtttest.Broker) {
		release = make(chan struct{}) // within the bubble
		b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
			c.Puback(p.PacketID+1000, 0)
			c.Puback(0, 0)
			c.Send(&packets.Suback{PacketID: p.PacketID, Reasons: []byte{0}, Properties: &packets.Properties{}})
			c.Send(&packets.Unsuback{PacketID: p.PacketID, Reasons: []byte{0}, Properties: &packets.Properties{}})
			<-release
			c.Puback(p.PacketID, 0)
			c.Puback(p.PacketID, 0)
			c.Puback(p.PacketID, byte(ReasonNotAuthorized))
			return true
		}
	}, nil, func(t *testing.T, f *faults) {
		f.or.submit(t, f.o, 1, 2, 50)
		f.deliver()
		synctest.Wait()
		if s := f.o.Stats(); s.Waiting != 2 || s.InFlight != 1 {
			t.Errorf("stray acknowledgements: got stats %+v, want Waiting 2 and InFlight 1", s)
		}
		close(release)
		for id, n := range f.finish() {
			if n != 1 {
				t.Errorf("%s: %d copies, want 1", id, n)
			}
		}
		if s := f.o.Stats(); s.Parked != 0 {
			t.Errorf("late refusal: got stats %+v, want Parked 0", s)
		}
	})
}

func TestF08Disconnect(t *testing.T) {
	codes := []byte{0x00, 0x04}
	for c := byte(0x80); c <= 0xA2; c++ {
		codes = append(codes, c)
	}
	for _, code := range codes {
		t.Run(ReasonCode(code).String(), func(t *testing.T) {
			withFaults(t, func(b *mqtttest.Broker) {
				b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
					if c.N == 0 {
						c.Disconnect(code)
						return true
					}
					return false
				}
			}, func(cfg *Config) { cfg.Tuning.PublishesPerSecond = 100 }, func(t *testing.T, f *faults) {
				ids := f.or.submit(t, f.o, 1, 2, 50)
				f.deliver()
				if err := f.o.WaitEmpty(t.Context()); err != nil {
					t.Fatal(err)
				}
				gap := time.Duration(0)
				if n := f.b.Times(); len(n) == 2 {
					gap = n[1].Sub(n[0])
				} else {
					t.Fatalf("got %d connects, want 2", len(n))
				}

				least := time.Second
				switch ReasonCode(code) {
				case ReasonSessionTakenOver:
					least = 10 * time.Second
				case ReasonQuotaExceeded, ReasonRateTooHigh:
					least = 30 * time.Second
					if got := f.c.keeper.Slowdown(); got != 2 {
						t.Errorf("got the rate divided by %v, want 2", got)
					}
				case ReasonNotAuthorized, ReasonBadClientID, ReasonBadUserOrPassword, ReasonBanned,
					ReasonUnsupportedVersion, ReasonUseAnotherServer, ReasonServerMoved:
					least = 2 * time.Minute
				case ReasonPacketTooLarge, ReasonPayloadFormatInvalid, ReasonTopicNameInvalid:
					f.parked[ids[0]] = true
					// It was sent, once, and not again.
					f.b.Forget(1)
				}

				if gap < least || gap > least+2*time.Second {
					t.Errorf("next connect after %v, want %v", gap, least)
				}
				f.finish()
				if s := f.o.Stats(); s.Parked != len(f.parked) {
					t.Errorf("%d parked, want %d", s.Parked, len(f.parked))
				}
			})
		})
	}
}

// Of several messages in flight one is to blame: it alone is parked.
func TestF08PoisonAmongMany(t *testing.T) {
	bad := testDevice(3).DeviceSerial
	withFaults(t, func(b *mqtttest.Broker) {
		b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
			if strings.Contains(string(p.Payload), `"serial":"`+bad+`"`) {
				c.Disconnect(byte(ReasonPacketTooLarge))
				return true
			}
			// Keep several in flight.
			c.Broker.Go(func() {
				time.Sleep(time.Second)
				c.Puback(p.PacketID, 0)
			})
			return true
		}
	}, nil, func(t *testing.T, f *faults) {
		f.or.submit(t, f.o, 8, 1, 50)
		f.deliver()
		if err := f.o.WaitEmpty(t.Context()); err != nil {
			t.Fatal(err)
		}
		for r, err := range f.o.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if r.Device.DeviceSerial != bad || r.State != StateParked || r.Code != ReasonPacketTooLarge {
				t.Errorf("record %+v, want DeviceSerial %v, State %v and Code %v", r, bad, StateParked, ReasonPacketTooLarge)
			}
			f.parked[r.ID] = true
		}
		if len(f.parked) != 1 {
			t.Errorf("%d parked, want 1", len(f.parked))
		}
		f.finish()
	})
}
