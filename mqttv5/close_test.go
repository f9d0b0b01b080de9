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
	"github.com/ulogkit/ulogkit/mqttv5/internal/link"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// lastWord is a connection that holds the writer of a DISCONNECT until the link has
// ended, as a broker that hangs up before the writer can go on.
type lastWord struct {
	net.Conn
	l **link.Link
}

// Write implements net.Conn.
func (w lastWord) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if p[0] == packets.DISCONNECT<<4 {
		<-(*w.l).Dead()
	}
	return n, err
}

// A broker hangs up on a goodbye; that is no loss of the connection.
func TestCloseIsNoLoss(t *testing.T) {
	b := mqtttest.NewBroker(t)
	var l *link.Link
	b.Wrap = func(n net.Conn) net.Conn { return lastWord{n, &l} }
	var mu sync.Mutex
	var events []Event
	goodbyes := 0
	b.OnPacket = func(_ *mqtttest.Conn, p *packets.ControlPacket) bool {
		if p.Type == packets.DISCONNECT {
			goodbyes++
		}
		return false
	}

	c := fakeClient(t, b, func(cfg *Config) {
		cfg.Hooks.Event = func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		}
	})

	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if l, err = c.keeper.Up(t.Context()); err != nil {
		t.Fatal(err)
	}

	c.Close()
	b.Stop()
	if len(events) != 1 || events[0].Kind != EventConnected || !errors.Is(l.Cause(), ErrClosed) || goodbyes != 1 {
		t.Errorf("got events %v, the link ended by %v and %d goodbyes, want %v alone, %v and 1 goodbye",
			events, l.Cause(), goodbyes, EventConnected, ErrClosed)
	}
}

// Close waits for the acknowledgements of what is in flight, no longer and not for
// ever.
func TestCloseWaitsForAcks(t *testing.T) {
	for name, late := range map[string]time.Duration{"late": 2 * time.Second, "too late": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.NewBroker(t)
				b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
					b.Go(func() {
						time.Sleep(late)
						c.Puback(p.PacketID, 0)
					})
					return true
				}

				c := fakeClient(t, b, func(cfg *Config) { cfg.Tuning.AckTimeout = time.Hour })
				done := make(chan error, 1)
				go func() {
					_, err := c.PublishText(context.Background(), testDevice(1), []TextEntry{{Time: 1, Level: format.LevelInfo, Text: "x"}})
					done <- err
				}()

				synctest.Wait()
				start := time.Now()
				c.Close()
				err := <-done
				if d := time.Since(start); d != min(late, closeGrace) || (late < closeGrace) != (err == nil) {
					t.Errorf("got Close after %v and error %v, want %v and an error: %v", d, err, min(late, closeGrace), late >= closeGrace)
				}

				b.Stop()
			})
		})
	}
}
