package mqttv5

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/eclipse/paho.golang/packets"
	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// oracle knows the bytes of every record that was accepted. In the end accepted
// must be a subset of delivered, delivered one of submitted, with equal bytes.
type oracle struct {
	texts    payload.Sequence
	mu       sync.Mutex
	accepted map[string][sha256.Size]byte
}

func newOracle() *oracle {
	return &oracle{accepted: make(map[string][sha256.Size]byte)}
}

// submit accepts text records, which need no session, so that tests of the wire
// see nothing but them.
func (or *oracle) submit(t testing.TB, o *Outbox, devices, each, size int) (ids []string) {
	t.Helper()
	for n := range each {
		for d := range devices {
			ids = append(ids, or.one(t, o, d, n, fmt.Sprintf("%0*d", size, n)))
		}
	}
	return ids
}

// one submits one record. What it holds is known beforehand: it may be delivered
// and gone before it could be read back.
func (or *oracle) one(t testing.TB, o *Outbox, device, n int, text string) string {
	t.Helper()
	dev := testDevice(device)
	batch, err := payload.TextBatches(dev, []TextEntry{{Time: int64(n), Level: format.LevelInfo, Text: text}}, payload.MaxText, &or.texts)
	if err != nil {
		t.Fatal(err)
	}
	id, err := o.Submit(t.Context(), outbox.Record{Kind: RecordText, Device: dev, Payload: batch[0]})
	if err != nil {
		t.Fatal(err)
	}
	or.put(id, batch[0])
	return id
}

func (or *oracle) put(id string, payload []byte) {
	or.mu.Lock()
	defer or.mu.Unlock()
	or.accepted[id] = sha256.Sum256(withoutTokenOf(payload))
}

func withoutTokenOf(b []byte) []byte {
	if len(b) > 0 && b[0] == '{' {
		return b
	}
	before, after := format.AroundSessionToken(b)
	return slices.Concat(before, after)
}

// check compares what a broker got. skip holds ids that must not be delivered.
func (or *oracle) check(t testing.TB, published []*packets.Publish, skip map[string]bool) (copies map[string]int) {
	t.Helper()
	or.mu.Lock()
	defer or.mu.Unlock()
	copies = make(map[string]int)
	for _, p := range published {
		id := mqtttest.RecordID(p)
		sum, ok := or.accepted[id]
		if !ok {
			t.Errorf("got record %q, want none that was not accepted", id)
		} else if got := sha256.Sum256(withoutTokenOf(p.Payload)); got != sum {
			t.Errorf("record %s: got content %x, want %x", id, got, sum)
		}
		copies[id]++
	}
	for id := range or.accepted {
		if copies[id] == 0 && !skip[id] {
			t.Errorf("got no copy of record %s, want one of each that was accepted", id)
		}
	}
	return copies
}

// faults runs one test of the fault list against a fake broker, within a synctest
// bubble: an outbox, a client that delivers it, and whatever the script does. In
// the end the outbox must be empty, a fresh record must pass, and no goroutine may
// be left.
type faults struct {
	t      *testing.T
	b      *mqtttest.Broker
	c      *Client
	o      *Outbox
	or     *oracle
	stop   func() error
	parked map[string]bool // ids that were not delivered, on purpose
}

func withFaults(t *testing.T, script func(b *mqtttest.Broker), edit func(*Config), run func(*testing.T, *faults)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		before := goleak.IgnoreCurrent()
		b := mqtttest.NewBroker(t)
		if script != nil {
			script(b)
		}
		f := &faults{t: t, b: b, c: fakeClient(t, b, edit), o: openOutbox(t, dir), or: newOracle(), parked: map[string]bool{}}
		run(t, f)
		if f.stop != nil {
			if err := f.stop(); err != nil {
				t.Errorf("Deliver: got %v, want no error", err)
			}
		}

		if err := f.o.Close(); err != nil {
			t.Error(err)
		}
		f.c.Close()
		b.Stop()
		synctest.Wait()
		if err := goleak.Find(before); err != nil {
			t.Error(err)
		}
	})
}

func (f *faults) deliver() { f.stop = deliverIn(f.t, f.c, f.o) }

// finish waits until all is delivered, sends one fresh record, consults the oracle
// and counts copies.
func (f *faults) finish() (copies map[string]int) {
	f.t.Helper()
	if err := f.o.WaitEmpty(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.or.submit(f.t, f.o, 1, 1, 10)
	if err := f.o.WaitEmpty(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	f.b.CheckCopies()
	return f.or.check(f.t, f.b.Published(), f.parked)
}
