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
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// address is the topic of a message that gateways publish.
type address struct {
	topic.Topic[string]
	application uint32 // of kinds that have one
}

// parseTopic understands the topics that gateways publish to. The error says what
// is wrong with another: a topic typed wrong is what one runs a stand-in for.
func (c *Cloud) parseTopic(name string) (address, error) {
	t, ok := topic.Parse(name)
	if !ok {
		return address{}, topic.Explain(strings.TrimPrefix(name, c.cfg.Prefix))
	}
	a := address{Topic: t}
	switch {
	case t.Prefix != c.cfg.Prefix && c.cfg.Prefix == "":
		return a, fmt.Errorf("the prefix %q is not expected; a bridge takes it off, or this cloud is started with it", t.Prefix)
	case t.Prefix != c.cfg.Prefix:
		return a, fmt.Errorf("the prefix is %q and not %q", t.Prefix, c.cfg.Prefix)
	}

	switch t.Kind {
	case topic.BootReply, topic.LogConfig, topic.FirmwareReply:
		return a, fmt.Errorf("only the cloud sends a %s", t.Kind)
	case topic.CoreDump, topic.FirmwareRequest:
		return a, nil
	}

	if a.application, ok = t.ApplicationID(); !ok {
		return a, fmt.Errorf("application %q is not a number from 0 to 4294967295", t.Application)
	}
	return a, nil
}

// allowed says whether a client may use a topic or a filter.
func (c *Cloud) allowed(name string, write bool) bool {
	if write {
		a, err := c.parseTopic(name)
		switch {
		case c.cfg.CustomerID != "" && a.Customer != c.cfg.CustomerID:
			return false
		case c.cfg.Strict.DenyByDisconnect:
			return err == nil
		}
		return true
	}
	if c.cfg.CustomerID == "" || name == "#" {
		return true // of everything a client gets what it has a right to; bridges ask so
	}
	customer, ok := topic.FilterCustomer(name)
	return ok && customer == c.cfg.CustomerID
}

// receive takes one message. It returns the code of a refusal, or nil.
func (c *Cloud) receive(pk packets.Packet) *packets.Code {
	a, bad := c.parseTopic(pk.TopicName)
	switch a.Kind {
	case topic.BootReply, topic.LogConfig, topic.FirmwareReply:
		// Whoever tries out a gateway may send these through this broker.
		c.log.Info("passed on", "kind", a.Kind, "topic", pk.TopicName, "bytes", len(pk.Payload))
		return nil
	case topic.BootRequest, topic.FirmwareRequest:
		if bad == nil {
			return nil // requests are answered after their acknowledgement
		}
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
	switch {
	case bad != nil:
		r.Kind, r.Err = KindUnknown, fmt.Errorf("topic %s: %w", pk.TopicName, bad)
		c.log.Warn("not understood", "topic", pk.TopicName, "bytes", r.Bytes, "reason", bad)
	case a.Kind == topic.Log:
		r.Kind = KindLog
		if r.Err = c.verifyLog(&r); errors.Is(r.Err, errToken) && c.cfg.Strict.CheckTokens {
			refuse = &packets.ErrNotAuthorized
		}
	case a.Kind == topic.CoreDump:
		r.Kind = KindCoreDump
		r.Err = verifyCoreDump(&r)
	case a.Kind == topic.Metrics:
		r.Kind = KindMetrics
		r.Err = verifyReport(&r, telemetry.KindMetrics)
	case a.Kind == topic.Events:
		r.Kind = KindEvents
		r.Err = verifyReport(&r, telemetry.KindEvents)
	case a.Kind == topic.TextLog:
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
	l, _, err := format.ParseLog(r.Payload)
	if err != nil || l.Verify() != nil {
		return format.CheckLog(r.Payload) // says more
	}
	r.Token = l.SessionToken()
	d, ok := c.issued.owner(r.Token)
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

// verifyReport reads metrics or events, of one device or of many.
func verifyReport(r *Received, kind telemetry.Kind) error {
	r.untimed = true
	report, err := telemetry.Parse(kind, r.Payload)
	if err != nil {
		return err
	}
	r.untimed = !report.Timed()
	r.Devices = report.Devices()
	if len(r.Devices) == 1 {
		r.DeviceSerial = r.Devices[0]
	}
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
	a, err := c.parseTopic(pk.TopicName)
	if err != nil {
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

	token, times := c.issued.issue(device{a.application, req.Serial})
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
