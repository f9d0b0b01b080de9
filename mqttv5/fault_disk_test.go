package mqttv5

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"

	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// The fault list, F17 to F21 and F26: what a disk, a process and a clock do.

func TestF17DiskFull(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, "fill", dir)
	accepted := map[string]bool{}
	for {
		id, ok := c.line()
		if !ok {
			break
		}
		accepted[id] = true
	}
	if err := c.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(accepted) < 20 {
		t.Errorf("only %d were accepted", len(accepted))
	}
	o := openOutbox(t, dir)
	defer o.Close()
	for r, err := range o.Records() {
		if err != nil || r.State != StateWaiting {
			t.Errorf("%+v, %v", r, err)
		}
		delete(accepted, r.ID)
	}
	if len(accepted) > 0 {
		t.Errorf("%d accepted records are gone", len(accepted))
	}
	if s := o.Stats(); s.Damaged != 0 {
		t.Errorf("stats %+v", s)
	}
}

// What was acknowledged while the disk was full does not come back, even though
// others went on submitting and were refused.
func TestF17DeliverWhileFull(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{Plaintext: true})
	dir := t.TempDir()
	c := startChild(t, "full", dir, fmt.Sprint(cloud.Port()))
	accepted := map[string]bool{}
	waiting := -1
	for {
		line, ok := c.line()
		if !ok {
			break
		}
		if id, ok := strings.CutPrefix(line, "accepted "); ok {
			accepted[id] = true
		} else if _, err := fmt.Sscanf(line, "waiting %d", &waiting); err != nil {
			t.Fatalf("child said %q", line)
		}
	}
	if err := c.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	o := openOutbox(t, dir)
	defer o.Close()
	acknowledged := cloud.Received()
	if s := o.Stats(); s.Waiting != waiting || s.Waiting != len(accepted)-len(acknowledged) || s.Delivered != uint64(len(acknowledged)) || s.Accepted != uint64(len(accepted)) {
		t.Errorf("%d accepted, %d acknowledged, %d waited; after reopening %+v", len(accepted), len(acknowledged), waiting, s)
	}
	stop := deliverIn(t, newClient(t, cloudConfig(cloud)), o)
	if err := o.WaitEmpty(within(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for _, r := range cloud.Received() {
		if !accepted[r.ID] {
			t.Errorf("%s was not accepted, or came twice", r.ID)
		}
		delete(accepted, r.ID)
	}
	if len(accepted) > 0 {
		t.Errorf("%d accepted records are gone", len(accepted))
	}
}

// A person can make room: on a full disk records can be dropped, whatever their
// size and wherever they lie in the file.
func TestF17DropWhileFull(t *testing.T) {
	for _, size := range []int{4000, 20_000, 60_000, 130_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir := t.TempDir()
			if err := startChild(t, "drop", dir, fmt.Sprint(size)).cmd.Wait(); err != nil {
				t.Error(err)
			}
			openOutbox(t, dir).Close()
		})
	}
}

// killCycles is how often F18 kills its child: ULOGKIT_KILL_CYCLES, else 300 in
// CI and a few elsewhere.
func killCycles(t testing.TB) int {
	t.Helper()
	if s := os.Getenv("ULOGKIT_KILL_CYCLES"); s != "" {
		n := 0
		if _, err := fmt.Sscan(s, &n); err != nil || n < 1 {
			t.Fatalf("ULOGKIT_KILL_CYCLES is %q", s)
		}
		return n
	}
	if os.Getenv("CI") == "true" {
		return 300
	}
	return 15
}

// lives follows the records of TestF18Kill from what the children print.
type lives struct {
	accepted map[string]string // hash by record id
	removed  map[string]int    // the cycle in which a record was acknowledged, for good

	acknowledged map[string]string          // the last record of each device
	queued       map[string]map[string]bool // records whose removal waits for a commit, and for whom it was waited once
}

// begin is told that there is a new child, which knows what is on disk.
func (l *lives) begin() {
	l.acknowledged = map[string]string{}
	l.queued = map[string]map[string]bool{}
}

// line reads one line. When the next record of a device is acknowledged, the removal
// of the one before had been queued before that was sent. It is on disk once
// somebody has submitted twice since: the second time he began later.
func (l *lives) line(t testing.TB, cycle int, line string) {
	t.Helper()
	f := strings.Fields(line)
	if len(f) == 0 || f[len(f)-1] != "." {
		return // cut off by the kill
	}
	serial, id := f[1], f[2]
	if f[0] == "acknowledged" {
		if last := l.acknowledged[serial]; last != "" {
			l.queued[last] = map[string]bool{}
		}
		l.acknowledged[serial] = id
		return
	}
	if old, ok := l.accepted[id]; ok && old != f[3] {
		t.Fatalf("id %s was given out twice", id)
	}
	l.accepted[id] = f[3]
	for id, waited := range l.queued {
		if waited[serial] {
			l.removed[id] = cycle
			delete(l.queued, id)
		}
		waited[serial] = true
	}
}

func TestF18Kill(t *testing.T) {
	var mu sync.Mutex
	delivered := map[string][sha256.Size]byte{}
	copies := map[string][]int{} // the cycles in which a record was sent
	cycles := killCycles(t)
	cloud := startCloud(t, localcloud.Config{Plaintext: true, KeepBytes: 1, OnReceive: func(r localcloud.Received) {
		cycle := cycles // without a child
		if _, rest, ok := strings.Cut(r.Topic, "/cycle"); ok {
			if _, err := fmt.Sscanf(rest, "%d/", &cycle); err != nil {
				t.Errorf("topic %s: %v", r.Topic, err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		sum := sha256.Sum256(withoutTokenOf(r.Payload))
		if old, ok := delivered[r.ID]; ok && old != sum {
			t.Errorf("%s came with two contents", r.ID)
		}
		delivered[r.ID] = sum
		copies[r.ID] = append(copies[r.ID], cycle)
	}})
	dir := t.TempDir()
	l := &lives{accepted: map[string]string{}, removed: map[string]int{}}
	rnd := rand.New(rand.NewPCG(18, uint64(time.Now().UnixNano())))
	port := fmt.Sprint(cloud.Port())
	for n := range cycles {
		l.begin()
		c := startChild(t, "work", dir, port, fmt.Sprint(n))
		timer := time.AfterFunc(30*time.Second, func() { c.cmd.Process.Kill() })
		armed := false
		for {
			line, ok := c.line()
			if !ok {
				break
			}
			if !armed {
				armed = true // it works: let it, for a moment
				time.AfterFunc(time.Duration(rnd.IntN(40_000))*time.Microsecond, func() { c.cmd.Process.Kill() })
			}
			l.line(t, n, line)
		}
		c.cmd.Wait()
		timer.Stop()
		if !armed {
			t.Fatalf("cycle %d: the child accepted nothing", n)
		}
	}
	o := openOutbox(t, dir)
	defer o.Close()
	client := newClient(t, cloudConfig(cloud))
	stop := deliverIn(t, client, o)
	if err := o.WaitEmpty(within(t, 60*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if s := o.Stats(); s.Parked != 0 || s.Damaged != 0 {
		t.Errorf("stats %+v", s)
	}
	if list, err := filepath.Glob(filepath.Join(dir, "*.damaged-*")); err != nil || len(list) > 0 {
		t.Errorf("the outbox was found damaged: %v %v", list, err)
	}
	mu.Lock()
	defer mu.Unlock()
	for id, sum := range l.accepted {
		if got, ok := delivered[id]; !ok {
			t.Errorf("%s was accepted and never delivered", id)
		} else if fmt.Sprintf("%x", got) != sum {
			t.Errorf("%s was altered", id)
		}
	}
	// No more copies than kills while it was not acknowledged: each process sends a
	// record once, and none does after one that has removed it.
	for id, sent := range copies {
		seen := map[int]bool{}
		for _, cycle := range sent {
			if removed, ok := l.removed[id]; seen[cycle] || (ok && cycle > removed) {
				t.Errorf("%s was sent in cycles %v; it was removed in %d (%v)", id, sent, removed, ok)
			}
			seen[cycle] = true
		}
	}
	if len(l.removed) == 0 {
		t.Error("no record was known to be removed")
	}
	t.Logf("%d cycles, %d accepted, %d delivered, %d known to be removed", cycles, len(l.accepted), len(delivered), len(l.removed))
}

// fillOutbox makes an outbox of n records and returns its directory.
func fillOutbox(t testing.TB, n int) (dir string, payloads map[string][]byte) {
	t.Helper()
	dir = t.TempDir()
	o := openOutbox(t, dir)
	payloads = map[string][]byte{}
	for i := range n {
		ids, err := o.SubmitText(t.Context(), testDevice(i%3), []TextEntry{{int64(i), format.LevelInfo, strings.Repeat(string(rune('a'+i%26)), 700)}})
		if err != nil {
			t.Fatal(err)
		}
		if payloads[ids[0]], err = o.Payload(ids[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, payloads
}

// surviving opens a damaged outbox and counts what is intact, and set aside.
func surviving(t testing.TB, dir string, payloads map[string][]byte) (good, damaged int) {
	t.Helper()
	o, err := OpenOutbox(OutboxConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for r, err := range o.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if r.State == StateDamaged {
			damaged++
			continue
		}
		b, err := o.Payload(r.ID)
		if err != nil || !bytes.Equal(b, payloads[r.ID]) {
			t.Errorf("%s was altered: %v", r.ID, err)
		}
		good++
	}
	if s := o.Stats(); s.Waiting != good || s.Damaged != damaged {
		t.Errorf("stats %+v, found %d and %d", s, good, damaged)
	}
	// It goes on working.
	if _, err := o.SubmitText(t.Context(), testDevice(9), []TextEntry{{1, format.LevelInfo, "fresh"}}); err != nil {
		t.Error(err)
	}
	return good, damaged
}

func TestF19BitFlips(t *testing.T) {
	const records = 20
	src, payloads := fillOutbox(t, records)
	file, err := os.ReadFile(filepath.Join(src, "outbox.db"))
	if err != nil {
		t.Fatal(err)
	}
	flips := 150
	if testing.Short() {
		flips = 20
	}
	rnd := rand.New(rand.NewPCG(19, 19))
	dir := t.TempDir()
	caught := 0
	for n := range flips {
		b := bytes.Clone(file)
		at := rnd.IntN(len(b))
		if n%2 == 0 { // within a record
			at = bytes.Index(b, recordMagic) + rnd.IntN(700*records)
		}
		if n < 64 {
			at = n * 2 // meta pages and the first headers
		}
		b[at] ^= 1 << rnd.IntN(8)
		d := filepath.Join(dir, fmt.Sprint(n))
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "outbox.db"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		good, damaged := surviving(t, d, payloads)
		if good < records-1 || good+damaged > records+1 {
			t.Errorf("flip at %d: %d of %d records survived, %d set aside", at, good, records, damaged)
		}
		aside, err := filepath.Glob(filepath.Join(d, "*.damaged-*"))
		if err != nil {
			t.Fatal(err)
		}
		if damaged > 0 || len(aside) > 0 {
			caught++
		} else if good != records {
			t.Errorf("flip at %d: a record vanished without a trace", at)
		}
		os.RemoveAll(d)
	}
	if caught < flips/4 {
		t.Errorf("%d of %d flips were noticed; the rest hit unused bytes?", caught, flips)
	}
}

func TestF19Truncation(t *testing.T) {
	const records = 20
	src, payloads := fillOutbox(t, records)
	file, err := os.ReadFile(filepath.Join(src, "outbox.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 15, 80, 4095, 4096, 8192, 12288, len(file) / 2, len(file) - 4096, len(file) - 1} {
		d := t.TempDir()
		if err := os.WriteFile(filepath.Join(d, "outbox.db"), file[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		whole := 0
		if err := carve(bytes.NewReader(file[:n]), func([]byte) error { whole++; return nil }); err != nil {
			t.Fatal(err)
		}
		good, _ := surviving(t, d, payloads)
		// The file may hold older copies of a record, from before a page split.
		if good > records || (whole > 0 && good == 0) {
			t.Errorf("cut at %d of %d: %d records survived, %d were in it", n, len(file), good, whole)
		}
		if n >= len(file)-1 && good != records {
			t.Errorf("cut by one byte: %d of %d survived", good, records)
		}
	}
}

// One record that changed on disk is set aside and its neighbours are delivered,
// even when it changes while the outbox is open.
func TestF19DamageWhileOpen(t *testing.T) {
	dir, payloads := fillOutbox(t, 6)
	cloud := startCloud(t, localcloud.Config{Plaintext: true})
	o := openOutbox(t, dir)
	defer o.Close()
	f, err := os.OpenFile(filepath.Join(dir, "outbox.db"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(file, []byte("ccccc")) // in the third record, wherever a copy lies
	for i := 0; i < len(file); i++ {
		if bytes.HasPrefix(file[i:], []byte("ccccc")) {
			if _, err := f.WriteAt([]byte{'C'}, int64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.Close()
	if at < 0 {
		t.Fatal("record not found")
	}
	stop := deliverIn(t, newClient(t, cloudConfig(cloud)), o)
	if err := o.WaitEmpty(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := len(cloud.Received()); got != len(payloads)-1 {
		t.Errorf("%d received, want %d", got, len(payloads)-1)
	}
	if s := o.Stats(); s.Damaged != 1 {
		t.Errorf("stats %+v", s)
	}
	for r := range o.Records() {
		if r.State != StateDamaged {
			t.Errorf("%+v", r)
		}
		if err := o.Drop(r.ID); err != nil {
			t.Error(err)
		}
	}
	if s := o.Stats(); s.Damaged != 0 || s.Bytes != 0 {
		t.Errorf("after Drop: %+v", s)
	}
}

func TestF20SecondProcess(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, "hold", dir)
	if line, _ := c.line(); line != "open" {
		t.Fatalf("child said %q", line)
	}
	if _, err := OpenOutbox(OutboxConfig{Dir: dir}); !errors.Is(err, ErrStorage) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("second process: %v", err)
	}
	c.stdin.Close()
	if err := c.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	openOutbox(t, dir).Close()
}

func TestF20TokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	const processes = 16
	var children []*child
	for n := range processes {
		children = append(children, startChild(t, "tokens", path, fmt.Sprint(n+1)))
	}
	for _, c := range children {
		if err := c.cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	s, err := OpenFileStore(FileStoreConfig{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= processes; n++ {
		for i := range 10 {
			key := SessionKey{Broker: "b", CustomerID: "1", ApplicationID: uint32(n), DeviceSerial: fmt.Sprint(i), GitHash: "g"}
			if token, ok, err := s.Token(t.Context(), key); !ok || err != nil || token != uint32(n*1000+i+1) {
				t.Errorf("process %d token %d: %d %v %v", n, i, token, ok, err)
			}
		}
	}
}

func TestF21ClockJumps(t *testing.T) {
	withFaults(t, nil, nil, func(t *testing.T, f *faults) {
		if err := f.o.Close(); err != nil {
			t.Fatal(err)
		}
		var err error
		if f.o, err = OpenOutbox(OutboxConfig{Dir: f.o.Dir(), MaxAge: time.Hour}); err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		for _, wall := range []time.Time{now, now.Add(time.Hour), now.Add(-time.Hour), time.Unix(0, 0), now.AddDate(10, 0, 0), now} {
			f.o.wall = func() time.Time { return wall }
			f.or.submit(t, f.o, 2, 2, 20) // not refused for its age
			if age := f.o.Stats().OldestAge; age > time.Minute {
				t.Errorf("at %v the oldest is %v old", wall, age)
			}
		}
		f.deliver()
		f.finish()
		last := map[string]uint64{}
		for _, p := range f.b.Published() {
			var seq uint64
			head, _, _ := strings.Cut(string(p.Payload), "\n")
			if _, err := fmt.Sscanf(mqtttest.RecordID(p)[17:], "%d", &seq); err != nil {
				t.Fatal(err)
			}
			serial := head[strings.Index(head, `"serial"`):]
			if seq < last[serial] {
				t.Errorf("record %d came after %d", seq, last[serial])
			}
			last[serial] = seq
		}
		// Time that passes does count.
		if err := f.stop(); err != nil {
			t.Fatal(err)
		}
		f.or.submit(t, f.o, 1, 1, 10)
		time.Sleep(2 * time.Hour)
		if _, err := f.o.SubmitText(t.Context(), testDevice(1), []TextEntry{{1, format.LevelInfo, "x"}}); !errors.Is(err, ErrOutboxFull) {
			t.Errorf("after two hours: %v", err)
		}
		f.deliver()
		f.finish()
	})
}

func TestF26Terminate(t *testing.T) {
	const queued = 1000
	var mu sync.Mutex
	ids := map[string]bool{}
	some := make(chan struct{})
	cloud := startCloud(t, localcloud.Config{Plaintext: true, OnReceive: func(r localcloud.Received) {
		mu.Lock()
		defer mu.Unlock()
		ids[r.ID] = true
		if len(ids) == 50 {
			close(some)
		}
	}})
	dir := t.TempDir()
	o := openOutbox(t, dir)
	var wg sync.WaitGroup
	for d := range 20 {
		wg.Go(func() {
			for n := range queued / 20 {
				if _, err := o.SubmitLog(context.Background(), testDevice(d), testLog(t, uint64(d*1000+n), 100)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	c := startChild(t, "drain", dir, fmt.Sprint(cloud.Port()))
	select {
	case <-some:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was delivered")
	}
	start := time.Now()
	c.cmd.Process.Signal(syscall.SIGTERM)
	if err := c.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("took %v to end", d)
	}
	o = openOutbox(t, dir)
	defer o.Close()
	mu.Lock()
	before := len(ids)
	mu.Unlock()
	s := o.Stats()
	if before >= queued || s.Waiting != queued-before {
		t.Errorf("%d delivered and %d wait of %d: an acknowledged record was kept, or one lost", before, s.Waiting, queued)
	}
	stop := deliverIn(t, newClient(t, cloudConfig(cloud)), o)
	if err := o.WaitEmpty(within(t, 60*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(ids) != queued {
		t.Errorf("%d of %d arrived", len(ids), queued)
	}
}
