package mqttv5

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/packets"
	paholog "github.com/eclipse/paho.golang/paho/log"
	pahosession "github.com/eclipse/paho.golang/paho/session"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// ack is how an exchange ended: with the server's code, or with err when the
// connection ended first.
type ack struct {
	code   ReasonCode
	codes  []byte // of a SUBACK
	reason string // the server's words, if any
	err    error
}

// exchange is a packet that awaits its acknowledgement.
type exchange struct {
	kind     byte      // packets.PUBLISH, SUBSCRIBE or UNSUBSCRIBE
	done     func(ack) // called once; must not block
	deadline time.Time
}

// session keeps the exchanges of one connection. It ends with the connection:
// resending is the outbox's business alone (MQTT facts rows 1 and 4), and so it
// stores nothing. It implements paho's SessionManager.
type session struct {
	fail func(error)

	mu      sync.Mutex
	w       io.Writer // nil before CONNACK and after the end
	last    uint16
	waiting map[uint16]exchange
	quiet   chan struct{} // not nil: somebody waits until no PUBLISH is
	lost    error         // why the connection ended
	ended   chan struct{}
	stray   int // acknowledgements that fit nothing
}

func newSession(fail func(error)) *session {
	return &session{fail: fail, waiting: make(map[uint16]exchange), ended: make(chan struct{})}
}

// begin assigns a packet identifier to an exchange. The caller writes the packet
// afterwards; done is called when it has ended, however it ends.
func (s *session) begin(kind byte, deadline time.Time, done func(ack)) (uint16, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		return 0, s.lostError()
	}
	if len(s.waiting) >= 1<<15 {
		return 0, errors.New("too many packets await their acknowledgement")
	}
	for {
		s.last++
		if _, used := s.waiting[s.last]; s.last != 0 && !used {
			break
		}
	}
	s.waiting[s.last] = exchange{kind: kind, done: done, deadline: deadline}
	return s.last, nil
}

func (s *session) lostError() error {
	if s.lost != nil {
		return s.lost
	}
	return errors.New("not connected")
}

// published returns a channel that is closed when no PUBLISH awaits its
// acknowledgement.
func (s *session) published() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quiet == nil {
		s.quiet = make(chan struct{})
	}
	quiet := s.quiet
	s.hush()
	return quiet
}

// hush tells who waits for quiet when there is. The caller holds mu.
func (s *session) hush() {
	if s.quiet == nil {
		return
	}
	for _, x := range s.waiting {
		if x.kind == packets.PUBLISH {
			return
		}
	}
	close(s.quiet)
	s.quiet = nil
}

// overdue reports whether an exchange has passed its deadline.
func (s *session) overdue(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.waiting {
		if now.After(x.deadline) {
			return true
		}
	}
	return false
}

// end fails all exchanges. Only the first call counts.
func (s *session) end(cause error) {
	s.mu.Lock()
	if s.lost != nil {
		s.mu.Unlock()
		return
	}
	s.lost, s.w = cause, nil
	waiting := s.waiting
	s.waiting = make(map[uint16]exchange)
	s.mu.Unlock()
	for _, x := range waiting {
		x.done(ack{err: cause})
	}
	close(s.ended)
}

func (s *session) settle(id uint16, kind byte, a ack) {
	s.mu.Lock()
	x, ok := s.waiting[id]
	if !ok || x.kind != kind {
		// An unknown, repeated or wrong acknowledgement completes nothing.
		s.stray++
		s.mu.Unlock()
		return
	}
	delete(s.waiting, id)
	s.hush()
	s.mu.Unlock()
	x.done(a)
}

// ConAckReceived implements SessionManager.
func (s *session) ConAckReceived(w io.Writer, _ *packets.Connect, _ *packets.Connack) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost != nil {
		return s.lost
	}
	s.w = w
	return nil
}

// ConnectionLost implements SessionManager. d is the server's DISCONNECT, if any.
func (s *session) ConnectionLost(d *packets.Disconnect) error {
	if d != nil {
		s.fail(&disconnectError{ReasonCode(d.ReasonCode), reasonString(d.Properties)})
		return nil // shutdown calls again, with nil
	}
	s.fail(errors.New("connection closed"))
	return nil
}

// AddToSession implements SessionManager. Nothing of paho's that needs it is used.
func (s *session) AddToSession(context.Context, pahosession.Packet, chan<- packets.ControlPacket) error {
	return errors.New("packets are sent by the link, not by paho")
}

// PacketReceived implements SessionManager.
func (s *session) PacketReceived(p *packets.ControlPacket, publishes chan<- *packets.Publish) error {
	switch r := p.Content.(type) {
	case *packets.Puback:
		s.settle(r.PacketID, packets.PUBLISH, ack{code: ReasonCode(r.ReasonCode), reason: reasonString(r.Properties)})
	case *packets.Suback:
		s.settle(r.PacketID, packets.SUBSCRIBE, ack{codes: r.Reasons, reason: reasonString(r.Properties)})
	case *packets.Unsuback:
		s.settle(r.PacketID, packets.UNSUBSCRIBE, ack{codes: r.Reasons})
	case *packets.Publish:
		if r.QoS != 1 || r.PacketID == 0 {
			s.fail(errors.New("broker sent a QoS 2 message or one without an identifier; nothing was subscribed so"))
			return nil
		}
		publishes <- r
	default:
		s.fail(errors.New("broker sent a packet of QoS 2; nothing was subscribed so"))
	}
	return nil
}

// takePuback takes the acknowledgements that say no more than a code, without the
// objects that paho makes of each packet. It reports whether it did.
func (s *session) takePuback(b []byte) bool {
	if len(b) < 2 || (len(b) == 4 && b[3] != 0) {
		return false // properties follow, or nothing that makes sense
	}
	a := ack{}
	if len(b) > 2 {
		a.code = ReasonCode(b[2])
	}
	s.settle(binary.BigEndian.Uint16(b), packets.PUBLISH, a)
	return true
}

// Ack implements SessionManager.
func (s *session) Ack(p *packets.Publish) error {
	s.mu.Lock()
	w := s.w
	s.mu.Unlock()
	if p.QoS != 1 || w == nil {
		return nil
	}
	a := packets.Puback{Properties: &packets.Properties{}, PacketID: p.PacketID}
	_, err := a.WriteTo(w)
	return err
}

// Close implements SessionManager.
func (s *session) Close() error { return nil }

// SetErrorLogger implements SessionManager.
func (s *session) SetErrorLogger(paholog.Logger) {}

// SetDebugLogger implements SessionManager.
func (s *session) SetDebugLogger(paholog.Logger) {}

func reasonString(p *packets.Properties) string {
	if p == nil {
		return ""
	}
	return fault.Printable(p.ReasonString)
}

// disconnectError is a DISCONNECT that the server sent.
type disconnectError struct {
	code   ReasonCode
	reason string
}

func (e *disconnectError) Error() string {
	s := "broker disconnected: " + e.code.String()
	if e.reason != "" {
		s += ": " + e.reason
	}
	return s
}
