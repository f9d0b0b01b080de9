package capture

import (
	"fmt"
	"strings"
	"time"
)

// Line returns the row for a person: when, between whom, and what. Whatever
// comes from the wire is quoted.
func (r *Row) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s > %s ", r.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), r.Source, r.Destination)
	switch {
	case r.Packet == "":
		b.WriteString(r.Kind)
	case r.Kind == "cut":
		b.WriteString(strings.ToLower(r.Packet))
	case r.Kind == "ack":
		b.WriteString(strings.ToLower(r.Packet))
	default:
		b.WriteString(r.Kind)
	}
	if r.Topic != "" {
		fmt.Fprintf(&b, " %q", r.Topic)
	}
	if r.PacketID != 0 {
		fmt.Fprintf(&b, " #%d", r.PacketID)
	}
	parts := strings.Join(r.parts(), ", ")
	switch {
	case parts == "":
	case r.Packet == "":
		b.WriteString(": " + parts)
	default:
		b.WriteString(", " + parts)
	}
	return b.String()
}

// parts returns what there is to say beyond kind and topic.
func (r *Row) parts() (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if r.ClientID != nil {
		add("client %q", *r.ClientID)
		version := map[uint8]string{3: "3.1", 4: "3.1.1", 5: "5.0"}[*r.MQTTVersion]
		if r.Bridge {
			version += " (bridge)"
		}
		add("MQTT %s", version)
		add("keep-alive %d s", *r.KeepAlive)
	}
	if r.ProxiedFor != "" {
		add("through a proxy for %s", r.ProxiedFor)
	}
	if r.Username != "" {
		add("user %q", r.Username)
	}
	if r.Password != "" {
		add("password %q", r.Password)
	}
	for _, f := range r.Filters {
		add("%q", f)
	}
	if r.Size != nil && r.Captured == nil && !r.Undecided {
		add("%d bytes", *r.Size)
	}
	if r.Version != nil {
		add("version %d", *r.Version)
	}
	if r.Frames != nil {
		add("%d frames", *r.Frames)
	}
	if r.SessionToken != nil {
		add("session token %d", *r.SessionToken)
	}
	for _, field := range []struct {
		name  string
		value *string
	}{
		{"device", r.DeviceSerial},
		{"device", r.Serial},
		{"type", r.DeviceType},
		{"firmware", r.VersionString},
		{"firmware", r.DeviceVersion},
		{"commit", r.GitHash},
		{"commit", r.Git},
	} {
		if field.value != nil {
			add("%s %q", field.name, *field.value)
		}
	}
	if r.Token != nil {
		add("token %d", *r.Token)
	}
	if r.Dup {
		add("sent before")
	}
	for _, code := range r.ReasonCodes {
		add("code 0x%02x", code)
	}
	if r.Reason != "" {
		add("%s (0x%02x)", r.Reason, *r.ReasonCode)
	}
	if r.LatencyMS != nil {
		add("after %v", time.Duration(*r.LatencyMS*float64(time.Millisecond)).Round(time.Microsecond))
	}
	switch {
	case r.Error != "" && r.Packet != "" && r.Captured == nil:
		add("bad: %s", r.Error)
	case r.Error != "":
		add("%s", r.Error)
	case r.ChecksumOK != nil:
		add("good")
	}
	if r.Remark != "" {
		add("remark: %s", r.Remark)
	}
	if r.File != "" {
		add("in %s", r.File)
	}
	return out
}
