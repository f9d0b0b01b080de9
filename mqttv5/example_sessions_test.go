package mqttv5_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ulogkit/ulogkit/mqttv5"
)

// A gateway has registered a device; another process tells whose a log is by its
// session token.
func ExampleSessions() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := mqttv5.FileStoreConfig{Path: filepath.Join(dir, "session_tokens.json")}
	gateway, err := mqttv5.OpenFileStore(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	key := mqttv5.SessionKey{Broker: "mqtt.example.com:8883", CustomerID: "42", ApplicationID: 7, DeviceSerial: "SN-1", GitHash: "3f2c9a1"}
	if err := gateway.SetToken(context.Background(), key, 1234); err != nil {
		fmt.Println(err)
		return
	}

	sessions, err := mqttv5.OpenSessions(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	if device, ok := sessions.Lookup("42", "", 7, 1234); ok {
		fmt.Println(device.DeviceSerial, device.GitHash)
	}
	// Output: SN-1 3f2c9a1
}
