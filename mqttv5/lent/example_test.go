package lent_test

import (
	"context"
	"fmt"
	"log"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/lent/paho311"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
	"github.com/ulogkit/ulogkit/mqttv5/telemetry"
)

// A gateway has one connection to AWS IoT Core, with one certificate and one client
// identifier, for its own commands and messages. It lends this connection for the logs
// and metrics of its devices. The stand-in takes the place of the endpoint.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cloud, err := localcloud.Start(ctx, localcloud.Config{Plaintext: true, CustomerID: "42"})
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()

	// The gateway's own connection. In the field this is
	// "tls://ENDPOINT.iot.REGION.amazonaws.com:8883", with its certificate.
	options := mqtt.NewClientOptions().AddBroker("tcp://" + cloud.Addr()).SetClientID("gateway-17")
	connection := paho311.Lend(options)
	gateway := mqtt.NewClient(options)
	if token := gateway.Connect(); token.Wait() && token.Error() != nil {
		log.Fatal(token.Error())
	}
	defer gateway.Disconnect(250)

	client, err := mqttv5.New(mqttv5.Config{CustomerID: "42", Lent: connection})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close() // the connection stays

	device := mqttv5.DeviceInfo{ApplicationID: 7, DeviceSerial: "SN-1", DeviceType: "lamp", GitVersion: "v1.0.0", GitHash: "3f2c9a1"}
	builder, err := format.NewLogBuilder(3)
	if err != nil {
		log.Fatal(err)
	}
	buf, err := builder.AppendTo(nil) // a log without records
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := client.UploadLog(ctx, device, buf)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Topic, receipt.Bytes, "bytes")

	receipt, err = client.PublishMetrics(ctx, device, []telemetry.Metric{{Name: "temperature", Value: 21.5}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt.Topic)
	fmt.Println("the gateway is connected:", gateway.IsConnectionOpen())
	// Output:
	// binlog/v0/42/7 17 bytes
	// metrics/v0/42/7
	// the gateway is connected: true
}
