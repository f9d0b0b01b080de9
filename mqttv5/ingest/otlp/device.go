package otlp

import (
	"fmt"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text"
	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/device"
)

// Device is what is known of the device that a message comes from. Info has no
// serial number if it is not known.
type Device struct {
	CustomerID    string
	GroupID       string
	ApplicationID uint32
	Token         uint32 // of the session; 0 for a crash dump
	Info          device.Info
}

// deviceOf returns the device that a log's topic and token tell of.
func deviceOf(name string, token uint32, lookup func(Device) (device.Info, bool)) Device {
	d := Device{Token: token}
	t, _ := topic.Parse(name)
	d.CustomerID, d.GroupID = t.Customer, t.Group
	n, ok := t.ApplicationID()
	if !ok {
		return d
	}
	d.ApplicationID = n
	if lookup != nil {
		if info, ok := lookup(d); ok {
			d.Info = info
		}
	}
	return d
}

// deviceOfCrash returns the device that a crash dump's header names.
func deviceOfCrash(name string, h *format.CoreDumpHeader) Device {
	t, _ := topic.Parse(name)
	return Device{CustomerID: t.Customer, GroupID: t.Group, ApplicationID: h.ApplicationID(), Info: device.Info{
		ApplicationID: h.ApplicationID(), DeviceSerial: valid(h.DeviceSerial()), DeviceType: valid(h.DeviceType()),
		GitVersion: valid(h.VersionString()), GitHash: valid(h.GitHash()),
	}}
}

// resource returns what OTLP says of the device: who it is, of whom, and what it runs.
func (d Device) resource() *resource.Resource {
	instance := d.Info.DeviceSerial
	if instance == "" {
		instance = fmt.Sprintf("session %d", d.Token)
	}

	r := &resource.Resource{Attributes: []*common.KeyValue{
		{Key: "service.name", Value: str("ulogger")},
		{Key: "service.instance.id", Value: str(instance)},
		{Key: "ulogger.application_id", Value: whole(int64(d.ApplicationID))},
	}}
	if d.Token != 0 {
		r.Attributes = append(r.Attributes, intAttr("ulogger.session_token", int64(d.Token)))
	}

	for _, f := range [...]struct{ key, value string }{
		{"ulogger.customer_id", d.CustomerID},
		{"ulogger.group_id", d.GroupID},
		{"device.id", d.Info.DeviceSerial},
		{"device.model.identifier", d.Info.DeviceType},
		{"service.version", d.Info.GitVersion},
		{"vcs.ref.head.revision", d.Info.GitHash},
	} {
		if f.value != "" {
			r.Attributes = append(r.Attributes, &common.KeyValue{Key: f.key, Value: str(f.value)})
		}
	}
	return r
}

// Bounds of what is remembered; foreign input can name any number of either.
const (
	maxDictionaries = 1 << 12
	maxTemplates    = 1 << 16
)

// texts finds the format strings of devices.
type texts struct {
	cfg   *Config
	stats *Stats
	ties  ties
	buf   []byte
	all   map[Dictionary]*printfs
}

// printfs are the parsed format strings of one firmware.
type printfs struct {
	dict   Dictionary // or nil
	parsed map[uint32]*text.Template
}

func (t *texts) init(cfg *Config, stats *Stats) {
	t.cfg, t.stats, t.all = cfg, stats, map[Dictionary]*printfs{}
}

// choose returns the dictionary of a log, or nil, and counts what it is unsure of.
func (t *texts) choose(d Device, l format.Log) Dictionary {
	if t.cfg.Choose == nil {
		return nil
	}
	choice := t.cfg.Choose(d, l)
	t.stats.Ambiguous += int(choice.Ambiguous)
	t.ties.tell(choice, t.cfg.Logger)
	return choice.Dictionary
}

// of returns the format strings of the firmware that a log is of.
func (t *texts) of(d Device, l format.Log) *printfs {
	dict := t.choose(d, l)
	if dict == nil {
		return &printfs{}
	}
	p := t.all[dict]
	if p == nil {
		if len(t.all) >= maxDictionaries {
			clear(t.all)
		}
		p = &printfs{dict: dict, parsed: map[uint32]*text.Template{}}
		t.all[dict] = p
	}
	return p
}

// template returns the format string at an address, or nil.
func (p *printfs) template(addr uint32) *text.Template {
	if p.dict == nil {
		return nil
	}
	t, ok := p.parsed[addr]
	if !ok {
		if s, found := p.dict.Format(addr); found {
			t = text.ParseTemplate(s)
		}
		if len(p.parsed) >= maxTemplates {
			clear(p.parsed)
		}
		p.parsed[addr] = t
	}
	return t
}

func (p *printfs) module(n uint8) string {
	if p.dict == nil {
		return ""
	}
	name, _ := p.dict.Module(n)
	return valid([]byte(name))
}
