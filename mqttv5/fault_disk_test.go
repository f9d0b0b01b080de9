package mqttv5

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
	"github.com/ulogkit/ulogkit/mqttv5/localcloud"
)

// The fault list, F17, F18, F19 and F26: what a disk and a process do to delivery.
// The rest is the outbox's own.

// What was acknowledged while the disk was full does not come back, even though
// others went on submitting and were refused.
func TestF17DeliverWhileFull(t *testing.T) {
	cloud := startCloud(t, localcloud.Config{Plaintext: true})
	dir := t.TempDir()
	c := childtest.Start(t, "full", dir, fmt.Sprint(cloud.Port()))
	accepted := map[string]bool{}
	waiting := -1
	for {
		line, ok := c.Line()
		if !ok {
			break
		}
		if id, ok := strings.CutPrefix(line, "accepted "); ok {
			accepted[id] = true
		} else if _, err := fmt.Sscanf(line, "waiting %d", &waiting); err != nil {
			t.Fatalf("got %q of the child, want \"accepted ID\" or \"waiting N\"", line)
		}
	}

	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	o := openOutbox(t, dir)
	defer o.Close()
	acknowledged := cloud.Received()
	if s := o.Stats(); s.Waiting != waiting || s.Waiting != len(accepted)-len(acknowledged) || s.Delivered != uint64(len(acknowledged)) || s.Accepted != uint64(len(accepted)) {
		t.Errorf("after reopening: got %+v, want Waiting %d as the child said and %d as accepted less acknowledged, Delivered %d and Accepted %d",
			s, waiting, len(accepted)-len(acknowledged), len(acknowledged), len(accepted))
	}

	stop := deliverIn(t, newClient(t, cloudConfig(cloud)), o)
	if err := o.WaitEmpty(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	for _, r := range cloud.Received() {
		if !accepted[r.ID] {
			t.Errorf("got record %s, which was not accepted or came twice; want each accepted record once", r.ID)
		}
		delete(accepted, r.ID)
	}

	if len(accepted) > 0 {
		t.Errorf("got %d accepted records missing, want none", len(accepted))
	}
}

// killCycles is how often F18 kills its child: ULOGKIT_KILL_CYCLES, else 300 in
// CI and a few elsewhere.
func killCycles(t testing.TB) int {
	t.Helper()
	if s := os.Getenv("ULOGKIT_KILL_CYCLES"); s != "" {
		n := 0
		if _, err := fmt.Sscan(s, &n); err != nil || n < 1 {
			t.Fatalf("got ULOGKIT_KILL_CYCLES %q, want a number of 1 or more", s)
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
		t.Fatalf("id %s: got content %s after %s, want no id given out twice", id, f[3], old)
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
				t.Errorf("topic %s: got %v, want the number of a cycle", r.Topic, err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		sum := sha256.Sum256(withoutTokenOf(r.Payload))
		if old, ok := delivered[r.ID]; ok && old != sum {
			t.Errorf("%s: got content %x, want %x as before", r.ID, sum, old)
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
		c := childtest.Start(t, "work", dir, port, fmt.Sprint(n))
		timer := time.AfterFunc(patience, func() { c.Process.Kill() })
		removed := len(l.removed)
		armed := false
		for {
			line, ok := c.Line()
			if !ok {
				break
			}
			l.line(t, n, line)
			// It works: let it, for a moment. Every tenth removes something before.
			if !armed && (n%10 > 0 || len(l.removed) > removed) {
				armed = true
				time.AfterFunc(time.Duration(rnd.IntN(40_000))*time.Microsecond, func() { c.Process.Kill() })
			}
		}

		c.Wait()
		timer.Stop()
		if !armed {
			t.Fatalf("cycle %d: got a child that accepted nothing, or removed nothing; want some of either before the kill", n)
		}
	}

	o := openOutbox(t, dir)
	defer o.Close()
	client := newClient(t, cloudConfig(cloud))
	stop := deliverIn(t, client, o)
	if err := o.WaitEmpty(within(t)); err != nil {
		t.Fatal(err)
	}

	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if s := o.Stats(); s.Parked != 0 || s.Damaged != 0 {
		t.Errorf("got stats %+v, want Parked 0 and Damaged 0", s)
	}

	if list, err := filepath.Glob(filepath.Join(dir, "*.damaged-*")); err != nil || len(list) > 0 {
		t.Errorf("got damaged files %v, %v, want none", list, err)
	}
	mu.Lock()
	defer mu.Unlock()
	for id, sum := range l.accepted {
		if got, ok := delivered[id]; !ok {
			t.Errorf("got no copy of %s, want one of each accepted record", id)
		} else if fmt.Sprintf("%x", got) != sum {
			t.Errorf("%s: got content %x, want %s", id, got, sum)
		}
	}

	// No more copies than kills while it was not acknowledged: each process sends a
	// record once, and none does after one that has removed it.
	for id, sent := range copies {
		seen := map[int]bool{}
		for _, cycle := range sent {
			if removed, ok := l.removed[id]; seen[cycle] || (ok && cycle > removed) {
				t.Errorf("%s: got it sent in cycles %v, want no cycle twice and none after its removal in %d (known: %v)", id, sent, removed, ok)
			}
			seen[cycle] = true
		}
	}

	if len(l.removed) == 0 {
		t.Error("got 0 records known to be removed, want some")
	}
	t.Logf("%d cycles, %d accepted, %d delivered, %d known to be removed", cycles, len(l.accepted), len(delivered), len(l.removed))
}

func TestF26Terminate(t *testing.T) {
	const queued = 1000
	var mu sync.Mutex
	ids := map[string]bool{}
	some, told := make(chan struct{}), make(chan struct{})
	var once sync.Once
	cloud := startCloud(t, localcloud.Config{Plaintext: true, OnReceive: func(r localcloud.Received) {
		mu.Lock()
		ids[r.ID] = true
		n := len(ids)
		mu.Unlock()
		if n >= 50 {
			once.Do(func() { close(some) })
			<-told // until then no more is acknowledged, however late that is
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
	c := childtest.Start(t, "drain", dir, fmt.Sprint(cloud.Port()))
	select {
	case <-some:
	case <-time.After(patience):
		close(told)
		t.Fatal("got fewer than 50 records delivered in time, want that many")
	}

	c.Process.Signal(syscall.SIGTERM)
	close(told)
	endless := time.AfterFunc(patience, func() { c.Process.Kill() })
	if err := c.Wait(); err != nil {
		t.Errorf("got %v, want an end in order", err)
	}

	endless.Stop()
	o = openOutbox(t, dir)
	defer o.Close()
	mu.Lock()
	before := len(ids)
	mu.Unlock()
	s := o.Stats()
	if before >= queued || s.Waiting != queued-before {
		t.Errorf("got %d delivered and %d waiting, want fewer than %d delivered and all others waiting", before, s.Waiting, queued)
	}

	stop := deliverIn(t, newClient(t, cloudConfig(cloud)), o)
	if err := o.WaitEmpty(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	mu.Lock()
	defer mu.Unlock()
	if len(ids) != queued {
		t.Errorf("got %d records, want %d", len(ids), queued)
	}
}
