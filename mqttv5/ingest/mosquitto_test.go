//go:build unix

package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mosquitto"
)

func startMosquitto(t *testing.T) *mosquitto.Broker {
	t.Helper()
	b, err := mosquitto.Start(t.TempDir())
	if errors.Is(err, mosquitto.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

// uploads publishes logs with the real uploader and remembers those whose upload
// was confirmed.
type uploads struct {
	client *mqttv5.Client

	mu        sync.Mutex
	next      int
	confirmed map[string]bool // payloads
}

func newUploads(t *testing.T, port int) *uploads {
	t.Helper()
	c, err := mqttv5.New(plain(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &uploads{client: c, confirmed: map[string]bool{}}
}

// burst uploads n logs at once.
func (u *uploads) burst(t *testing.T, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		u.mu.Lock()
		u.next++
		i := u.next
		u.mu.Unlock()
		wg.Go(func() {
			b, err := format.NewLogBuilder(3)
			if err != nil {
				t.Error(err)
				return
			}

			b.SessionToken, b.Tick = uint32(i), uint32(i)
			if err := b.Add(&format.Record{FmtAddr: uint32(i), Args: []format.Arg{format.ArgString(fmt.Sprint("log ", i))}}); err != nil {
				t.Error(err)
				return
			}

			log, err := b.AppendTo(nil)
			if err != nil {
				t.Error(err)
				return
			}

			dev := mqttv5.DeviceInfo{ApplicationID: uint32(i % 3), DeviceSerial: fmt.Sprint("SN", i%10)}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			r, err := u.client.PublishBinaryLog(ctx, dev, log)
			if err != nil {
				t.Error(err)
				return
			}

			if r.Code == mqttv5.ReasonNoMatchingSubscribers {
				return // nobody promised anything yet
			}
			u.mu.Lock()
			u.confirmed[string(log)] = true
			u.mu.Unlock()
		})
	}

	wg.Wait()
}

// stored returns the records in the directories by key, and the number of copies.
func stored(t *testing.T, dirs ...string) (byKey map[ingest.Key]ingest.Record, copies int) {
	t.Helper()
	byKey = map[ingest.Key]ingest.Record{}
	for _, dir := range dirs {
		r, err := filesink.OpenReader(dir, 0)
		if err != nil {
			t.Fatal(err)
		}

		for {
			rec, err := r.Next(t.Context())
			if errors.Is(err, ingest.ErrEnd) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if first, ok := byKey[rec.Key]; ok {
				copies++
				if !bytes.Equal(first.Payload, rec.Payload) {
					t.Fatal("got two messages of one key, want a key for each")
				}
				continue
			}
			byKey[rec.Key] = rec
		}

		r.Close()
	}

	return byKey, copies
}

// check is the oracle: each payload whose upload was confirmed is stored exactly
// once when copies are left out, its bytes identical.
func (u *uploads) check(t *testing.T, byKey map[ingest.Key]ingest.Record) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	times := map[string]int{}
	for _, r := range byKey {
		times[string(r.Payload)]++
	}

	missing, often := 0, 0
	for payload := range u.confirmed {
		switch times[payload] {
		case 0:
			missing++
		case 1:
		default:
			often++
		}
	}

	if missing > 0 || often > 0 || len(u.confirmed) == 0 {
		t.Errorf("got %d of %d confirmed uploads not stored and %d more than once, want some confirmed and each stored once",
			missing, len(u.confirmed), often)
	}
}

// waitStored waits until the directories hold what was confirmed.
func (u *uploads) waitStored(t *testing.T, dirs ...string) {
	t.Helper()
	deadline := time.After(5 * time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		byKey, _ := stored(t, dirs...)
		u.mu.Lock()
		n := len(u.confirmed)
		u.mu.Unlock()
		if len(byKey) >= n {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Errorf("got %d messages stored after five minutes, want %d", len(byKey), n)
			return
		}
	}
}

// worker runs a worker on a file sink in dir until the test ends or stop is called.
func worker(t *testing.T, port int, name, dir string, wrap func(ingest.Sink) ingest.Sink) (w *ingest.Worker, stop func()) {
	t.Helper()
	return configured(t, ingest.Config{Connection: plain(port), Group: "g", Name: name}, dir, wrap)
}

// configured is worker with a configuration.
func configured(t *testing.T, cfg ingest.Config, dir string, wrap func(ingest.Sink) ingest.Sink) (w *ingest.Worker, stop func()) {
	t.Helper()
	file, err := filesink.Open(filesink.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	sink := ingest.Sink(file)
	if wrap != nil {
		sink = wrap(sink)
	}
	cfg.Sink = sink
	w, err = ingest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		file.Close()
	})

	t.Cleanup(stop)
	for !w.Health().Connected {
		if t.Context().Err() != nil || w.Health().Fatal != "" {
			t.Fatalf("got health %+v, want the worker connected", w.Health())
		}
		time.Sleep(time.Millisecond) // polling; the test's own timeout bounds it
	}

	return w, stop
}

func dirs(t *testing.T) (a, b, c string) {
	root := t.TempDir()
	return filepath.Join(root, "a"), filepath.Join(root, "b"), filepath.Join(root, "c")
}

func TestThreeWorkersShareAGroup(t *testing.T) {
	t.Parallel()
	broker := startMosquitto(t)
	a, b, c := dirs(t)
	for name, dir := range map[string]string{"a": a, "b": b, "c": c} {
		worker(t, broker.Port, name, dir, nil)
	}
	u := newUploads(t, broker.Port)
	for range 10 {
		u.burst(t, 60)
	}
	u.waitStored(t, a, b, c)
	byKey, copies := stored(t, a, b, c)
	u.check(t, byKey)
	if copies > 0 {
		t.Errorf("got %d copies without any fault, want none", copies)
	}

	for _, dir := range []string{a, b, c} {
		if one, _ := stored(t, dir); len(one) < 100 {
			t.Errorf("got %d of 600 messages at one worker, want at least 100", len(one))
		}
	}
}

// number returns the number in an environment variable, or the default for CI or
// elsewhere.
func number(t *testing.T, name string, elsewhere, ci int) int {
	t.Helper()
	if s := os.Getenv(name); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("%s: got %v, want a number", name, err)
		}
		return n
	}
	if os.Getenv("CI") == "true" {
		return ci
	}
	return elsewhere
}

// A worker is killed between the durable write and the acknowledgement, again and
// again; two others in its group work on.
func TestKillBetweenWriteAndAcknowledgementLosesNothing(t *testing.T) {
	t.Parallel()
	cycles := number(t, "ULOGKIT_KILL_CYCLES", 6, 200)
	broker := startMosquitto(t)
	victim, a, b := dirs(t)
	worker(t, broker.Port, "a", a, nil)
	worker(t, broker.Port, "b", b, nil)
	u := newUploads(t, broker.Port)
	for range cycles {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "INGEST_CHILD_DIR="+victim, fmt.Sprint("INGEST_CHILD_PORT=", broker.Port))
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}

		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for waiting := true; waiting; {
			u.burst(t, 6)
			select {
			case err := <-ended:
				if cmd.ProcessState.ExitCode() != -1 {
					t.Fatalf("got a victim that ended by itself with %v, want it to run until it is killed: %s", err, &out)
				}
				waiting = false
			case <-time.After(250 * time.Millisecond): // the first one subscribes late
			}
		}
	}

	worker(t, broker.Port, "victim", victim, nil)
	u.waitStored(t, victim, a, b)
	byKey, copies := stored(t, victim, a, b)
	u.check(t, byKey)
	if copies < cycles/2 {
		t.Errorf("got %d copies after %d kills, want at least %d: kills come between write and acknowledgement", copies, cycles, cycles/2)
	}

	t.Logf("%d kills, %d uploads, %d copies", cycles, len(u.confirmed), copies)
}

// outage is a sink that can be down.
type outage struct {
	ingest.Sink
	mu   sync.Mutex
	down bool
}

func (o *outage) set(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = down
}

func (o *outage) Append(ctx context.Context, records []ingest.Record) error {
	o.mu.Lock()
	down := o.down
	o.mu.Unlock()
	if down {
		return errors.New("the sink is down")
	}
	return o.Sink.Append(ctx, records)
}

// The sink of one worker is down for a while (in CI, a minute). What the broker
// gave to that worker is stored afterwards, though it has given it far more than a
// Receive Maximum.
func TestSinkDownForAWhileLosesNothing(t *testing.T) {
	t.Parallel()
	broker := startMosquitto(t)
	a, b, c := dirs(t)
	o := &outage{}
	w, _ := worker(t, broker.Port, "a", a, func(s ingest.Sink) ingest.Sink { o.Sink = s; return o })
	worker(t, broker.Port, "b", b, nil)
	worker(t, broker.Port, "c", c, nil)
	u := newUploads(t, broker.Port)
	u.burst(t, 60)
	o.set(true)
	end := time.After(time.Duration(number(t, "ULOGKIT_OUTAGE_SECONDS", 1, 60)) * time.Second)
	for n, down := 0, true; down; n++ {
		if n < 15 {
			u.burst(t, 60)
		}
		select {
		case <-end:
			down = false
		case <-time.After(10 * time.Millisecond): // leaves the machine to the other tests
		}
	}

	if h := w.Health(); h.OK() || h.Sink == "" || !h.Connected {
		t.Errorf("got health %+v, want connected, an error of the sink, and not OK", h)
	}
	o.set(false)
	u.waitStored(t, a, b, c)
	byKey, copies := stored(t, a, b, c)
	u.check(t, byKey)
	if copies > 0 {
		t.Errorf("got %d copies, want none", copies)
	}
}

// What a worker that left for good would have got goes to the others; what one that
// merely stopped would have got waits for it.
func TestMessagesWaitOnlyForAWorkerThatDidNotLeave(t *testing.T) {
	t.Parallel()
	broker := startMosquitto(t)
	a, b, c := dirs(t)
	_, leave := configured(t, ingest.Config{Connection: plain(broker.Port), Group: "g", Name: "a", Leave: true}, a, nil)
	_, stop := worker(t, broker.Port, "b", b, nil)
	worker(t, broker.Port, "c", c, nil)
	u := newUploads(t, broker.Port)
	u.burst(t, 30)
	u.waitStored(t, a, b, c)
	leave()
	stop()
	before, _ := stored(t, a)
	u.burst(t, 30)
	waiting, _ := stored(t, a, b, c)
	worker(t, broker.Port, "b", b, nil)
	u.waitStored(t, a, b, c)
	byKey, copies := stored(t, a, b, c)
	u.check(t, byKey)
	if after, _ := stored(t, a); len(after) != len(before) {
		t.Errorf("got %d more messages at the worker that left, want none", len(after)-len(before))
	}

	if copies > 0 || len(waiting) >= 60 {
		t.Errorf("got %d copies and %d messages stored while one worker was stopped, want none and fewer than 60", copies, len(waiting))
	}
}
