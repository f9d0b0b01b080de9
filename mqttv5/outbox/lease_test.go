package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/mqttv5/durable/durabletest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// Records of one device are leased in order and one at a time, those of others
// beside them.
func TestLeaseIsInOrderWithinADevice(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	a1, a2, b1 := submitText(t, o, 1, "a1"), submitText(t, o, 1, "a2"), submitText(t, o, 2, "b1")
	first, second := lease(t, o), lease(t, o)
	if first.ID != a1 || second.ID != b1 {
		t.Errorf("got %s and %s, want %s and %s", first.ID, second.ID, a1, b1)
	}

	none(t, o) // a2 waits for a1
	if s := o.Stats(); s.Waiting != 3 || s.InFlight != 2 {
		t.Errorf("got stats %+v, want 3 waiting, 2 of them leased", s)
	}
	first.Again(0)
	if l := lease(t, o); l.ID != a1 {
		t.Errorf("got %s, want %s again", l.ID, a1)
	} else {
		l.Done()
	}

	if l := lease(t, o); l.ID != a2 || !strings.Contains(string(l.Record.Payload), `"a2"`) || l.Record.Device != devicetest.Info(1) || l.Record.Kind != Text {
		t.Errorf("got %s %+v, want %s", l.ID, l.Record, a2)
	} else {
		l.Done()
	}

	second.Done()
	if s := o.Stats(); s.Waiting != 0 || s.InFlight != 0 || s.Delivered != 3 || s.Retried != 0 {
		t.Errorf("got stats %+v, want 3 delivered", s)
	}
}

// Only the first word about a lease counts.
func TestLeaseEndsOnce(t *testing.T) {
	dir := t.TempDir()
	o := openOutbox(t, dir)
	submitText(t, o, 1, "x")
	l := lease(t, o)
	l.Done()
	l.Done()
	l.Again(0)
	l.Hold()
	l.Park(errUnreadable)
	for range 2 {
		if s := o.Stats(); s.Delivered != 1 || s.Waiting != 0 || s.Parked != 0 || s.InFlight != 0 || s.Bytes != 0 {
			t.Errorf("got stats %+v, want one delivered and nothing else", s)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		o = openOutbox(t, dir)
	}
	o.Close()
}

func TestAgainWaitsAndHoldsUpNobodyElse(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o := openOutbox(t, dir)
		slow, other := submitText(t, o, 1, "x"), submitText(t, o, 2, "y")
		lease(t, o).Again(time.Minute)
		if l := lease(t, o); l.ID != other {
			t.Errorf("got %s, want %s", l.ID, other)
		} else {
			l.Done()
		}

		none(t, o)
		start := time.Now()
		l, err := o.Lease(t.Context())
		if err != nil {
			t.Fatal(err)
		}

		if d := time.Since(start); l.ID != slow || d != time.Minute {
			t.Errorf("got %s after %v, want %s after a minute", l.ID, d, slow)
		}
		l.Done()
		o.Close()
	})
}

// What who delivers has counted is there again with the next lease: for the record
// until it leaves, for its device until something of it was delivered.
func TestTriesAreKept(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	submitText(t, o, 1, "x")
	submitText(t, o, 1, "y")
	submitText(t, o, 1, "z")
	want := Tries{}
	next := func() *Lease {
		t.Helper()
		l := lease(t, o)
		if l.Tries != want {
			t.Errorf("got %+v, want %+v", l.Tries, want)
		}
		return l
	}

	l := next()
	want = Tries{Attempts: 2, Refusals: 1, Failures: 3, Renewed: true}
	l.Tries = want
	l.Again(0)
	next().Park(errUnreadable) // the record's own go with it
	want.Attempts, want.Refusals = 0, 0
	next().Done()
	want = Tries{}
	next().Done()
	if s := o.Stats(); s.Retried != 1 {
		t.Errorf("got %d retried, want 1", s.Retried)
	}

	for r := range o.Records() {
		if r.Attempts != 2 || r.Reason != errUnreadable.Error() || r.Code != errUnreadable.Code || r.State != StateParked {
			t.Errorf("got %+v, want it parked after 2 attempts with its reason", r)
		}
	}
}

// While a record is under suspicion nothing is leased beside another.
func TestHoldLeasesOneAtATime(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	var leases []*Lease
	for d := range 3 {
		submitText(t, o, d, "x")
		leases = append(leases, lease(t, o))
	}
	for _, l := range leases[:2] {
		l.Hold()
	}
	none(t, o) // the third is still out
	leases[2].Again(0)
	for range 3 {
		l := lease(t, o)
		none(t, o) // one at a time
		if l.ID == leases[2].ID {
			l.Again(time.Hour) // no suspect
			continue
		}
		l.Park(errUnreadable)
	}
	if s := o.Stats(); s.Parked != 2 {
		t.Fatalf("got stats %+v, want both suspects parked", s)
	}

	submitText(t, o, 7, "x")
	submitText(t, o, 8, "x")
	a, b := lease(t, o), lease(t, o) // beside each other again
	a.Done()
	b.Done()
}

func TestLeaseEndsWithItsContextOrTheOutbox(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o := openOutbox(t, dir)
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(gone) })
		if l, err := o.Lease(ctx); l != nil || err != gone {
			t.Errorf("got %v, %v, want the context's cause", l, err)
		}
		time.AfterFunc(time.Second, func() { o.Close() })
		if l, err := o.Lease(t.Context()); l != nil || !errors.Is(err, fault.ErrClosed) {
			t.Errorf("got %v, %v, want ErrClosed", l, err)
		}
	})
}

// Every waiting deliverer gets something, each record goes to one.
func TestEachRecordIsLeasedToOneOfMany(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var got []string
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				l, err := o.Lease(ctx)
				if err != nil {
					return
				}
				runtime.Gosched()
				mu.Lock()
				got = append(got, l.ID)
				mu.Unlock()
				l.Done()
			}
		})
	}

	var want []string
	for n := range 200 {
		want = append(want, submitText(t, o, n%20, "x"))
	}
	if err := o.WaitEmpty(t.Context()); err != nil {
		t.Error(err)
	}

	cancel()
	wg.Wait()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %d leases, want each of %d records once", len(got), len(want))
	}
}

func TestCloseRefusesWhileSomethingIsLeased(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	submitText(t, o, 1, "x")
	l := lease(t, o)
	if err := o.Close(); !errors.Is(err, fault.ErrStorage) || !strings.Contains(err.Error(), "being delivered") {
		t.Errorf("got %v, want ErrStorage: it is being delivered", err)
	}
	l.Done()
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

// What the deliverer says the other side would never take is refused.
func TestSubmitAsksWhetherItCanBeDelivered(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	o.CheckWith(func(r Record) error {
		if len(r.Payload) > 1000 {
			return &fault.Error{Class: fault.ErrTooLargeData, Err: errors.New("the other side takes 1000")}
		}
		return nil
	})
	submitText(t, o, 1, "x")
	_, err := o.SubmitLog(t.Context(), devicetest.Info(1), devicetest.Log(t, 1, 1500))
	if !errors.Is(err, fault.ErrTooLarge) || !strings.Contains(err.Error(), "submit log of SN00001: the other side takes 1000; nothing was accepted") {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if s := o.Stats(); s.Accepted != 1 || s.Waiting != 1 {
		t.Errorf("got stats %+v, want one accepted", s)
	}
	if _, err := o.Submit(t.Context(), Record{Kind: 9, Device: devicetest.Info(1)}); !errors.Is(err, fault.ErrConfig) {
		t.Errorf("an unknown kind: got %v, want ErrConfig", err)
	}
}

// Everything on the way to a record is durable before it is accepted: the file and
// each folder that was made. Case outbox-new-dir-not-synced.
func TestSubmitReturnsAfterFsync(t *testing.T) {
	dir := t.TempDir()
	calls, failed := durabletest.Calls(t, dir, func(dir string) error {
		o, err := Open(Config{Dir: filepath.Join(dir, "ob", "new")})
		if err != nil {
			return err
		}
		if _, err := o.SubmitLog(context.Background(), devicetest.Info(1), devicetest.Log(t, 1, 100)); err != nil {
			return err
		}
		return os.Mkdir(filepath.Join(dir, "accepted"), 0o700)
	})
	if failed {
		t.Fatal("got a step that failed, want the record submitted")
	}

	at := slices.Index(calls, "mkdir accepted")
	if at < 0 {
		t.Fatalf("got %q, want the mark of acceptance", calls)
	}
	calls = calls[:at]
	for _, want := range []string{"fsync .", "fsync ob", "fsync ob/new", "fdatasync ob/new/outbox.db"} {
		if !slices.Contains(calls, want) {
			t.Errorf("got %q, want %q before the record was accepted", calls, want)
		}
	}

	// The mark says that there was a file.
	if synced, marked := slices.Index(calls, "fsync ob/new"), slices.Index(calls, "rename ob/new/outbox.made"); synced > marked {
		t.Errorf("got %q, want the new file durable in its folder before the mark", calls)
	}
	if last := calls[len(calls)-1]; last != "fdatasync ob/new/outbox.db" {
		t.Errorf("got %q last, want the commit", last)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	o := openOutbox(t, dir)
	defer o.Close()
	for name, want := range map[string]os.FileMode{".": 0o700, "..": 0o700, "outbox.db": 0o600, "outbox.lock": 0o600, "outbox.made": 0o600} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: got mode %v, %v, want %v", name, fi.Mode().Perm(), err, want)
		}
	}
}

// A record that is intact and lies under another's number is not taken for it.
func TestRecordUnderAWrongKeyIsSetAside(t *testing.T) {
	dir := t.TempDir()
	o := openOutbox(t, dir)
	submitText(t, o, 1, "x")
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}

	db, err := bolt.Open(filepath.Join(dir, "outbox.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}

	err = db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketRecords)
		v := append([]byte(nil), b.Get(seqKey(1))...)
		return errors.Join(b.Delete(seqKey(1)), b.Put(seqKey(5), v))
	})

	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	o = openOutbox(t, dir)
	defer o.Close()
	if s := o.Stats(); s.Damaged != 1 || s.Waiting != 0 {
		t.Errorf("got stats %+v when it was opened, want one damaged", s)
	}

	none(t, o)
}

func ExampleOutbox() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	o, err := Open(Config{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer o.Close()
	log, err := devicetest.BuildLog(1, 100)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := o.SubmitLog(context.Background(), devicetest.Info(1), log); err != nil {
		fmt.Println(err) // it was not accepted
		return
	}

	// Whoever delivers.
	l, err := o.Lease(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("deliver a", l.Record.Kind, "of", l.Record.Device.DeviceSerial)
	l.Done()
	fmt.Println(o.Stats().Waiting, "wait,", o.Stats().Delivered, "delivered")
	// Output:
	// deliver a log of SN00001
	// 0 wait, 1 delivered
}
