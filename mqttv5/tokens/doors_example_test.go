package tokens_test

import (
	"context"
	"fmt"

	"github.com/ulogkit/ulogkit/mqttv5/tokens"
)

func ExampleNewMemory() {
	store := tokens.NewMemory(1000)
	key := tokens.Key{CustomerID: "42", ApplicationID: 7, DeviceSerial: "SN-1", GitHash: "3f2c9a1"}
	if err := store.SetToken(context.Background(), key, 1234); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.Token(context.Background(), key))
	// Output: 1234 true <nil>
}
