package fleet

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/format/logtest"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/otlp"
)

const (
	hashA = "aaaaaaa1111111111111111111111111aaaaaaaa"
	hashB = "bbbbbbb2222222222222222222222222bbbbbbbb"
)

// twoBuilds writes two dictionaries, of which both fit all logs of the test and
// the first is found first.
func twoBuilds(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"1.json": `{"kind": "ulogkit-dictionary", "v": 1, "git_hash": "` + hashA + `", "version": "v1.0", "device_type": "lamp", "strings": [{"addr": 4096, "text": "a is %d"}]}`,
		"2.json": `{"kind": "ulogkit-dictionary", "v": 1, "git_hash": "` + hashB + `", "version": "v2.0", "device_type": "lamp", "strings": [{"addr": 4096, "text": "b is %d"}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func logAt(t *testing.T, addr uint32) format.Log {
	t.Helper()
	return logtest.Log(t, format.Record{FmtAddr: addr, Args: []format.Arg{format.ArgI32(1)}})
}

// textOf returns the format string that the fleet finds for a device's record.
func textOf(t *testing.T, f *Fleet, d otlp.Device, addr uint32) string {
	t.Helper()
	found := f.Choose(d, logAt(t, addr)).Dictionary
	if found == nil || found == (*dict.Dictionary)(nil) {
		return ""
	}
	text, _ := found.Format(addr)
	return text
}

func TestFleetTellsDeviceAndFirmwareOfAToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	store, err := mqttv5.OpenFileStore(mqttv5.FileStoreConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}

	set := func(serial, hash string, token uint32) {
		t.Helper()
		key := mqttv5.SessionKey{Broker: "b:1", CustomerID: "7", ApplicationID: 42, DeviceSerial: serial, GitHash: hash}
		if err := store.SetToken(t.Context(), key, token); err != nil {
			t.Fatal(err)
		}
	}

	set("SN1", hashA, 1)
	set("SN2", hashB[:9], 2)
	set("SN3", "ccccccc", 3)
	f, err := Open(Config{Store: path, Dictionaries: twoBuilds(t)})
	if err != nil {
		t.Fatal(err)
	}

	set("SN4", hashB, 4) // while it runs
	for _, c := range []struct {
		token uint32
		want  mqttv5.DeviceInfo
		text  string
	}{
		{1, mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: "SN1", DeviceType: "lamp", GitVersion: "v1.0", GitHash: hashA}, "a is %d"},
		{2, mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: "SN2", DeviceType: "lamp", GitVersion: "v2.0", GitHash: hashB[:9]}, "b is %d"},
		{3, mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: "SN3", GitHash: "ccccccc"}, "a is %d"}, // by fit
		{4, mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: "SN4", DeviceType: "lamp", GitVersion: "v2.0", GitHash: hashB}, "b is %d"},
		{5, mqttv5.DeviceInfo{}, "a is %d"}, // unknown
	} {
		for range 2 { // the second time as remembered
			d := otlp.Device{CustomerID: "7", ApplicationID: 42, Token: c.token}
			info, ok := f.Device(d)
			if info != c.want || ok != (c.want.DeviceSerial != "") {
				t.Errorf("token %d: got %+v, known %v, want %+v, known if it has a serial number", c.token, info, ok, c.want)
			}
			d.Info = info
			if got := textOf(t, f, d, 4096); got != c.text {
				t.Errorf("token %d: %q, want %q", c.token, got, c.text)
			}
		}
	}

	if _, ok := f.Device(otlp.Device{CustomerID: "8", ApplicationID: 42, Token: 1}); ok {
		t.Error("got a name for another customer's device, want none")
	}
	if got := textOf(t, f, otlp.Device{}, 8192); got != "" {
		t.Errorf("got text %q for a log that fits none, want none", got)
	}
}

func TestOnlyDictionaryIsUsedForEveryLog(t *testing.T) {
	t.Setenv("HOME", t.TempDir()) // without tokens
	f, err := Open(Config{Dictionaries: filepath.Join(twoBuilds(t), "2.json")})
	if err != nil {
		t.Fatal(err)
	}
	if got := textOf(t, f, otlp.Device{Info: mqttv5.DeviceInfo{GitHash: hashA}}, 4096); got != "b is %d" {
		t.Errorf("got %q from the only dictionary, want %q", got, "b is %d")
	}

	if f, err = Open(Config{}); err != nil {
		t.Fatal(err)
	}
	if f.Choose(otlp.Device{}, logAt(t, 4096)).Dictionary != nil {
		t.Error("got a dictionary out of none, want nil")
	}

	if _, err := Open(Config{Dictionaries: "no-such-directory"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v, want %v", err, fs.ErrNotExist)
	}

	if _, err := Open(Config{Dictionaries: t.TempDir()}); !errors.Is(err, dict.ErrNoDictionary) {
		t.Errorf("empty directory: got %v, want %v", err, dict.ErrNoDictionary)
	}
}

// A file of tokens that is not there yet is told, and holds them when it comes.
func TestStoreThatComesLater(t *testing.T) {
	var told bytes.Buffer
	path := filepath.Join(t.TempDir(), "tokens.json")
	f, err := Open(Config{Store: path, Logger: slog.New(slog.NewTextHandler(&told, nil))})
	if err != nil || !strings.Contains(told.String(), "no file of session tokens yet") || !strings.Contains(told.String(), path) {
		t.Fatalf("got %v and %q told, want the file named", err, &told)
	}
	d := otlp.Device{CustomerID: "7", ApplicationID: 42, Token: 1}
	if info, ok := f.Device(d); ok {
		t.Errorf("got %+v, want none", info)
	}

	store, err := mqttv5.OpenFileStore(mqttv5.FileStoreConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.SetToken(t.Context(), mqttv5.SessionKey{CustomerID: "7", ApplicationID: 42, DeviceSerial: "SN1", GitHash: "a"}, 1); err != nil {
		t.Fatal(err)
	}
	if info, ok := f.Device(d); !ok || info.DeviceSerial != "SN1" {
		t.Errorf("got %+v, %v, want SN1", info, ok)
	}

	// What is there and cannot be used is no such file.
	if _, err := Open(Config{Store: t.TempDir()}); err == nil {
		t.Error("a folder is taken for a file of tokens")
	}
}

// Without a home folder, and without a file that was named, devices are called by
// their tokens, and the rest goes on.
func TestFleetNeedsNoHomeFolder(t *testing.T) {
	t.Setenv("HOME", "")
	f, err := Open(Config{Dictionaries: twoBuilds(t)})
	if err != nil {
		t.Fatal(err)
	}
	if info, ok := f.Device(otlp.Device{Token: 7}); ok {
		t.Errorf("got %+v, want an unknown device", info)
	}
	if got := textOf(t, f, otlp.Device{}, 4096); got != "a is %d" {
		t.Errorf("got %q, want the first build", got)
	}
}
