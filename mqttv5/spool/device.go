package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/ulogkit/ulogkit/mqttv5/device"
)

// Files that name the device of a folder.
const (
	fileJSON = "device.json"
	fileBLE  = "device.bin"
)

// readDevice reads which device a folder's files are of. As what it says, its file must
// be a regular one: others could be held up by a pipe.
func readDevice(dir string) (device.Info, error) {
	b, err := read(filepath.Join(dir, fileJSON))
	if err == nil {
		return parseDevice(b)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return device.Info{}, fmt.Errorf("%s: %w", fileJSON, err)
	}
	b, err = read(filepath.Join(dir, fileBLE))
	if errors.Is(err, fs.ErrNotExist) {
		return device.Info{}, fmt.Errorf("it holds neither %s nor %s, so that nothing says which device its files are of", fileJSON, fileBLE)
	}
	if err != nil {
		return device.Info{}, fmt.Errorf("%s: %w", fileBLE, err)
	}
	dev, err := device.Parse(b)
	if err != nil {
		return device.Info{}, fmt.Errorf("%s: %w", fileBLE, err)
	}
	return dev, checkDevice(fileBLE, dev)
}

// parseDevice reads a device.json.
func parseDevice(b []byte) (device.Info, error) {
	var m struct {
		Application uint32 `json:"application"`
		Serial      string `json:"serial"`
		DeviceType  string `json:"device_type"`
		GitVersion  string `json:"git_version"`
		GitHash     string `json:"git_hash"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return device.Info{}, fmt.Errorf("%s: %w", fileJSON, err)
	}
	dev := device.Info{ApplicationID: m.Application, DeviceSerial: m.Serial, DeviceType: m.DeviceType, GitVersion: m.GitVersion, GitHash: m.GitHash}
	return dev, checkDevice(fileJSON, dev)
}

func checkDevice(file string, dev device.Info) error {
	if err := dev.Validate(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
