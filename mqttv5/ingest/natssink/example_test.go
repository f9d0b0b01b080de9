package natssink_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/natssink"
)

// Records are appended to a stream, which here one server in this process keeps
// instead of three, and replayed. The stream drops the copy that a retry leaves.
func Example() {
	if err := example(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 1 a
	// 2 b
}

func example() error {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	nats, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir, SyncAlways: true, NoLog: true, NoSigs: true,
	})
	if err != nil {
		return err
	}
	nats.Start()
	defer nats.WaitForShutdown()
	defer nats.Shutdown()
	if !nats.ReadyForConnections(2 * time.Minute) {
		return errors.New("the server does not start")
	}

	ctx := context.Background()
	sink, err := natssink.Open(ctx, natssink.Config{URL: nats.ClientURL(), Replicas: 1})
	if err != nil {
		return err
	}
	defer sink.Close()
	for _, text := range []string{"a", "b", "a"} {
		r := ingest.Record{Time: time.Now(), Key: ingest.Key{text[0]}, Kind: ingest.KindLog, Topic: "binlog/v0/7/42", Payload: []byte(text)}
		if err := sink.Append(ctx, []ingest.Record{r}); err != nil {
			return err
		}
	}
	stream, err := sink.Read(ctx, 0)
	if err != nil {
		return err
	}
	r := ingest.Deduplicate(stream, 0)
	defer r.Close()
	for {
		rec, err := r.Next(ctx)
		if errors.Is(err, ingest.ErrEnd) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Printf("%d %s\n", rec.Sequence, rec.Payload)
	}
}
