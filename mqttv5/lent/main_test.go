package lent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
	mqtt "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mosquitto"
	"github.com/ulogkit/ulogkit/mqttv5/lent"
	"github.com/ulogkit/ulogkit/mqttv5/lent/paho311"
	"github.com/ulogkit/ulogkit/mqttv5/lent/paho5"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(patient{m}) }

// patient waits until no goroutine is left: paho lets an unsubscription that was begun
// before a disconnect wait for half a minute.
type patient struct{ *testing.M }

// Run implements goleak.TestingM.
func (p patient) Run() int {
	code := p.M.Run()
	for begin := time.Now(); code == 0 && goleak.Find() != nil && time.Since(begin) < patience; {
	}
	return code
}

// patience is how long a test waits for what must come; a wait ends when it is there.
const patience = 2 * time.Minute

// host is a program that has a connection already.
type host struct {
	lends   lent.Connection
	publish func(topic, payload string) error
	listen  func(filter string) error // has a subscription of its own
}

// reconnect is how long a host waits before it connects again. paho.golang (v0.23.0,
// State.AddToSession) reads without a lock what a new connection writes: one that comes
// while a message of the last is just being handed over is a race, of which its caller
// knows nothing. A busy machine needs a longer pause to keep the two apart.
const (
	reconnect5   = time.Second
	reconnect311 = 300 * time.Millisecond
)

// hosts are the ways to lend a connection to the broker at a port.
var hosts = map[string]func(t *testing.T, port int, packetTimeout time.Duration) *host{
	"paho5": func(t *testing.T, port int, packetTimeout time.Duration) *host {
		return connect5(t, port, packetTimeout, true)
	},
	"paho5 New": func(t *testing.T, port int, packetTimeout time.Duration) *host {
		return connect5(t, port, packetTimeout, false)
	},
	"paho311": connect311,
}

func connect5(t *testing.T, port int, packetTimeout time.Duration, lends bool) *host {
	connected := false
	cfg := autopaho.ClientConfig{
		ServerUrls: []*url.URL{{Scheme: "mqtt", Host: fmt.Sprintf("127.0.0.1:%d", port)}}, KeepAlive: 20,
		ReconnectBackoff: func(int) time.Duration { // autopaho's own come at once for the first time
			if !connected {
				connected = true
				return 0
			}
			return reconnect5
		},
		ConnectTimeout: time.Minute,
		ClientConfig:   paho.ClientConfig{ClientID: "gateway", PacketTimeout: packetTimeout},
	}

	h := &host{}
	again := make(chan struct{}, 100)
	if lends {
		h.lends = paho5.Lend(&cfg)
	} else {
		cfg.OnConnectionUp = func(*autopaho.ConnectionManager, *paho.Connack) { again <- struct{}{} }
	}

	cm, err := autopaho.NewConnection(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	if !lends {
		if err := cm.AwaitConnection(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := paho5.New(cm)
		h.lends = c
		go func() {
			for {
				select {
				case <-again:
					c.Renew()
				case <-over:
					return
				}
			}
		}()
	}

	t.Cleanup(func() {
		cm.Disconnect(context.Background())
		<-cm.Done()
		close(over)
	})

	h.publish = func(topic, payload string) error {
		_, err := cm.Publish(t.Context(), &paho.Publish{Topic: topic, QoS: 1, Payload: []byte(payload)})
		return err
	}

	h.listen = func(filter string) error {
		if err := cm.AwaitConnection(t.Context()); err != nil {
			return err
		}
		_, err := cm.Subscribe(t.Context(), &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: 1}}})
		return err
	}

	return h
}

func connect311(t *testing.T, port int, _ time.Duration) *host {
	o := mqtt.NewClientOptions().AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", port)).SetClientID("gateway").
		SetMaxReconnectInterval(reconnect311).SetConnectTimeout(time.Minute)
	h := &host{lends: paho311.Lend(o)}
	client := mqtt.NewClient(o)
	if token := client.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}

	t.Cleanup(func() {
		for deadline := time.Now().Add(patience); !client.IsConnectionOpen() && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond) // it does not end while it connects
		}
		client.Disconnect(100)
	})

	h.publish = func(topic, payload string) error {
		token := client.Publish(topic, 1, false, payload)
		token.Wait()
		return token.Error()
	}

	h.listen = func(filter string) error {
		token := client.Subscribe(filter, 1, func(mqtt.Client, mqtt.Message) {})
		token.Wait()
		return token.Error()
	}

	return h
}

// shears stands between host and broker and cuts what passes.
type shears struct {
	port  int
	mu    sync.Mutex
	conns []net.Conn
	count int // connections made
}

func newShears(t *testing.T, to string) *shears {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &shears{port: l.Addr().(*net.TCPAddr).Port}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				a.Close()
				continue
			}

			s.mu.Lock()
			s.conns = append(s.conns, a, b)
			s.count++
			s.mu.Unlock()
			for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
				wg.Go(func() {
					io.Copy(pair[0], pair[1])
					pair[0].Close()
					pair[1].Close()
				})
			}
		}
	})

	t.Cleanup(func() {
		l.Close()
		s.cut()
		wg.Wait()
	})

	return s
}

func (s *shears) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

func (s *shears) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// message is one that came to the far side.
type message struct {
	topic   string
	payload []byte
}

// farSide is a broker with a cloud behind it, which gives each application's device a
// token and has a log configuration for whoever subscribes.
type farSide struct {
	address string
	token   func(application uint32, serial string) uint32

	mu       sync.Mutex
	messages []message
}

func (f *farSide) take(topic string, payload []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages = append(f.messages, message{topic, payload})
}

func (f *farSide) received() []message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]message(nil), f.messages...)
}

const (
	customer   = "42"
	configured = "\x03\x05\x00\x00\x00\x0a\x00\x00\x00"
)

// farSides are the brokers that everything is tried against.
var farSides = map[string]func(t *testing.T) *farSide{"stand-in": standIn, "mosquitto": behindMosquitto}

func standIn(t *testing.T) *farSide {
	f := &farSide{}
	// It is closed after the host, which connects again for ever: t.Context() ends before.
	c, err := localcloud.Start(context.Background(), localcloud.Config{
		Plaintext: true, CustomerID: customer, LogConfig: []byte(configured), Strict: localcloud.Strict{CheckTokens: true},
		OnReceive: func(r localcloud.Received) {
			if r.Err != nil && r.Kind != localcloud.KindUnknown {
				t.Errorf("%s: got error %v, want none", r.Topic, r.Err)
			}
			f.take(r.Topic, r.Payload)
		},
	})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { c.Close() })
	f.address = c.Addr()
	f.token = func(application uint32, serial string) uint32 {
		token, _ := c.Token(application, serial)
		return token
	}

	return f
}

func behindMosquitto(t *testing.T) *farSide {
	b, err := mosquitto.Start(t.TempDir(), userRoot()...)
	if errors.Is(err, mosquitto.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	f := &farSide{address: fmt.Sprintf("%s:%d", b.Host, b.Port)}
	f.token = func(application uint32, serial string) uint32 { return application<<8 + uint32(len(serial)) }

	cloud := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + f.address).SetClientID("cloud").SetOrderMatters(false))
	if token := cloud.Connect(); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { cloud.Disconnect(100) })
	take := func(_ mqtt.Client, m mqtt.Message) {
		name, _ := topic.Parse(m.Topic())
		switch name.Kind {
		case topic.BootRequest:
			_, rest, _ := strings.Cut(string(m.Payload()), `"serial":"`)
			serial, _, _ := strings.Cut(rest, `"`)
			application, _ := name.ApplicationID()
			cloud.Publish(m.Topic()+"/"+serial, 1, false, fmt.Sprintf(`{"token":%d}`, f.token(application, serial)))
		case topic.BootReply, topic.LogConfig: // its own
		default:
			f.take(m.Topic(), m.Payload())
		}
	}
	if token := cloud.Subscribe("#", 1, take); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	if token := cloud.Publish("config/v0/42/7/SN-1", 1, true, configured); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
	return f
}

// userRoot lets mosquitto read its directory where the tests run as root.
func userRoot() []string {
	if os.Getuid() == 0 {
		return []string{"user root"}
	}
	return nil
}
