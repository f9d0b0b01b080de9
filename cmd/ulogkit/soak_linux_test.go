package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// soakTime is how long the soak lasts: ULOGKIT_SOAK, a duration, or a few seconds.
func soakTime(t *testing.T) time.Duration {
	s := os.Getenv("ULOGKIT_SOAK")
	if s == "" {
		return 8 * time.Second
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second {
		t.Fatalf("got %q in ULOGKIT_SOAK, error %v; want a duration of at least a second", s, err)
	}
	return d
}

// A gateway is left alone with three submitters, a program that puts files into its
// spool, and a network that is cut, hangs and refuses: its memory, descriptors and
// files stay as they are, it answers for its health all the time, and all that was
// accepted arrives.
func TestSoakStaysFlat(t *testing.T) {
	length := soakTime(t)
	book := soakBook{accepted: map[[32]byte]bool{}, arrived: map[[32]byte]bool{}}
	dir := t.TempDir()
	cloud, err := localcloud.Start(t.Context(), localcloud.Config{
		KeepBytes: 1, CustomerID: "42", LogConfig: []byte{byte(format.LevelWarning), 0xff, 0xff, 0xff, 0xff},
		OnReceive: func(r localcloud.Received) { book.arrive(t, r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	network := newFlaky(t, cloud.Addr(), length)
	box, drop, levels := filepath.Join(dir, "box"), filepath.Join(dir, "spool"), filepath.Join(dir, "levels")
	for _, d := range []string{drop, levels} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}

	said := newWatched()
	gw := exec.Command("ulogkit", "gateway", "--outbox", box, "--spool", drop, "--listen", "127.0.0.1:0", "--config-dir", levels,
		"--customer", "42", "--application", "7", "--serial", "SN-1", "--device-type", "lamp", "--git-hash", "3f2c9a1", "--store", filepath.Join(dir, "tokens"),
		"--broker", network.addr, "--ca", cloud.CAFile(), "--cert", cloud.CertFile(), "--key", cloud.KeyFile())
	gw.Env = append(os.Environ(), "HOME="+dir, "GORACE="+race)
	gw.Stdout, gw.Stderr = io.Discard, said
	if err := gw.Start(); err != nil {
		t.Fatal(err)
	}
	defer gw.Process.Kill()
	said.await(t, "metrics and health at")
	health := regexp.MustCompile(`http://[0-9.:]+`).FindString(said.String())

	// Everybody works until it is over.
	over := make(chan struct{})
	var tasks sync.WaitGroup
	for n := range 3 {
		tasks.Go(func() { book.submit(t, over, box, uint32(n)) })
	}
	tasks.Go(func() { book.drop(t, over, drop) })
	tasks.Go(func() { network.run(over) })
	samples := takeSamples(t, length, gw.Process.Pid, health, dir)
	close(over)
	tasks.Wait()

	book.awaitAll(t)
	if err := gw.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := gw.Wait(); err != nil {
		t.Errorf("got end %v of the gateway, want success", err)
	}
	left, err := os.ReadDir(drop)
	if err != nil || len(left) > 0 {
		t.Errorf("got %v left in the spool, error %v; want nothing", left, err)
	}
	records, err := exec.Command("ulogkit", "outbox", "list", "--outbox", box).CombinedOutput()
	if err != nil || len(records) > 0 {
		t.Errorf("got records left in the outbox, error %v; want none: %s", err, records)
	}
	t.Logf("%v, %d accepted logs arrived, the network failed %d times", length, len(book.accepted), network.failures)
	if network.failures == 0 {
		t.Error("got no failure of the network, want some")
	}
	checkFlat(t, samples)
}

// soakBook is what is known of every log.
type soakBook struct {
	mu                sync.Mutex
	accepted, arrived map[[32]byte]bool
}

func (b *soakBook) arrive(t *testing.T, r localcloud.Received) {
	if r.Err != nil {
		t.Errorf("got a bad message in the cloud, want good ones only: %v", r.Err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arrived[withoutToken(r.Payload)] = true
}

func (b *soakBook) accept(log []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accepted[withoutToken(log)] = true
}

// awaitAll waits until all that was accepted has arrived, and nothing else.
func (b *soakBook) awaitAll(t *testing.T) {
	t.Helper()
	missing := func() (n int) {
		b.mu.Lock()
		defer b.mu.Unlock()
		for h := range b.accepted {
			if !b.arrived[h] {
				n++
			}
		}
		return n
	}

	deadline := time.Now().Add(5 * time.Minute)
	for missing() > 0 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond) // polls another process
	}
	b.mu.Lock()
	accepted, arrived := len(b.accepted), len(b.arrived)
	b.mu.Unlock()
	if n := missing(); n > 0 || accepted == 0 || arrived != accepted {
		t.Fatalf("got %d of %d accepted logs missing, %d arrived; want none missing, and as many arrived as accepted, some", n, accepted, arrived)
	}
}

func withoutToken(b []byte) [32]byte {
	b = bytes.Clone(b)
	if len(b) >= 5 {
		binary.LittleEndian.PutUint32(b[1:], 0)
	}
	return sha256.Sum256(b)
}

func soakLog(t *testing.T, source, n uint32) []byte {
	b, err := format.NewLogBuilder(3)
	if err != nil {
		t.Error(err)
		return nil
	}
	b.TickRateHz, b.Tick = 32768, n
	text := strings.Repeat(string(rune('a'+n%26)), int(n%400))
	if err := b.Add(&format.Record{Level: format.LevelInfo, Module: 3, FmtAddr: source, Args: []format.Arg{format.ArgString(text)}}); err != nil {
		t.Error(err)
	}
	log, err := b.AppendTo(nil)
	if err != nil {
		t.Error(err)
	}
	return log
}

// submit accepts ten logs a second into an outbox that the gateway has open.
func (b *soakBook) submit(t *testing.T, over chan struct{}, box string, source uint32) {
	s, err := outbox.OpenSubmitter(outbox.Config{Dir: box})
	if err != nil {
		t.Error(err)
		return
	}

	dev := device.Info{ApplicationID: 7, DeviceSerial: fmt.Sprint("SN-", source), DeviceType: "lamp", GitHash: "3f2c9a1"}
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	for n := uint32(0); ; n++ {
		select {
		case <-over:
			return
		case <-every.C:
		}
		log := soakLog(t, source, n)
		if _, err := s.SubmitLog(t.Context(), dev, log); err != nil {
			t.Errorf("got error %v of a submit, want none", err)
			return
		}
		b.accept(log)
	}
}

// drop puts two files a second into the spool, as a program does that knows how.
func (b *soakBook) drop(t *testing.T, over chan struct{}, dir string) {
	every := time.NewTicker(500 * time.Millisecond)
	defer every.Stop()
	for n := uint32(0); ; n++ {
		select {
		case <-over:
			return
		case <-every.C:
		}
		log := soakLog(t, 9, n)
		name := filepath.Join(dir, fmt.Sprint(n))
		if err := os.WriteFile(name+".tmp", log, 0o600); err != nil {
			t.Error(err)
			return
		}
		if err := os.Rename(name+".tmp", name); err != nil {
			t.Error(err)
			return
		}
		b.accept(log)
	}
}

// flaky is a network that fails: the address of a server behind it.
type flaky struct {
	t        *testing.T
	addr, to string
	longest  time.Duration // that it works, or does not
	listener net.Listener

	mu       sync.Mutex
	open     map[net.Conn]bool
	hangs    bool
	failures int
	links    sync.WaitGroup
}

func newFlaky(t *testing.T, to string, length time.Duration) *flaky {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{t: t, addr: l.Addr().String(), to: to, longest: min(30*time.Second, length/10), listener: l, open: map[net.Conn]bool{}}
	go f.accept(l)
	t.Cleanup(func() {
		f.fail(false)
		f.listener.Close()
		f.links.Wait()
	})
	return f
}

func (f *flaky) accept(l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", f.to)
		if err != nil {
			in.Close()
			continue
		}
		f.mu.Lock()
		f.open[in], f.open[out] = true, true
		f.mu.Unlock()
		f.links.Go(func() { f.copy(in, out) })
		f.links.Go(func() { f.copy(out, in) })
	}
}

// copy hands on what comes, and swallows it while the network hangs.
func (f *flaky) copy(to, from net.Conn) {
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		to.Close()
		from.Close()
		delete(f.open, to)
		delete(f.open, from)
	}()

	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		f.mu.Lock()
		hangs := f.hangs
		f.mu.Unlock()
		if err == nil && !hangs {
			_, err = to.Write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

// fail cuts all connections, or lets them hang.
func (f *flaky) fail(hang bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures++
	f.hangs = hang
	for c := range f.open {
		if !hang {
			c.(*net.TCPConn).SetLinger(0) // a reset
			c.Close()
		}
	}
}

// run fails in turns until it is over, and then works.
func (f *flaky) run(over chan struct{}) {
	rest := func() bool {
		select {
		case <-over:
			return false
		case <-time.After(f.longest/4 + rand.N(f.longest)):
			return true
		}
	}

	for turn := 0; rest(); turn++ {
		switch turn % 3 {
		case 0: // cut, and back at once
			f.fail(false)
		case 1: // nothing gets through, and then it is cut
			f.fail(true)
			rest()
			f.fail(false)
		case 2: // refused
			f.listener.Close()
			f.fail(false)
			rest()
			l, err := net.Listen("tcp", f.addr)
			if err != nil {
				f.t.Error(err)
				return
			}
			f.listener = l
			go f.accept(l)
		}
	}
}

// soakSample is how the gateway is at one time.
type soakSample struct {
	at          time.Duration
	memory      int64 // resident, in bytes
	descriptors int64
	disk        int64 // bytes of outbox, spool and tokens
}

// takeSamples looks at the gateway from outside, each ten seconds of an hour.
func takeSamples(t *testing.T, length time.Duration, pid int, health, dir string) (all []soakSample) {
	begin := time.Now()
	every := time.NewTicker(length / 360)
	defer every.Stop()
	for time.Since(begin) < length {
		<-every.C
		s := soakSample{at: time.Since(begin), memory: residentMemory(t, pid), disk: diskUse(t, dir)}
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}

		s.descriptors = int64(len(fds))
		all = append(all, s)
		if len(all)%10 != 0 {
			continue
		}

		for _, page := range []string{"/healthz", "/metrics"} {
			client := http.Client{Timeout: 2 * time.Minute}
			res, err := client.Get(health + page)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			client.CloseIdleConnections()
			if err != nil || len(body) == 0 || res.StatusCode != 200 && (res.StatusCode != 503 || page == "/metrics") {
				t.Errorf("%s: got %s, %d bytes, error %v; want 200, or 503 of /healthz, and a text", page, res.Status, len(body), err)
			}
		}
	}

	return all
}

func residentMemory(t *testing.T, pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("got no memory of process %d, want that of the gateway: it has ended", pid)
	}
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

func diskUse(t *testing.T, dir string) (n int64) {
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil // gone meanwhile
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// checkFlat compares the last quarter with the second; in the first it warms up. What
// an outage piles up makes the disk uneven, so that its most counts.
func checkFlat(t *testing.T, all []soakSample) {
	for _, what := range []struct {
		name    string
		of      func(soakSample) int64
		at      float64 // which of a quarter, by size: 0.5 is the median
		factor  float64
		allowed int64 // beyond the factor
	}{
		{"memory", func(s soakSample) int64 { return s.memory }, 0.5, 1.1, 8 << 20},
		{"descriptors", func(s soakSample) int64 { return s.descriptors }, 0.5, 1, 3},
		{"disk", func(s soakSample) int64 { return s.disk }, 1, 1.5, 1 << 20},
	} {
		var quarters [4]int64
		for i := range quarters {
			var values []int64
			for _, s := range all[i*len(all)/4 : (i+1)*len(all)/4] {
				values = append(values, what.of(s))
			}
			slices.Sort(values)
			quarters[i] = values[int(what.at*float64(len(values)-1))]
		}
		t.Logf("%s by quarter: %d", what.name, quarters)
		if limit := int64(float64(quarters[1])*what.factor) + what.allowed; quarters[3] > limit {
			t.Errorf("%s grows: %d by quarter; want at most %d in the last", what.name, quarters, limit)
		}
	}

	for i := 0; i < len(all); i += max(len(all)/12, 1) {
		s := all[i]
		t.Logf("%8v  %4d MB  %3d descriptors  %6d KB on disk", s.at.Round(time.Second), s.memory>>20, s.descriptors, s.disk>>10)
	}
}
