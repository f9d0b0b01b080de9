package outbox

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

func listOf(t testing.TB, o *Outbox) (all []Entry) {
	t.Helper()
	for r, err := range o.Records() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// List says what Records says, and needs no lock for it.
func TestListIsWhatTheOutboxSays(t *testing.T) {
	dir := t.TempDir()
	o := openOutbox(t, dir)
	defer o.Close()
	for n := range 100 { // more than a page
		submitText(t, o, n, strings.Repeat("x", 300))
	}
	lease(t, o).Park(errUnreadable)
	l := lease(t, o)
	l.Tries.Attempts = 3
	l.Park(errors.New("no good"))
	lease(t, o).damaged(errRecord)
	submitText(t, o, 1, "the commits before it are written")

	want := listOf(t, o)
	got, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d entries, want %d", len(got), len(want))
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("entry %d: got %+v, want %+v", i, got[i], want[i])
			}
		}
	}

	id, err := openSubmitter(t, dir).SubmitLog(t.Context(), devicetest.Info(5), devicetest.Log(t, 1, 100))
	if err != nil {
		t.Fatal(err)
	}
	if got, err = List(dir); err != nil || !slices.ContainsFunc(got, func(e Entry) bool {
		return e.ID == id && e.State == StateWaiting && e.Device == devicetest.Info(5) && e.Kind == Log
	}) {
		t.Errorf("got %v, want %s, submitted by another, in it", err, id)
	}
}

// However much is written meanwhile, a list is of one moment.
func TestListIsOfOneMomentWhileOthersWrite(t *testing.T) {
	dir := t.TempDir()
	o := openOutbox(t, dir)
	defer o.Close()
	for n := range 30 {
		submitText(t, o, n, strings.Repeat("x", 2000))
	}
	parkAll(t, o)
	want := listOf(t, o)
	submitText(t, o, 1, "the commits before it are written")

	stop := make(chan struct{})
	var wg sync.WaitGroup
	for d := range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := o.SubmitLog(t.Context(), devicetest.Info(100+d), devicetest.Log(t, 1, 3000)); err != nil {
					t.Error(err)
					return
				}
				if l, err := o.TryLease(); err != nil {
					t.Error(err)
				} else if l != nil {
					l.Done()
				}
			}
		})
	}
	for range 50 {
		got, err := List(dir)
		if err != nil {
			t.Error(err)
			break
		}
		got = slices.DeleteFunc(got, func(e Entry) bool { return e.State == StateWaiting })
		if !slices.Equal(got, want) {
			t.Errorf("got %d that are set aside, want %d", len(got), len(want))
			break
		}
	}
	close(stop)
	wg.Wait()
}

func TestListChangesNothing(t *testing.T) {
	dir := t.TempDir()
	if _, err := List(dir); !errors.Is(err, fault.ErrStorage) || !strings.Contains(err.Error(), "there is none") || !strings.Contains(err.Error(), dir) {
		t.Errorf("no outbox: got %v, want ErrStorage", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("got %v, %v, want nothing made", entries, err)
	}

	src, _ := fillOutbox(t, 20)
	b, err := os.ReadFile(filepath.Join(src, "outbox.db"))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "outbox.db")
	for at := 0; at < len(b); at += 9973 {
		bad := slices.Clone(b)
		bad[at] ^= 0x55
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := List(dir); err != nil && !errors.Is(err, fault.ErrStorage) {
			t.Errorf("flip at %d: got %d records, %v, want ErrStorage", at, len(got), err)
		}
		if now, err := os.ReadFile(name); err != nil || !slices.Equal(now, bad) {
			t.Fatalf("flip at %d: got a file of %d bytes, error %v, want the %d bytes unchanged", at, len(now), err, len(bad))
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v, want the file alone", entries, err)
	}
}
