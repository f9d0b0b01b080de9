package device_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

func TestNamesThatCouldLeaveTheirTopicAreRefused(t *testing.T) {
	good := devicetest.Info(1)
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}

	for name, edit := range map[string]func(*device.Info){
		"no serial": func(d *device.Info) { d.DeviceSerial = "" }, "hash": func(d *device.Info) { d.DeviceSerial = "#" },
		"plus": func(d *device.Info) { d.DeviceSerial = "a+" }, "slash": func(d *device.Info) { d.DeviceType = "a/b" },
		"NUL": func(d *device.Info) { d.GitHash = "a\x00" }, "newline": func(d *device.Info) { d.GitVersion = "a\nb" },
		"C1": func(d *device.Info) { d.GitVersion = "a\u0085" }, "UTF-8": func(d *device.Info) { d.DeviceSerial = "a\xff" },
		"long": func(d *device.Info) { d.DeviceSerial = strings.Repeat("x", 65) }, "noncharacter": func(d *device.Info) { d.DeviceSerial = "\uFFFE" },
	} {
		d := good
		edit(&d)
		if err := d.Validate(); !errors.Is(err, fault.ErrBadData) {
			t.Errorf("%s: got %v, want ErrBadData", name, err)
		}
	}

	b, err := format.DeviceInfo{ApplicationID: 42, DeviceSerial: []byte("SN1"), DeviceType: []byte("board")}.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := device.Parse(b); err != nil || d != (device.Info{ApplicationID: 42, DeviceSerial: "SN1", DeviceType: "board"}) {
		t.Errorf("got %+v, %v, want what the bytes say", d, err)
	}

	for _, b := range [][]byte{nil, {1, 2}, append(bytes.Clone(b), 'x'), {1, 0, 0, 0, '#', 0}, {1, 0, 0, 0}} {
		if d, err := device.Parse(b); !errors.Is(err, fault.ErrBadData) || d != (device.Info{}) {
			t.Errorf("% x: got %+v, %v, want nothing and %v", b, d, err, fault.ErrBadData)
		}
	}
}

func ExampleInfo_Validate() {
	fmt.Println(device.Info{DeviceSerial: "#"}.Validate())
	// Output: check device: device serial: character '#' at byte 0 is not allowed in a topic segment
}
