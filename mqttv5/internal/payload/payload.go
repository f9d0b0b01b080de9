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

// CheckLog verifies a log as a whole.
func CheckLog(buf []byte) error {
	if err := format.CheckLog(buf); err != nil {
		return &fault.Error{Op: "check log", Class: fault.ErrBadData, Err: err, Hint: "nothing was sent"}
	}
	return nil
}

// CoreDumpDevice verifies a crash dump as a whole and returns the device that its
// header names.
func CoreDumpDevice(dump []byte) (device.Info, error) {
	if err := format.CheckCoreDump(dump); err != nil {
		return device.Info{}, &fault.Error{Op: "check core dump", Class: fault.ErrBadData, Err: err, Hint: "nothing was sent"}
	}
	d, _, err := format.ParseCoreDump(dump)
	if err != nil {
		return device.Info{}, &fault.Error{Op: "check core dump", Class: fault.ErrBadData, Err: err}
	}
	dev := device.Info{
		ApplicationID: d.Header.ApplicationID(),
		DeviceSerial:  string(d.Header.DeviceSerial()),
		DeviceType:    string(d.Header.DeviceType()),
		GitVersion:    string(d.Header.VersionString()),
		GitHash:       string(d.Header.GitHash()),
	}
	if err := dev.Validate(); err != nil {
		return device.Info{}, &fault.Error{Op: "check core dump", Class: fault.ErrBadData, Err: err}
	}
	return dev, nil
}

// WithToken returns a copy of a log with a session token in it.
func WithToken(buf []byte, token uint32) ([]byte, error) {
	b := append([]byte(nil), buf...)
	l, _, err := format.ParseLog(b)
	if err != nil {
		return nil, &fault.Error{Op: "write session token", Class: fault.ErrBadData, Err: err}
	}
	l.SetSessionToken(token)
	return b, nil
}
