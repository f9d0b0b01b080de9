package mqttv5_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// One log from a device to the cloud. The stand-in cloud takes the place of
// mqtt.ulogger.ai; the files it names are those that a real account comes with.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cloud, err := localcloud.Start(ctx, localcloud.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cloud.Close()

	client, err := mqttv5.New(mqttv5.Config{
		Broker: cloud.Host(), Port: cloud.Port(), CAFile: cloud.CAFile(),
		CertFile: cloud.CertFile(), KeyFile: cloud.KeyFile(),
		CustomerID: "975773647",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	device := mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: "ABC123", DeviceType: "my_board", GitVersion: "v1.0.0", GitHash: "abcdef0"}
	receipt, err := client.UploadLog(ctx, device, sampleLog())
	if err != nil {
		fmt.Println(err)
		return
	}
	got, err := cloud.WaitReceived(ctx, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(receipt.Topic, receipt.Bytes, "bytes:", receipt.Code)
	fmt.Println("the cloud has", got[0].Bytes, "bytes of", got[0].DeviceSerial, "with error", got[0].Err)
	// Output:
	// binlog/v0/975773647/42 40 bytes: Success (0x00)
	// the cloud has 40 bytes of ABC123 with error <nil>
}

// sampleLog returns a log as a device would have made it.
func sampleLog() []byte {
	b, err := format.NewLogBuilder(3)
	if err != nil {
		panic(err)
	}
	err = b.Add(&format.Record{Level: format.LevelInfo, Module: 1, FmtAddr: 0x08001000, Args: []format.Arg{format.ArgString("boot")}})
	if err != nil {
		panic(err)
	}
	buf, err := b.AppendTo(nil)
	if err != nil {
		panic(err)
	}
	return buf
}

// A file keeps the session tokens between runs. Without a path it is
// ~/.ulogger/session_tokens.json.
func ExampleOpenFileStore() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	store, err := mqttv5.OpenFileStore(mqttv5.FileStoreConfig{Path: filepath.Join(dir, "tokens.json")})
	if err != nil {
		fmt.Println(err)
		return
	}
	key := mqttv5.SessionKey{ApplicationID: 42, DeviceSerial: "ABC123", GitHash: "abcdef0"}
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

func ExampleDeviceInfo_Validate() {
	fmt.Println(mqttv5.DeviceInfo{DeviceSerial: "#"}.Validate())
	// Output: check device: device serial: character '#' at byte 0 is not allowed in a topic segment
}

// Records that must not be lost go through an outbox.
func ExampleOutbox() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cloud, err := localcloud.Start(ctx, localcloud.Config{Plaintext: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cloud.Close()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	outbox, err := mqttv5.OpenOutbox(mqttv5.OutboxConfig{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer outbox.Close()

	// Accepting needs no network: the record is on disk when SubmitLog returns.
	device := mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: "ABC123"}
	if _, err := outbox.SubmitLog(ctx, device, sampleLog()); err != nil {
		fmt.Println(err)
		return
	}

	client, err := mqttv5.New(mqttv5.Config{Broker: cloud.Host(), Port: cloud.Port(), CustomerID: "7", InsecurePlaintext: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	delivering, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- client.Deliver(delivering, outbox) }()
	err = outbox.WaitEmpty(ctx)
	stop()
	fmt.Println(err, <-done)
	fmt.Println(len(cloud.Received()), "received,", outbox.Stats().Waiting, "wait")
	// Output:
	// <nil> <nil>
	// 1 received, 0 wait
}
