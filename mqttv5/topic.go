package mqttv5

import (
	"strconv"
	"strings"

	"github.com/ulogkit/ulogkit/mqttv5/device"
)

// topics builds the topic names of one customer (FORMAT section 5). The customer
// and group were checked in New and names of devices by DeviceInfo.Validate, so
// that each stays within its segment.
//
// With a group, one segment follows the customer. That form was observed for
// config; the others follow its pattern and are not individually confirmed.
type topics struct{ prefix string } // "C" or "C/G"

// longestTopic is as long as any topic that a record goes to.
var longestTopic = "binlog/v0/" + strings.Repeat("c", device.MaxName) + "/" + strings.Repeat("g", device.MaxName) + "/4294967295"

func newTopics(customer, group string) topics {
	if group == "" {
		return topics{customer}
	}
	return topics{customer + "/" + group}
}

func (t topics) boot(app uint32) string {
	return "boot/v0/" + t.prefix + "/" + strconv.FormatUint(uint64(app), 10)
}

func (t topics) bootReply(d DeviceInfo) string { return t.boot(d.ApplicationID) + "/" + d.DeviceSerial }

func (t topics) binaryLog(app uint32) string {
	return "binlog/v0/" + t.prefix + "/" + strconv.FormatUint(uint64(app), 10)
}

func (t topics) coreDump() string { return "core-dump/v0/" + t.prefix }

func (t topics) textLog(app uint32) string {
	return "logs/v0/" + t.prefix + "/" + strconv.FormatUint(uint64(app), 10)
}

func (t topics) logConfig(d DeviceInfo) string {
	return "config/v0/" + t.prefix + "/" + strconv.FormatUint(uint64(d.ApplicationID), 10) + "/" + d.DeviceSerial
}

func (t topics) firmware(deviceType string) string {
	return "upload/v0/firmware/" + t.prefix + "/" + deviceType
}

func (t topics) firmwareReply(uploadID uint64) string {
	return "upload/v0/" + t.prefix + "/" + strconv.FormatUint(uploadID, 10)
}
