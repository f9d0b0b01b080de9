package outbox

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

// backlog makes an outbox whose file has grown by what is not there any more, without
// closing it. It returns what is left: some that wait, one that is parked.
func backlog(t testing.TB, dir string) (o *Outbox, left map[string][]byte) {
	t.Helper()
	o = openOutbox(t, dir)
	left = map[string][]byte{}
	for n := range 60 {
		ids, err := o.SubmitText(t.Context(), devicetest.Info(n), []payload.TextEntry{{Time: int64(n), Text: strings.Repeat("x", 120_000)}})
		if err != nil {
			t.Fatal(err)
		}
		if n%20 == 7 {
			if left[ids[0]], err = o.Payload(ids[0]); err != nil {
				t.Fatal(err)
			}
		}
	}

	for n := range 60 {
		l := lease(t, o)
		switch {
		case n == 7:
			l.Park(errUnreadable)
		case left[l.ID] != nil:
			l.Again(time.Hour)
		default:
			l.Done()
		}
	}

	return o, left
}

func size(t testing.TB, dir string) int64 {
	t.Helper()
	fi, err := os.Stat(filepath.Join(dir, "outbox.db"))
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}

// expect checks that an outbox holds just what is left.
func expect(t testing.TB, o *Outbox, left map[string][]byte) {
	t.Helper()
	found := 0
	for r, err := range o.Records() {
		if err != nil {
			t.Fatal(err)
		}
		b, err := o.Payload(r.ID)
		if err != nil || !bytes.Equal(b, left[r.ID]) {
			t.Errorf("%s: got %d bytes, %v, want %d", r.ID, len(b), err, len(left[r.ID]))
		}
		found++
	}
	if s := o.Stats(); found != len(left) || s.Parked != 1 || s.Damaged != 0 || s.Accepted != 60 || s.Delivered != uint64(60-len(left)) {
		t.Errorf("got %d records and stats %+v, want %d", found, s, len(left))
	}
}

func TestFileShrinksAfterABacklogWhenItIsOpened(t *testing.T) {
	dir := t.TempDir()
	o, left := backlog(t, dir)
	before := size(t, dir)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = openOutbox(t, dir)
	defer o.Close()
	if after := size(t, dir); before < 6<<20 || after > 2<<20 {
		t.Errorf("got %d bytes, then %d, want far less", before, after)
	}
	expect(t, o, left)
	if fi, err := os.Stat(filepath.Join(dir, "outbox.db")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", fi.Mode(), err)
	}
	submitText(t, o, 1, "it goes on")
}

// One that is open for months shrinks when nothing waits, and goes on meanwhile.
func TestFileShrinksWhileItIsOpen(t *testing.T) {
	dir := t.TempDir()
	o, left := backlog(t, dir)
	defer o.Close()
	o.compactIfIdle()
	if after := size(t, dir); after < 6<<20 {
		t.Errorf("got %d bytes though records wait, want no change", after)
	}

	for id := range left {
		if err := o.Drop(id); err != nil {
			t.Fatal(err)
		}
	}

	done := make(chan error)
	go func() {
		for n := range 50 {
			if _, err := o.SubmitLog(t.Context(), devicetest.Info(n), devicetest.Log(t, 1, 100)); err != nil {
				done <- err
				return
			}
			l := lease(t, o)
			l.Done()
		}
		done <- nil
	}()

	for size(t, dir) > 2<<20 {
		o.compactIfIdle()
	}
	if err := <-done; err != nil {
		t.Error(err)
	}

	if s := o.Stats(); s.Accepted != 110 || s.Waiting != 0 || s.Damaged != 0 {
		t.Errorf("got stats %+v, want 110 accepted and none waiting", s)
	}
}

// Compaction may be killed at any point (F43).
func TestF43KillDuringCompaction(t *testing.T) {
	src := t.TempDir()
	o, left := backlog(t, src)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	large, err := os.ReadFile(filepath.Join(src, "outbox.db"))
	if err != nil {
		t.Fatal(err)
	}

	cycles, during := 15, 0
	if os.Getenv("CI") == "true" {
		cycles = 40 // TestF43KillAtEveryCall tries each call; this one what lies between
	}
	rnd := rand.New(rand.NewPCG(43, uint64(time.Now().UnixNano())))
	root := t.TempDir()
	for n := range cycles {
		dir := filepath.Join(root, fmt.Sprint(n))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "outbox.db"), large, 0o600); err != nil {
			t.Fatal(err)
		}

		c := childtest.Start(t, "hold", dir)
		for start := time.Now(); time.Since(start) < time.Minute; { // until it compacts, or has
			if _, err := os.Stat(filepath.Join(dir, "outbox.db.tmp")); err == nil || size(t, dir) < int64(len(large)) {
				break
			}
			time.Sleep(100 * time.Microsecond) // the child needs the processor
		}

		time.Sleep(time.Duration(rnd.IntN(15_000)) * time.Microsecond)
		c.Process.Kill()
		c.Wait()
		if size(t, dir) == int64(len(large)) {
			during++
		}
		o := openOutbox(t, dir)
		expect(t, o, left)
		if err := o.Close(); err != nil {
			t.Error(err)
		}

		if _, err := os.Stat(filepath.Join(dir, "outbox.db.tmp")); err == nil {
			t.Error("got outbox.db.tmp left half written, want it removed")
		}
		os.RemoveAll(dir)
	}

	t.Logf("%d of %d kills came before the new file was in its place", during, cycles)
}
