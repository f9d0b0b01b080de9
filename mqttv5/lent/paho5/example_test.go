package paho5_test

import (
	"context"
	"fmt"
	"log"
	"net/url"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/lent/paho5"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// A program that has a connection manager of its own lends it. The stand-in takes the
// place of the broker.
func ExampleNew() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cloud, err := localcloud.Start(ctx, localcloud.Config{Plaintext: true, CustomerID: "42"})
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()

	manager, err := autopaho.NewConnection(ctx, autopaho.ClientConfig{
		ServerUrls:   []*url.URL{{Scheme: "mqtt", Host: cloud.Addr()}},
		KeepAlive:    20,
		ClientConfig: paho.ClientConfig{ClientID: "gateway-17"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Disconnect(context.WithoutCancel(ctx))
	if err := manager.AwaitConnection(ctx); err != nil {
		log.Fatal(err)
	}

	client, err := mqttv5.New(mqttv5.Config{CustomerID: "42", Lent: paho5.New(manager)})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close() // the connection stays

	device := mqttv5.DeviceInfo{ApplicationID: 7, DeviceSerial: "SN-1", DeviceType: "lamp", GitVersion: "v1.0.0", GitHash: "3f2c9a1"}
	receipt, err := client.Heartbeat(ctx, device, time.Time{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Topic)
	// Output: metrics/v0/42/7
}
