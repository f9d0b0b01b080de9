package device_test

import (
	"fmt"

	"github.com/ulogkit/ulogkit/mqttv5/device"
)

func ExampleParse() {
	info, err := device.Parse([]byte("\x2a\x00\x00\x00SN-1\x00lamp\x00v1.0.0\x003f2c9a1\x00"))
	fmt.Println(info.ApplicationID, info.DeviceSerial, info.GitVersion, err)
	// Output: 42 SN-1 v1.0.0 <nil>
}

// Either form will do: the nine bytes that a device reads, or a JSON object.
func ExampleParseLogConfig() {
	config, err := device.ParseLogConfig([]byte(`{"log_level":"warning","module_flags":36,"timeout_seconds":60}`))
	fmt.Println(config.Level, config.ModuleFlags, config.Timeout, err)
	// Output: warning 36 1m0s <nil>
}
