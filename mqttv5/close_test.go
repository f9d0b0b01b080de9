package mqttv5

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/format"
)

// lastWord is a connection that holds the writer of a DISCONNECT until the link has
// ended, as a broker that hangs up before the writer can go on.
type lastWord struct {
	net.Conn
	c *Client
}

// Write implements net.Conn.
func (w lastWord) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if p[0] == packets.DISCONNECT<<4 {
		w.c.sup.mu.Lock()
		l := w.c.sup.current
		w.c.sup.mu.Unlock()
		<-l.dead
	}
	return n, err
}

// A broker hangs up on a goodbye; that is no loss of the connection.
func TestCloseIsNoLoss(t *testing.T) {
	b := newFakeBroker(t)
	var c *Client
	b.wrap = func(n net.Conn) net.Conn { return lastWord{n, c} }
	var mu sync.Mutex
	var events []Event
	goodbyes := 0
	b.onPacket = func(_ *fakeConn, p *packets.ControlPacket) bool {
		if p.Type == packets.DISCONNECT {
			goodbyes++
		}
		return false
	}
	c = fakeClient(t, b, func(cfg *Config) {
		cfg.Hooks.Event = func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		}
	})
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := c.sup.link(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	b.stop()
	if len(events) != 1 || events[0].Kind != EventConnected || !errors.Is(l.cause, ErrClosed) || goodbyes != 1 {
		t.Errorf("events %v; the link ended by %v; %d goodbyes", events, l.cause, goodbyes)
	}
}

// Close waits for the acknowledgements of what is in flight, no longer and not for
// ever.
func TestCloseWaitsForAcks(t *testing.T) {
	for name, late := range map[string]time.Duration{"late": 2 * time.Second, "too late": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFakeBroker(t)
				b.onPublish = func(c *fakeConn, p *packets.Publish) bool {
					b.wg.Go(func() {
						time.Sleep(late)
						c.puback(p.PacketID, 0)
					})
					return true
				}
				c := fakeClient(t, b, func(cfg *Config) { cfg.Tuning.AckTimeout = time.Hour })
				done := make(chan error, 1)
				go func() {
					_, err := c.PublishText(context.Background(), testDevice(1), []TextEntry{{1, format.LevelInfo, "x"}})
					done <- err
				}()
				synctest.Wait()
				start := time.Now()
				c.Close()
				err := <-done
				if d := time.Since(start); d != min(late, closeGrace) || (late < closeGrace) != (err == nil) {
					t.Errorf("closed after %v: %v", d, err)
				}
				b.stop()
			})
		})
	}
}

// A link that comes up while the client is closed is closed with it.
func TestCloseWhileConnecting(t *testing.T) {
	b := newFakeBroker(t)
	c := fakeClient(t, b, nil)
	b.onConnack = func(*fakeConn, *packets.Connack) {
		c.sup.mu.Lock() // as the first half of stop
		c.sup.stopped = ErrClosed
		c.sup.mu.Unlock()
	}
	if err := c.Connect(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Connect: %v", err)
	}
	c.Close()
	b.stop()
}
