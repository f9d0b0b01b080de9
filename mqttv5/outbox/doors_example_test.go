package outbox_test

import (
	"context"
	"fmt"
	"os"

	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// A program submits beside the one that delivers, which has the outbox open.
func ExampleOpenSubmitter() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if _, err := outbox.OpenExisting(outbox.Config{Dir: dir}); err != nil {
		fmt.Println("nobody has made it yet")
	}

	submitter, err := outbox.OpenSubmitter(outbox.Config{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	log, err := devicetest.BuildLog(1, 100)
	if err != nil {
		fmt.Println(err)
		return
	}
	who := device.Info{ApplicationID: 42, DeviceSerial: "SN-1"}
	if _, err := submitter.SubmitLog(context.Background(), who, log); err != nil {
		fmt.Println(err) // it was not accepted
		return
	}

	deliverer, err := outbox.Open(outbox.Config{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer deliverer.Close()
	lease, err := deliverer.Lease(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("deliver a", lease.Record.Kind, "of", lease.Record.Device.DeviceSerial)
	lease.Done()
	// Output:
	// nobody has made it yet
	// deliver a log of SN-1
}

// The steps that a record can take, from when it is handed over.
func ExampleSteps() {
	for _, s := range outbox.Steps()[:3] {
		fmt.Printf("%s: from %s to %s\n", s.By, s.From, s.To)
	}
	// Output:
	// Submit: from offered to waiting
	// Lease: from waiting to in flight
	// Done: from in flight to delivered
}
