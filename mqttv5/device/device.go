// Package device says which device a log comes from, and which names of devices,
// accounts and versions can be sent at all.
package device

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/topic"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// MaxName is the longest serial, type and version, in bytes: what fits the header
// of a crash dump (FORMAT section 3).
const MaxName = topic.MaxSegment

// MaxGitHash is the longest git hash: the length of a SHA-256 in hexadecimal digits.
const MaxGitHash = 64

// Info says which device, running which firmware, a log comes from.
type Info struct {
	ApplicationID uint32 // application the firmware belongs to
	DeviceSerial  string // serial number; required, at most 64 bytes
	DeviceType    string // kind of device, at most 64 bytes
	GitVersion    string // version of the firmware, at most 64 bytes
	GitHash       string // git commit of the firmware; a session token is valid for it alone
}

// Parse reads the bytes that a device sends on its BLE configuration
// characteristic (FORMAT section 4). Trailing strings may be missing; the result
// has passed Validate.
func Parse(b []byte) (Info, error) {
	v, rest, err := format.ParseDeviceInfo(b)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes after the last string", len(rest))
	}
	if err != nil {
		return Info{}, &fault.Error{Op: "read device info", Class: fault.ErrBadData, Err: err}
	}
	d := Info{
		ApplicationID: v.ApplicationID,
		DeviceSerial:  string(v.DeviceSerial),
		DeviceType:    string(v.DeviceType),
		GitVersion:    string(v.GitVersion),
		GitHash:       string(v.GitHash),
	}
	if err := d.Validate(); err != nil {
		return Info{}, err
	}
	return d, nil
}

// Validate reports whether the names can be used in topics: valid UTF-8, no '#',
// '+', '/', NUL or other control characters, not longer than their limits, and a
// serial number. A device named "#" would otherwise subscribe its gateway to the
// tokens of all others.
func (d Info) Validate() error {
	if d.DeviceSerial == "" {
		return &fault.Error{Op: "check device", Class: fault.ErrBadData, Err: errors.New("device serial is empty"), Hint: "every device needs a serial number"}
	}
	for _, f := range [...]struct {
		name, value string
		max         int
		segment     bool
	}{
		{"device serial", d.DeviceSerial, MaxName, true},
		{"device type", d.DeviceType, MaxName, true},
		{"git version", d.GitVersion, MaxName, false},
		{"git hash", d.GitHash, MaxGitHash, false},
	} {
		err := CheckName(f.value, f.max, f.segment)
		if err != nil {
			return &fault.Error{Op: "check device: " + f.name, Class: fault.ErrBadData, Err: err}
		}
	}
	return nil
}

// CheckName reports what makes s unfit: for a message at all, or as one segment of
// a topic. max is in bytes and that of topics if segment is set.
func CheckName(s string, max int, segment bool) error {
	if segment && s != "" {
		return topic.Check(s)
	}
	if len(s) > max {
		return fmt.Errorf("%d bytes long, the limit is %d", len(s), max)
	}
	if !utf8.ValidString(s) {
		return errors.New("not valid UTF-8")
	}
	for i, r := range s {
		if unicode.IsControl(r) || r == '\uFEFF' || r&0xFFFE == 0xFFFE || r >= 0xFDD0 && r <= 0xFDEF {
			return fmt.Errorf("character U+%04X at byte %d is not allowed", r, i)
		}
	}
	return nil
}
