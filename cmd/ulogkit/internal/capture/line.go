package capture

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// AppendLine appends the row for a person: when, between whom, and what.
// Whatever comes from the wire is quoted.
func (r *Row) AppendLine(dst []byte) []byte {
	dst = r.Time.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z")
	dst = netip.AddrPort(r.Source).AppendTo(append(dst, ' '))
	dst = netip.AddrPort(r.Destination).AppendTo(append(dst, " > "...))
	dst = append(dst, ' ')
	if r.Kind == "ack" || r.Kind == "cut" {
		dst = append(dst, strings.ToLower(r.Packet)...)
	} else {
		dst = append(dst, r.Kind...)
	}
	if r.Topic != "" {
		dst = strconv.AppendQuote(append(dst, ' '), r.Topic)
	}
	if r.PacketID != 0 {
		dst = strconv.AppendUint(append(dst, " #"...), uint64(r.PacketID), 10)
	}
	return r.appendParts(dst)
}

// appendParts appends what there is to say beyond kind and topic.
func (r *Row) appendParts(dst []byte) []byte {
	separator := ", "
	if r.Packet == "" {
		separator = ": "
	}

	add := func(format string, args ...any) {
		dst = fmt.Appendf(append(dst, separator...), format, args...)
		separator = ", "
	}
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
	return dst
}
