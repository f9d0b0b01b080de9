package localcloud

import (
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// Strict holds what the real cloud does and a friendly broker does not. The zero
// value is friendly.
type Strict struct {
	MaxPacket          uint32 // Maximum Packet Size in bytes, told and enforced; 0 is 132 KiB
	ReceiveMaximum     uint16 // messages it takes unacknowledged; 0 is 1024
	PublishesPerSecond int    // beyond it the answer is PUBACK 0x97; 0 is no limit
	SilentBoot         bool   // boot requests get no answer
	LoseFirstReply     bool   // the first boot reply to each device is lost, as when a SUBACK comes before the subscription works
	CheckTokens        bool   // a log with an unknown session token gets PUBACK 0x87
	NoSubscriber       bool   // every PUBACK says 0x10, as when nobody is subscribed
}

// limiter counts publishes by the second.
type limiter struct {
	perSecond int

	mu     sync.Mutex
	second time.Time
	count  int
}

func newLimiter(s Strict) *limiter { return &limiter{perSecond: s.PublishesPerSecond} }

func (l *limiter) allow(now time.Time) bool {
	if l.perSecond == 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.second) >= time.Second {
		l.second, l.count = now, 0
	}
	l.count++
	return l.count <= l.perSecond
}

var (
	quotaExceeded = &packets.ErrQuotaExceeded
	notAuthorized = &packets.ErrNotAuthorized
	badPayload    = &packets.ErrPayloadFormatInvalid
)
