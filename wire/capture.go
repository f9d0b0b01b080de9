package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/netip"
	"time"

	"github.com/ulogkit/ulogkit/format"
)

// CaptureConfig says how a capture file is read.
type CaptureConfig struct {
	// ShowSecrets leaves session tokens, passwords and upload addresses in the
	// messages. Default: they are taken out.
	ShowSecrets bool
}

// Capture finds the uLogger messages in a capture file.
type Capture struct {
	config CaptureConfig
	source packetSource
	stats  Stats
	err    error

	yield   func(Message) bool
	stopped bool // yield wants no more

	mqtt, other MQTT // reused for every packet
	secrets     secrets
	scrubbed    []byte // a payload without its secrets
	kept        int64  // bytes of packets that are not complete
	remembered  int64  // bytes of what waits for answers
}

// NewCapture returns a reader of the pcap or pcapng file r, which may be packed
// with gzip, zstd or bzip2. It reads no further than it must, so that r may be a
// pipe from a program that is capturing. Errors about the file unwrap to
// ErrCapture, those of r to r's.
func NewCapture(r io.Reader, config CaptureConfig) (*Capture, error) {
	file, err := openCapture(r)
	if err != nil {
		return nil, err
	}
	return &Capture{config: config, source: file}, nil
}

// All returns an iterator over the messages, in the order in which they were
// complete. It can be used once. Ask Err after it.
func (c *Capture) All() iter.Seq[Message] {
	return func(yield func(Message) bool) {
		c.yield = yield
		if err := c.run(); !errors.Is(err, io.EOF) {
			c.err = err
		}
		c.source = nil
	}
}

// Err returns why the file could not be read to its end, or nil. What was
// read before was given out all the same.
func (c *Capture) Err() error { return c.err }

// Stats returns the counts so far.
func (c *Capture) Stats() Stats { return c.stats }

var errCaptureUsed = errors.New("a capture can be read once: make another with NewCapture")

func (c *Capture) run() error {
	if c.source == nil {
		return errCaptureUsed
	}

	r := NewReassembler(c.open)
	pieces := newFragments(c.lostPieces, func(n int64) { c.stats.Joined += n })
	for !c.stopped {
		p, err := c.source.next()
		if err != nil {
			pieces.close()
			r.Close()
			c.stats.Retransmitted, c.stats.Void = r.Retransmitted(), r.Void()
			return err
		}

		c.stats.Packets++
		if p.guessed {
			c.stats.GuessedTimes++
		}
		c.stats.Last = p.time
		s, v := dissectWith(pieces, p)
		switch v {
		case isTCP:
			c.stats.Segments++
			r.Add(&s)
			c.stats.Retransmitted, c.stats.Void = r.Retransmitted(), r.Void()
		case isFragment:
			c.stats.Fragments++
		case isHeld: // counted when it is known what becomes of it
		case isRepeated:
			c.stats.Joined++
		case isBad:
			c.stats.Damaged++
		case isOtherLink:
			c.stats.UnknownLink++
		case isTunnel:
			c.stats.Tunnels++
		default:
			c.stats.Other++
		}
	}
	return nil
}

// lostPieces counts the pieces of an IP packet that never was whole.
func (c *Capture) lostPieces(protocol byte, n int64) {
	if protocol == ipTCP {
		c.stats.Fragments += n
	} else {
		c.stats.Other += n
	}
}

func (c *Capture) open(src, dst netip.AddrPort) Stream {
	c.stats.Connections++
	return &conversation{capture: c, ends: [2]netip.AddrPort{src, dst}, answers: answers{used: &c.remembered}}
}

// emit gives a message out, unless no more are wanted.
func (c *Capture) emit(m *Message) {
	if !c.stopped {
		c.stopped = !c.yield(*m)
	}
}

// at returns a message with the ends of one direction of a conversation.
func (s *conversation) at(direction int, t time.Time, kind Kind) Message {
	return Message{Time: t, Source: s.ends[direction], Destination: s.ends[1-direction], Kind: kind, Latency: -1}
}

func (c *Capture) encrypted(s *conversation, direction int, t time.Time) {
	c.stats.Encrypted++
	m := s.at(direction, t, KindEncrypted)
	c.emit(&m)
}

func (c *Capture) gap(s *conversation, direction int, t time.Time, n int64, p *cutPacket) {
	m := s.at(direction, t, KindGap)
	m.Lost, m.Topic, m.PacketID = n, c.hide(p.topic), p.id
	c.emit(&m)
}

func (c *Capture) cut(s *conversation, direction int, t time.Time, p *cutPacket) {
	c.stats.Cut++
	m := s.at(direction, t, KindCut)
	m.Packet, m.PacketID, m.Topic, m.QoS = p.typ, p.id, c.hide(p.topic), p.qos
	m.PayloadSize, m.Captured = p.size, p.got
	c.emit(&m)
}

func (c *Capture) resynced(s *conversation, direction int, t time.Time, n int64) {
	c.stats.LostBytes += n
	m := s.at(direction, t, KindResync)
	m.Lost = n
	c.emit(&m)
}

func (c *Capture) malformed(s *conversation, direction int, t time.Time, err error) {
	c.stats.Malformed++
	m := s.at(direction, t, KindMalformed)
	m.Err = err
	c.emit(&m)
}

// message gives out what a control packet tells.
func (c *Capture) message(s *conversation, direction int, t time.Time, p *MQTT) {
	c.stats.Messages++
	m := s.at(direction, t, KindOther)
	m.Packet, m.PacketID, m.Remark = p.Type, p.PacketID, p.Remarks.String()
	switch p.Type {
	case PacketPublish:
		c.publish(s, direction, &m, p)
	case PacketPuback, PacketPubrec, PacketPubcomp, PacketSuback, PacketUnsuback, PacketConnack:
		c.answer(s, direction, &m, p)
	case PacketConnect:
		m.Kind = KindConnect
		k := &p.Connect
		c.secrets.learn(k.Password)
		m.Version, m.Bridge, m.KeepAlive, m.CleanStart = p.Version, k.Bridge, k.KeepAlive, k.CleanStart
		m.ClientID, m.ProxiedFor = c.hide(string(k.ClientID)), s.halves[direction].client
		if c.config.ShowSecrets {
			m.Username, m.Password = string(k.Username), k.Password
		}
		s.answers.asked(direction, PacketConnack, 0, question{time: t})

	case PacketSubscribe, PacketUnsubscribe:
		m.Kind = KindSubscribe
		answer := PacketSuback
		if p.Type == PacketUnsubscribe {
			m.Kind, answer = KindUnsubscribe, PacketUnsuback
		}
		for f := range p.Subscriptions() {
			m.Filters = append(m.Filters, c.hide(string(f.Filter)))
		}
		s.answers.asked(direction, answer, p.PacketID, question{time: t})

	case PacketDisconnect, PacketAuth:
		m.Kind = KindDisconnect
		if p.Type == PacketAuth {
			m.Kind = KindAuth
		}
		m.ReasonCode, m.Reason = p.ReasonCode, p.ReasonName()

	default:
		return // PUBREL and pings tell nothing
	}

	c.emit(&m)
}

// answer pairs an answer with what it answers.
func (c *Capture) answer(s *conversation, direction int, m *Message, p *MQTT) {
	m.ReasonCode, m.ReasonCodes = p.ReasonCode, p.ReasonCodes
	m.Kind = KindAck
	switch p.Type {
	case PacketConnack:
		m.Kind = KindConnack
	case PacketSuback:
		m.Kind = KindSuback
	case PacketUnsuback:
		m.Kind = KindUnsuback
	}

	if p.Type != PacketSuback && p.Type != PacketUnsuback {
		m.Reason = p.ReasonName()
	}
	typ := p.Type
	if typ == PacketPubcomp || typ == PacketPubrec {
		typ = PacketPuback
	}

	keep := p.Type == PacketPubrec && !p.ReasonCode.Failed() // PUBCOMP follows
	if q, ok := s.answers.answered(1-direction, typ, p.PacketID, keep); ok {
		m.Topic, m.Latency = q.topic, since(m.Time, q.time)
	}
}

// since returns how long it took; clocks may step back.
func since(t, asked time.Time) time.Duration { return max(t.Sub(asked), 0) }

// publish fills in what a PUBLISH tells.
func (c *Capture) publish(s *conversation, direction int, m *Message, p *MQTT) {
	name := s.answers.topic(direction, p)
	m.Topic = c.hide(name)
	m.QoS, m.Dup, m.Retain = p.QoS, p.Dup, p.Retain
	m.PayloadSize = len(p.Payload)
	m.Kind = kindOf(name)
	switch m.Kind {
	case KindLog:
		m.Err = format.CheckLog(p.Payload)
	case KindCoreDump:
		m.Err = format.CheckCoreDump(p.Payload)
	case KindConfig:
		m.Err = checkConfig(p.Payload)
	case KindBoot:
		c.boot(s, direction, m, p)
	case KindFirmwareReply:
		c.firmwareReply(p)
	}

	if errors.Is(m.Err, format.ErrTrailing) && m.Kind != KindConfig {
		// What stands behind a log is forwarded like the log.
		m.Remark, m.Err = join(m.Remark, m.Err.Error()), nil
	}

	m.Payload = c.withoutSecrets(m.Kind, p.Payload)
	if m.Err != nil {
		c.stats.Bad++
	}
	if p.QoS > 0 {
		s.answers.asked(direction, PacketPuback, p.PacketID, question{time: m.Time, topic: m.Topic})
	}
}

// join puts a remark to another.
func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// checkConfig looks at a log configuration: nine bytes, which names of modules may
// follow, or JSON to a gateway.
func checkConfig(b []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		return nil
	}
	_, names, err := format.ParseLogConfigMessage(b)
	if err == nil && len(names) > 0 && !(json.Valid(names) && names[0] == '[') {
		err = errors.New("what follows the nine bytes is no JSON array with names of modules")
	}
	return err
}
