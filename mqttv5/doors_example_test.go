package mqttv5_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
)

// What a device says over BLE tells which it is.
func ExampleParseDeviceInfo() {
	device, err := mqttv5.ParseDeviceInfo([]byte("\x2a\x00\x00\x00SN-1\x00lamp\x00v1.0.0\x003f2c9a1\x00"))
	fmt.Println(device.ApplicationID, device.DeviceSerial, device.DeviceType, device.GitHash, err)
	// Output: 42 SN-1 lamp 3f2c9a1 <nil>
}

func ExampleParseLogConfig() {
	config, err := mqttv5.ParseLogConfig([]byte("\x02\x24\x00\x00\x00\x10\x0e\x00\x00[\"net\"]"))
	fmt.Println(config.Level, config.Modules, config.Timeout, err)
	// Output: warning [net] 1h0m0s <nil>
}

// A gateway that restarts keeps the session tokens in a file; one that is content to
// register each device again keeps them in memory, which is the default.
func ExampleOpenFileStore() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	where := mqttv5.FileStoreConfig{Path: filepath.Join(dir, "tokens.json")}
	store, err := mqttv5.OpenFileStore(where)
	if err != nil {
		fmt.Println(err)
		return
	}
	kept := mqttv5.Config{CustomerID: "42", CertFile: "gateway.crt", KeyFile: "gateway.key", Store: store}
	forgetful := mqttv5.Config{CustomerID: "42", CertFile: "gateway.crt", KeyFile: "gateway.key", Store: mqttv5.NewMemoryStore(1000)}
	fmt.Println(kept.Store != nil, forgetful.Store != nil)

	// Who reads what a device sent finds it by its token.
	sessions, err := mqttv5.OpenSessions(where)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, known := sessions.Lookup("42", "", 7, 1234)
	fmt.Println(known)
	// Output:
	// true true
	// false
}

func ExampleReadText() {
	entries, err := mqttv5.ReadText(strings.NewReader("started\n\nlow battery\n"), time.Unix(1700000100, 0), format.LevelWarning)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range entries {
		fmt.Println(e.Level, e.Text)
	}
	// Output:
	// warning started
	// warning low battery
}
