package mqttv5

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/ulogkit/ulogkit/format"

	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

func drawRecord(t *rapid.T) *record {
	text := func(name string, n int) string { return rapid.StringN(0, -1, n).Draw(t, name) }
	return &record{
		seq: rapid.Uint64().Draw(t, "seq"), outbox: rapid.Uint64().Draw(t, "outbox"), accepted: rapid.Int64().Draw(t, "accepted"),
		clock: rapid.Int64().Draw(t, "clock"), kind: RecordKind(rapid.IntRange(1, 3).Draw(t, "kind")),
		device:  DeviceInfo{ApplicationID: rapid.Uint32().Draw(t, "app"), DeviceSerial: text("serial", 64), DeviceType: text("type", 64), GitVersion: text("version", 64), GitHash: text("hash", 64)},
		payload: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload"),
	}
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		b := r.encode()
		if n, ok := recordSize(append(bytes.Clone(b), 1, 2, 3)); !ok || n != len(b) {
			t.Fatalf("size %d %v, want %d", n, ok, len(b))
		}
		got, err := decodeRecord(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.payload, r.payload) || got.device != r.device || got.id() != r.id() || got.accepted != r.accepted || got.clock != r.clock || got.kind != r.kind {
			t.Fatalf("got %+v, want %+v", got, r)
		}
		// Any flipped bit is noticed.
		at := rapid.IntRange(0, len(b)*8-1).Draw(t, "bit")
		b[at/8] ^= 1 << (at % 8)
		if _, err := decodeRecord(b); !errors.Is(err, errRecord) {
			t.Fatalf("flipped bit %d: %v", at, err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	r := record{seq: 1, kind: RecordLog, device: testDevice(1), payload: []byte("payload")}
	f.Add(r.encode())
	f.Add(r.encode()[:60])
	f.Add([]byte("ulr1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err == nil && !bytes.Equal(r.encode(), b) {
			t.Fatal("not what it says")
		}
		n := 0
		if err := carve(bytes.NewReader(b), func(v []byte) error { n += len(v); return nil }); err != nil || n > len(b) {
			t.Fatalf("carved %d of %d bytes, %v", n, len(b), err)
		}
	})
}

// carve finds records wherever they lie, whatever lies between.
func TestCarve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want [][]byte
		for range rapid.IntRange(0, 5).Draw(t, "records") {
			stream = append(stream, rapid.SampledFrom([]string{"", "x", "ulr", "ulr1", strings.Repeat("ulr1", 20), strings.Repeat("\x00", 5000)}).Draw(t, "junk")...)
			r := drawRecord(t)
			if rapid.Bool().Draw(t, "large") {
				r.payload = make([]byte, DefaultMaxMessage)
			}
			b := r.encode()
			if rapid.IntRange(0, 4).Draw(t, "broken") == 0 {
				b[len(b)-1] ^= 1
			} else {
				want = append(want, bytes.Clone(b))
			}
			stream = append(stream, b...)
		}
		i := 0
		err := carve(bytes.NewReader(stream), func(v []byte) error {
			if i >= len(want) || !bytes.Equal(v, want[i]) {
				return errors.New("another record")
			}
			i++
			return nil
		})
		if err != nil || i != len(want) {
			t.Fatalf("%d of %d records, %v", i, len(want), err)
		}
	})
}

func TestOutboxLimits(t *testing.T) {
	o, err := OpenOutbox(OutboxConfig{Dir: t.TempDir(), MaxBytes: 2000})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	entry := []TextEntry{{1, format.LevelInfo, strings.Repeat("x", 500)}}
	accepted := 0
	for {
		_, err = o.SubmitText(t.Context(), testDevice(1), entry)
		if err != nil {
			break
		}
		accepted++
	}
	if !errors.Is(err, ErrOutboxFull) || !strings.Contains(err.Error(), "2000") || accepted != 2 {
		t.Errorf("after %d: %v", accepted, err)
	}
	if s := o.Stats(); s.Waiting != accepted || s.Accepted != uint64(accepted) {
		t.Errorf("stats %+v", s)
	}
	// Room that is made can be used.
	for r := range o.Records() {
		if err := o.Drop(r.ID); err != nil {
			t.Fatal(err)
		}
		break
	}
	if _, err := o.SubmitText(t.Context(), testDevice(1), entry); err != nil {
		t.Errorf("with room: %v", err)
	}
	bad := testLog(t, 1, 100)
	bad[30] ^= 1
	if _, err := o.SubmitLog(t.Context(), testDevice(1), bad); !errors.Is(err, format.ErrChecksum) {
		t.Errorf("bad log: %v", err)
	}
	if _, err := o.SubmitLog(t.Context(), DeviceInfo{DeviceSerial: "+"}, testLog(t, 1, 100)); !errors.Is(err, ErrBadData) {
		t.Errorf("bad device: %v", err)
	}
	if _, err := o.SubmitCoreDump(t.Context(), []byte("x")); !errors.Is(err, ErrBadData) {
		t.Errorf("bad dump: %v", err)
	}
	for _, id := range []string{"", "x", "0-1", "-", strings.Repeat("9", 100)} {
		if err := errors.Join(o.Retry(id)); !errors.Is(err, ErrConfig) {
			t.Errorf("retry %q: %v", id, err)
		}
		if err := o.Drop(id); !errors.Is(err, ErrConfig) {
			t.Errorf("drop %q: %v", id, err)
		}
	}
	for _, cfg := range []OutboxConfig{{}, {Dir: "x", MaxBytes: -1}, {Dir: "/dev/null/x"}} {
		if _, err := OpenOutbox(cfg); err == nil {
			t.Errorf("%+v was accepted", cfg)
		}
	}
}

func TestOutboxClosed(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	if _, err := o.SubmitText(t.Context(), testDevice(1), []TextEntry{{1, 1, "x"}}); !errors.Is(err, ErrClosed) {
		t.Errorf("submit: %v", err)
	}
	if err := o.Drop(recordID(o.state.identity, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("drop: %v", err)
	}
	for _, err := range o.Records() {
		if !errors.Is(err, ErrStorage) {
			t.Errorf("list: %v", err)
		}
	}
	c := fakeClient(t, mqtttest.NewBroker(t), nil)
	defer c.Close()
	if err := c.Deliver(t.Context(), o); !errors.Is(err, ErrStorage) {
		t.Errorf("deliver: %v", err)
	}
}

// Durable means synced: nobody may have turned it off.
func TestOutboxSyncs(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	if o.db.NoSync || o.db.NoGrowSync || o.db.NoFreelistSync {
		t.Error("the outbox does not sync")
	}
	commits := countCommits(o)
	if _, err := o.SubmitText(t.Context(), testDevice(1), []TextEntry{{1, 1, "x"}}); err != nil {
		t.Fatal(err)
	}
	if commits.Load() != 1 {
		t.Error("Submit returned before the commit")
	}
}

// countCommits counts the transactions from now on.
func countCommits(o *Outbox) *atomic.Int64 {
	n := new(atomic.Int64)
	update := o.write.update
	o.write.update = func(f func(*bolt.Tx) error) error {
		err := update(f)
		n.Add(1)
		return err
	}
	return n
}

// Many callers share a commit.
func TestGroupCommit(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	const callers, each = 32, 20
	commits := countCommits(o)
	done := make(chan error)
	start := time.Now()
	for d := range callers {
		go func() {
			for range each {
				if _, err := o.SubmitText(t.Context(), testDevice(d), []TextEntry{{1, format.LevelInfo, strings.Repeat("x", 900)}}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range callers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d records in %v with %d commits", callers*each, time.Since(start), commits.Load())
	if n := commits.Load(); n > callers*each/4 {
		t.Errorf("%d commits for %d records of %d callers", n, callers*each, callers)
	}
	if o.Stats().Accepted != callers*each {
		t.Errorf("stats %+v", o.Stats())
	}
}
