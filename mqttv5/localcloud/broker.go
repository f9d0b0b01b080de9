package localcloud

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ulogkit/ulogkit/format/topic"
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
	caps.MinimumProtocolVersion = version311
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

	l := guardedListener{tcp, c.cfg.WrapConn, int(c.maxPacket), c.log, &c.conns}
	if err := s.AddListener(listeners.NewNet(listenerID, l)); err != nil {
		return nil, err
	}
	return s, nil
}

// closeBroker sends the clients away before it stops the broker: that goes through
// them with its lock taken twice, and a client that leaves in between would block
// both for ever.
func closeBroker(s *mochi.Server, l net.Listener, open *connections) error {
	l.Close() // the broker closes it again
	for begin := time.Now(); !open.shut() && time.Since(begin) < closeTime; time.Sleep(time.Millisecond) {
		for _, cl := range s.Clients.GetAll() { // one may only now become a client
			if !cl.Net.Inline {
				s.DisconnectClient(cl, packets.ErrServerShuttingDown)
			}
		}
	}
	open.cut() // the broker would wait for them without end
	return s.Close()
}

// closeTime is the longest wait for clients to be gone.
const closeTime = 10 * time.Second

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
		mochi.OnPacketRead, mochi.OnPacketEncode, mochi.OnPublish, mochi.OnPublished, mochi.OnSubscribe, mochi.OnSubscribed, mochi.OnUnsubscribe:
		return true
	}
	return false
}

// OnConnectAuthenticate implements mochi.Hook. TLS has seen the certificate.
func (h *hook) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

// OnACLCheck implements mochi.Hook.
func (h *hook) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	ok := h.cloud.allowed(topic, write)
	if !ok {
		h.cloud.log.Warn("no right to use this topic", "client", cl.ID, "topic", topic)
	}
	return ok
}

// OnPacketEncode implements mochi.Hook: what the broker says wrongly or not at
// all.
func (h *hook) OnPacketEncode(cl *mochi.Client, pk packets.Packet) packets.Packet {
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
		if pk.ReasonCode != 0 {
			sendingAway(cl, pk.ReasonCode, pk.Properties.ReasonString)
			if !isVersion5(cl) {
				pk.ReasonCode = returnCode311(pk.ReasonCode)
			}
		}

	case packets.Disconnect:
		sendingAway(cl, pk.ReasonCode, pk.Properties.ReasonString)
		if !isVersion5(cl) {
			// Only a client sends DISCONNECT in MQTT 3.1.1; the connection just
			// ends. The broker refuses to write a packet of this type.
			pk.FixedHeader.Type = packets.Reserved
		}
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
		if h.cloud.cfg.Strict.SilentOverRate || !isVersion5(cl) {
			return pk, packets.ErrRejectPacket
		}
		return pk, r.code
	}
	if code := h.cloud.receive(pk); code != nil {
		if !isVersion5(cl) {
			// A PUBACK of MQTT 3.1.1 cannot refuse, and the broker would send one.
			h.cloud.broker.DisconnectClient(cl, *code)
			return pk, packets.ErrRejectPacket
		}
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
