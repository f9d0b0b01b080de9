package localcloud

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/internal/guard"
)

const listenerID = "loopback"

// Largest packet taken, in bytes: 128 KiB and its topic, as the real cloud.
const defaultMaxPacket = 132 << 10

// newBroker returns the embedded broker with the cloud's hook in it; Serve starts
// it. Where the broker differs from the specification (MQTT facts, "Brokers to test
// against"), the hook and the guarded listener put it right.
func newBroker(c *Cloud, tcp net.Listener, tlsConfig *tls.Config) (*mochi.Server, error) {
	caps := mochi.NewDefaultServerCapabilities()
	caps.MaximumPacketSize = c.maxPacket
	caps.ReceiveMaximum = c.cfg.Strict.ReceiveMaximum
	if caps.ReceiveMaximum == 0 {
		caps.ReceiveMaximum = 1024
	}
	// Twice what it takes to answer what it receives; it drops what exceeds it.
	caps.MaximumClientWritesPending = 64 << 10
	caps.MaximumQos = 1
	caps.MinimumProtocolVersion = 5
	s := mochi.New(&mochi.Options{
		Capabilities: caps,
		InlineClient: true,
		Logger:       slog.New(slog.DiscardHandler),
	})
	if err := s.AddHook(&hook{cloud: c}, nil); err != nil {
		return nil, err
	}
	if tlsConfig != nil {
		tcp = tls.NewListener(tcp, tlsConfig)
	}
	l := guardedListener{tcp, c.cfg.WrapConn, int(c.maxPacket)}
	if err := s.AddListener(listeners.NewNet(listenerID, l)); err != nil {
		return nil, err
	}
	return s, nil
}

// closeBroker sends the clients away before it stops the broker: that goes through
// them with its lock taken twice, and a client that leaves in between would block
// both for ever.
func closeBroker(s *mochi.Server, l net.Listener) error {
	l.Close() // the broker closes it again
	for _, cl := range s.Clients.GetAll() {
		if !cl.Net.Inline {
			s.DisconnectClient(cl, packets.ErrServerShuttingDown)
		}
	}
	s.Listeners.ClientsWg.Wait()
	return s.Close()
}

// guardedListener keeps from the broker what would crash it.
type guardedListener struct {
	net.Listener
	wrap func(net.Conn) net.Conn // nil: none
	max  int
}

func (l guardedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if l.wrap != nil {
		c = l.wrap(c)
	}
	g := guard.New(c, l.max)
	g.Inspect(1<<packets.Subscribe, checkSubscribe)
	return guardedConn{c, g}, nil
}

type guardedConn struct {
	net.Conn
	g *guard.Reader
}

func (c guardedConn) Read(p []byte) (int, error) { return c.g.Read(p) }

// checkSubscribe refuses a SUBSCRIBE whose last filter has no options byte: the
// broker reads it without looking and panics (MQTT 5 section 3.8).
func checkSubscribe(_ byte, b []byte) error {
	short := errors.New("SUBSCRIBE ends too early")
	if len(b) < 3 {
		return short
	}
	b = b[2:]
	n, used := binary.Uvarint(b)
	if used <= 0 || used > 4 || n > uint64(len(b)-used) {
		return short
	}
	b = b[used+int(n):]
	for len(b) > 0 {
		if len(b) < 2 {
			return short
		}
		n := int(binary.BigEndian.Uint16(b))
		if len(b) < 2+n+1 {
			return short
		}
		b = b[2+n+1:]
	}
	return nil
}

// hook is the cloud's place in the broker.
type hook struct {
	mochi.HookBase
	cloud *Cloud
}

// ID implements mochi.Hook.
func (h *hook) ID() string { return "localcloud" }

// Provides implements mochi.Hook.
func (h *hook) Provides(b byte) bool {
	switch b {
	case mochi.OnConnect, mochi.OnConnectAuthenticate, mochi.OnSessionEstablished, mochi.OnDisconnect, mochi.OnACLCheck,
		mochi.OnPacketRead, mochi.OnPacketEncode, mochi.OnPublish, mochi.OnPublished, mochi.OnSubscribed:
		return true
	}
	return false
}

// OnConnectAuthenticate implements mochi.Hook. TLS has seen the certificate.
func (h *hook) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

// OnACLCheck implements mochi.Hook.
func (h *hook) OnACLCheck(_ *mochi.Client, topic string, write bool) bool {
	return h.cloud.allowed(topic, write)
}

// OnPacketEncode implements mochi.Hook: what the broker says wrongly or not at
// all.
func (h *hook) OnPacketEncode(_ *mochi.Client, pk packets.Packet) packets.Packet {
	switch pk.FixedHeader.Type {
	case packets.Puback:
		// It repeats the properties of the PUBLISH.
		pk.Properties = packets.Properties{ReasonString: pk.Properties.ReasonString}
		if pk.ReasonCode == packets.CodeGrantedQos1.Code {
			pk.ReasonCode = packets.CodeSuccess.Code
			if h.cloud.cfg.Strict.NoSubscriber {
				// Without a property it leaves out a code below 0x80.
				pk.ReasonCode = packets.CodeNoMatchingSubscribers.Code
				pk.Properties.ReasonString = packets.CodeNoMatchingSubscribers.Reason
			}
		}
	case packets.Connack:
		pk.Properties.MaximumPacketSize = h.cloud.maxPacket
		pk.Properties.SubIDAvailableFlag = h.cloud.cfg.Strict.NoSubscriptionID // and SubIDAvailable is 0
	}
	return pk
}

// OnPublish implements mochi.Hook. The acknowledgement follows its return.
func (h *hook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	if r := h.cloud.limits.message(cl, len(pk.Payload), time.Now()); r != (refusal{}) {
		h.cloud.violated(cl, r)
		if h.cloud.cfg.Strict.SilentOverRate {
			return pk, packets.ErrRejectPacket
		}
		return pk, r.code
	}
	if code := h.cloud.receive(pk); code != nil {
		return pk, *code
	}
	return pk, nil
}

// OnPublished implements mochi.Hook: requests are answered after they have been
// acknowledged.
func (h *hook) OnPublished(cl *mochi.Client, pk packets.Packet) {
	if !cl.Net.Inline {
		h.cloud.answer(pk)
	}
}

// OnSubscribed implements mochi.Hook: a log configuration goes to whoever asks
// for it.
func (h *hook) OnSubscribed(cl *mochi.Client, pk packets.Packet, codes []byte) {
	if cl.Net.Inline || len(h.cloud.cfg.LogConfig) == 0 {
		return
	}
	for i, f := range pk.Filters {
		t, _ := topic.Parse(f.Filter)
		if i >= len(codes) || codes[i] >= packets.ErrUnspecifiedError.Code || t.Kind != topic.LogConfig {
			continue
		}
		if err := h.cloud.Publish(f.Filter, h.cloud.cfg.LogConfig); err != nil {
			h.cloud.log.Error("log configuration", "topic", f.Filter, "error", err)
		}
	}
}

func publishReply(s *mochi.Server, topic string, payload, correlation []byte) error {
	err := s.InjectPacket(inline(s), packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1},
		TopicName:   topic,
		Payload:     payload,
		PacketID:    1,
		Properties:  packets.Properties{CorrelationData: correlation},
	})
	if err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

// inline returns the broker's own client, whose messages come from nowhere.
func inline(s *mochi.Server) *mochi.Client {
	c, _ := s.Clients.Get(mochi.InlineClientId)
	return c
}
