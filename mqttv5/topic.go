package mqttv5

import (
	"strconv"

	"github.com/ulogkit/ulogkit/format/topic"
)

// Content types that go with each message.
const (
	contentLog      = "application/x-ulogger-binlog"
	contentCoreDump = "application/x-ulogger-coredump"
	contentText     = "application/x-ndjson"
	contentJSON     = "application/json"
	contentGzip     = "application/gzip" // JSON that is compressed
)

// topic returns the name of a topic of this customer and group, with what the kind
// says of the device.
func (c *Client) topic(k topic.Kind, d DeviceInfo) string { return c.topicIn(c.cfg.GroupID, k, d) }

// topicIn is topic for any group; empty is none.
func (c *Client) topicIn(group string, k topic.Kind, d DeviceInfo) string {
	s, _ := topic.Topic[string]{
		Kind: k, Prefix: c.cfg.TopicPrefix, Customer: c.cfg.CustomerID, Group: group,
		Application: strconv.FormatUint(uint64(d.ApplicationID), 10), Serial: d.DeviceSerial,
	}.Name()
	return s
}

// name adds prefix, customer and group to a topic and returns its name. They were
// checked in New, and the names of a device by DeviceInfo.Validate, both with
// topic.Check, so that no name is refused here.
func (c *Client) name(t topic.Topic[string]) string {
	t.Prefix, t.Customer, t.Group = c.cfg.TopicPrefix, c.cfg.CustomerID, c.cfg.GroupID
	s, _ := t.Name()
	return s
}
