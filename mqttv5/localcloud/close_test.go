package localcloud

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Clients that leave while the cloud is closed do not hold it up.
func TestLeavingClientsDoNotHoldCloseUp(t *testing.T) {
	for range 40 {
		cloud, err := Start(t.Context(), Config{Plaintext: true})
		if err != nil {
			t.Fatal(err)
		}
		var conns []net.Conn
		for i := range 30 {
			conn, err := net.Dial("tcp", cloud.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			id := fmt.Sprintf("%02d", i)
			connect := "\x10\x0f\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02" + id
			if _, err := io.WriteString(conn, connect); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(conn, make([]byte, 2)); err != nil { // CONNACK
				t.Fatal(err)
			}
			conns = append(conns, conn)
		}

		var leaving sync.WaitGroup
		for _, conn := range conns {
			leaving.Go(func() { conn.Close() })
		}
		closed := make(chan error, 1)
		go func() { closed <- cloud.Close() }()
		select {
		case err := <-closed:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Fatalf("got the cloud still open after %v, want it closed", patience)
		}

		leaving.Wait()
	}
}
