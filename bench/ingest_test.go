package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	pahopackets "github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
)

// Both sides of the comparison have the same Receive Maximum.
const ingestWindow = 128

const (
	ingestGroup    = "bench"
	ingestFilter   = "binlog/v0/7/+"
	ingestDeadline = 2 * time.Minute
)

// ingestLoad publishes logs of different devices to a broker, where they wait for
// the subscribers that are measured.
type ingestLoad struct {
	broker  *mosquitto
	log     []byte // of which each message is a variation
	devices int
	next    uint32
}

func newIngestLoad(tb testing.TB, size, devices int) *ingestLoad {
	tb.Helper()
	broker := startMosquitto(tb)
	b, err := format.NewLogBuilder(3)
	if err != nil {
		tb.Fatal(err)
	}
	b.TickRateHz = 32768
	record := format.Record{
		Level: format.LevelInfo, Module: 3, FmtAddr: 0x8000, TickDelta: 33,
		Args: []format.Arg{format.ArgI32(-40), format.ArgU32(3_300), format.ArgString("heater on")},
	}

	for b.Len() < size {
		if err := b.Add(&record); err != nil {
			tb.Fatal(err)
		}
	}

	log, err := b.AppendTo(nil)
	if err != nil {
		tb.Fatal(err)
	}

	return &ingestLoad{broker: broker, log: log, devices: devices}
}

// publish publishes n logs, no two alike, with QoS 1 and many at once, and waits
// until the broker has acknowledged all.
func (l *ingestLoad) publish(tb testing.TB, n int) {
	tb.Helper()
	conn, err := net.Dial("tcp", l.broker.address)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(ingestDeadline))
	c := pahopackets.Connect{ProtocolName: "MQTT", ProtocolVersion: 5, ClientID: "load", CleanStart: true, Properties: &pahopackets.Properties{}}
	if _, err := c.WriteTo(conn); err != nil {
		tb.Fatal(err)
	}

	in := bufio.NewReader(conn)
	if _, err := pahopackets.ReadPacket(in); err != nil {
		tb.Fatal(err)
	}
	const ahead = 1000
	room := make(chan struct{}, ahead)
	failed := make(chan error, 1)
	go func() {
		for range n {
			p, err := pahopackets.ReadPacket(in)
			if err == nil && (p.Type != pahopackets.PUBACK || p.Content.(*pahopackets.Puback).ReasonCode >= 0x80) {
				err = fmt.Errorf("broker answers with %v", p)
			}
			if err != nil {
				failed <- err
				return
			}
			<-room
		}
		failed <- nil
	}()

	out := bufio.NewWriterSize(conn, 64<<10)
	h := (*format.HeaderV3)(l.log)
	for i := range n {
		select {
		case room <- struct{}{}:
		default:
			out.Flush()
			room <- struct{}{}
		}
		l.next++
		device := int(l.next) % l.devices
		h.SetSessionToken(uint32(device) + 1)
		h.SetTick(l.next)
		p := pahopackets.Publish{
			Topic: "binlog/v0/7/" + strconv.Itoa(device), QoS: 1, PacketID: uint16(i%ahead*2 + 1 + i/ahead%2), Payload: l.log,
			Properties: &pahopackets.Properties{User: []pahopackets.User{{Key: "ulogkit-id", Value: "0123456789abcdef-" + strconv.Itoa(int(l.next))}}},
		}
		if _, err := p.WriteTo(out); err != nil {
			tb.Fatal(err)
		}
	}

	if err := out.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := <-failed; err != nil {
		tb.Fatal(err)
	}
}

// subscriber is what is measured: it takes messages until it is stopped, and its
// session stays with the broker.
type subscriber interface {
	// start connects, and returns how to stop.
	start(tb testing.TB) (stop func())
	// taken returns the number of messages taken and acknowledged so far.
	taken() int64
}

// countingSink is a sink in memory, and what a worker is compared with paho by.
type countingSink struct{ n atomic.Int64 }

func (s *countingSink) Append(_ context.Context, records []ingest.Record) error {
	for i := range records {
		if records[i].Reason != "" {
			return errors.New(records[i].Reason)
		}
	}
	s.n.Add(int64(len(records)))
	return nil
}

// tee counts what another sink has stored.
type tee struct {
	countingSink
	to ingest.Sink
}

func (s *tee) Append(ctx context.Context, records []ingest.Record) error {
	if err := s.to.Append(ctx, records); err != nil {
		return err
	}
	return s.countingSink.Append(ctx, records)
}

// workerSubscriber is a worker of package ingest.
type workerSubscriber struct {
	load *ingestLoad
	name string
	sink ingest.Sink
	n    *atomic.Int64
}

func (s *workerSubscriber) start(tb testing.TB) func() {
	w, err := ingest.New(ingest.Config{
		Connection: mqttv5.Config{Broker: s.load.broker.host, Port: s.load.broker.port, CustomerID: "7", InsecurePlaintext: true},
		Group:      ingestGroup, Name: s.name, Sink: s.sink, Filters: []string{ingestFilter}, ReceiveMaximum: ingestWindow,
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for !w.Health().Connected {
		time.Sleep(100 * time.Microsecond) // nobody tells
	}
	return func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	}
}

func (s *workerSubscriber) taken() int64 { return s.n.Load() }

// pahoSubscriber is a paho client that only acknowledges.
type pahoSubscriber struct {
	load *ingestLoad
	n    atomic.Int64
}

func (s *pahoSubscriber) start(tb testing.TB) func() {
	conn, err := net.Dial("tcp", s.load.broker.address)
	if err != nil {
		tb.Fatal(err)
	}

	c := paho.NewClient(paho.ClientConfig{
		Conn: pahopackets.NewThreadSafeConn(conn),
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(paho.PublishReceived) (bool, error) {
			s.n.Add(1)
			return true, nil
		}},
	})

	expiry, window := uint32(3600), uint16(ingestWindow)
	ctx, cancel := context.WithTimeout(context.Background(), ingestDeadline)
	defer cancel()
	if _, err := c.Connect(ctx, &paho.Connect{
		ClientID: "bare", KeepAlive: 60, CleanStart: false,
		Properties: &paho.ConnectProperties{SessionExpiryInterval: &expiry, ReceiveMaximum: &window},
	}); err != nil {
		tb.Fatal(err)
	}

	if _, err := c.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: "$share/" + ingestGroup + "/" + ingestFilter, QoS: 1}}}); err != nil {
		tb.Fatal(err)
	}

	return func() {
		c.Disconnect(&paho.Disconnect{ReasonCode: 0})
		<-c.Done()
	}
}

func (s *pahoSubscriber) taken() int64 { return s.n.Load() }

// ingestRound has n messages wait at the broker, connects the subscribers and
// returns how long they take for all of them.
func ingestRound(tb testing.TB, load *ingestLoad, n int, begin, end func(), subscribers ...subscriber) time.Duration {
	tb.Helper()
	before := int64(0)
	for _, s := range subscribers {
		before += s.taken()
	}
	load.publish(tb, n)
	begin()
	start := time.Now()
	var stops []func()
	for _, s := range subscribers {
		stops = append(stops, s.start(tb))
	}

	for {
		taken := -before
		for _, s := range subscribers {
			taken += s.taken()
		}
		if taken >= int64(n) {
			if taken > int64(n) {
				tb.Errorf("got %d messages taken, want %d as were sent", taken, n)
			}
			break
		}
		if time.Since(start) > ingestDeadline {
			tb.Fatalf("got %d messages taken within %v, want %d", taken, ingestDeadline, n)
		}
		time.Sleep(100 * time.Microsecond)
	}

	took := time.Since(start)
	end()
	for _, stop := range stops {
		stop()
	}
	return took
}

// join makes the subscribers' sessions, so that messages wait for them.
func join(tb testing.TB, subscribers ...subscriber) {
	tb.Helper()
	for _, s := range subscribers {
		s.start(tb)()
	}
}

func newWorkers(load *ingestLoad, n int, sink func(i int) (ingest.Sink, *atomic.Int64)) (all []subscriber) {
	for i := range n {
		s, count := sink(i)
		all = append(all, &workerSubscriber{load: load, name: strconv.Itoa(i), sink: s, n: count})
	}
	return all
}

func memory(int) (ingest.Sink, *atomic.Int64) {
	s := &countingSink{}
	return s, &s.n
}

// BenchmarkIngest measures what a subscriber takes from mosquitto, of messages
// that wait there: a worker with a sink in memory or on files, beside a bare paho
// subscriber that only acknowledges.
func BenchmarkIngest(b *testing.B) {
	run := func(name string, size, devices int, subscribers func(b *testing.B, load *ingestLoad) []subscriber) {
		b.Run(name, func(b *testing.B) {
			load := newIngestLoad(b, size, devices)
			all := subscribers(b, load)
			join(b, all...)
			b.SetBytes(int64(len(load.log)))
			b.ReportAllocs()
			b.StopTimer()
			took := ingestRound(b, load, b.N, b.StartTimer, b.StopTimer, all...)
			b.ReportMetric(float64(b.N)/took.Seconds(), "msgs/s")
		})
	}

	paho := func(_ *testing.B, load *ingestLoad) []subscriber { return []subscriber{&pahoSubscriber{load: load}} }
	inMemory := func(n int) func(*testing.B, *ingestLoad) []subscriber {
		return func(_ *testing.B, load *ingestLoad) []subscriber { return newWorkers(load, n, memory) }
	}
	onFiles := func(n int) func(*testing.B, *ingestLoad) []subscriber {
		return func(b *testing.B, load *ingestLoad) []subscriber {
			return newWorkers(load, n, func(i int) (ingest.Sink, *atomic.Int64) {
				f, err := filesink.Open(filesink.Config{Dir: filepath.Join(b.TempDir(), strconv.Itoa(i))})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { f.Close() })
				s := &tee{to: f}
				return s, &s.n
			})
		}
	}

	for _, size := range []int{256, 1024, 16384} {
		run(fmt.Sprintf("impl=paho/size=%d", size), size, 1, paho)
		run(fmt.Sprintf("impl=ingest-memory/size=%d", size), size, 1, inMemory(1))
		run(fmt.Sprintf("impl=ingest-file/size=%d", size), size, 1, onFiles(1))
	}

	run("impl=ingest-memory/size=1024/devices=1000", 1024, 1000, inMemory(1))
	for n := 2; n <= 3; n++ {
		run(fmt.Sprintf("impl=ingest-memory/size=1024/workers=%d", n), 1024, 1, inMemory(n))
		run(fmt.Sprintf("impl=ingest-file/size=1024/workers=%d", n), 1024, 1, onFiles(n))
	}
}

// A worker with a sink in memory takes at least 0.8 times the messages a second
// that a bare paho subscriber acknowledges, from the same broker, and allocates no
// more for each than paho does.
func TestWorkerKeepsUpWithPaho(t *testing.T) {
	const n, rounds, least = 3000, 5, 0.8
	load := newIngestLoad(t, 1024, 100)
	best := 0.0
	for round := 0; round < rounds && best < least; round++ {
		rate, allocs := [2]float64{}, [2]float64{}
		for i, s := range [2]subscriber{&pahoSubscriber{load: load}, newWorkers(load, 1, memory)[0]} {
			join(t, s)
			var before, after runtime.MemStats
			took := ingestRound(t, load, n, func() { runtime.ReadMemStats(&before) }, func() { runtime.ReadMemStats(&after) }, s)
			rate[i], allocs[i] = n/took.Seconds(), float64(after.Mallocs-before.Mallocs)/n
			leaveGroup(t, load, i)
		}
		best = max(best, rate[1]/rate[0])
		t.Logf("paho %.0f msgs/s with %.1f allocations each, worker %.0f with %.1f", rate[0], allocs[0], rate[1], allocs[1])
		if allocs[1] > allocs[0] {
			t.Errorf("got %.1f allocations of the worker for a message, want at most the %.1f of paho", allocs[1], allocs[0])
		}
	}

	if best < least {
		t.Errorf("got %.2f times the messages that paho took, want at least %.2f", best, least)
	}
}

// leaveGroup ends the session of the i-th subscriber of TestWorkerKeepsUpWithPaho, so
// that no message waits for it any more.
func leaveGroup(tb testing.TB, load *ingestLoad, i int) {
	tb.Helper()
	conn, err := net.Dial("tcp", load.broker.address)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(ingestDeadline))
	c := pahopackets.Connect{
		ProtocolName: "MQTT", ProtocolVersion: 5, ClientID: [2]string{"bare", "ingest-" + ingestGroup + "-0"}[i],
		CleanStart: true, Properties: &pahopackets.Properties{},
	}
	if _, err := c.WriteTo(conn); err != nil {
		tb.Fatal(err)
	}
	if _, err := pahopackets.ReadPacket(conn); err != nil {
		tb.Fatal(err)
	}
}
