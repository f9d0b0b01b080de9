package mqttv5

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// bootScript makes a fake broker answer boot requests by a script.
func bootScript(b *mqtttest.Broker, f func(c *mqtttest.Conn, m *packets.Publish, nth int)) {
	n := 0
	b.SilentBoot = true
	b.OnPacket = func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
		m, ok := p.Content.(*packets.Publish)
		if !ok || !strings.HasPrefix(m.Topic, "boot/") {
			return false
		}
		c.Puback(m.PacketID, 0)
		n++
		f(c, m, n)
		return true
	}
}

func TestF23BootReplies(t *testing.T) {
	own := "boot/v0/7/42/SN00001"
	for _, c := range []struct{ name, topic, reply string }{
		{"-1", own, `{"token":-1}`},
		{"0", own, `{"token":0}`},
		{"2^32", own, `{"token":4294967296}`},
		{"1e400", own, `{"token":1e400}`},
		{"fraction", own, `{"token":7.5}`},
		{"text", own, `{"token":"seven"}`},
		{"null", own, `{"token":null}`},
		{"missing", own, `{"tokens":7}`},
		{"twice in one", own, `{"token":7,"token":8}`},
		{"array", own, `[7]`},
		{"number", own, `7`},
		{"empty", own, ``},
		{"trailing data", own, `{"token":7}{"token":8}`},
		{"stray bracket", own, `{"token":7}}`},
		{"cut off", own, `{"token":7`},
		{"deep", own, `{"x":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `,"token":7}`},
		{"huge", own, `{"token":7,"x":"` + strings.Repeat("x", 100_000) + `"}`},
		{"another device's topic", "boot/v0/7/42/SN00002", `{"token":7}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.NewBroker(t)
				// The bad answer to the first two requests, a good one to the third.
				bootScript(b, func(fc *mqtttest.Conn, m *packets.Publish, nth int) {
					if nth < 3 {
						fc.Message(c.topic, []byte(c.reply), m.Properties.CorrelationData)
						return
					}
					fc.Message(own, []byte(`{"token":4294967295,"more":[1]}`), nil)
				})
				client := fakeClient(t, b, nil)
				token, err := client.GetSessionToken(t.Context(), testDevice(1))
				if err != nil || token != 4294967295 {
					t.Errorf("got token %d, %v, want 4294967295", token, err)
				}
				client.Close()
				b.Stop()
			})
		})
	}

	for _, c := range []struct {
		name   string
		script func(fc *mqtttest.Conn, m *packets.Publish, nth int)
		want   string
	}{
		{"none", func(*mqtttest.Conn, *packets.Publish, int) {}, "no answer to the boot request on " + own},
		{"only bad ones", func(fc *mqtttest.Conn, m *packets.Publish, _ int) { fc.Message(own, []byte(`{"token":0}`), nil) }, "unusable boot reply"},
		{"retained", func(fc *mqtttest.Conn, m *packets.Publish, _ int) {
			fc.Send(&packets.Publish{Topic: own, Payload: []byte(`{"token":7}`), Retain: true, Properties: &packets.Properties{}})
		}, "retained"},
		{"to another request", func(fc *mqtttest.Conn, m *packets.Publish, _ int) {
			fc.Message(own, []byte(`{"token":7}`), []byte("else"))
		}, "another request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.NewBroker(t)
				bootScript(b, c.script)
				client := fakeClient(t, b, nil)
				start := time.Now()
				_, err := client.GetSessionToken(t.Context(), testDevice(1))
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v; want %q", err, c.want)
				}
				if d := time.Since(start); d != client.cfg.TokenTimeout {
					t.Errorf("took %v, want %v", d, client.cfg.TokenTimeout)
				}
				if token, ok, _ := client.cfg.Store.Token(t.Context(), client.sessionKey(testDevice(1))); ok {
					t.Errorf("got token %d kept, want none", token)
				}
				client.Close()
				b.Stop()
			})
		})
	}
}

// A late answer and a second one change nothing.
func TestF23LateAndTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		own := "boot/v0/7/42/SN00001"
		bootScript(b, func(fc *mqtttest.Conn, m *packets.Publish, nth int) {
			fc.Message(own, []byte(fmt.Sprintf(`{"token":%d}`, 100+nth)), m.Properties.CorrelationData)
			fc.Message(own, []byte(`{"token":666}`), m.Properties.CorrelationData)
			b.Go(func() {
				time.Sleep(30 * time.Second)
				fc.Message(own, []byte(`{"token":667}`), m.Properties.CorrelationData)
			})
		})

		c := fakeClient(t, b, nil)
		dev := testDevice(1)
		for n := range 3 {
			token, err := c.GetSessionToken(t.Context(), dev)
			if err != nil || token != uint32(101+n) {
				t.Errorf("got token %d, %v, want %d", token, err, 101+n)
			}
		}

		time.Sleep(time.Minute)
		if token, err := c.GetOrFetchToken(t.Context(), dev); err != nil || token != 103 {
			t.Errorf("kept: got token %d, %v, want 103", token, err)
		}

		// Other firmware needs another token.
		dev.GitHash = "other"
		if token, err := c.GetOrFetchToken(t.Context(), dev); err != nil || token != 104 {
			t.Errorf("for other firmware: got token %d, %v, want 104", token, err)
		}
		time.Sleep(time.Minute)
		c.Close()
		b.Stop()
	})
}

// Many callers for one device share one handshake; many devices share one
// connection, without more subscriptions at a time than AWS allows, those for log
// configurations included: one too many is refused, and leaves no trace.
func TestManyBootsStayWithinTheSubscriptionLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		b.BootDelay = 100 * time.Millisecond // all callers come meanwhile
		var mu sync.Mutex
		subscribed, most, filters := map[string]bool{}, 0, 0
		b.OnPacket = func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
			mu.Lock()
			defer mu.Unlock()
			switch m := p.Content.(type) {
			case *packets.Subscribe:
				filters = max(filters, len(m.Subscriptions))
				for _, s := range m.Subscriptions {
					subscribed[s.Topic] = true
				}
				most = max(most, len(subscribed))
			case *packets.Unsubscribe:
				for _, s := range m.Topics {
					delete(subscribed, s)
				}
			}
			return false
		}

		c := fakeClient(t, b, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var watchers sync.WaitGroup
		for d := range maxWatches {
			watchers.Go(func() {
				for _, err := range c.WatchLogConfig(ctx, testDevice(d)) {
					t.Errorf("got error %v of a watcher, want none", err)
				}
			})
		}

		synctest.Wait()
		refused := func() (err error) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for _, err = range c.WatchLogConfig(ctx, testDevice(maxWatches)) {
				break
			}
			return err
		}

		if err := refused(); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), fmt.Sprintf("%d devices", maxWatches)) || len(subscribed) != maxWatches {
			t.Errorf("one more watcher: got %v with %d subscriptions, want %v that says \"%d devices\" with %d",
				err, len(subscribed), ErrConfig, maxWatches, maxWatches)
		}
		var wg sync.WaitGroup
		const devices = 200
		for d := range devices {
			for range 3 {
				wg.Go(func() {
					if _, err := c.GetSessionToken(t.Context(), testDevice(d)); err != nil {
						t.Error(err)
					}
				})
			}
		}

		wg.Wait()
		synctest.Wait()
		if b.Boots() != devices {
			t.Errorf("got %d boot requests, want one for each of %d devices", b.Boots(), devices)
		}

		for range 50 { // firmware, which nobody answers
			wg.Go(func() {
				if _, err := c.presign(t.Context(), &Firmware{ApplicationID: 42, DeviceType: "board", GitHash: "0123"}); !errors.Is(err, ErrNetwork) {
					t.Errorf("firmware that nobody answers: got %v, want %v", err, ErrNetwork)
				}
			})
		}

		wg.Wait()
		synctest.Wait()
		if most != 50 || filters > 8 {
			t.Errorf("got %d subscriptions at one time and %d in one packet, want 50 and at most 8", most, filters)
		}

		// Who leaves makes room.
		cancel()
		watchers.Wait()
		if err := refused(); err != nil {
			t.Errorf("with room: got %v, want no error", err)
		}

		synctest.Wait()
		if len(subscribed) != 0 {
			t.Errorf("got %d subscriptions left, want 0", len(subscribed))
		}
		if n := len(b.Times()); n != 1 {
			t.Errorf("got %d connections, want 1", n)
		}

		c.Close()
		b.Stop()
	})
}

// A session that the cloud has forgotten leads to one new registration, and the
// records are kept.
func TestF24TokenRejected(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{Plaintext: true, Strict: localcloud.Strict{CheckTokens: true}})
	cfg := cloudConfig(cloud)
	var mu sync.Mutex
	registered := 0
	cfg.Hooks.Event = func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == EventRegistered {
			registered++
		}
	}

	c := newClient(t, cfg)
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	submitLogs(t, o, 1, 3)
	stop := deliverIn(t, c, o)
	if err := o.WaitEmpty(within(t)); err != nil {
		t.Fatal(err)
	}

	cloud.ForgetTokens()
	submitLogs(t, o, 1, 3)
	if err := o.WaitEmpty(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	mu.Lock()
	defer mu.Unlock()
	if registered != 2 {
		t.Errorf("%d registrations, want 2", registered)
	}
	got := cloud.Received()
	if s := o.Stats(); len(got) != 6 || s.Parked != 0 {
		t.Errorf("got %d records and stats %+v, want 6 and Parked 0", len(got), s)
	}

	for _, g := range got {
		if g.Err != nil {
			t.Errorf("%s: got error %v, want none", g.ID, g.Err)
		}
	}
}

// A single upload registers anew too, once, when its kept token is refused.
func TestF24UploadTokenRejected(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{Plaintext: true, Strict: localcloud.Strict{CheckTokens: true}})
	c := newClient(t, cloudConfig(cloud))
	dev, buf := testDevice(1), testLog(t, 1, 200)
	for range 2 {
		if _, err := c.UploadLog(within(t), dev, buf); err != nil {
			t.Fatal(err)
		}
		cloud.ForgetTokens()
	}
	for _, r := range cloud.Received() {
		if r.Err != nil {
			t.Errorf("%s: got error %v, want none", r.ID, r.Err)
		}
	}
	if n := len(cloud.Received()); n != 2 {
		t.Errorf("cloud received %d logs, want 2", n)
	}
}

// The first reply is lost, as when a SUBACK comes before the subscription works.
func TestBootAsksAgainWhenAReplyIsLost(t *testing.T) {
	t.Parallel() // it waits
	cloud := startCloud(t, localcloud.Config{Plaintext: true, Strict: localcloud.Strict{LoseFirstReply: true}})
	cfg := cloudConfig(cloud)
	cfg.TokenTimeout = 15 * time.Second // it asks again after a fifth
	c := newClient(t, cfg)
	if _, err := c.UploadLog(within(t), testDevice(1), testLog(t, 1, 100)); err != nil {
		t.Fatal(err)
	}
}

func TestBootSubscriptionRefusalNamesItsCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		b.OnPacket = func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
			m, ok := p.Content.(*packets.Subscribe)
			if ok {
				c.Send(&packets.Suback{PacketID: m.PacketID, Reasons: []byte{0x87}, Properties: &packets.Properties{ReasonString: "policy\x1b[31m"}})
			}
			return ok
		}
		c := fakeClient(t, b, nil)
		_, err := c.GetSessionToken(t.Context(), testDevice(1))
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "Not authorized (0x87)") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("got %q, want %v that says \"Not authorized (0x87)\" and has no control characters", err, ErrRefused)
		}
		c.Close()
		b.Stop()
	})
}

// A broker that confuses packet identifiers gets another one, and not for ever.
func TestPacketIdentifierInUseIsReplacedWithinALimit(t *testing.T) {
	for _, refusals := range []int{1, 5, 16} {
		synctest.Test(t, func(t *testing.T) {
			b := mqtttest.NewBroker(t)
			used := map[uint16]bool{}
			b.OnPacket = func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
				m, ok := p.Content.(*packets.Subscribe)
				if !ok || len(used) == refusals {
					return false
				}
				used[m.PacketID] = true
				c.Send(&packets.Suback{PacketID: m.PacketID, Reasons: []byte{0x91}, Properties: &packets.Properties{}})
				return true
			}

			c := fakeClient(t, b, nil)
			_, err := c.GetSessionToken(t.Context(), testDevice(1))
			if refusals < 16 && err != nil || refusals == 16 && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "(0x91)")) {
				t.Errorf("after %d refusals: got %v, want no error below 16 and then %v that says (0x91)", refusals, err, ErrRefused)
			}
			if len(used) != refusals {
				t.Errorf("%d packet identifiers were refused, want %d", len(used), refusals)
			}

			c.Close()
			b.Stop()
		})
	}
}

// overdue is a context whose deadline has passed and whose timer is late, as on a
// busy machine.
type overdue struct{ context.Context }

func (overdue) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

// A topic that is silent gives the same sentence whatever is late: the answer, an
// acknowledgement, or the context's own timer.
func TestF23SilentTopic(t *testing.T) {
	for _, c := range []struct {
		name    string
		swallow func(p *packets.ControlPacket) bool
	}{
		{"no SUBACK", func(p *packets.ControlPacket) bool { _, ok := p.Content.(*packets.Subscribe); return ok }},
		{"no PUBACK", func(p *packets.ControlPacket) bool { _, ok := p.Content.(*packets.Publish); return ok }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.NewBroker(t)
				b.OnPacket = func(_ *mqtttest.Conn, p *packets.ControlPacket) bool { return c.swallow(p) }
				client := fakeClient(t, b, func(cfg *Config) { cfg.TokenTimeout, cfg.Tuning.AckTimeout = 1900*time.Millisecond, time.Second })
				_, err := client.GetSessionToken(t.Context(), testDevice(1))
				if err == nil || !strings.Contains(err.Error(), "no answer to the boot request on boot/v0/7/42/SN00001 within 1.9s") {
					t.Errorf("got %v, want no answer to the boot request on boot/v0/7/42/SN00001 within 1.9s", err)
				}
				client.Close()
				b.Stop()
			})
		})
	}

	t.Run("late timer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := mqtttest.NewBroker(t)
			client := fakeClient(t, b, func(cfg *Config) { cfg.Tuning.PublishesPerSecond = 100 })
			if err := client.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, err := client.boot(overdue{t.Context()}, testDevice(1))
			if err == nil || !strings.Contains(err.Error(), "no answer to the boot request on boot/v0/7/42/SN00001") {
				t.Errorf("got %v, want no answer to the boot request on boot/v0/7/42/SN00001", err)
			}
			client.Close()
			b.Stop()
		})
	})
}
