package mqttv5

import (
	"strconv"

	"github.com/ulogkit/ulogkit/format/topic"
)

// topics builds the topic names of one customer, of which its value is the part
// that they share. Prefix, customer and group were checked in New and the names of a device
// by DeviceInfo.Validate, both with topic.Check, so that no name is refused here.
type topics topic.Topic[string]

func newTopics(prefix, customer, group string) topics {
	return topics{Prefix: prefix, Customer: customer, Group: group}
}

func (t topics) boot(app uint32) string { return t.name(topic.BootRequest, app, "") }

func (t topics) bootReply(d DeviceInfo) string {
	return t.name(topic.BootReply, d.ApplicationID, d.DeviceSerial)
}

func (t topics) binaryLog(app uint32) string { return t.name(topic.Log, app, "") }

func (t topics) coreDump() string { return t.name(topic.CoreDump, 0, "") }

func (t topics) textLog(app uint32) string { return t.name(topic.TextLog, app, "") }

func (t topics) metrics(app uint32) string { return t.name(topic.Metrics, app, "") }

func (t topics) events(app uint32) string { return t.name(topic.Events, app, "") }

func (t topics) logConfig(d DeviceInfo) string {
	return t.name(topic.LogConfig, d.ApplicationID, d.DeviceSerial)
}

func (t topics) firmware(deviceType string) string {
	t.DeviceType = deviceType
	return t.name(topic.FirmwareRequest, 0, "")
}

func (t topics) firmwareReply(uploadID uint64) string {
	t.UploadID = strconv.FormatUint(uploadID, 10)
	return t.name(topic.FirmwareReply, 0, "")
}

func (t topics) name(k topic.Kind, app uint32, serial string) string {
	t.Kind, t.Application, t.Serial = k, strconv.FormatUint(uint64(app), 10), serial
	s, _ := topic.Topic[string](t).Name()
	return s
}
