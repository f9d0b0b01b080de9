package gateway_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/gateway"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// A gateway delivers an outbox until its context ends. The stand-in cloud takes the
// place of the real one.
func Example() {
	if err := example(); err != nil {
		fmt.Println(err)
	}
	// Output: 1 received, 0 wait
}

func example() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cloud, err := localcloud.Start(ctx, localcloud.Config{Plaintext: true})
	if err != nil {
		return err
	}
	defer cloud.Close()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	outbox, err := gateway.OpenOutbox(ctx, mqttv5.OutboxConfig{Dir: dir})
	if err != nil {
		return err
	}
	defer outbox.Close()
	log, err := devicetest.BuildLog(1, 100)
	if err != nil {
		return err
	}
	if _, err := outbox.SubmitLog(ctx, mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: "SN-1"}, log); err != nil {
		return err
	}

	var g *gateway.Gateway
	client, err := mqttv5.New(mqttv5.Config{
		Broker: cloud.Host(), Port: cloud.Port(), CustomerID: "7", InsecurePlaintext: true,
		Hooks: mqttv5.Hooks{Event: func(e mqttv5.Event) { g.Event(e) }},
	})
	if err != nil {
		return err
	}
	defer client.Close()
	if g, err = gateway.New(gateway.Config{Client: client, Outbox: outbox}); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- g.Run(running) }()
	err = outbox.WaitEmpty(ctx)
	stop()
	if e := <-done; err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	fmt.Println(len(cloud.Received()), "received,", outbox.Stats().Waiting, "wait")
	return nil
}
