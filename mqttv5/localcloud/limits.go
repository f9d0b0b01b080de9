package localcloud

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"golang.org/x/time/rate"

	"github.com/ulogkit/ulogkit/format/topic"
)

// Client ids remembered for ConnectInterval; beyond it the old ones are forgotten.
const maxClientIDs = 4096

// limits decides what Strict lets clients do.
type limits struct {
	strict Strict

	mu       sync.Mutex
	rates    map[*mochi.Client]rates
	connects map[string]time.Time // the last one, by client id
}

// rates are those of one connection. Each may save up what is allowed in a second:
// how evenly messages come is not the sender's to decide.
type rates struct{ messages, bytes *rate.Limiter }

func newLimits(s Strict) *limits {
	return &limits{strict: s, rates: make(map[*mochi.Client]rates), connects: make(map[string]time.Time)}
}

func newRate(perSecond int) *rate.Limiter {
	if perSecond == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(perSecond), perSecond)
}

// refusal is why something is refused, as a code and in words. The zero value is
// no refusal.
type refusal struct {
	code   packets.Code
	reason string
}

func because(code packets.Code, format string, args ...any) refusal {
	return refusal{code, fmt.Sprintf(format, args...)}
}

// connect takes a CONNECT.
func (l *limits) connect(id string, now time.Time) refusal {
	if l.strict.ConnectInterval == 0 || id == "" {
		return refusal{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	last, again := l.connects[id]
	if len(l.connects) >= maxClientIDs {
		clear(l.connects)
	}
	l.connects[id] = now
	if again && now.Sub(last) < l.strict.ConnectInterval {
		return because(packets.ErrConnectionRateExceeded, "a second CONNECT within %v", l.strict.ConnectInterval)
	}
	return refusal{}
}

// keepAlive returns what the cloud makes of a keep-alive in seconds.
func (l *limits) keepAlive(seconds uint16) uint16 {
	longest := l.strict.MaxKeepAlive
	if longest == 0 {
		longest = math.MaxUint16
	} else if seconds == 0 {
		return longest
	}
	if seconds == 0 {
		return 0
	}
	return min(max(seconds, l.strict.MinKeepAlive), longest)
}

// begin gives a connection its rates, end takes them back.
func (l *limits) begin(cl *mochi.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rates[cl] = rates{newRate(l.strict.PublishesPerSecond), newRate(l.strict.BytesPerSecond)}
}

func (l *limits) end(cl *mochi.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.rates, cl)
}

// message takes a message of so many bytes.
func (l *limits) message(cl *mochi.Client, size int, now time.Time) refusal {
	l.mu.Lock()
	r, ok := l.rates[cl]
	l.mu.Unlock()
	switch {
	case !ok:
		return refusal{}
	case !r.messages.AllowN(now, 1):
		return because(packets.ErrQuotaExceeded, "more than %d messages a second", l.strict.PublishesPerSecond)
	case !r.bytes.AllowN(now, size):
		return because(packets.ErrQuotaExceeded, "more than %d bytes a second", l.strict.BytesPerSecond)
	}
	return refusal{}
}

// packet looks at a packet for what ends a connection.
func (l *limits) packet(cl *mochi.Client, pk packets.Packet) refusal {
	s := l.strict
	switch pk.FixedHeader.Type {
	case packets.Publish:
		if over(len(pk.Payload), s.MaxPayload) {
			return because(packets.ErrPacketTooLarge, "a message of %d bytes, the limit is %d", len(pk.Payload), s.MaxPayload)
		}
		return l.topic(packets.ErrTopicNameInvalid, "topic", pk.TopicName)

	case packets.Subscribe:
		if over(len(pk.Filters), s.MaxFilters) {
			return because(packets.ErrQuotaExceeded, "a SUBSCRIBE with %d filters, the limit is %d", len(pk.Filters), s.MaxFilters)
		}
		subscriptions := cl.State.Subscriptions.Len()
		for _, f := range pk.Filters {
			if _, again := cl.State.Subscriptions.Get(f.Filter); !again {
				subscriptions++
			}
			if over(subscriptions, s.MaxSubscriptions) {
				return because(packets.ErrQuotaExceeded, "%d subscriptions, the limit is %d", subscriptions, s.MaxSubscriptions)
			}
			if f.Identifier > 0 && s.NoSubscriptionID {
				return because(packets.ErrSubscriptionIdentifiersNotSupported, "a subscription identifier")
			}
			_, filter := topic.CutShared(f.Filter)
			if r := l.topic(packets.ErrTopicFilterInvalid, "filter", filter); r != (refusal{}) {
				return r
			}
		}
	}

	return refusal{}
}

func (l *limits) topic(code packets.Code, name, topic string) refusal {
	if over(len(topic), l.strict.MaxTopic) {
		return because(code, "a %s of %d bytes, the limit is %d", name, len(topic), l.strict.MaxTopic)
	}
	if n := strings.Count(topic, "/"); over(n, l.strict.MaxSlashes) {
		return because(code, "a %s with %d slashes, the limit is %d", name, n, l.strict.MaxSlashes)
	}
	return refusal{}
}

func over(n, limit int) bool { return limit > 0 && n > limit }

// OnConnect implements mochi.Hook.
func (h *hook) OnConnect(cl *mochi.Client, _ packets.Packet) error {
	c := h.cloud
	if r := c.limits.connect(cl.ID, time.Now()); r != (refusal{}) {
		c.violated(cl, r)
		c.broker.SendConnack(cl, r.code, false, nil)
		return r.code
	}
	if k := c.limits.keepAlive(cl.State.Keepalive); k != cl.State.Keepalive {
		cl.State.Keepalive, cl.State.ServerKeepalive = k, true
	}
	c.takeovers.come(cl, c.broker.Clients)
	return nil
}

// OnSessionEstablished implements mochi.Hook.
func (h *hook) OnSessionEstablished(cl *mochi.Client, _ packets.Packet) {
	h.cloud.takeovers.came(cl)
	h.cloud.limits.begin(cl)
}

// OnDisconnect implements mochi.Hook. The session goes unless it is to be kept.
func (h *hook) OnDisconnect(cl *mochi.Client, _ error, goes bool) {
	h.cloud.limits.end(cl)
	if goes {
		h.cloud.takeovers.end(cl)
	}
}

// OnPacketRead implements mochi.Hook: what ends the connection.
func (h *hook) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	c := h.cloud
	r := c.limits.packet(cl, pk)
	if r == (refusal{}) && c.cfg.Strict.DenyByDisconnect && pk.FixedHeader.Type == packets.Publish && !c.allowed(pk.TopicName, true) {
		r = because(packets.ErrNotAuthorized, "no right to publish to %q", pk.TopicName)
	}
	if r == (refusal{}) {
		return pk, nil
	}
	c.violated(cl, r)
	c.broker.DisconnectClient(cl, r.code)
	return pk, packets.ErrRejectPacket // the only error that the broker heeds
}

// violated tells of what a client may not do.
func (c *Cloud) violated(cl *mochi.Client, r refusal) {
	c.log.Warn("the real cloud takes no such thing", "client", cl.ID, "reason", r.reason)
	if conn, ok := cl.Net.Conn.(*clientConn); ok {
		conn.tell() // this was the line about it
	}
	if c.cfg.OnViolation != nil {
		c.cfg.OnViolation(Violation{cl.ID, r.reason})
	}
}
