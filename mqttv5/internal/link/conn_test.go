package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/guard"
)

// countingConn counts writes: each is a system call, and a TLS record.
type countingConn struct {
	net.Conn
	mu     sync.Mutex
	writes int
	buf    bytes.Buffer
	err    error
	slow   chan struct{} // when set, a write waits for it
}

func (c *countingConn) Write(p []byte) (int, error) {
	if c.slow != nil {
		<-c.slow
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	c.writes++
	return c.buf.Write(p)
}

func testPublish(n int) *packets.Publish {
	return &packets.Publish{Topic: "a/b", Payload: make([]byte, n), QoS: 1, PacketID: 1, Properties: &packets.Properties{ContentType: "x"}}
}

// paho hands over a PUBLISH in four pieces; one write leaves (MQTT facts row 9).
func TestOneWritePerPacket(t *testing.T) {
	c := &countingConn{}
	w := newWireConn(c, maxIncoming, func(err error) { t.Errorf("got the link ended by %v, want it up", err) })
	for range 3 {
		testPublish(1000).WriteTo(w)
	}
	if c.writes != 3 {
		t.Errorf("got %d writes for 3 packets, want 3", c.writes)
	}

	for range 3 {
		if _, err := packets.ReadPacket(&c.buf); err != nil {
			t.Fatal(err)
		}
	}

	// Corked, all leave together; a large buffer does not wait.
	c.writes = 0
	w.cork()
	for range 10 {
		testPublish(1000).WriteTo(w)
	}
	if c.writes != 0 {
		t.Errorf("got %d writes while corked, want 0", c.writes)
	}

	w.uncork()
	if c.writes != 1 {
		t.Errorf("%d writes after uncork, want 1", c.writes)
	}
	w.cork()
	testPublish(flushAt).WriteTo(w)
	if c.writes != 2 {
		t.Errorf("%d writes after a large packet, want 2", c.writes)
	}

	testPublish(10).WriteTo(w)
	w.push()
	if c.writes != 3 {
		t.Errorf("%d writes after push, want 3", c.writes)
	}
	w.uncork()
}

// Concurrent writers share a write, and no packet is torn or forgotten.
func TestConcurrentWritersTearNoPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &countingConn{slow: make(chan struct{})}
		w := newWireConn(c, maxIncoming, func(err error) { t.Errorf("got the link ended by %v, want it up", err) })
		const n = 200
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() { testPublish(100).WriteTo(w) })
		}
		synctest.Wait() // all wait for the first, who waits for the network
		close(c.slow)
		wg.Wait()
		if c.writes > 3 {
			t.Errorf("got %d writes for %d packets at one time, want 3 at most", c.writes, n)
		}
		for i := range n {
			if p, err := packets.ReadPacket(&c.buf); err != nil || len(p.Content.(*packets.Publish).Payload) != 100 {
				t.Fatalf("packet %d: %v, want len(Payload) 100", i, err)
			}
		}
	})
}

func TestWriteErrorEndsLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		var got error
		w := newWireConn(&countingConn{err: broken}, maxIncoming, func(err error) { got = err })
		testPublish(1).WriteTo(w)
		time.Sleep(2 * lastWords)
		synctest.Wait()
		if !errors.Is(got, broken) {
			t.Errorf("got the link ended by %v, want %v", got, broken)
		}
		w.Lock()
		_, err := w.Write([]byte("x"))
		w.Unlock()
		if !errors.Is(err, broken) {
			t.Errorf("got %v from the next write, want %v", err, broken)
		}
	})
}

// FuzzBroker feeds what a broker might send to the decoder behind the guard: it
// neither panics nor allocates beyond its input.
func FuzzBroker(f *testing.F) {
	for _, p := range []packets.Packet{
		&packets.Connack{Properties: &packets.Properties{ReasonString: "x"}}, testPublish(5),
		&packets.Puback{PacketID: 1, ReasonCode: 0x97, Properties: &packets.Properties{}},
		&packets.Suback{PacketID: 1, Reasons: []byte{0}, Properties: &packets.Properties{}},
		&packets.Disconnect{ReasonCode: 0x8e, Properties: &packets.Properties{}},
	} {
		var b bytes.Buffer
		if _, err := p.WriteTo(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}

	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte{0x40, 0x00})
	f.Add([]byte{0xe0, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		g := guard.New(bytes.NewReader(b), maxIncoming)
		s := newExchanges(func(error) {})
		s.ConAckReceived(io.Discard, nil, nil)
		g.Take(packets.PUBACK<<4, s.takePuback)
		publishes := make(chan *packets.Publish, 1)
		for {
			p, err := packets.ReadPacket(g)
			if err != nil {
				return
			}
			switch p.Type {
			case packets.PUBLISH, packets.PUBACK, packets.PUBREC, packets.PUBREL, packets.PUBCOMP, packets.SUBACK, packets.UNSUBACK:
				s.PacketReceived(p, publishes)
				select {
				case m := <-publishes:
					s.Ack(m)
				default:
				}
			case packets.DISCONNECT:
				s.ConnectionLost(p.Content.(*packets.Disconnect))
			}
		}
	})
}

func TestWindowServesInOrderAndFollowsAcknowledgements(t *testing.T) {
	w := newWindow(3)
	ctx := t.Context()
	must := func(n int) {
		t.Helper()
		if err := w.acquire(ctx, n); err != nil {
			t.Fatal(err)
		}
	}

	// One message of any size, then what fits.
	must(100 << 10)
	if w.tryAcquire(1) {
		t.Error("got a second message beside one that fills the window, want it to wait")
	}
	w.acked(100<<10, time.Millisecond)
	must(10)
	must(10)
	must(10)
	if w.tryAcquire(10) {
		t.Error("got a fourth message past a limit of three, want it to wait")
	}

	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if err := w.acquire(short, 10); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting gave %v, want %v", err, context.DeadlineExceeded)
	}

	// First come, first served.
	got := make(chan int, 2)
	for i := range 2 {
		go func() { w.acquire(ctx, 10); got <- i }()
		for {
			w.mu.Lock()
			n := len(w.queue)
			w.mu.Unlock()
			if n == i+1 {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}

	w.acked(10, time.Millisecond)
	if first := <-got; first != 0 {
		t.Errorf("got waiter %d served first, want 0", first)
	}
	w.acked(10, time.Millisecond)
	<-got

	// Fast acknowledgements open it, slow ones close it, never below one blob.
	before := w.maxBytes
	w.acked(10, time.Millisecond)
	if w.maxBytes != before+10 {
		t.Errorf("window %d, want %d", w.maxBytes, before+10)
	}

	for range 20 {
		must(10)
		w.acked(10, time.Minute)
	}

	if w.maxBytes != firstWindow {
		t.Errorf("window %d, want %d", w.maxBytes, firstWindow)
	}
	w.close(fault.ErrClosed)
	if err := w.acquire(ctx, 1); !errors.Is(err, fault.ErrClosed) {
		t.Errorf("closed window: got %v, want %v", err, fault.ErrClosed)
	}
}

func TestThrottleKeepsItsRateAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle(100, 512<<10)
		measure := func(n, size int) float64 {
			t.Helper()
			start := time.Now()
			for range n {
				if err := th.wait(t.Context(), size); err != nil {
					t.Fatal(err)
				}
			}
			return float64(n) / time.Since(start).Seconds()
		}

		if r := measure(2000, 10); r > 102 {
			t.Errorf("got %.1f messages/s, want 102 at most for a limit of 100", r)
		}
		if r := measure(200, 64<<10); r > 8.2 {
			t.Errorf("got %.1f blobs/s of 64 KiB, want 8.2 at most for a limit of 8", r)
		}

		for range 10 {
			th.halve()
		}
		if th.divisor != 64 {
			t.Errorf("divisor %v, want the least of 64", th.divisor)
		}

		for range 6 {
			time.Sleep(throttleRecovery)
			th.wait(t.Context(), 1)
		}

		if th.divisor != 1 || th.messages.Limit() != 100 {
			t.Errorf("divisor %v, rate %v, want divisor 1 and Limit 100", th.divisor, th.messages.Limit())
		}

		// Without limits of its own it still slows down when it is told to.
		th = newThrottle(-1, -1)
		th.halve()
		if r := measure(500, 10); r > 55 {
			t.Errorf("got %.1f messages/s after halving, want 55 at most", r)
		}
	})
}

// overdue is a context whose deadline has passed and whose timer is late, as on a
// busy machine.
type overdue struct{ context.Context }

func (overdue) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

// The limiter sees a deadline before the context does; callers must not have to
// tell its sentence from the context's.
func TestThrottleSaysDeadlineExceeded(t *testing.T) {
	th := newThrottle(100, 512<<10)
	if err := th.wait(overdue{t.Context()}, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
	}
	th.messages.AllowN(time.Now(), th.messages.Burst())
	th.messages.SetLimit(0.001)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := th.wait(ctx, 1); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		t.Errorf("got error %v, and %v of the context, want %v before the context ends", err, ctx.Err(), context.DeadlineExceeded)
	}
}
