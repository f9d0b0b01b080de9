package mqttv5

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/ulogkit/ulogkit/format"
)

// Longest names, in bytes. Serial, type and version are what fits the crash-dump
// header (FORMAT section 3); 64 hexadecimal digits are a SHA-256 git hash.
const (
	maxName    = 64
	maxGitHash = 64
)

// DeviceInfo says which device, running which firmware, a log comes from.
type DeviceInfo struct {
	ApplicationID uint32 // application the firmware belongs to
	DeviceSerial  string // serial number; required, at most 64 bytes
	DeviceType    string // kind of device, at most 64 bytes
	GitVersion    string // version of the firmware, at most 64 bytes
	GitHash       string // git commit of the firmware; a session token is valid for it alone
}

// ParseDeviceInfo reads the bytes that a device sends on its BLE configuration
// characteristic (FORMAT section 4). Trailing strings may be missing; the result
// has passed Validate.
func ParseDeviceInfo(b []byte) (DeviceInfo, error) {
	v, rest, err := format.ParseDeviceInfo(b)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes after the last string", len(rest))
	}
	if err != nil {
		return DeviceInfo{}, &Error{Op: "read device info", Class: ErrBadData, Err: err}
	}
	d := DeviceInfo{
		ApplicationID: v.ApplicationID,
		DeviceSerial:  string(v.DeviceSerial),
		DeviceType:    string(v.DeviceType),
		GitVersion:    string(v.GitVersion),
		GitHash:       string(v.GitHash),
	}
	if err := d.Validate(); err != nil {
		return DeviceInfo{}, err
	}
	return d, nil
}

// Validate reports whether the names can be used in topics: valid UTF-8, no '#',
// '+', '/', NUL or other control characters, not longer than their limits, and a
// serial number. A device named "#" would otherwise subscribe its gateway to the
// tokens of all others.
func (d DeviceInfo) Validate() error {
	if d.DeviceSerial == "" {
		return &Error{Op: "check device", Class: ErrBadData, Err: errors.New("device serial is empty"), Hint: "every device needs a serial number"}
	}
	for _, f := range [...]struct {
		name, value string
		max         int
		segment     bool
	}{
		{"device serial", d.DeviceSerial, maxName, true},
		{"device type", d.DeviceType, maxName, true},
		{"git version", d.GitVersion, maxName, false},
		{"git hash", d.GitHash, maxGitHash, false},
	} {
		err := checkName(f.value, f.max, f.segment)
		if err != nil {
			return &Error{Op: "check device: " + f.name, Class: ErrBadData, Err: err}
		}
	}
	return nil
}

// checkName reports what makes s unfit: for a message at all, or as one segment
// of a topic.
func checkName(s string, maxLen int, segment bool) error {
	if len(s) > maxLen {
		return fmt.Errorf("%d bytes long, the limit is %d", len(s), maxLen)
	}
	if !utf8.ValidString(s) {
		return errors.New("not valid UTF-8")
	}
	for i, r := range s {
		switch {
		case unicode.IsControl(r), r == '\uFEFF', r&0xFFFE == 0xFFFE, r >= 0xFDD0 && r <= 0xFDEF:
			return fmt.Errorf("character U+%04X at byte %d is not allowed", r, i)
		case segment && (r == '#' || r == '+' || r == '/'):
			return fmt.Errorf("character %q at byte %d is not allowed in a topic segment", r, i)
		}
	}
	return nil
}
