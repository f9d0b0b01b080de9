// Package payload has what is known of the messages that go to the cloud before
// anything of MQTT is: how long one may be, whether a log or a crash dump is good,
// and how text logs are written.
package payload

import (
	"cmp"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// Max is the longest message that the cloud takes, in bytes.
const Max = 128 << 10

// CheckLog verifies a log as far as the cloud does: its header and its checksum. What
// is odd about one that is sound so far, bytes that follow its data or frames that do
// not fill it, is no reason to lose it, as the vendor's uploader does not.
func CheckLog(buf []byte) (odd, err error) {
	odd = format.CheckLog(buf)
	if odd == nil {
		return nil, nil
	}
	if l, _, err := format.ParseLog(buf); err == nil && l.Verify() == nil {
		return odd, nil
	}
	return nil, &fault.Error{Op: "check log", Class: fault.ErrBadData, Err: odd, Hint: "nothing was sent"}
}

// CheckCoreDump returns the device that the header of a crash dump names, and what
// is odd about the dump. One that was cut, whose memory the device wrote wrong, or
// whose checksum is wrong, is sent as well, as the vendor's library does: no device
// writes it a second time, and its registers are worth it. What is no dump with its
// header is refused.
func CheckCoreDump(dump []byte) (dev device.Info, odd, err error) {
	odd = format.CheckCoreDump(dump)
	if !isCoreDump(dump) {
		return device.Info{}, nil, &fault.Error{Op: "check core dump", Class: fault.ErrBadData, Err: cmp.Or(odd, format.ErrValue), Hint: "nothing was sent"}
	}
	h := (*format.CoreDumpHeader)(dump)
	dev = device.Info{
		ApplicationID: h.ApplicationID(),
		DeviceSerial:  string(h.DeviceSerial()),
		DeviceType:    string(h.DeviceType()),
		GitVersion:    string(h.VersionString()),
		GitHash:       string(h.GitHash()),
	}
	if err := dev.Validate(); err != nil {
		return device.Info{}, nil, &fault.Error{Op: "check core dump", Class: fault.ErrBadData, Err: err}
	}
	return dev, odd, nil
}

// isCoreDump reports whether CrashCatcher's mark stands behind the header.
func isCoreDump(b []byte) bool {
	const mark = "\x63\x43\x03\x00"
	return len(b) >= format.CoreDumpHeaderSize+len(mark) && string(b[format.CoreDumpHeaderSize:][:len(mark)]) == mark
}

// WithToken returns a copy of a log with a session token in it. It need not know the
// log's version.
func WithToken(buf []byte, token uint32) ([]byte, error) {
	b := append([]byte(nil), buf...)
	if err := format.SetSessionToken(b, token); err != nil {
		return nil, &fault.Error{Op: "write session token", Class: fault.ErrBadData, Err: err}
	}
	return b, nil
}
