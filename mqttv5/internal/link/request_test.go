package link

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// request asks for an answer on "reply" and keeps what comes.
func request(got *string) *Request {
	return &Request{
		Op: "ask", What: "question",
		Message: &Message{Topic: "ask/it", Payload: []byte("?"), ReplyTopic: "reply"},
		Read: func(m *Received) (more bool, err error) {
			if s := string(m.Payload); s != "no" && s != "never" {
				*got = s
				return false, nil
			}
			return string(m.Payload) == "no", errors.New("it is " + string(m.Payload))
		},
		Hint: "look there",
	}
}

// onPublish scripts what a broker does with the nth message to ask/it, from 1.
func onPublish(b *mqtttest.Broker, f func(c *mqtttest.Conn, nth int)) {
	n := 0
	b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
		n++
		c.Puback(p.PacketID, 0)
		f(c, n)
		return true
	}
}

func TestRequestGoesOnWithTheNextLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		dials := 0
		onPublish(b, func(c *mqtttest.Conn, nth int) {
			switch nth {
			case 1: // acknowledged, and then lost before the answer
				c.Close()
				b.OnConn = func(*mqtttest.Conn) bool { dials++; return dials > 2 } // nor does it come back at once
			case 2:
				c.Message("reply", []byte("yes"), nil)
			}
		})

		keeperOf(t, b, nil, func(k *Keeper) {
			var got string
			start := time.Now()
			if err := k.Request(t.Context(), request(&got)); err != nil || got != "yes" {
				t.Errorf("got %q, %v, want yes", got, err)
			}
			if d := time.Since(start); d > k.cfg.Timeout/2 {
				t.Errorf("got the answer after %v, want it as soon as there was a link", d)
			}
		})
	})
}

func TestRequestEndsWithARefusal(t *testing.T) {
	for what, script := range map[string]func(c *mqtttest.Conn, p *packets.ControlPacket) bool{
		"SUBACK": func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
			m, ok := p.Content.(*packets.Subscribe)
			if ok {
				c.Send(&packets.Suback{PacketID: m.PacketID, Reasons: []byte{0x87}, Properties: &packets.Properties{ReasonString: "words"}})
			}
			return ok
		},
		"PUBACK": func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
			m, ok := p.Content.(*packets.Publish)
			if ok {
				c.Send(&packets.Puback{PacketID: m.PacketID, ReasonCode: 0x87, Properties: &packets.Properties{ReasonString: "words"}})
			}
			return ok
		},
		"DISCONNECT for a SUBSCRIBE": func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
			if p.Type == packets.SUBSCRIBE {
				c.Send(&packets.Disconnect{ReasonCode: 0x87, Properties: &packets.Properties{ReasonString: "words"}})
				c.Close()
			}
			return p.Type == packets.SUBSCRIBE
		},
		"DISCONNECT for a PUBLISH": func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
			if p.Type == packets.PUBLISH {
				c.Send(&packets.Disconnect{ReasonCode: 0x87, Properties: &packets.Properties{ReasonString: "words"}})
				c.Close()
			}
			return p.Type == packets.PUBLISH
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.NewBroker(t)
				b.OnPacket = script
				keeperOf(t, b, nil, func(k *Keeper) {
					var got string
					start := time.Now()
					err := k.Request(t.Context(), request(&got))
					if !errors.Is(err, fault.ErrRefused) || errors.Is(err, fault.ErrNetwork) || fault.Code(err) != fault.ReasonNotAuthorized {
						t.Errorf("got %v, want %v with its code", err, fault.ErrRefused)
					}
					if s := err.Error(); !strings.HasPrefix(s, "ask: ") || strings.Count(s, "ask: ") != 1 || strings.Count(s, "Not authorized (0x87): words") != 1 || strings.Count(s, ";") > 1 {
						t.Errorf("got %q, want one sentence with code and words, and one hint", s)
					}
					if d := time.Since(start); d > time.Second {
						t.Errorf("got it after %v, want it at once", d)
					}
				})
			})
		})
	}
}

// The time is up: the error says the best that is known, not only that.
func TestRequestWithoutAnAnswerSaysWhatIsKnown(t *testing.T) {
	for _, c := range []struct {
		name   string
		script func(b *mqtttest.Broker)
		class  error
		want   []string
	}{
		{
			"silence", func(b *mqtttest.Broker) { onPublish(b, func(*mqtttest.Conn, int) {}) },
			fault.ErrNetwork,
			[]string{"ask: no answer to the question on reply within 15s", "look there"},
		},
		{"nobody subscribed", func(b *mqtttest.Broker) {
			b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool { c.Puback(p.PacketID, 0x10); return true }
		}, fault.ErrNetwork, []string{"within 15s", "nobody takes such requests"}},
		{"no good answer", func(b *mqtttest.Broker) {
			onPublish(b, func(c *mqtttest.Conn, _ int) { c.Message("reply", []byte("no"), nil) })
		}, fault.ErrRefused, []string{"ask: it is no", "nothing that can be used"}},
		{"lost and never back", func(b *mqtttest.Broker) {
			onPublish(b, func(c *mqtttest.Conn, _ int) {
				b.OnConn = func(*mqtttest.Conn) bool { return false }
				c.Close()
			})
		}, fault.ErrNetwork, []string{"within 15s", "the broker closed the connection"}},
		{"quota, again and again", func(b *mqtttest.Broker) {
			onPublish(b, func(c *mqtttest.Conn, _ int) {
				c.Send(&packets.Disconnect{ReasonCode: 0x97, Properties: &packets.Properties{ReasonString: "words"}})
				c.Close()
			})
		}, fault.ErrRefused, []string{"within 15s", "Quota exceeded (0x97): words"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.NewBroker(t)
				c.script(b)
				keeperOf(t, b, nil, func(k *Keeper) {
					var got string
					start := time.Now()
					err := k.Request(t.Context(), request(&got))
					if d := time.Since(start); d != k.cfg.Timeout {
						t.Errorf("got an end after %v, want %v", d, k.cfg.Timeout)
					}
					if !errors.Is(err, c.class) || got != "" {
						t.Fatalf("got %q, %v, want class %v", got, err, c.class)
					}
					for _, want := range c.want {
						if !strings.Contains(err.Error(), want) {
							t.Errorf("got %q, want %q in it", err, want)
						}
					}
				})
			})
		})
	}
}

func TestRequestEndsWithAnAnswerThatCannotGetBetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		onPublish(b, func(c *mqtttest.Conn, _ int) {
			c.Message("reply", []byte("no"), nil)
			c.Message("reply", []byte("never"), nil)
			c.Message("reply", []byte("yes"), nil) // too late
		})
		keeperOf(t, b, nil, func(k *Keeper) {
			var got string
			err := k.Request(t.Context(), request(&got))
			if !errors.Is(err, fault.ErrRefused) || !strings.Contains(err.Error(), "it is never") || got != "" {
				t.Errorf("got %q, %v, want a refusal", got, err)
			}
		})
	})
}

// Two requests wait on one topic: the first to end must not take the other's
// subscription away.
func TestSubscriptionLastsUntilNobodyWantsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		var mu sync.Mutex
		var seen []string
		b.OnPacket = func(_ *mqtttest.Conn, p *packets.ControlPacket) bool {
			mu.Lock()
			defer mu.Unlock()
			switch m := p.Content.(type) {
			case *packets.Subscribe:
				seen = append(seen, "+"+m.Subscriptions[0].Topic)
			case *packets.Unsubscribe:
				seen = append(seen, "-"+m.Topics[0])
			}
			return false
		}

		keeperOf(t, b, nil, func(k *Keeper) {
			l, err := k.Up(t.Context())
			if err != nil {
				t.Fatal(err)
			}

			for range 2 {
				if err := l.Subscribe(t.Context(), "a"); err != nil {
					t.Fatal(err)
				}
			}

			l.Release("a")
			synctest.Wait()
			mu.Lock()
			if got := strings.Join(seen, " "); got != "+a +a" {
				t.Errorf("got %s while it is wanted, want +a +a", got)
			}

			mu.Unlock()
			if err := l.Unsubscribe(t.Context(), "a"); err != nil {
				t.Error(err)
			}
			mu.Lock()
			if got := strings.Join(seen, " "); got != "+a +a -a" {
				t.Errorf("got %s in the end, want +a +a -a", got)
			}

			mu.Unlock()
		})
	})
}

// A SUBACK has one code for each filter, and none of them is a failure.
func TestSubackIsReadAsAWhole(t *testing.T) {
	for _, c := range []struct {
		name  string
		codes []byte
		inbox bool
		class error
		want  string
	}{
		{"none", nil, false, fault.ErrNetwork, "2 subscriptions with 0 codes"},
		{"too few", []byte{1}, false, fault.ErrNetwork, "2 subscriptions with 1 codes"},
		{"too many", make([]byte, 100_000), false, fault.ErrNetwork, "2 subscriptions with 100000 codes"},
		{"second refused", []byte{1, 0x87}, false, fault.ErrRefused, "subscribe to b: Not authorized (0x87): words"},
		{"no shared subscriptions", []byte{0x9E, 1}, false, fault.ErrRefused, "subscribe to a: Shared Subscriptions not supported (0x9E): words"},
		{"QoS 2", []byte{2, 1}, false, fault.ErrNetwork, "granted QoS 2"},
		{"QoS 0 for a session that is kept", []byte{1, 0}, true, fault.ErrRefused, "granted QoS 0"},
		{"QoS 0 without one", []byte{1, 0}, false, nil, ""},
		{"granted", []byte{1, 1}, true, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := mqtttest.NewBroker(t)
				var unsubscribed []string
				b.OnPacket = func(fc *mqtttest.Conn, p *packets.ControlPacket) bool {
					switch m := p.Content.(type) {
					case *packets.Subscribe:
						fc.Send(&packets.Suback{PacketID: m.PacketID, Reasons: c.codes, Properties: &packets.Properties{ReasonString: "words"}})
						return true
					case *packets.Unsubscribe:
						unsubscribed = append(unsubscribed, m.Topics...)
					}
					return false
				}

				edit := func(cfg *Config) {
					if c.inbox {
						cfg.Inbox = &Inbox{ReceiveMaximum: 10, MaxPacket: 1000, SessionExpiry: time.Hour}
					}
				}

				keeperOf(t, b, edit, func(k *Keeper) {
					l, err := k.Up(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					err = l.Subscribe(t.Context(), "a", "b")
					if (c.class == nil) != (err == nil) || err != nil && (!errors.Is(err, c.class) || !strings.Contains(err.Error(), c.want)) {
						t.Errorf("got %v, want %q of class %v", err, c.want, c.class)
					}
					synctest.Wait()
					if c.name == "second refused" && strings.Join(unsubscribed, " ") != "a" {
						t.Errorf("got %q unsubscribed, want what was granted", unsubscribed)
					}
					if l.alive() && err != nil && len(l.subscribed) > 0 {
						t.Errorf("got %v left subscribed, want nothing", l.subscribed)
					}
				})
			})
		})
	}
}

// A caller who gives up is told so at once.
func TestRequestEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		onPublish(b, func(*mqtttest.Conn, int) {})
		keeperOf(t, b, nil, func(k *Keeper) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(3*time.Second, cancel)
			start := time.Now()
			var got string
			err := k.Request(ctx, request(&got))
			if d := time.Since(start); d != 3*time.Second || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v after %v, want %v after 3s", err, d, context.Canceled)
			}
		})
	})
}
