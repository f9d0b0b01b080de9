//go:build unix

package otlp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
)

func TestMain(m *testing.M) {
	childtest.Main(map[string]func([]string) error{"export": childExport})
	goleak.VerifyTestMain(m)
}

// childExport exports a file sink to a receiver: args are the sink's folder, the URL,
// the position file and "full" on a disk without room.
func childExport(args []string) error {
	if args[3] == "full" {
		if err := childtest.LimitFileSize(0); err != nil {
			return err
		}
	}
	src, err := filesink.OpenSource(args[0])
	if err != nil {
		return err
	}
	e, err := New(Config{URL: args[1], Source: src, PositionFile: args[2], BatchRecords: 3, GiveUp: 2 * time.Minute})
	if err != nil {
		return err
	}
	fmt.Println("begun")
	return e.Drain(context.Background())
}

// stored makes a file sink of n logs of one record each, with poison in that of a number.
func stored(t *testing.T, n, poison int) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "sink")
	s, err := filesink.Open(filesink.Config{Dir: dir, SegmentBytes: 4 << 10})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		f := say(i)
		if i == poison {
			f.Args = append(f.Args, format.ArgString("poison"))
		}
		r := logRecord(t, i, 3, 1, f)
		if err := s.Append(t.Context(), []ingest.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// refuseWith says what is refused, to a receiver that another process may use.
func (r *receiver) refuseWith(f func(body []byte) (code int)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = f
}

// taken checks that the receiver has all records before next, and returns how many
// different ones it has at all.
func (r *receiver) taken(t *testing.T, next uint64) int {
	t.Helper()
	have := map[string]bool{}
	for _, b := range r.bodies() {
		have[b] = true
	}
	for _, b := range bodiesOf(0, int(max(next, 1))-1) {
		if !have[b] {
			t.Errorf("got position %d and no %q at the receiver, want it there before the position passes it", next, b)
		}
	}
	return len(have)
}

// An export may be killed at any point: what the position is behind has been taken, and
// in the end all has been.
func TestKilledExportLosesNothing(t *testing.T) {
	const records = 300
	cycles := 10
	if os.Getenv("CI") == "true" {
		cycles = 100
	}
	dir, r := stored(t, records, -1), newReceiver(t)
	file := filepath.Join(t.TempDir(), "position")
	begun := make(chan struct{}, 1)
	r.refuseWith(func([]byte) int {
		select {
		case begun <- struct{}{}:
		default:
		}
		time.Sleep(time.Millisecond) // so that a kill finds it at work
		return 0
	})
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)

	position := func() uint64 {
		t.Helper()
		p, err := loadPosition(file)
		if err != nil {
			t.Fatalf("after a kill: got %v, want a position", err)
		}
		return p.Next
	}
	for range cycles {
		if position() > records {
			os.Remove(file) // all over again
		}
		c := childtest.Start(t, "export", dir, r.srv.URL, file, "")
		select {
		case <-begun:
		case <-time.After(2 * time.Minute):
			t.Fatal("got nothing exported in two minutes, want a request")
		}
		time.Sleep(time.Duration(rnd.IntN(15_000)) * time.Microsecond)
		c.Process.Kill()
		c.Wait()
		r.taken(t, position())
	}
	if err := childtest.Start(t, "export", dir, r.srv.URL, file, "").Wait(); err != nil {
		t.Fatal(err)
	}
	if got := r.taken(t, position()); got != records || position() != records+1 {
		t.Errorf("got %d records and position %d, want all %d", got, position(), records)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); err != nil || len(left) > 0 {
		t.Errorf("got %q left by those that were killed, error %v, want nothing", left, err)
	}
}

// On a full disk an export ends and says so, with its position where it was; no record
// is set aside in name alone. With room again it goes on (F45).
func TestExportOnAFullDiskLeavesThePosition(t *testing.T) {
	for _, poison := range []int{-1, 0, 4} {
		const records = 8
		dir, r := stored(t, records, poison), newReceiver(t)
		r.refuseWith(func(body []byte) int {
			if strings.Contains(string(body), "poison") {
				return 400
			}
			return 0
		})
		file := filepath.Join(t.TempDir(), "position")
		if err := childtest.Start(t, "export", dir, r.srv.URL, file, "full").Wait(); err == nil {
			t.Errorf("poison %d: got success on a full disk, want an error", poison)
		}
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("poison %d: got a position file, %v, want none", poison, err)
		}

		if err := childtest.Start(t, "export", dir, r.srv.URL, file, "").Wait(); err != nil {
			t.Errorf("poison %d: with room again: got %v, want no error", poison, err)
		}
		p, err := loadPosition(file)
		if err != nil || p.Next != records+1 {
			t.Errorf("poison %d: got position %d, %v, want %d", poison, p.Next, err, records+1)
		}
		refused, _ := os.ReadFile(file + ".refused")
		if n := strings.Count(string(refused), "poison"); (n > 0) != (poison >= 0) {
			t.Errorf("poison %d: got %q set aside, want the poisoned record in it: %v", poison, refused, poison >= 0)
		}
		want := map[string]bool{}
		for i, b := range bodiesOf(0, records) {
			if i != poison {
				want[b] = true
			}
		}
		for _, b := range r.bodies() {
			delete(want, b)
		}
		if len(want) > 0 {
			t.Errorf("poison %d: got all but %v at the receiver, want none missing", poison, want)
		}
	}
}
