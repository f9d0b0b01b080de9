package mqttv5_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// One log from a device to the cloud. The stand-in cloud takes the place of
// mqtt.ulogger.ai; the files it names are those that a real account comes with.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
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

// Records that must not be lost go through an outbox.
func ExampleOutbox() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
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

// What keeps an upload from working is found step by step.
func ExampleDiagnose() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cfg := mqttv5.Config{CustomerID: "975773647", CertFile: "/etc/ulogger/certificate.pem.crt", KeyFile: "/etc/ulogger/none.pem.key"}
	for f := range mqttv5.Diagnose(ctx, cfg, mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: "ABC123"}) {
		fmt.Println(f.OK, f.Check)
		if !f.OK {
			fmt.Println(f.Remedy)
		}
	}
	// Output:
	// true configuration
	// false certificate and key
	// give the name of the file the cloud sent you
}

// Each log configuration that the cloud sends for a device.
func ExampleClient_WatchLogConfig() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cloud, err := localcloud.Start(ctx, localcloud.Config{Plaintext: true})
	if err != nil {
		fmt.Println(err)
		return
	}

	defer cloud.Close()
	client, err := mqttv5.New(mqttv5.Config{Broker: cloud.Host(), Port: cloud.Port(), CustomerID: "7", InsecurePlaintext: true})
	if err != nil {
		fmt.Println(err)
		return
	}

	defer client.Close()
	go func() { // the cloud's side, until the device has heard it
		for ctx.Err() == nil {
			cloud.Publish("config/v0/7/42/ABC123", mqttv5.LogConfig{Level: format.LevelDebug, ModuleFlags: 6, Timeout: time.Minute}.Binary())
			time.Sleep(20 * time.Millisecond)
		}
	}()

	for config, err := range client.WatchLogConfig(ctx, mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: "ABC123"}) {
		fmt.Println(config.Level, config.ModuleFlags, config.Timeout, err)
		break
	}
	// Output: debug 6 1m0s <nil>
}

// The counters go into the caller's own registry.
func ExampleNewCollector() {
	client, err := mqttv5.New(mqttv5.Config{Broker: "127.0.0.1", CustomerID: "7", InsecurePlaintext: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	registry := prometheus.NewRegistry()
	registry.MustRegister(mqttv5.NewCollector(client, nil))
	families, err := registry.Gather()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(families), families[0].GetName(), families[0].Metric[0].GetCounter().GetValue())
	// Output: 10 ulogkit_mqtt_connect_failures_total 0
}
