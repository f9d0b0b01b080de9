package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// A worker takes a log from the broker into files, from which it is read later. The
// stand-in cloud takes the place of a broker.
func Example() {
	if err := example(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// record 1 is a log on binlog/v0/975773647/42, 33 bytes
}

func example() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cloud, err := localcloud.Start(ctx, localcloud.Config{})
	if err != nil {
		return err
	}
	defer cloud.Close()
	connection := mqttv5.Config{
		Broker: cloud.Host(), Port: cloud.Port(), CAFile: cloud.CAFile(),
		CertFile: cloud.CertFile(), KeyFile: cloud.KeyFile(), CustomerID: "975773647",
	}
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	sink, err := filesink.Open(filesink.Config{Dir: filepath.Join(dir, "sink")})
	if err != nil {
		return err
	}
	defer sink.Close()

	worker, err := ingest.New(ingest.Config{Connection: connection, Group: "archive", Name: "1", Sink: sink})
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(ctx)
	defer stop()
	stopped := make(chan error, 1)
	go func() { stopped <- worker.Run(run) }()
	for !worker.Health().Connected {
		time.Sleep(time.Millisecond)
	}

	if err := upload(ctx, connection); err != nil {
		return err
	}
	reader, err := sink.Read(ctx, 0)
	if err != nil {
		return err
	}
	defer reader.Close()
	record, err := reader.Next(ctx)
	for errors.Is(err, ingest.ErrEnd) {
		time.Sleep(time.Millisecond)
		record, err = reader.Next(ctx)
	}
	if err != nil {
		return err
	}
	fmt.Printf("record %d is a %v on %s, %d bytes\n", record.Sequence, record.Kind, record.Topic, len(record.Payload))
	stop()
	return <-stopped
}

func upload(ctx context.Context, connection mqttv5.Config) error {
	client, err := mqttv5.New(connection)
	if err != nil {
		return err
	}
	defer client.Close()
	b, err := format.NewLogBuilder(3)
	if err != nil {
		return err
	}
	if err := b.Add(&format.Record{Level: format.LevelInfo, FmtAddr: 0x8000, Args: []format.Arg{format.ArgI32(42), format.ArgU32(7)}}); err != nil {
		return err
	}
	log, err := b.AppendTo(nil)
	if err != nil {
		return err
	}
	_, err = client.UploadLog(ctx, mqttv5.DeviceInfo{ApplicationID: 42, DeviceSerial: "ABC123", GitHash: "abcdef0"}, log)
	return err
}
