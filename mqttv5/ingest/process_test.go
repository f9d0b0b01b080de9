//go:build unix

package ingest_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
)

// Tests run themselves as a child process to be killed or to run out of disk.
func TestMain(m *testing.M) {
	if dir := os.Getenv("INGEST_CHILD_DIR"); dir != "" {
		if limit := os.Getenv("INGEST_CHILD_LIMIT"); limit != "" {
			os.Exit(starved(dir, limit))
		}
		os.Exit(child(dir))
	}
	goleak.VerifyTestMain(m)
}

// doomed kills its process when a batch is durable, before the worker can
// acknowledge it.
type doomed struct{ ingest.Sink }

func (d doomed) Append(ctx context.Context, records []ingest.Record) error {
	if err := d.Sink.Append(ctx, records); err != nil {
		return err
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // not acknowledged, whatever happens
}

// child is the worker named "victim".
func child(dir string) int {
	sink, err := filesink.Open(filesink.Config{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	port, err := strconv.Atoi(os.Getenv("INGEST_CHILD_PORT"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	w, err := ingest.New(ingest.Config{Connection: plain(port), Group: "g", Name: "victim", Sink: doomed{sink}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	fmt.Println(w.Run(ctx))
	return 1 // it should have been killed
}

func plain(port int) mqttv5.Config {
	return mqttv5.Config{
		Broker: "127.0.0.1", Port: port, CustomerID: "7", InsecurePlaintext: true, TokenTimeout: time.Minute,
		AllowNoSubscriber: true,
		Tuning:            mqttv5.Tuning{PublishesPerSecond: -1, BytesPerSecond: -1},
	}
}
