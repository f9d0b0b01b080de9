package link

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/eclipse/paho.golang/packets"
	paholog "github.com/eclipse/paho.golang/paho/log"
)

// Slowest link that is waited for, in bytes a second: deadlines grow by the bytes
// in flight at this rate, so that a ping behind a 128 KiB dump on a 2 KiB/s link
// does not end a connection that works.
const slowestLink = 2 << 10

func slowAllowance(bytes int) time.Duration {
	return time.Duration(bytes) * time.Second / slowestLink
}

// pinger sends a PINGREQ after three quarters of the keep-alive without traffic
// in either direction, and ends the connection when nothing at all arrives for a
// keep-alive after it. It implements paho.Pinger.
type pinger struct {
	inFlight func() int // bytes sent and not acknowledged
	fail     func(error)
	start    time.Time
	sent     atomic.Int64 // time of the last packet sent, in ns since start
	received atomic.Int64
}

func newPinger(inFlight func() int, fail func(error)) *pinger {
	return &pinger{inFlight: inFlight, fail: fail, start: time.Now()}
}

// ErrPing is the cause of a link on which nothing arrives any more.
var ErrPing = errors.New("no answer to a ping; the link is dead")

// Run implements paho.Pinger.
func (p *pinger) Run(ctx context.Context, conn net.Conn, keepAlive uint16) error {
	if keepAlive == 0 {
		return nil
	}

	interval := time.Duration(keepAlive) * time.Second
	idle := interval * 3 / 4
	p.PacketSent()
	p.PacketReceived()
	timer := time.NewTimer(idle)
	defer timer.Stop()

	pinged := int64(-1) // when a ping was sent that nothing followed, or -1
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}

		now := p.now()
		sent, received := p.sent.Load(), p.received.Load()
		if pinged >= 0 && received >= pinged {
			pinged = -1
		}

		if pinged >= 0 {
			wait := time.Duration(pinged-now) + interval + slowAllowance(p.inFlight())
			if wait <= 0 {
				p.fail(ErrPing)
				return ErrPing
			}
			timer.Reset(wait)
			continue
		}
		if wait := time.Duration(min(sent, received)-now) + idle; wait > 0 {
			timer.Reset(wait)
			continue
		}
		pinged = now
		p.PacketSent()
		go func() {
			// The write may wait for a large packet before it. Closing the
			// connection ends it, and its error is the connection's.
			packets.NewControlPacket(packets.PINGREQ).WriteTo(conn)
		}()
		timer.Reset(interval)
	}
}

func (p *pinger) now() int64 { return int64(time.Since(p.start)) }

// PacketSent implements paho.Pinger.
func (p *pinger) PacketSent() { p.sent.Store(p.now()) }

// PacketReceived implements paho.Pinger.
func (p *pinger) PacketReceived() { p.received.Store(p.now()) }

// PingResp implements paho.Pinger.
func (p *pinger) PingResp() {}

// SetDebug implements paho.Pinger.
func (p *pinger) SetDebug(paholog.Logger) {}
