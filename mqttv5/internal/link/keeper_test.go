package link

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// keeperOf returns a keeper of the connection to a fake broker, and closes it at
// the end of run: within a synctest bubble cleanups come too late.
func keeperOf(t *testing.T, b *mqtttest.Broker, edit func(*Config), run func(*Keeper)) {
	t.Helper()
	cfg := Config{
		Broker: "127.0.0.1", InsecurePlaintext: true, Dial: b.Dial,
		Tuning: Tuning{PublishesPerSecond: -1, BytesPerSecond: -1, ClientID: "gateway"},
	}
	if edit != nil {
		edit(&cfg)
	}
	k, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	run(k)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	k.Close(ctx)
	b.Stop()
}

// A link that comes up while the keeper is closed is closed with it.
func TestLinkThatComesUpDuringCloseIsClosed(t *testing.T) {
	b := mqtttest.NewBroker(t)
	keeperOf(t, b, nil, func(k *Keeper) {
		b.OnConnack = func(*mqtttest.Conn, *packets.Connack) {
			k.mu.Lock() // as the first half of Close
			k.stopped = fault.ErrClosed
			k.mu.Unlock()
		}
		if _, err := k.Up(t.Context()); !errors.Is(err, fault.ErrClosed) {
			t.Errorf("got %v, want %v", err, fault.ErrClosed)
		}
	})
}

// A broker that knows no MQTT 5 answers a CONNECT in two bytes, as MQTT 3.1.1 has
// it (F48, case broker-of-mqtt-3).
func TestBrokerOfMQTT3IsNamed(t *testing.T) {
	for code, want := range map[byte]string{
		0: "accepted", 1: "unacceptable protocol version", 2: "identifier rejected", 3: "server unavailable",
		4: "bad user name or password", 5: "not authorized", 99: "code 99",
	} {
		synctest.Test(t, func(t *testing.T) {
			b := mqtttest.NewBroker(t)
			b.OnPacket = func(c *mqtttest.Conn, p *packets.ControlPacket) bool {
				c.Write([]byte{0x20, 2, 0, code})
				return true
			}
			keeperOf(t, b, nil, func(k *Keeper) {
				_, err := k.Up(t.Context())
				for _, want := range []string{"does not speak MQTT 5", "MQTT 3.1.1", want} {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("CONNACK 20 02 00 %02x: got %v, want %q in it", code, err, want)
					}
				}
				if !errors.Is(err, fault.ErrRefused) {
					t.Errorf("CONNACK 20 02 00 %02x: got %v, want class %v", code, err, fault.ErrRefused)
				}
			})
		})
	}
}

// A refusal says the broker's code and words, wherever it stands: in a CONNACK, in a
// DISCONNECT instead of one, and in a DISCONNECT of a connection that was up.
func TestRefusalsSayCodeAndWords(t *testing.T) {
	const words = "policy \x1b]0;pwned\x07 42"
	disconnect := &packets.Disconnect{ReasonCode: 0x87, Properties: &packets.Properties{ReasonString: words}}
	check := func(t *testing.T, what string, err error) {
		t.Helper()
		if !errors.Is(err, fault.ErrRefused) || fault.Code(err) != fault.ReasonNotAuthorized {
			t.Errorf("%s: got %v with code %v, want %v with Not authorized", what, err, fault.Code(err), fault.ErrRefused)
		}
		if s := err.Error(); !strings.Contains(s, "Not authorized (0x87): policy ?]0;pwned? 42") {
			t.Errorf("%s: got %q, want code and words, with nothing that steers a terminal", what, s)
		}
	}

	for what, script := range map[string]func(*mqtttest.Conn){
		"CONNACK": func(c *mqtttest.Conn) {
			c.Send(&packets.Connack{ReasonCode: 0x87, Properties: &packets.Properties{ReasonString: words}})
		},
		"DISCONNECT for a CONNACK": func(c *mqtttest.Conn) { c.Send(disconnect) },
	} {
		synctest.Test(t, func(t *testing.T) {
			b := mqtttest.NewBroker(t)
			b.OnPacket = func(c *mqtttest.Conn, _ *packets.ControlPacket) bool {
				script(c)
				c.Close()
				return true
			}
			keeperOf(t, b, nil, func(k *Keeper) {
				_, err := k.Up(t.Context())
				check(t, what, err)
			})
		})
	}

	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		events := make(chan Event, 10)
		keeperOf(t, b, func(cfg *Config) { cfg.Event = func(e Event) { events <- e } }, func(k *Keeper) {
			l, err := k.Up(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b.Conns()[0].Send(disconnect)
			b.Conns()[0].Close()
			<-l.Dead()
			check(t, "the cause of a link", l.Cause())
			<-events // connected
			check(t, "the event", (<-events).Err)
		})
	})
}

// The broker closes a connection without a word right after the login, again and
// again, as mosquitto does with one of two clients of one name (case same-name).
func TestSecondClientOfOneNameIsSuspected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		var mu sync.Mutex
		var lost []string
		edit := func(cfg *Config) {
			cfg.Rival = "name each"
			cfg.Event = func(e Event) {
				mu.Lock()
				defer mu.Unlock()
				if e.Kind == Lost {
					lost = append(lost, e.Err.Error())
				}
			}
		}

		keeperOf(t, b, edit, func(k *Keeper) {
			for n := range 5 {
				l, err := k.UpPatiently(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if n == 3 {
					time.Sleep(time.Hour) // a long life clears the suspicion
				}
				time.Sleep(2 * time.Second)
				b.Conns()[n].Close()
				<-l.Told()
				<-l.judged
			}
		})

		if len(lost) != 5 {
			t.Fatalf("got %d connections lost, want 5", len(lost))
		}
		for n, got := range lost {
			if suspected := strings.Contains(got, `another client use the identifier "gateway"? if so, name each`); suspected != (n == 2) {
				t.Errorf("loss %d: got %q, suspicion wanted: %v", n+1, got, n == 2)
			}
		}
	})
}

// brokenConn cannot be written to any more, and has something left to read.
type brokenConn struct {
	net.Conn
	left *bytes.Reader
}

func (c *brokenConn) Write([]byte) (int, error)  { return 0, errors.New("broken pipe") }
func (c *brokenConn) Read(p []byte) (int, error) { return c.left.Read(p) }

// A write fails because the broker has gone; what it said before is still to be
// read, and is the cause.
func TestLastWordsAreReadAfterAWriteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := make(chan error, 10)
		var said bytes.Buffer
		(&packets.Disconnect{ReasonCode: 0x97, Properties: &packets.Properties{}}).WriteTo(&said)
		w := newWireConn(&brokenConn{left: bytes.NewReader(said.Bytes())}, maxIncoming, func(err error) { cause <- err })
		testPublish(1).WriteTo(w)
		if len(cause) != 0 {
			t.Errorf("got %v at once, want time to read", <-cause)
		}
		p, err := packets.ReadPacket(w)
		if err != nil || p.Type != packets.DISCONNECT {
			t.Errorf("got %v, %v, want the DISCONNECT", p, err)
		}
		time.Sleep(2 * lastWords)
		synctest.Wait()
		if len(cause) != 1 {
			t.Errorf("got %d causes, want that of the write in the end", len(cause))
		}
	})
}
