package localcloud

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/topic"
)

// address is the topic of a message that gateways publish.
type address struct {
	topic.Topic[string]
	application uint32 // of kinds that have one
}

// parseTopic understands the topics that gateways publish to.
func parseTopic(name string) (address, bool) {
	t, ok := topic.Parse(name)
	if !ok || t.Prefix != "" {
		return address{}, false // a bridge takes the prefix off
	}
	a := address{Topic: t}
	switch t.Kind {
	case topic.BootReply, topic.LogConfig, topic.FirmwareReply:
		return address{}, false
	case topic.CoreDump, topic.FirmwareRequest:
		return a, true
	}
	a.application, ok = t.ApplicationID()
	return a, ok
}

// allowed says whether a client may use a topic or a filter.
func (c *Cloud) allowed(name string, write bool) bool {
	if c.cfg.CustomerID == "" {
		return true
	}
	if write {
		a, ok := parseTopic(name)
		return ok && a.Customer == c.cfg.CustomerID
	}
	customer, ok := topic.FilterCustomer(name)
	return ok && customer == c.cfg.CustomerID
}

// receive takes one message. It returns the code of a refusal, or nil.
func (c *Cloud) receive(pk packets.Packet) *packets.Code {
	a, ok := parseTopic(pk.TopicName)
	if !ok {
		return nil
	}
	switch a.Kind {
	case topic.Log, topic.CoreDump, topic.TextLog:
	default:
		return nil // requests are answered after their acknowledgement
	}
	r := Received{
		Topic: pk.TopicName, ApplicationID: a.application, Time: time.Now(),
		Payload: append([]byte(nil), pk.Payload...), Bytes: len(pk.Payload), SHA256: sha256.Sum256(pk.Payload),
	}
	for _, u := range pk.Properties.User {
		if u.Key == "ulogkit-id" {
			r.ID = u.Val
		}
	}
	var refuse *packets.Code
	switch a.Kind {
	case topic.Log:
		r.Kind = KindLog
		if r.Err = c.verifyLog(&r); errors.Is(r.Err, errToken) && c.cfg.Strict.CheckTokens {
			refuse = &packets.ErrNotAuthorized
		}
	case topic.CoreDump:
		r.Kind = KindCoreDump
		r.Err = verifyCoreDump(&r)
	case topic.TextLog:
		r.Kind = KindText
		if r.Err = verifyText(&r); r.Err != nil {
			refuse = &packets.ErrPayloadFormatInvalid
		}
	}
	if refuse != nil {
		c.log.Warn("refused", "topic", r.Topic, "bytes", r.Bytes, "error", r.Err)
		return refuse
	}
	if err := c.inbox.add(&r); err != nil {
		c.log.Error("cannot write", "error", err)
		return &packets.ErrImplementationSpecificError
	}
	if c.cfg.OnReceive != nil {
		c.cfg.OnReceive(r)
	}
	c.log.Info("received", "kind", r.Kind, "serial", r.DeviceSerial, "bytes", r.Bytes, "file", r.File, "duplicate", r.Duplicate, "error", r.Err)
	return nil
}

var errToken = errors.New("session token was not given out by this cloud")

func (c *Cloud) verifyLog(r *Received) error {
	if err := format.CheckLog(r.Payload); err != nil {
		return err
	}
	l, _, err := format.ParseLog(r.Payload)
	if err != nil {
		return err
	}
	r.Token = l.SessionToken()
	d, ok := c.sessions.owner(r.Token)
	if !ok {
		return errToken
	}
	r.DeviceSerial = d.serial
	if d.application != r.ApplicationID {
		return fmt.Errorf("session token belongs to application %d", d.application)
	}
	return nil
}

func verifyCoreDump(r *Received) error {
	if err := format.CheckCoreDump(r.Payload); err != nil {
		return err
	}
	d, _, err := format.ParseCoreDump(r.Payload)
	if err != nil {
		return err
	}
	r.ApplicationID, r.DeviceSerial = d.Header.ApplicationID(), string(d.Header.DeviceSerial())
	return nil
}

// verifyText checks a batch of text logs: a header line, then entries.
func verifyText(r *Received) error {
	head, rest, _ := strings.Cut(string(r.Payload), "\n")
	var h struct {
		Sequence *uint64 `json:"sequence"`
		Serial   string  `json:"serial"`
	}
	if err := json.Unmarshal([]byte(head), &h); err != nil || h.Sequence == nil {
		return errors.New("first line is not a header with a sequence number")
	}
	r.DeviceSerial = h.Serial
	for i, line := range strings.Split(strings.TrimSuffix(rest, "\n"), "\n") {
		var e struct {
			T *json.Number `json:"t"`
			L int          `json:"lv"`
			M *string      `json:"m"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.T == nil || e.M == nil || e.L < 1 || e.L > 5 {
			return fmt.Errorf("line %d is not an entry", i+2)
		}
	}
	return nil
}

// answer answers a request that has been acknowledged.
func (c *Cloud) answer(pk packets.Packet) {
	a, ok := parseTopic(pk.TopicName)
	if !ok {
		return
	}
	switch a.Kind {
	case topic.BootRequest:
		c.answerBoot(a, pk)
	case topic.FirmwareRequest:
		c.answerFirmware(a, pk)
	}
}

func (c *Cloud) answerBoot(a address, pk packets.Packet) {
	var req struct {
		Serial string `json:"serial"`
	}
	err := json.Unmarshal(pk.Payload, &req)
	reply := a.Topic
	reply.Kind, reply.Serial = topic.BootReply, req.Serial
	to, bad := reply.Name()
	if err = errors.Join(err, bad); err != nil {
		c.log.Warn("boot request cannot be used", "topic", pk.TopicName, "error", err)
		return
	}
	if c.cfg.Strict.SilentBoot {
		return
	}
	token, times := c.sessions.begin(device{a.application, req.Serial})
	if c.cfg.Strict.LoseFirstReply && times == 1 {
		return
	}
	body := fmt.Appendf(nil, `{"token":%d}`, token)
	if err := publishReply(c.broker, to, body, pk.Properties.CorrelationData); err != nil {
		c.log.Error("boot reply", "error", err)
		return
	}
	c.log.Info("registered", "application", a.application, "serial", req.Serial)
}
