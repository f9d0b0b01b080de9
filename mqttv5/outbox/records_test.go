package outbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// concurrently calls f from several goroutines and returns how many succeeded.
func concurrently(t testing.TB, f func() error) (succeeded int) {
	t.Helper()
	errs := make(chan error)
	const callers = 8
	for range callers {
		go func() { errs <- f() }()
	}
	for range callers {
		if err := <-errs; err == nil {
			succeeded++
		} else if !errors.Is(err, fault.ErrConfig) {
			t.Errorf("got %v, want no error or %v", err, fault.ErrConfig)
		}
	}
	return succeeded
}

// Of many who retry or drop one record one does; the counts are right afterwards,
// and after reopening.
func TestOneOfManyRetriesOrDrops(t *testing.T) {
	dir := t.TempDir()
	o := openOutbox(t, dir)
	id := submitText(t, o, 1, "x")
	parkAll(t, o)
	if s := o.Stats(); s.Parked != 1 || s.Waiting != 0 {
		t.Fatalf("got stats %+v, want one parked and none waiting", s)
	}

	if n := concurrently(t, func() error { return o.Retry(id) }); n != 1 {
		t.Errorf("got %d calls of Retry that succeeded, want 1", n)
	}
	if s := o.Stats(); s.Parked != 0 || s.Waiting != 1 {
		t.Errorf("after Retry: got stats %+v, want none parked and one waiting", s)
	}

	if n := concurrently(t, func() error { return o.Drop(id) }); n != 1 {
		t.Errorf("got %d calls of Drop that succeeded, want 1", n)
	}
	for range 2 {
		if s := o.Stats(); s.Waiting != 0 || s.Parked != 0 || s.Bytes != 0 || s.Dropped != 1 || s.Accepted != 1 {
			t.Errorf("after Drop: got stats %+v, want one accepted and dropped, none waiting or parked, and 0 bytes", s)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		o = openOutbox(t, dir)
	}

	o.Close()
}

// A record that is being dropped is not leased by a delivery that begins meanwhile.
func TestDropTakesTheRecordFromDelivery(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	dropped, other := submitText(t, o, 1, "x"), submitText(t, o, 1, "y")
	update := o.write.update
	var once sync.Once
	o.write.update = func(f func(*bolt.Tx) error) error {
		once.Do(func() { // the commit of Drop
			l := lease(t, o)
			if l.ID != other {
				t.Errorf("got %s, want %s: %s is dropped", l.ID, other, dropped)
			}
			l.Done()
		})
		return update(f)
	}

	if err := o.Drop(dropped); err != nil {
		t.Error(err)
	}
	if s := o.Stats(); s.Bytes != 0 || s.Dropped != 1 || s.Delivered != 1 {
		t.Errorf("got stats %+v, want one dropped and one delivered", s)
	}
}

func TestDropRefusesWhatIsLeased(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	first, second := submitText(t, o, 1, "x"), submitText(t, o, 1, "y")
	l := lease(t, o)
	if err := o.Drop(first); !errors.Is(err, fault.ErrConfig) || !strings.Contains(err.Error(), "being delivered") {
		t.Errorf("got %v, want fault.ErrConfig: it is being delivered", err)
	}
	if err := o.Drop(second); err != nil {
		t.Errorf("its neighbour: got %v, want no error", err)
	}
	l.Again(0)
	if err := o.Drop(first); err != nil {
		t.Error(err)
	}
	if s := o.Stats(); s.Waiting != 0 || s.Dropped != 2 || s.Bytes != 0 {
		t.Errorf("got stats %+v, want nothing left", s)
	}
}

// What cannot be changed on disk stays as it was.
func TestChangeThatCannotBeWrittenDidNotHappen(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	parked := submitText(t, o, 1, "x")
	parkAll(t, o)
	waiting := submitText(t, o, 1, "y")
	before := o.Stats()
	update := o.write.update
	o.write.update = func(func(*bolt.Tx) error) error { return errFull }

	for name, err := range map[string]error{"retry": o.Retry(parked), "drop parked": o.Drop(parked), "drop waiting": o.Drop(waiting)} {
		if !errors.Is(err, fault.ErrStorage) || !errors.Is(err, errFull) {
			t.Errorf("%s: got %v, want %v because of %v", name, err, fault.ErrStorage, errFull)
		}
	}

	if s := o.Stats(); s.Parked != 1 || s.Waiting != 1 || s.Bytes != before.Bytes || s.Dropped != 0 {
		t.Errorf("got stats %+v, want one parked, one waiting, none dropped and %d bytes", s, before.Bytes)
	}
	o.write.update = update
	if err := errors.Join(o.Retry(parked), o.Drop(parked), o.Drop(waiting)); err != nil {
		t.Error(err)
	}

	if s := o.Stats(); s.Bytes != 0 || s.Dropped != 2 {
		t.Errorf("got stats %+v, want 2 dropped and 0 bytes", s)
	}
}

// After the state was lost no record id is given out again, and the records that
// were kept can still be named.
func TestIDsAreNeverGivenOutTwice(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, string){
		"state": func(t *testing.T, path string) {
			db, err := bolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bolt.Tx) error {
				b := tx.Bucket(bucketMeta)
				state := append([]byte(nil), b.Get(keyState)...)
				state[12] = 0 // the number that was given out last
				return b.Put(keyState, state)
			})
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
		},
		"both meta pages": func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			for page := range int64(2) {
				if _, err := f.WriteAt([]byte{0xff}, page*int64(os.Getpagesize())+20); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := openOutbox(t, dir)
			given := map[string]bool{}
			parked := submitText(t, o, 1, "parked")
			given[parked] = true
			parkAll(t, o)
			kept := submitText(t, o, 1, "kept")
			given[kept] = true

			for n := range 20 { // are gone, as after delivery
				id := submitText(t, o, 2, strings.Repeat("x", 500*n))
				given[id] = true
				if err := o.Drop(id); err != nil {
					t.Fatal(err)
				}
			}

			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			spoil(t, filepath.Join(dir, "outbox.db"))
			o = openOutbox(t, dir)
			defer func() { o.Close() }()
			for n := range 50 {
				id := submitText(t, o, 2, fmt.Sprint(n))
				if given[id] {
					t.Errorf("got %s given out twice, want a new id for each record", id)
				}
				given[id] = true
			}

			// Old and new ids stay what they are, after reopening too.
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			o = openOutbox(t, dir)
			found := map[string]bool{}
			for r, err := range o.Records() {
				if err != nil || !given[r.ID] {
					t.Errorf("got record %s, error %v, want only ids that were given out and no error", r.ID, err)
				}
				found[r.ID] = true
			}

			for _, id := range []string{kept, parked} {
				if b, err := o.Payload(id); err != nil || !strings.Contains(string(b), `"m":"`) || !found[id] {
					t.Errorf("%s: got payload %q, error %v, listed %v, want a text, no error and the record listed", id, b, err, found[id])
				}
				if err := o.Drop(id); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
