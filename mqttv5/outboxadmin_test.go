package mqttv5

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/eclipse/paho.golang/packets"
	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/format"

	"github.com/ulogkit/ulogkit/mqttv5/internal/mqtttest"
)

// submitText accepts one text record of a device.
func submitText(t testing.TB, o *Outbox, device int, text string) (id string) {
	t.Helper()
	ids, err := o.SubmitText(context.Background(), testDevice(device), []TextEntry{{1, format.LevelInfo, text}})
	if err != nil {
		t.Fatal(err)
	}
	return ids[0]
}

// parkAll delivers what waits to a broker that refuses it for good.
func parkAll(t testing.TB, o *Outbox) {
	t.Helper()
	b := mqtttest.NewBroker(t)
	b.OnPublish = func(c *mqtttest.Conn, p *packets.Publish) bool {
		c.Puback(p.PacketID, byte(ReasonPayloadFormatInvalid))
		return true
	}
	c := fakeClient(t, b, nil)
	stop := deliverIn(t, c, o)
	if err := o.WaitEmpty(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	b.Stop()
}

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
		} else if !errors.Is(err, ErrConfig) {
			t.Error(err)
		}
	}
	return succeeded
}

// Of many who retry or drop one record one does; the counts are right afterwards,
// and after reopening.
func TestAdminConcurrent(t *testing.T) {
	dir := t.TempDir()
	o := openOutbox(t, dir)
	id := submitText(t, o, 1, "x")
	parkAll(t, o)
	if s := o.Stats(); s.Parked != 1 || s.Waiting != 0 {
		t.Fatalf("stats %+v", s)
	}
	if n := concurrently(t, func() error { return o.Retry(id) }); n != 1 {
		t.Errorf("%d calls of Retry succeeded", n)
	}
	if s := o.Stats(); s.Parked != 0 || s.Waiting != 1 {
		t.Errorf("after Retry: %+v", s)
	}
	if n := concurrently(t, func() error { return o.Drop(id) }); n != 1 {
		t.Errorf("%d calls of Drop succeeded", n)
	}
	for range 2 {
		if s := o.Stats(); s.Waiting != 0 || s.Parked != 0 || s.Bytes != 0 || s.Dropped != 1 || s.Accepted != 1 {
			t.Errorf("after Drop: %+v", s)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		o = openOutbox(t, dir)
	}
	o.Close()
}

// A record that is being dropped is not sent by a delivery that begins meanwhile.
func TestDropBeforeDelivery(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.NewBroker(t)
		c := fakeClient(t, b, nil)
		o := openOutbox(t, dir)
		dropped, other := submitText(t, o, 1, "x"), submitText(t, o, 1, "y")
		var stop func() error
		var once sync.Once
		update := o.write.update
		o.write.update = func(f func(*bolt.Tx) error) error {
			once.Do(func() { // the commit of Drop
				stop = deliverIn(t, c, o)
				synctest.Wait()
			})
			return update(f)
		}
		if err := o.Drop(dropped); err != nil {
			t.Error(err)
		}
		if err := o.WaitEmpty(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if ids := b.IDs(); len(ids) != 1 || ids[0] != other {
			t.Errorf("%q were sent; %s was dropped", ids, dropped)
		}
		if s := o.Stats(); s.Bytes != 0 || s.Dropped != 1 || s.Delivered != 1 {
			t.Errorf("stats %+v", s)
		}
		o.Close()
		c.Close()
		b.Stop()
	})
}

// What cannot be changed on disk stays as it was.
func TestAdminFails(t *testing.T) {
	o := openOutbox(t, t.TempDir())
	defer o.Close()
	parked := submitText(t, o, 1, "x")
	parkAll(t, o)
	waiting := submitText(t, o, 1, "y")
	before := o.Stats()
	update := o.write.update
	o.write.update = func(func(*bolt.Tx) error) error { return errFull }
	for name, err := range map[string]error{"retry": o.Retry(parked), "drop parked": o.Drop(parked), "drop waiting": o.Drop(waiting)} {
		if !errors.Is(err, ErrStorage) || !errors.Is(err, errFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := o.Stats(); s.Parked != 1 || s.Waiting != 1 || s.Bytes != before.Bytes || s.Dropped != 0 {
		t.Errorf("stats %+v, before %+v", s, before)
	}
	o.write.update = update
	if err := errors.Join(o.Retry(parked), o.Drop(parked), o.Drop(waiting)); err != nil {
		t.Error(err)
	}
	if s := o.Stats(); s.Bytes != 0 || s.Dropped != 2 {
		t.Errorf("stats %+v", s)
	}
}

// After the state was lost no record id is given out again, and the records that
// were kept can still be named.
func TestIDsAfterLoss(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, string){
		"state": func(t *testing.T, path string) {
			db, err := bolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyState, []byte("spoiled")) })
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
					t.Errorf("%s was given out twice", id)
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
					t.Errorf("%s is not an id that was given out: %v", r.ID, err)
				}
				found[r.ID] = true
			}
			for _, id := range []string{kept, parked} {
				if b, err := o.Payload(id); err != nil || !strings.Contains(string(b), `"m":"`) || !found[id] {
					t.Errorf("%s: %q, %v", id, b, err)
				}
				if err := o.Drop(id); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
