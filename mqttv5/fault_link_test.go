package mqttv5

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// The fault list, F09 to F14 and F25: what a link does.

func TestF09HalfOpenLink(t *testing.T) {
	withFaults(t, func(b *mqtttest.Broker) {
		b.OnPacket = func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
			return c.N == 0 && p.Type != packets.CONNECT // swallowed
		}
	}, nil, func(t *testing.T, f *faults) {
		if err := f.c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		l, err := f.c.keeper.Up(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		<-l.Dead()
		if d := time.Since(start); d > 2*f.c.cfg.Tuning.KeepAlive || !errors.Is(l.Cause(), link.ErrPing) {
			t.Errorf("noticed after %v: %v; want at most twice the keep-alive of %v", d, l.Cause(), f.c.cfg.Tuning.KeepAlive)
		}
		f.or.submit(t, f.o, 1, 1, 10)
		f.deliver()
		f.finish()
	})
}

// An idle link is pinged and stays.
func TestPingKeepsLink(t *testing.T) {
	withFaults(t, nil, nil, func(t *testing.T, f *faults) {
		f.or.submit(t, f.o, 1, 1, 10)
		f.deliver()
		f.finish()
		time.Sleep(24 * time.Hour) // fake
		f.finish()
		if n := len(f.b.Times()); n != 1 {
			t.Errorf("got %d connections in a day, want 1", n)
		}
	})
}

func TestF10SlowLinks(t *testing.T) {
	for _, c := range []struct {
		name      string
		perSecond int
		latency   time.Duration
		slice     int
	}{
		{"2 KiB/s", 2 << 10, 0, 0},
		{"8 KiB/s", 8 << 10, 0, 0},
		{"64 KiB/s", 64 << 10, 0, 0},
		{"latency 5 s", 0, 5 * time.Second, 0},
		{"1-byte slices", 0, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			withFaults(t, func(b *mqtttest.Broker) {
				b.Wrap = func(n net.Conn) net.Conn { return shape(n, c.perSecond, c.latency, c.slice) }
			}, nil, func(t *testing.T, f *faults) {
				f.or.submit(t, f.o, 4, 1, 64<<10)
				f.or.submit(t, f.o, 1, 1, 127<<10)
				f.deliver()
				for id, n := range f.finish() {
					if n != 1 {
						t.Errorf("%s: got %d copies, want 1", id, n)
					}
				}
				if n := len(f.b.Times()); n != 1 {
					t.Errorf("got %d connections, want 1: a slow link must not be given up", n)
				}
			})
		})
	}
}

func TestF11FickleLink(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			withFaults(t, func(b *mqtttest.Broker) {
				rnd := rand.New(rand.NewPCG(seed, 11))
				b.Wrap = func(c net.Conn) net.Conn {
					return &fickle{Conn: c, rnd: rand.New(rand.NewPCG(rnd.Uint64(), 0))}
				}
			}, nil, func(t *testing.T, f *faults) {
				f.or.submit(t, f.o, 10, 15, 300)
				f.deliver()
				copies := f.finish()
				most := 0
				for _, n := range copies {
					most = max(most, n)
				}
				if most < 2 {
					t.Errorf("got %d copies of a record at most, want 2 or more of some", most)
				}
				if n := len(f.b.Times()); n < 2 {
					t.Errorf("got %d connections, want 2 or more", n)
				}
			})
		})
	}
}

func TestF12AcceptThenDrop(t *testing.T) {
	const drops = 200
	withFaults(t, func(b *mqtttest.Broker) {
		b.OnPacket = func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
			if c.N < drops && p.Type != packets.CONNECT {
				c.Close()
				return true
			}
			return false
		}
	}, nil, func(t *testing.T, f *faults) {
		f.or.submit(t, f.o, 1, 1, 10)
		f.deliver()
		f.finish()
		times := f.b.Times()
		if len(times) != drops+1 {
			t.Fatalf("%d connects, want %d", len(times), drops+1)
		}

		var late time.Duration
		for i := 1; i < len(times); i++ {
			gap := times[i].Sub(times[i-1])
			if gap < time.Second {
				t.Errorf("connect %d: got it %v after the one before, want a second or more", i, gap)
			}
			if gap > f.c.cfg.Tuning.MaxBackoff+time.Second {
				t.Errorf("connect %d: got it %v after the one before, want %v at most", i, gap, f.c.cfg.Tuning.MaxBackoff+time.Second)
			}
			if i > 100 {
				late += gap
			}
		}

		// Uniform below the cap of 120 s: the mean of 100 is 60 s, within 4 standard
		// deviations of 3.5 s.
		if mean := late / 100; mean < 46*time.Second || mean > 74*time.Second {
			t.Errorf("mean of the last 100 delays is %v, want about 60 s", mean)
		}

		// A connection that lives forgives.
		time.Sleep(time.Hour)
		conns := f.b.Conns()
		conns[len(conns)-1].Close()
		n := len(f.b.Times())
		f.finish()
		if times := f.b.Times(); len(times) != n+1 || times[n].Sub(times[n-1]) > time.Hour+5*time.Second {
			t.Errorf("after a stable hour: got %d connects, the last %v after the connect of the lost one, want %d and %v at most",
				len(times), times[len(times)-1].Sub(times[n-1]), n+1, time.Hour+5*time.Second)
		}
	})
}

// Two gateways with one client identifier, on a real broker. The policy's times
// are a tenth of the real ones.
func TestF13OneIdentifierTwice(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{Plaintext: true})
	const least = 100 * time.Millisecond
	var wg sync.WaitGroup
	errs := make([]error, 2)
	dials := make([][]time.Time, 2)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i := range 2 {
		cfg := cloudConfig(cloud)
		cfg.Tuning.ClientID = "same"
		cfg.Tuning.MinBackoff = least
		var mu sync.Mutex
		c := clientOver(t, cfg, func(connection *link.Config) {
			connection.Pace.EvictionWait, connection.Pace.EvictionSpan = 2*least, patience
			connection.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				mu.Lock()
				dials[i] = append(dials[i], time.Now())
				mu.Unlock()
				return new(net.Dialer).DialContext(ctx, network, address)
			}
		})

		t.Cleanup(func() { c.Close() })
		o := openOutbox(t, t.TempDir())
		t.Cleanup(func() { o.Close() })
		wg.Go(func() {
			defer cancel() // the other one may stay
			errs[i] = c.Deliver(ctx, o)
		})
	}

	wg.Wait()
	stopped := 0
	for i, err := range errs {
		if err == nil {
			continue
		}
		stopped++
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), `"same"`) || !strings.Contains(err.Error(), "field Tuning.ClientID") {
			t.Errorf("gateway %d: got %v, want %v that names \"same\" and field Tuning.ClientID", i, err, ErrRefused)
		}
	}

	if stopped == 0 {
		t.Error("got 0 gateways that stopped, want one or both")
	}
	for i, times := range dials {
		for n := 1; n < len(times); n++ {
			if gap := times[n].Sub(times[n-1]); gap < least {
				t.Errorf("gateway %d: got connect %d %v after the one before, want %v or more", i, n, gap, least)
			}
		}
		if len(times) > 8 {
			t.Errorf("gateway %d: got %d connects, want 8 at most", i, len(times))
		}
	}
}

func TestF14NameResolution(t *testing.T) {
	withFaults(t, nil, nil, func(t *testing.T, f *faults) {
		other := mqtttest.NewBroker(t)
		var mu sync.Mutex
		calls := 0
		f.b.OnDial = func(ctx context.Context, network, address string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			calls++
			if calls <= 5 {
				return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "mqtt.ulogger.ai", IsNotFound: true}}
			}
			return other.Dial(ctx, network, address) // a new address
		}

		_, err := f.c.UploadLog(t.Context(), testDevice(1), testLog(t, 1, 100))
		if !errors.Is(err, ErrNetwork) || !strings.Contains(err.Error(), "resolved") {
			t.Errorf("direct upload: got %v, want %v that says \"resolved\"", err, ErrNetwork)
		}
		f.deliver()
		f.or.submit(t, f.o, 2, 3, 50) // keeps accepting
		f.b.Stop()
		f.b = other
		f.finish()
		if err := f.stop(); err != nil {
			t.Error(err)
		}

		f.c.Close()
		other.Stop()
	})
}

func TestF25HostileBytes(t *testing.T) {
	connack := []byte{0x20, 3, 0, 0, 0}
	for _, c := range []struct {
		name  string
		bytes []byte
	}{
		{"4 GiB", []byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x0f}},
		{"256 MiB", []byte{0x30, 0xff, 0xff, 0xff, 0x7f}},
		{"endless length", bytes.Repeat([]byte{0xff}, 64)},
		{"garbage", []byte("HTTP/1.1 400 Bad Request\r\n\r\n")},
		{"zeros", make([]byte, 64)},
		{"auth", []byte{0xf0, 2, 0x18, 0}},
		{"QoS 3", []byte{0x36, 5, 0, 1, 'a', 0, 1}},
		{"pubrel", []byte{0x62, 2, 0, 1}},
		{"second connack", connack},
	} {
		for _, login := range []string{"before", "after"} {
			t.Run(c.name+" "+login+" login", func(t *testing.T) {
				withFaults(t, func(b *mqtttest.Broker) {
					b.OnConn = func(fc *mqtttest.Conn) bool {
						if fc.N > 0 {
							return true
						}
						if _, err := packets.ReadPacket(fc); err != nil {
							return false
						}
						if login == "after" {
							fc.Write(connack)
						}
						fc.Write(c.bytes)
						packets.ReadPacket(fc) // until it is closed
						return false
					}
				}, nil, func(t *testing.T, f *faults) {
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					f.or.submit(t, f.o, 1, 1, 10)
					f.deliver()
					f.finish()
					runtime.ReadMemStats(&after)
					if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
						t.Errorf("got %d bytes allocated, want %d at most", grown, 8<<20)
					}
				})
			})
		}
	}

	// A CONNACK that names an authentication method nobody asked for.
	withFaults(t, func(b *mqtttest.Broker) {
		b.OnConnack = func(_ *mqtttest.Conn, ca *packets.Connack) { ca.Properties.AuthMethod = "SCRAM" }
	}, nil, func(t *testing.T, f *faults) {
		f.or.submit(t, f.o, 1, 1, 10)
		f.deliver()
		f.finish()
	})
}

// A broker's own limit of messages in flight is respected.
func TestReceiveMaximumOfTheBrokerIsRespected(t *testing.T) {
	var mu sync.Mutex
	open, most := 0, 0

	withFaults(t, func(b *mqtttest.Broker) {
		b.OnConnack = func(_ *mqtttest.Conn, ca *packets.Connack) {
			n := uint16(3)
			ca.Properties.ReceiveMaximum = &n
		}
		b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
			mu.Lock()
			open++
			most = max(most, open)
			mu.Unlock()
			c.Broker.Go(func() {
				time.Sleep(time.Second)
				mu.Lock()
				open--
				mu.Unlock()
				c.Puback(p.PacketID, 0)
			})
			return true
		}
	}, nil, func(t *testing.T, f *faults) {
		f.or.submit(t, f.o, 20, 2, 10)
		f.deliver()
		f.finish()
		if most != 3 {
			t.Errorf("%d in flight at one time, want 3", most)
		}
	})
}

// The limit that the broker names is respected before anything is sent, and a log
// of a device passes when the session is new (F22).
func TestF22Oversize(t *testing.T) {
	withFaults(t, func(b *mqtttest.Broker) {
		b.OnConnack = func(_ *mqtttest.Conn, ca *packets.Connack) {
			n := uint32(1024)
			ca.Properties.MaximumPacketSize = &n
		}
	}, nil, func(t *testing.T, f *faults) {
		entry := func(n int) []TextEntry {
			return []TextEntry{{Time: 1, Level: format.LevelInfo, Text: strings.Repeat("x", n)}}
		}
		_, err := f.c.PublishText(t.Context(), testDevice(0), entry(1000))
		if !errors.Is(err, ErrTooLarge) || !errors.Is(err, ErrBadData) || !strings.Contains(err.Error(), "1024") {
			t.Errorf("direct: got %v, want %v and %v that says 1024", err, ErrTooLarge, ErrBadData)
		}

		// Before the limit is known the outbox accepts, and parks it later.
		id, err := f.o.SubmitText(t.Context(), testDevice(0), entry(1000))
		if err != nil {
			t.Fatal(err)
		}
		f.parked[id[0]] = true
		f.or.submit(t, f.o, 2, 1, 50)
		f.deliver()
		f.finish()

		for r, err := range f.o.Records() {
			if err != nil || r.State != StateParked || !strings.Contains(r.Reason, "1024") || !f.parked[r.ID] {
				t.Errorf("got %+v, %v, want the oversize record alone, State %v for a Reason that says 1024", r, err, StateParked)
			}
		}

		if s := f.o.Stats(); s.Parked != 1 {
			t.Errorf("got stats %+v, want Parked 1", s)
		}

		// Then it refuses at once.
		if _, err := f.o.SubmitText(t.Context(), testDevice(0), entry(1000)); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "1024") {
			t.Errorf("submit: got %v, want %v that says 1024", err, ErrTooLarge)
		}

		for _, p := range f.b.Published() {
			if len(p.Payload) > 1000 {
				t.Errorf("got a message of %d bytes, want 1000 at most", len(p.Payload))
			}
		}
	})
}
