package otlp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/otlp"
)

// What a file sink holds goes to a receiver, which a test server stands for.
func Example() {
	if err := example(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// /v1/logs
	// 1 log records, next is record 2
}

func example() error {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.URL.Path)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer receiver.Close()
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
	b, err := format.NewLogBuilder(3)
	if err != nil {
		return err
	}
	if err := b.Add(&format.Record{Level: format.LevelInfo, FmtAddr: 0x8000, Args: []format.Arg{format.ArgI32(42)}}); err != nil {
		return err
	}
	log, err := b.AppendTo(nil)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := sink.Append(ctx, []ingest.Record{{Time: time.Now(), Kind: ingest.KindLog, Topic: "binlog/v0/7/42", Payload: log}}); err != nil {
		return err
	}

	firmware, err := dict.FromStrings(map[uint32]string{0x8000: "answer is %d"})
	if err != nil {
		return err
	}
	exporter, err := otlp.New(otlp.Config{
		URL: receiver.URL, Source: sink, PositionFile: filepath.Join(dir, "position"),
		Choose: otlp.ChooseFrom([]otlp.Dictionary{firmware}),
	})
	if err != nil {
		return err
	}
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := exporter.Drain(ctx); err != nil {
		return err
	}
	st := exporter.Stats()
	fmt.Printf("%d log records, next is record %d\n", st.LogRecords, st.Position)
	return nil
}
