package tokens_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ulogkit/ulogkit/mqttv5/tokens"
)

// A gateway has registered a device; another process tells whose a log is by its
// session token.
func ExampleLookup() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := tokens.Config{Path: filepath.Join(dir, "session_tokens.json")}
	gateway, err := tokens.OpenFile(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	key := tokens.Key{Broker: "mqtt.example.com:8883", CustomerID: "42", ApplicationID: 7, DeviceSerial: "SN-1", GitHash: "3f2c9a1"}
	if err := gateway.SetToken(context.Background(), key, 1234); err != nil {
		fmt.Println(err)
		return
	}

	devices, err := tokens.OpenLookup(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	if device, ok := devices.Lookup("42", "", 7, 1234); ok {
		fmt.Println(device.DeviceSerial, device.GitHash)
	}
	// Output: SN-1 3f2c9a1
}

// A file keeps the session tokens between runs. Without a path it is
// ~/.local/state/ulogkit/session_tokens.json.
func ExampleOpenFile() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}

	defer os.RemoveAll(dir)
	store, err := tokens.OpenFile(tokens.Config{Path: filepath.Join(dir, "tokens.json")})
	if err != nil {
		fmt.Println(err)
		return
	}

	key := tokens.Key{ApplicationID: 42, DeviceSerial: "ABC123", GitHash: "abcdef0"}
	if err := store.SetToken(context.Background(), key, 7); err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(store.Token(context.Background(), key))
	key.GitHash = "1234567" // new firmware, new session
	fmt.Println(store.Token(context.Background(), key))
	// Output:
	// 7 true <nil>
	// 0 false <nil>
}
