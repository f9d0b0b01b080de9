package localcloud_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// A stand-in cloud and a client of it.
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
		Broker: cloud.Host(), Port: cloud.Port(), CustomerID: "7",
		CAFile: cloud.CAFile(), CertFile: cloud.CertFile(), KeyFile: cloud.KeyFile(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	token, err := client.GetSessionToken(ctx, mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: "ABC123"})
	if err != nil {
		fmt.Println(err)
		return
	}
	known, ok := cloud.Token(42, "ABC123")
	key, err := os.Stat(cloud.KeyFile())
	fmt.Println(token == known, ok, key.Mode(), err)
	// Output: true true -rw------- <nil>
}
