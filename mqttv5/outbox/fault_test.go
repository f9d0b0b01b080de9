package outbox

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

// The fault list, F17 and F19 to F21: what a disk, another process and a clock do.

func TestF17DiskFull(t *testing.T) {
	dir := t.TempDir()
	c := childtest.Start(t, "fill", dir)
	accepted := map[string]bool{}
	for {
		id, ok := c.Line()
		if !ok {
			break
		}
		accepted[id] = true
	}

	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(accepted) < 20 {
		t.Errorf("got %d records accepted before the disk was full, want at least 20", len(accepted))
	}

	o := openOutbox(t, dir)
	defer o.Close()
	for r, err := range o.Records() {
		if err != nil || r.State != StateWaiting {
			t.Errorf("got record %+v, error %v, want it waiting and no error", r, err)
		}
		delete(accepted, r.ID)
	}

	if len(accepted) > 0 {
		t.Errorf("got %d accepted records missing, want none", len(accepted))
	}
	if s := o.Stats(); s.Damaged != 0 {
		t.Errorf("got stats %+v, want none damaged", s)
	}
}

// A person can make room: on a full disk records can be dropped, whatever their
// size and wherever they lie in the file.
func TestF17DropWhileFull(t *testing.T) {
	for _, size := range []int{4000, 20_000, 60_000, 130_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir := t.TempDir()
			if err := childtest.Start(t, "drop", dir, fmt.Sprint(size)).Wait(); err != nil {
				t.Error(err)
			}
			openOutbox(t, dir).Close()
		})
	}
}

// fillOutbox makes an outbox of n records and returns its directory.
func fillOutbox(t testing.TB, n int) (dir string, payloads map[string][]byte) {
	t.Helper()
	dir = t.TempDir()
	o := openOutbox(t, dir)
	payloads = map[string][]byte{}
	for i := range n {
		ids, err := o.SubmitText(t.Context(), devicetest.Info(i%3), []payload.TextEntry{{Time: int64(i), Level: format.LevelInfo, Text: strings.Repeat(string(rune('a'+i%26)), 700)}})
		if err != nil {
			t.Fatal(err)
		}
		if payloads[ids[0]], err = o.Payload(ids[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, payloads
}

// surviving opens a damaged outbox and counts what is intact, and set aside.
func surviving(t testing.TB, dir string, payloads map[string][]byte) (good, damaged int) {
	t.Helper()
	o, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for r, err := range o.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if r.State == StateDamaged {
			damaged++
			continue
		}
		b, err := o.Payload(r.ID)
		if err != nil || !bytes.Equal(b, payloads[r.ID]) {
			t.Errorf("%s: got payload %q, error %v, want %q", r.ID, b, err, payloads[r.ID])
		}
		good++
	}

	if s := o.Stats(); s.Waiting != good || s.Damaged != damaged {
		t.Errorf("got stats %+v, want %d waiting and %d damaged, as listed", s, good, damaged)
	}

	// It goes on working.
	if _, err := o.SubmitText(t.Context(), devicetest.Info(9), []payload.TextEntry{{Time: 1, Level: format.LevelInfo, Text: "fresh"}}); err != nil {
		t.Error(err)
	}

	return good, damaged
}

func TestF19BitFlips(t *testing.T) {
	const records = 20
	src, payloads := fillOutbox(t, records)
	file, err := os.ReadFile(filepath.Join(src, "outbox.db"))
	if err != nil {
		t.Fatal(err)
	}

	flips := 150
	if testing.Short() {
		flips = 20
	}
	rnd := rand.New(rand.NewPCG(19, 19))
	dir := t.TempDir()
	caught := 0
	for n := range flips {
		b := bytes.Clone(file)
		at := rnd.IntN(len(b))
		if n%2 == 0 { // within a record
			at = bytes.Index(b, recordMagic) + rnd.IntN(700*records)
		}
		if n < 64 {
			at = n * 2 // meta pages and the first headers
		}
		b[at] ^= 1 << rnd.IntN(8)
		d := filepath.Join(dir, fmt.Sprint(n))
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}

		if err := os.WriteFile(filepath.Join(d, "outbox.db"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		good, damaged := surviving(t, d, payloads)
		if good < records-1 || good+damaged > records+1 {
			t.Errorf("flip at %d: got %d good records and %d set aside, want at least %d good and at most %d in all",
				at, good, damaged, records-1, records+1)
		}

		aside, err := filepath.Glob(filepath.Join(d, "*.damaged-*"))
		if err != nil {
			t.Fatal(err)
		}

		if damaged > 0 || len(aside) > 0 {
			caught++
		} else if good != records {
			t.Errorf("flip at %d: got %d good records and nothing set aside, want all %d or a trace of what is missing", at, good, records)
		}

		os.RemoveAll(d)
	}

	if caught < flips/4 {
		t.Errorf("got %d of %d flips noticed, want at least %d; the rest hit unused bytes?", caught, flips, flips/4)
	}
}

func TestF19Truncation(t *testing.T) {
	const records = 20
	src, payloads := fillOutbox(t, records)
	file, err := os.ReadFile(filepath.Join(src, "outbox.db"))
	if err != nil {
		t.Fatal(err)
	}

	for _, n := range []int{1, 15, 80, 4095, 4096, 8192, 12288, len(file) / 2, len(file) - 4096, len(file) - 1} {
		d := t.TempDir()
		if err := os.WriteFile(filepath.Join(d, "outbox.db"), file[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		whole := 0
		if err := carve(bytes.NewReader(file[:n]), func([]byte) error { whole++; return nil }); err != nil {
			t.Fatal(err)
		}
		good, _ := surviving(t, d, payloads)
		// The file may hold older copies of a record, from before a page split.
		if good > records || (whole > 0 && good == 0) {
			t.Errorf("cut at %d of %d: got %d records though %d whole ones were in it, want at most %d, and some where there are whole ones",
				n, len(file), good, whole, records)
		}
		if n >= len(file)-1 && good != records {
			t.Errorf("cut at %d of %d: got %d records, want %d", n, len(file), good, records)
		}
	}
}

// One record that changed on disk is set aside and its neighbours are leased,
// even when it changes while the outbox is open.
func TestF19DamageWhileOpen(t *testing.T) {
	dir, payloads := fillOutbox(t, 6)
	o := openOutbox(t, dir)
	defer o.Close()
	f, err := os.OpenFile(filepath.Join(dir, "outbox.db"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}

	file, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(file, []byte("ccccc")) // in the third record, wherever a copy lies
	for i := 0; i < len(file); i++ {
		if bytes.HasPrefix(file[i:], []byte("ccccc")) {
			if _, err := f.WriteAt([]byte{'C'}, int64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}

	f.Close()
	if at < 0 {
		t.Fatal("got no text of the third record in the file, want it there to damage it")
	}
	delivered := 0
	for o.Stats().Waiting > 0 {
		lease(t, o).Done()
		delivered++
	}

	if delivered != len(payloads)-1 {
		t.Errorf("got %d leases, want %d", delivered, len(payloads)-1)
	}
	if s := o.Stats(); s.Damaged != 1 {
		t.Errorf("got stats %+v, want one damaged", s)
	}

	for r := range o.Records() {
		if r.State != StateDamaged {
			t.Errorf("got record %+v, want the damaged one alone", r)
		}
		if err := o.Drop(r.ID); err != nil {
			t.Error(err)
		}
	}

	if s := o.Stats(); s.Damaged != 0 || s.Bytes != 0 {
		t.Errorf("after Drop: got stats %+v, want none damaged and 0 bytes", s)
	}
}

func TestF20SecondProcess(t *testing.T) {
	dir := t.TempDir()
	c := childtest.Start(t, "hold", dir)
	if line, _ := c.Line(); line != "open" {
		t.Fatalf("got %q from the child, want \"open\"", line)
	}
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, fault.ErrStorage) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("second process: got %v, want %v that says another process has it", err, fault.ErrStorage)
	}
	c.Stdin.Close()
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	openOutbox(t, dir).Close()
}

// The wall clock does not matter: neither to the order, nor to how long a record has
// waited. Time that passes while the outbox is open does count.
func TestF21ClockJumps(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o, err := Open(Config{Dir: dir, MaxAge: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		for _, wall := range []time.Time{now, now.Add(time.Hour), now.Add(-time.Hour), time.Unix(0, 0), now.AddDate(10, 0, 0), now} {
			o.wall = func() time.Time { return wall }
			for n := range 4 {
				submitText(t, o, n%2, "x") // not refused for its age
			}
			if age := o.Stats().OldestAge; age > time.Minute {
				t.Errorf("at %v: got %v as the age of the oldest, want at most %v", wall, age, time.Minute)
			}
		}
		last := map[string]uint64{}
		for o.Stats().Waiting > 0 {
			l := lease(t, o)
			if l.e.seq < last[l.Record.Device.DeviceSerial] {
				t.Errorf("got record %d after %d of its device, want the order of acceptance", l.e.seq, last[l.Record.Device.DeviceSerial])
			}
			last[l.Record.Device.DeviceSerial] = l.e.seq
			l.Done()
		}

		submitText(t, o, 1, "x")
		time.Sleep(2 * time.Hour)
		if _, err := o.SubmitText(t.Context(), devicetest.Info(1), []payload.TextEntry{{Time: 1, Text: "x"}}); !errors.Is(err, fault.ErrOutboxFull) {
			t.Errorf("after two hours: got %v, want ErrOutboxFull", err)
		}
		lease(t, o).Done()
		submitText(t, o, 1, "x")
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
}
