package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// maxRemembered is how many bytes are remembered of what waits for answers, in
// all conversations together. Beyond it answers are shown without their topics.
const maxRemembered = 32 << 20

// answers remembers, for one conversation, what waits for an answer and which topic
// an alias stands for.
type answers struct {
	used    *int64 // bytes, of all conversations
	own     int64
	last    string // the topic before, which is often the next as well
	waiting map[questionKey]question
	aliases map[aliasKey]string
	boots   map[string]time.Time // by the topic of the reply
}

type questionKey struct {
	direction int // in which the question went
	answer    PacketType
	id        uint16
}

type aliasKey struct {
	direction int
	alias     uint32
}

type question struct {
	time  time.Time
	topic string
}

// take counts the memory of an entry, and reports whether there is room for it.
func (a *answers) take(text string) bool {
	n := int64(len(text)) + lenEntry
	if a.used != nil && *a.used+n > maxRemembered {
		return false
	}
	a.use(n)
	return true
}

// lenEntry is what an entry of a map takes, about.
const lenEntry = 128

func (a *answers) use(n int64) {
	a.own += n
	if a.used != nil {
		*a.used += n
	}
}

// forget drops all that is remembered.
func (a *answers) forget() {
	a.use(-a.own)
	a.waiting, a.aliases, a.boots = nil, nil, nil
}

func (a *answers) asked(direction int, answer PacketType, id uint16, q question) {
	a.answered(direction, answer, id, false) // the same number again
	if !a.take(q.topic) {
		return
	}
	if a.waiting == nil {
		a.waiting = map[questionKey]question{}
	}
	a.waiting[questionKey{direction, answer, id}] = q
}

// answered returns the question, once, or again if it is kept.
func (a *answers) answered(direction int, answer PacketType, id uint16, keep bool) (question, bool) {
	key := questionKey{direction, answer, id}
	q, ok := a.waiting[key]
	if ok && !keep {
		delete(a.waiting, key)
		a.use(-int64(len(q.topic)) - lenEntry)
	}
	return q, ok
}

// topic returns a PUBLISH's topic, looked up if an alias stands for it.
func (a *answers) topic(direction int, p *MQTT) string {
	alias, ok := p.Properties.Lookup(propertyTopicAlias)
	if !ok {
		if string(p.Topic) != a.last {
			a.last = string(p.Topic)
		}
		return a.last
	}
	key := aliasKey{direction, alias.Int}
	if len(p.Topic) == 0 {
		return a.aliases[key]
	}
	if a.aliases == nil {
		a.aliases = map[aliasKey]string{}
	}

	topic := string(p.Topic)
	if old, ok := a.aliases[key]; ok {
		a.use(-int64(len(old)) - lenEntry)
		delete(a.aliases, key)
	}

	if a.take(topic) {
		a.aliases[key] = topic
	}
	return topic
}

var errBootReply = errors.New("not a boot reply: no token between 0 and 4294967295")

// boot reads a boot request or reply; the payload tells which it is, as the
// topics of both may have the same number of segments.
//
// Source: FORMAT section 5.
func (c *Capture) boot(s *conversation, direction int, m *Message, p *MQTT) {
	var reply struct {
		Token *json.Number `json:"token"`
	}
	err := json.Unmarshal(p.Payload, &reply)
	if reply.Token == nil && err == nil {
		m.Kind = KindBootRequest
		if err := json.Unmarshal(p.Payload, &m.Boot); err != nil {
			m.Err = fmt.Errorf("not a boot request: %w", err)
			return
		}
		if s.answers.boots == nil {
			s.answers.boots = map[string]time.Time{}
		}

		if key := m.Topic + "/" + m.Boot.Serial; s.answers.take(key) {
			s.answers.boots[key] = m.Time
		}
		m.Boot = BootRequest{c.hide(m.Boot.DeviceType), c.hide(m.Boot.Git), c.hide(m.Boot.Serial), c.hide(m.Boot.Version)}
		return
	}

	m.Kind = KindBootReply
	if asked, ok := s.answers.boots[m.Topic]; ok {
		m.Latency = since(m.Time, asked)
		delete(s.answers.boots, m.Topic)
		s.answers.use(-int64(len(m.Topic)) - lenEntry)
	}

	token, ok := uint32(0), false
	if err == nil && reply.Token != nil {
		token, ok = wholeToken(reply.Token.String())
	}
	if !ok {
		// The error of package json would quote the payload.
		m.Err = errBootReply
		return
	}

	c.secrets.learnToken(token)
	if c.config.ShowSecrets {
		m.Token = token
	}
}

// wholeToken reads a token, which may be written as 123.0 or 1.23e2: those who register
// take it so.
func wholeToken(number string) (token uint32, ok bool) {
	if n, err := strconv.ParseUint(number, 10, 32); err == nil {
		return uint32(n), true
	}
	x, err := strconv.ParseFloat(number, 64)
	if err != nil || x < 0 || x > math.MaxUint32 || x != math.Trunc(x) {
		return 0, false
	}
	return uint32(x), true
}

// firmwareReply remembers the address in a reply, which is secret.
func (c *Capture) firmwareReply(p *MQTT) {
	var reply struct {
		URL string `json:"presigned_url"`
	}
	if json.Unmarshal(p.Payload, &reply) == nil {
		c.secrets.learn([]byte(reply.URL))
	}
}
