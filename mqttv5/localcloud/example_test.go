package localcloud_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// A gateway is looked at by a cloud with the real one's limits. How a client comes
// with the cloud's certificates is in the first example of package mqttv5.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cloud, err := localcloud.Start(ctx, localcloud.Config{
		Plaintext: true, Strict: localcloud.AWS(),
		OnViolation: func(v localcloud.Violation) { fmt.Println(v.ClientID, v.Reason) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cloud.Close()
	gateway := mqttv5.Config{Broker: cloud.Host(), Port: cloud.Port(), CustomerID: "7", InsecurePlaintext: true}
	device := mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: "ABC123"}
	for f := range mqttv5.Diagnose(ctx, gateway, device) {
		fmt.Println(f.OK, f.Check)
	}
	_, registered := cloud.Token(42, "ABC123")
	fmt.Println("registered:", registered)
	// Output:
	// true configuration
	// true certificate and key
	// true clock
	// true name resolution
	// true connection and login
	// true broker limits
	// true registration
	// true topic layout
	// true log configuration
	// registered: true
}
