package sinks_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/sinks"
)

// A sink is opened by its name, to write to and to read from.
func Example() {
	tmp, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(tmp)
	ctx, name := context.Background(), "file:"+filepath.Join(tmp, "stored")
	pair, err := sinks.Open(ctx, name, sinks.NATS{}, "", slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return
	}
	record := ingest.Record{Time: time.Now(), Kind: ingest.KindLog, Topic: "binlog/v0/7/42", Payload: []byte("x")}
	if err := pair.Good.Append(ctx, []ingest.Record{record}); err != nil {
		fmt.Println(err)
	}
	if err := pair.Close(); err != nil {
		fmt.Println(err)
	}

	source, err := sinks.Read(ctx, name, sinks.NATS{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer source.Close()
	reader, err := source.Read(ctx, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reader.Close()
	stored, err := reader.Next(ctx)
	fmt.Println(stored.Topic, err)
	// Output: binlog/v0/7/42 <nil>
}
