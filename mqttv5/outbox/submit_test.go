package outbox

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

func TestFullOutboxRefuses(t *testing.T) {
	o, err := Open(Config{Dir: t.TempDir(), MaxBytes: 2000})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	entry := []payload.TextEntry{{Time: 1, Level: format.LevelInfo, Text: strings.Repeat("x", 500)}}
	accepted := 0
	for {
		_, err = o.SubmitText(t.Context(), devicetest.Info(1), entry)
		if err != nil {
			break
		}
		accepted++
	}

	if !errors.Is(err, fault.ErrOutboxFull) || !strings.Contains(err.Error(), "2000") || accepted != 2 {
		t.Errorf("got %v after %d records, want %v that names the 2000 bytes after 2", err, accepted, fault.ErrOutboxFull)
	}
	if s := o.Stats(); s.Waiting != accepted || s.Accepted != uint64(accepted) {
		t.Errorf("got stats %+v, want %d waiting and accepted", s, accepted)
	}

	// Room that is made can be used.
	for r := range o.Records() {
		if err := o.Drop(r.ID); err != nil {
			t.Fatal(err)
		}
		break
	}

	if _, err := o.SubmitText(t.Context(), devicetest.Info(1), entry); err != nil {
		t.Errorf("with room: got %v, want no error", err)
	}
	bad := devicetest.Log(t, 1, 100)
	bad[30] ^= 1
	if _, err := o.SubmitLog(t.Context(), devicetest.Info(1), bad); !errors.Is(err, format.ErrChecksum) {
		t.Errorf("bad log: got %v, want %v", err, format.ErrChecksum)
	}

	if _, err := o.SubmitLog(t.Context(), device.Info{DeviceSerial: "+"}, devicetest.Log(t, 1, 100)); !errors.Is(err, fault.ErrBadData) {
		t.Errorf("bad device: got %v, want %v", err, fault.ErrBadData)
	}
	if _, err := o.SubmitCoreDump(t.Context(), []byte("x")); !errors.Is(err, fault.ErrBadData) {
		t.Errorf("bad dump: got %v, want %v", err, fault.ErrBadData)
	}

	for _, id := range []string{"", "x", "0-1", "-", strings.Repeat("9", 100)} {
		if err := errors.Join(o.Retry(id)); !errors.Is(err, fault.ErrConfig) {
			t.Errorf("retry %q: got %v, want %v", id, err, fault.ErrConfig)
		}
		if err := o.Drop(id); !errors.Is(err, fault.ErrConfig) {
			t.Errorf("drop %q: got %v, want %v", id, err, fault.ErrConfig)
		}
	}

	for _, cfg := range []Config{{}, {Dir: "x", MaxBytes: -1}, {Dir: "/dev/null/x"}} {
		if _, err := Open(cfg); err == nil {
			t.Errorf("got %+v accepted, want an error", cfg)
		}
	}
}

// Whatever is asked of a closed outbox fails with ErrClosed, in words that name the
// outbox and say that it is closed.
func TestClosedOutboxSaysSo(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	for range 2 {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}

	id := recordID(o.state.identity, 1)
	for what, ask := range map[string]func() error{
		"submit": func() error {
			_, err := o.SubmitText(t.Context(), devicetest.Info(1), []payload.TextEntry{{Time: 1, Level: 1, Text: "x"}})
			return err
		},
		"drop":  func() error { return o.Drop(id) },
		"retry": func() error { return o.Retry(id) },
		"list": func() (last error) {
			for _, err := range o.Records() {
				last = err
			}
			return last
		},
		"lease": func() error { _, err := o.Lease(t.Context()); return err },
		"lease again": func() error {
			l, err := o.TryLease()
			if l != nil {
				t.Errorf("got a lease of %s, want none", l.ID)
			}
			return err
		},
	} {
		if err := ask(); !errors.Is(err, fault.ErrClosed) || !strings.Contains(err.Error(), "outbox "+o.Dir()+": it is closed") {
			t.Errorf("%s: got %v, want %v that says the outbox is closed and names it", what, err, fault.ErrClosed)
		}
	}
}

// Durable means synced: nobody may have turned it off.
func TestSubmitReturnsAfterCommit(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	if !o.file.Syncs() {
		t.Error("got an outbox that does not sync, want one that does")
	}
	commits := countCommits(o)
	if _, err := o.SubmitText(t.Context(), devicetest.Info(1), []payload.TextEntry{{Time: 1, Level: 1, Text: "x"}}); err != nil {
		t.Fatal(err)
	}
	if commits.Load() != 1 {
		t.Errorf("got %d commits when Submit returned, want 1", commits.Load())
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

// Who submits while a commit is under way shares the next one with all who do.
func TestCallersShareACommit(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	commits := countCommits(o)
	began, goOn := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(began); <-goOn })
	update := o.write.update
	o.write.update = func(f func(*bolt.Tx) error) error {
		first()
		return update(f)
	}

	const callers = 32
	done := make(chan error, callers)
	submit := func(d int) {
		_, err := o.SubmitText(t.Context(), devicetest.Info(d), []payload.TextEntry{{Time: 1, Level: format.LevelInfo, Text: strings.Repeat("x", 900)}})
		done <- err
	}
	go submit(0)
	<-began
	for d := range callers - 1 {
		go submit(1 + d)
	}
	for queued := 0; queued < callers-1; time.Sleep(time.Millisecond) { // a test that never ends finds too few
		o.write.mu.Lock()
		queued = len(o.write.pending)
		o.write.mu.Unlock()
	}
	close(goOn)
	for range callers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := commits.Load(); n != 2 {
		t.Errorf("got %d commits for the records of %d callers, want 2", n, callers)
	}
	if o.Stats().Accepted != callers {
		t.Errorf("got stats %+v, want %d accepted", o.Stats(), callers)
	}
}
