package natssink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mosquitto"
)

// testLog returns a log that no other number gives.
func testLog(n int) ([]byte, error) {
	b, err := format.NewLogBuilder(3)
	if err != nil {
		return nil, err
	}
	b.SessionToken, b.Tick = uint32(n), uint32(n)
	if err := b.Add(&format.Record{FmtAddr: uint32(n), Args: []format.Arg{format.ArgString(fmt.Sprint("log ", n))}}); err != nil {
		return nil, err
	}
	return b.AppendTo(nil)
}

// The whole line: the uploader, mosquitto, three workers of one group and a stream
// of three replicas, whose leader is killed while uploads go on. Each payload whose
// upload was confirmed is in the stream exactly once, its bytes identical.
func TestLeaderKilledBehindThreeWorkersLosesNothing(t *testing.T) {
	broker, err := mosquitto.Start(t.TempDir())
	if errors.Is(err, mosquitto.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Stop)
	connection := mqttv5.Config{
		Broker: broker.Host, Port: broker.Port, CustomerID: "7", InsecurePlaintext: true, TokenTimeout: time.Minute,
		Tuning: mqttv5.Tuning{PublishesPerSecond: -1, BytesPerSecond: -1},
	}
	c := startCluster(t, 3)
	var sink *Sink
	for i := range 3 {
		sink = open(t, Config{URL: c.url()})
		w, err := ingest.New(ingest.Config{Connection: connection, Group: "g", Name: fmt.Sprint("w", i), Sink: sink})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- w.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		c.wait("the worker", func() bool { return w.Health().Connected })
	}
	client, err := mqttv5.New(connection)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })

	var mu sync.Mutex
	confirmed := map[string]bool{}
	upload := func(n int) {
		log, err := testLog(n)
		if err != nil {
			t.Error(err)
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if _, err := client.PublishBinaryLog(ctx, mqttv5.DeviceInfo{ApplicationID: uint32(n % 5), DeviceSerial: fmt.Sprint("SN", n%9)}, log); err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		confirmed[string(log)] = true
	}
	n, killed := 0, -1
	for round := range 30 {
		if round == 8 || round == 18 {
			killed = c.leader("ULOGKIT")
			go c.servers[killed].Shutdown() // under load
		}
		var wg sync.WaitGroup
		for range 40 {
			n++
			i := n
			wg.Go(func() { upload(i) })
		}
		wg.Wait()
		if round == 12 || round == 22 {
			c.stop(killed)
			c.start(killed)
		}
	}
	reader, err := sink.Read(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	times := map[string]int{}
	c.wait("all messages in the stream", func() bool {
		for {
			rec, err := reader.Next(t.Context())
			if errors.Is(err, ingest.ErrEnd) {
				return len(times) >= len(confirmed)
			}
			if err != nil {
				t.Fatal(err)
			}
			times[string(rec.Payload)]++
		}
	})
	for payload := range confirmed {
		if times[payload] != 1 {
			t.Errorf("got a confirmed upload %d times in the stream, want it once", times[payload])
		}
	}
	if len(confirmed) != n {
		t.Errorf("got %d uploads confirmed, want %d", len(confirmed), n)
	}
}
