package mqttv5

import (
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// soakHours is how long F28 lasts in the time of its bubble: ULOGKIT_SOAK_HOURS,
// or a night.
func soakHours(t testing.TB) int {
	if s := os.Getenv("ULOGKIT_SOAK_HOURS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("got ULOGKIT_SOAK_HOURS %q, want a number of 1 or more", s)
		}
		return n
	}
	return 8
}

// A seeded mix of the faults, 1,000 devices, hours of fake time. Heap, descriptors
// and goroutines stay flat.
func TestF28Soak(t *testing.T) {
	const devices = 1000
	hours := soakHours(t)
	seed := uint64(28)
	rnd := rand.New(rand.NewPCG(seed, 0))
	var mu sync.Mutex
	dice := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return rnd.IntN(n)
	}

	bad := map[string]bool{} // ids that are refused for good
	withFaults(t, func(b *mqtttest.Broker) {
		b.Wrap = func(c net.Conn) net.Conn {
			mu.Lock()
			defer mu.Unlock()
			if rnd.IntN(3) == 0 {
				return &fickle{Conn: c, rnd: rand.New(rand.NewPCG(rnd.Uint64(), 0))}
			}
			return c
		}

		b.OnConn = func(c *mqtttest.Conn) bool { return dice(10) > 0 }
		b.OnConnack = func(_ *mqtttest.Conn, ca *packets.Connack) {
			if dice(20) == 0 {
				ca.ReasonCode = byte(ReasonServerBusy)
			}
		}

		b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
			id := mqtttest.RecordID(p)
			mu.Lock()
			refused := bad[id]
			mu.Unlock()
			if refused {
				c.Puback(p.PacketID, byte(ReasonPayloadFormatInvalid))
				return true
			}

			switch dice(400) {
			case 0:
				c.Close()
			case 1:
				c.Disconnect(byte(0x8B))
			case 2: // no acknowledgement at all
			case 3:
				c.Puback(p.PacketID, byte(ReasonQuotaExceeded))
			case 4:
				c.Puback(p.PacketID, byte(0x80))
			case 5:
				c.Puback(p.PacketID+20000, 0) // nothing of that number is in flight
				c.Close()
			case 6:
				c.Write([]byte{0x30, 0xff, 0xff, 0xff, 0x7f})

			case 7:
				mu.Lock()
				bad[id] = true
				mu.Unlock()
				c.Puback(p.PacketID, byte(ReasonPayloadFormatInvalid))

			default:
				return false
			}

			return true
		}
	}, nil, func(t *testing.T, f *faults) {
		f.deliver()
		for d := range devices { // every device at least once
			f.or.one(t, f.o, d, 0, "first")
		}
		settle := func() {
			t.Helper()
			if err := f.o.WaitEmpty(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}

		settle()
		heap, goroutines, descriptors := usage()
		for hour := range hours {
			for n := range 150 {
				f.or.one(t, f.o, dice(devices), hour*1000+n, "more")
				if n%10 == 0 {
					time.Sleep(time.Duration(dice(120)) * time.Second)
				}
			}
			time.Sleep(time.Hour / 2)
		}

		settle()
		mu.Lock()
		for id := range bad {
			f.parked[id] = true
		}
		mu.Unlock()

		// The faults stop.
		f.b.Befriend()
		f.finish()
		synctest.Wait()
		published := len(f.b.Published())
		for _, p := range f.b.Published() {
			p.Payload = nil // the test's own memory
		}
		heap2, goroutines2, descriptors2 := usage()
		if heap2 > heap+16<<20 || goroutines2 > goroutines+10 || descriptors2 > descriptors+5 {
			t.Errorf("got heap %d, goroutines %d and descriptors %d, want %d, %d and %d at most",
				heap2, goroutines2, descriptors2, heap+16<<20, goroutines+10, descriptors+5)
		}

		if s := f.o.Stats(); s.Parked != len(f.parked) || s.Waiting != 0 {
			t.Errorf("got stats %+v, want Parked %d and Waiting 0", s, len(f.parked))
		}
		t.Logf("%d hours, %d records, %d sendings, %d connections, %d parked", hours, len(f.or.accepted), published, len(f.b.Times()), len(f.parked))
	})
}

func usage() (heap uint64, goroutines, descriptors int) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	list, _ := os.ReadDir("/proc/self/fd")
	return m.HeapAlloc, runtime.NumGoroutine(), len(list)
}
