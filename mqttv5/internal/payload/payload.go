// Package payload has what is known of the messages that go to the cloud before
// anything of MQTT is: how long one may be, whether a log or a crash dump is good,
// and how text logs are written.
package payload

import (
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

// CoreDumpDevice returns the device that the header of a crash dump names. A dump
// that was cut, or whose memory the device wrote wrong, is sent as well: it is
// not written a second time, and its registers are worth it. What is no dump with
// its header, or was changed since the device took the checksum, is refused.
func CoreDumpDevice(dump []byte) (device.Info, error) {
	d, _, whole := format.ParseCoreDump(dump)
	if !isCoreDump(dump) || whole == nil && d.Verify() != nil {
		err := format.CheckCoreDump(dump)
		if err == nil {
			err = format.ErrValue
		}
		return device.Info{}, &fault.Error{Op: "check core dump", Class: fault.ErrBadData, Err: err, Hint: "nothing was sent"}
	}
	h := (*format.CoreDumpHeader)(dump)
	dev := device.Info{
		ApplicationID: h.ApplicationID(),
		DeviceSerial:  string(h.DeviceSerial()),
		DeviceType:    string(h.DeviceType()),
		GitVersion:    string(h.VersionString()),
		GitHash:       string(h.GitHash()),
	}
	if err := dev.Validate(); err != nil {
		return device.Info{}, &fault.Error{Op: "check core dump", Class: fault.ErrBadData, Err: err}
	}
	return dev, nil
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
