package spool_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
	"github.com/ulogkit/ulogkit/mqttv5/spool"
)

// A file that a program has put into the folder is taken into the outbox.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	out, err := outbox.Open(outbox.Config{Dir: filepath.Join(dir, "outbox")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer out.Close()
	log, err := devicetest.BuildLog(1, 100)
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "spool"), 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "spool", "log.bin"), log, 0o600)
	}
	if err != nil {
		fmt.Println(err)
		return
	}

	s, err := spool.New(spool.Config{
		Dir:      filepath.Join(dir, "spool"),
		Device:   device.Info{ApplicationID: 42, DeviceSerial: "SN-1"},
		Accepted: func(name string, ids []string) { fmt.Println(filepath.Base(name), len(ids)) },
	}, out)
	if err != nil {
		fmt.Println(err)
		return
	}
	s.Scan(context.Background()) // Run does so again and again
	fmt.Println(out.Stats().Waiting, "waits")
	// Output:
	// log.bin 1
	// 1 waits
}
