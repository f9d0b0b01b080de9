package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// answers remembers, for one session, what waits for an answer and which topic
// an alias stands for. Its size is bounded by what the capture holds.
type answers struct {
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

func (a *answers) asked(direction int, answer PacketType, id uint16, q question) {
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
	}
	return q, ok
}

// topic returns a PUBLISH's topic, looked up if an alias stands for it.
func (a *answers) topic(direction int, p *MQTT) string {
	alias, ok := p.Properties.Lookup(PropertyTopicAlias)
	if !ok {
		return string(p.Topic)
	}
	key := aliasKey{direction, alias.Int}
	if len(p.Topic) == 0 {
		return a.aliases[key]
	}
	if a.aliases == nil {
		a.aliases = map[aliasKey]string{}
	}
	a.aliases[key] = string(p.Topic)
	return a.aliases[key]
}

var errBootReply = errors.New("not a boot reply: no token between 0 and 4294967295")

// boot reads a boot request or reply; the payload tells which it is, as the
// topics of both may have the same number of segments.
//
// Source: FORMAT section 5.
func (c *Capture) boot(s *session, direction int, m *Message, p *MQTT) {
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
		s.answers.boots[m.Topic+"/"+m.Boot.Serial] = m.Time
		return
	}
	m.Kind = KindBootReply
	if asked, ok := s.answers.boots[m.Topic]; ok {
		m.Latency = since(m.Time, asked)
		delete(s.answers.boots, m.Topic)
	}
	if !c.config.ShowSecrets {
		m.Payload = nil
	}
	var token uint32
	if err != nil || reply.Token == nil || json.Unmarshal([]byte(*reply.Token), &token) != nil {
		// The error of package json would quote the payload.
		m.Err = errBootReply
		return
	}
	if c.config.ShowSecrets {
		m.Token = token
	}
}
