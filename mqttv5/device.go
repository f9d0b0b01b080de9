package mqttv5

import "github.com/ulogkit/ulogkit/mqttv5/device"

// DeviceInfo says which device, running which firmware, a log comes from.
type DeviceInfo = device.Info

// ParseDeviceInfo is device.Parse: it reads what a device sends about itself over
// BLE.
func ParseDeviceInfo(b []byte) (DeviceInfo, error) { return device.Parse(b) }
