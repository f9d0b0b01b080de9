package link

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

// Ack is how the sending of a packet ended: with the broker's code, or with Err
// when the connection ended first.
type Ack struct {
	Code   fault.ReasonCode
	Reason string // the broker's words, if any
	Err    error

	codes []byte // of a SUBACK or UNSUBACK
}

// exchange is a packet that awaits its acknowledgement.
type exchange struct {
	packet   byte      // packets.PUBLISH, SUBSCRIBE or UNSUBSCRIBE
	done     func(Ack) // called once; must not block
	deadline time.Time
}

// exchanges keeps what awaits an acknowledgement on one connection. It ends with
// the connection: sending again is the outbox's business alone (MQTT facts rows 1
// and 4), and so it stores nothing. It implements paho's SessionManager.
type exchanges struct {
	fail    func(error)            // ends the connection
	receive func(*packets.Publish) // takes a message of QoS 1 at once; nil leaves it to paho

	mu      sync.Mutex
	w       io.Writer // nil before CONNACK and after the end
	last    uint16
	waiting map[uint16]exchange
	idle    chan struct{} // not nil: somebody waits until no PUBLISH is waiting
	lost    error         // why the connection ended
	ended   chan struct{} // closed when all have been told of the end
	stray   int           // acknowledgements that fit nothing
}

func newExchanges(fail func(error)) *exchanges {
	return &exchanges{fail: fail, waiting: make(map[uint16]exchange), ended: make(chan struct{})}
}

// begin assigns a packet identifier to an exchange. The caller writes the packet
// afterwards; done is called when it has ended, however it ends.
func (x *exchanges) begin(packet byte, deadline time.Time, done func(Ack)) (uint16, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.w == nil {
		if x.lost != nil {
			return 0, x.lost
		}
		return 0, errors.New("not connected")
	}
	if len(x.waiting) >= 1<<15 {
		return 0, errors.New("too many packets await their acknowledgement")
	}

	for {
		x.last++
		if _, used := x.waiting[x.last]; x.last != 0 && !used {
			break
		}
	}
	x.waiting[x.last] = exchange{packet: packet, done: done, deadline: deadline}
	return x.last, nil
}

// finish ends the exchange that an acknowledgement fits.
func (x *exchanges) finish(id uint16, packet byte, a Ack) {
	x.mu.Lock()
	e, ok := x.waiting[id]
	if !ok || e.packet != packet {
		// An unknown, repeated or wrong acknowledgement completes nothing.
		x.stray++
		x.mu.Unlock()
		return
	}
	delete(x.waiting, id)
	x.notifyIdle()
	x.mu.Unlock()
	e.done(a)
}

// abort fails all exchanges. Only the first call counts.
func (x *exchanges) abort(cause error) {
	x.mu.Lock()
	if x.lost != nil {
		x.mu.Unlock()
		return
	}
	x.lost, x.w = cause, nil
	waiting := x.waiting
	x.waiting = make(map[uint16]exchange)
	x.notifyIdle()
	x.mu.Unlock()

	for _, e := range waiting {
		e.done(Ack{Err: cause})
	}
	close(x.ended)
}

// published returns a channel that is closed when no PUBLISH awaits its
// acknowledgement.
func (x *exchanges) published() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.idle == nil {
		x.idle = make(chan struct{})
	}
	idle := x.idle
	x.notifyIdle()
	return idle
}

// notifyIdle tells those who wait for it that no PUBLISH is waiting, if none is.
// The caller holds mu.
func (x *exchanges) notifyIdle() {
	if x.idle == nil {
		return
	}
	for _, e := range x.waiting {
		if e.packet == packets.PUBLISH {
			return
		}
	}
	close(x.idle)
	x.idle = nil
}

// overdue reports whether an exchange has passed its deadline.
func (x *exchanges) overdue(now time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.waiting {
		if now.After(e.deadline) {
			return true
		}
	}
	return false
}

// takePuback takes the acknowledgements that say no more than a code, without the
// objects that paho makes of each packet. It reports whether it did.
func (x *exchanges) takePuback(b []byte) bool {
	if len(b) < 2 || (len(b) == 4 && b[3] != 0) {
		return false // properties follow, or nothing that makes sense
	}
	a := Ack{}
	if len(b) > 2 {
		a.Code = fault.ReasonCode(b[2])
	}
	x.finish(binary.BigEndian.Uint16(b), packets.PUBLISH, a)
	return true
}

// ConAckReceived implements SessionManager.
func (x *exchanges) ConAckReceived(w io.Writer, _ *packets.Connect, _ *packets.Connack) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.lost != nil {
		return x.lost
	}
	x.w = w
	return nil
}

// open is ConAckReceived for a connection whose CONNACK is not seen here.
func (x *exchanges) open() { x.ConAckReceived(io.Discard, nil, nil) }

// ConnectionLost implements SessionManager. d is the server's DISCONNECT, if any.
func (x *exchanges) ConnectionLost(d *packets.Disconnect) error {
	if d == nil {
		x.fail(errors.New("connection closed"))
		return nil
	}
	// paho calls again on its way out, with nil.
	x.fail(refusal(opDisconnected, fault.ReasonCode(d.ReasonCode), reasonString(d.Properties), ""))
	return nil
}

// opDisconnected is the operation in the error of a DISCONNECT that the broker sent.
const opDisconnected = "broker disconnected"

// AddToSession implements SessionManager. Nothing of paho's that needs it is used.
func (x *exchanges) AddToSession(context.Context, pahosession.Packet, chan<- packets.ControlPacket) error {
	return errors.New("packets are sent by the link, not by paho")
}

// PacketReceived implements SessionManager.
func (x *exchanges) PacketReceived(p *packets.ControlPacket, publishes chan<- *packets.Publish) error {
	switch r := p.Content.(type) {
	case *packets.Puback:
		x.finish(r.PacketID, packets.PUBLISH, Ack{Code: fault.ReasonCode(r.ReasonCode), Reason: reasonString(r.Properties)})
	case *packets.Suback:
		x.finish(r.PacketID, packets.SUBSCRIBE, Ack{codes: r.Reasons, Reason: reasonString(r.Properties)})
	case *packets.Unsuback:
		x.finish(r.PacketID, packets.UNSUBSCRIBE, Ack{codes: r.Reasons, Reason: reasonString(r.Properties)})
	case *packets.Publish:
		switch {
		case r.QoS != 1 || r.PacketID == 0:
			x.fail(errors.New("broker sent a message of QoS 2 or without an identifier; nothing was subscribed so"))
		case x.receive != nil:
			x.receive(r)
		default:
			publishes <- r
		}
	default:
		x.fail(errors.New("broker sent a packet of QoS 2; nothing was subscribed so"))
	}
	return nil
}

// Ack implements SessionManager. paho calls it when a message has been handled, of
// QoS 0 as well.
func (x *exchanges) Ack(p *packets.Publish) error {
	x.mu.Lock()
	w := x.w
	x.mu.Unlock()
	if p.QoS != 1 || w == nil || x.receive != nil {
		return nil
	}
	a := packets.Puback{Properties: &packets.Properties{}, PacketID: p.PacketID}
	_, err := a.WriteTo(w)
	return err
}

// Close implements SessionManager.
func (x *exchanges) Close() error { return nil }

// SetErrorLogger implements SessionManager.
func (x *exchanges) SetErrorLogger(paholog.Logger) {}

// SetDebugLogger implements SessionManager.
func (x *exchanges) SetDebugLogger(paholog.Logger) {}

func reasonString(p *packets.Properties) string {
	if p == nil {
		return ""
	}
	return fault.Printable(p.ReasonString)
}

// refusal is the error of a failure code, with the broker's words if it has any.
func refusal(op string, code fault.ReasonCode, words, hint string) error {
	e := &fault.Error{Op: op, Class: fault.ErrRefused, Code: code, Hint: hint}
	if words != "" {
		e.Err = errors.New(code.String() + ": " + words)
	}
	return e
}
