package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
	"github.com/ulogkit/ulogkit/mqttv5/durable/durabletest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

func openSubmitter(t testing.TB, dir string) *Submitter {
	t.Helper()
	s, err := OpenSubmitter(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// submitLog accepts one log of a device.
func submitLog(t testing.TB, s *Submitter, device int) (id string) {
	t.Helper()
	id, err := s.SubmitLog(context.Background(), devicetest.Info(device), devicetest.Log(t, 1, 100))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// waitLease waits for the next record for some seconds.
func waitLease(t testing.TB, o *Outbox) *Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	l, err := o.Lease(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func inTheIntake(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(intakeDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestSubmitterIsHeardWhileTheOutboxIsOpen(t *testing.T) {
	dir := t.TempDir()
	o := openOutbox(t, dir)
	defer o.Close()
	s := openSubmitter(t, dir)
	id := submitLog(t, s, 1)
	l := waitLease(t, o)
	if l.ID != id || l.Record.Kind != Log || l.Record.Device != devicetest.Info(1) || string(l.Record.Payload) != string(devicetest.Log(t, 1, 100)) {
		t.Errorf("got %s %+v, want %s", l.ID, l.Record, id)
	}
	if done, err := s.PickedUp(); !done || err != nil || len(inTheIntake(t, dir)) > 0 {
		t.Errorf("got %v, %v, want its file gone", done, err)
	}
	l.Done()
	if s := o.Stats(); s.Accepted != 1 || s.Delivered != 1 || s.Bytes != 0 {
		t.Errorf("got stats %+v, want one accepted and delivered", s)
	}
}

// Before anybody opens the outbox it can be submitted to, by many, and the order of
// acceptance is kept over all of them.
func TestSubmittedRecordsKeepTheirOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet")
	a, b := openSubmitter(t, dir), openSubmitter(t, dir)
	var want []string
	for n := range 20 {
		want = append(want, submitLog(t, []*Submitter{a, b}[n*7%5%2], 1))
	}
	if done, err := a.PickedUp(); done || err != nil {
		t.Errorf("got picked up %v, error %v before anybody opened it, want false and no error", done, err)
	}

	o := openOutbox(t, dir)
	if s := o.Stats(); s.Waiting != len(want) || s.Accepted != uint64(len(want)) {
		t.Errorf("got stats %+v when it was opened, want %d waiting", s, len(want))
	}

	// It is all the same over a restart.
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = openOutbox(t, dir)
	defer o.Close()
	var listed, got []string
	for r, err := range o.Records() {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, r.ID)
	}

	for o.Stats().Waiting > 0 {
		l := lease(t, o)
		got = append(got, l.ID)
		l.Done()
	}

	if !slices.Equal(got, want) || !slices.Equal(listed, want) {
		t.Errorf("got %q,\nlisted %q,\nwant %q", got, listed, want)
	}
}

func TestSubmittedRecordCanBeRetriedAndDropped(t *testing.T) {
	dir := t.TempDir()
	id := submitLog(t, openSubmitter(t, dir), 1)
	o := openOutbox(t, dir)
	defer o.Close()
	lease(t, o).Park(errUnreadable)
	if err := o.Retry(id); err != nil {
		t.Fatal(err)
	}
	if b, err := o.Payload(id); err != nil || len(b) == 0 {
		t.Errorf("got %d bytes, error %v, want the payload and no error", len(b), err)
	}
	if err := o.Drop(id); err != nil {
		t.Fatal(err)
	}
	if s := o.Stats(); s.Dropped != 1 || s.Bytes != 0 {
		t.Errorf("got stats %+v, want one dropped", s)
	}
}

// Somebody sees to what was submitted: who has the outbox open, or, when he has gone,
// who submitted.
func TestHandoverGoesToTheOpenOutboxOrTheSubmitter(t *testing.T) {
	dir := t.TempDir()
	o := openOutbox(t, dir)
	s := openSubmitter(t, dir)
	submitLog(t, s, 1)
	if mine, err := s.Handover(t.Context()); mine != nil || err != nil {
		t.Errorf("got %v, %v, want it taken over", mine, err)
	}

	if n := o.Stats().Waiting; n != 1 {
		t.Errorf("got %d waiting, want 1", n)
	}
	o.intake.stop() // as if the process had been stopped
	submitLog(t, s, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if mine, err := s.Handover(ctx); mine != nil || !errors.Is(err, fault.ErrStorage) || !strings.Contains(err.Error(), "safe on disk") {
		t.Errorf("got %v, %v, want ErrStorage", mine, err)
	}

	o.intake = startIntakeStopped()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	mine, err := s.Handover(t.Context())
	if mine == nil || err != nil {
		t.Fatalf("got %v, %v, want the outbox", mine, err)
	}

	if n := mine.Stats().Waiting; n != 2 {
		t.Errorf("got %d waiting, want 2", n)
	}
	if err := mine.Close(); err != nil {
		t.Error(err)
	}
}

// A record counts as waiting before its Submitter can learn that it was taken over, and
// is leased only when its file is gone: otherwise whoever delivers until nothing waits
// would end too early, or a crash would send it twice.
func TestPickedUpRecordWaitsBeforeItCanBeLeased(t *testing.T) {
	dir := t.TempDir()
	o := openOutbox(t, dir)
	close(o.intake.quit) // the test picks up step by step
	<-o.intake.done
	s := openSubmitter(t, dir)
	id := submitLog(t, s, 1)
	files, err := intakeFiles(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("got %v, %v, want one file", files, err)
	}

	p, err := o.intake.prepare(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if n, err := o.intake.commit([]*picked{p}); n != 1 || err != nil {
		t.Fatalf("got %d, %v, want it committed", n, err)
	}
	if err := o.intake.remove(files); err != nil {
		t.Fatal(err)
	}
	if done, err := s.PickedUp(); !done || err != nil {
		t.Errorf("got %v, %v, want it picked up", done, err)
	}
	if n := o.Stats().Waiting; n != 1 {
		t.Errorf("got %d waiting, want 1", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := o.WaitEmpty(ctx); err == nil {
		t.Error("got an outbox that counts as empty, want an error while the record waits")
	}
	none(t, o)

	o.arrived(p)
	if l := lease(t, o); l.ID != id {
		t.Errorf("got %s, want %s", l.ID, id)
	} else {
		l.Done()
	}
	if n := o.Stats().Waiting; n != 0 {
		t.Errorf("got %d waiting, want none", n)
	}
	o.intake = startIntake(o)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
}

// startIntakeStopped is for an outbox whose intake was stopped already.
func startIntakeStopped() *intake {
	in := &intake{quit: make(chan struct{}), done: make(chan struct{})}
	close(in.done)
	return in
}

// A process may die between the commit of a record and the removal of its file.
func TestPickedUpOnceThoughItsFileIsThere(t *testing.T) {
	dir := t.TempDir()
	id := submitLog(t, openSubmitter(t, dir), 1)
	name := filepath.Join(intakeDir(dir), inTheIntake(t, dir)[0])
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}

	if err := openOutbox(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil { // as if it had not been removed
		t.Fatal(err)
	}

	o := openOutbox(t, dir)
	defer o.Close()
	if s := o.Stats(); s.Waiting != 1 || s.Accepted != 1 {
		t.Errorf("got stats %+v, want it once", s)
	}
	if names := inTheIntake(t, dir); len(names) > 0 {
		t.Errorf("got %q left, want nothing", names)
	}

	if l := lease(t, o); l.ID != id {
		t.Errorf("got %s, want %s", l.ID, id)
	} else {
		l.Done()
	}
}

// A full outbox leaves what was submitted where it is, and then submitters are
// refused too.
func TestFullOutboxRefusesSubmittersAndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	open := func(limit int64) *Outbox {
		o, err := Open(Config{Dir: dir, MaxBytes: limit})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}

	o := open(500)
	s, err := OpenSubmitter(Config{Dir: dir, MaxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	accepted := map[string]bool{}
	for err == nil {
		var id string
		if id, err = s.SubmitLog(t.Context(), devicetest.Info(1), devicetest.Log(t, 1, 100)); err == nil {
			accepted[id] = true
		}
		if len(accepted) > 50 {
			t.Fatalf("got %d records accepted, want the outbox full before that", len(accepted))
		}
	}

	if !errors.Is(err, fault.ErrOutboxFull) || !strings.Contains(err.Error(), "1000") {
		t.Errorf("got %v, want ErrOutboxFull with the limit", err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}

	o = open(1 << 20)
	defer o.Close()
	for o.Stats().Waiting > 0 {
		l := lease(t, o)
		delete(accepted, l.ID)
		l.Done()
	}

	if len(accepted) > 0 {
		t.Errorf("got %d accepted records missing, want none", len(accepted))
	}
}

// What is damaged on the way is kept as a damaged record; what is not ours stays.
func TestIntakeTakesOnlyRecords(t *testing.T) {
	dir := t.TempDir()
	s := openSubmitter(t, dir)
	submitLog(t, s, 1)
	damaged := filepath.Join(intakeDir(dir), inTheIntake(t, dir)[0])
	b, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	elsewhere := filepath.Join(t.TempDir(), "f")
	if err := errors.Join(
		os.WriteFile(damaged, b, 0o600), os.WriteFile(elsewhere, b, 0o600),
		os.Symlink(elsewhere, intakeName(dir, 2, 5, 1)), os.Mkdir(intakeName(dir, 3, 5, 2), 0o700),
		os.WriteFile(filepath.Join(intakeDir(dir), "README"), []byte("x"), 0o600),
		os.WriteFile(intakeName(dir, 4, 5, 3), make([]byte, 2*maxRecord), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	left, err := durable.Create(intakeName(dir, 9, 9, 9), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	left.Close() // as if killed
	good := submitLog(t, s, 2)

	o := openOutbox(t, dir)
	defer o.Close()
	if s := o.Stats(); s.Waiting != 1 || s.Damaged != 1 {
		t.Errorf("got stats %+v, want one good and one damaged", s)
	}
	if l := lease(t, o); l.ID != good {
		t.Errorf("got %s, want %s", l.ID, good)
	} else {
		l.Done()
	}
	for r := range o.Records() {
		if r.State != StateDamaged {
			t.Errorf("got %+v, want a damaged one", r)
		}
		if err := o.Drop(r.ID); err != nil {
			t.Error(err)
		}
	}
	names := inTheIntake(t, dir)
	if len(names) != 4 || !slices.Contains(names, "README") || !slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, ".record.damaged-") }) {
		t.Errorf("got %q left, want the link, the directory, README and what is too large, set aside", names)
	}
}

func TestSubmitterReturnsAfterFsync(t *testing.T) {
	calls, failed := durabletest.Calls(t, t.TempDir(), func(dir string) error {
		s, err := OpenSubmitter(Config{Dir: filepath.Join(dir, "ob")})
		if err != nil {
			return err
		}
		if _, err := s.SubmitLog(context.Background(), devicetest.Info(1), devicetest.Log(t, 1, 100)); err != nil {
			return err
		}
		return os.Mkdir(filepath.Join(dir, "accepted"), 0o700)
	})

	var got []string
	for _, c := range calls {
		if strings.HasPrefix(c, "rename ") {
			c = "rename"
		}
		got = append(got, c)
	}

	want := "mkdir ob, fsync ., mkdir ob/in, fsync ob, fsync ob/in/temp, rename, fsync ob/in, mkdir accepted"
	if strings.Join(got, ", ") != want || failed {
		t.Errorf("got %s (failed: %v), want %s", strings.Join(got, ", "), failed, want)
	}
}

// A record is committed before its file is removed, and that is durable before the
// record can be leased.
func TestPickUpCommitsBeforeItRemoves(t *testing.T) {
	dir := t.TempDir()
	submitLog(t, openSubmitter(t, dir), 1)
	calls, failed := durabletest.Calls(t, dir, func(dir string) error {
		o, err := Open(Config{Dir: dir})
		if err != nil {
			return err
		}
		if l, err := o.TryLease(); l == nil || err != nil {
			return fmt.Errorf("got %v, %v, want a lease", l, err)
		}
		return os.Mkdir(filepath.Join(dir, "leased"), 0o700)
	}, "-e", "trace=fsync,fdatasync,mkdir,mkdirat,unlink,unlinkat")

	at := func(call string) int {
		t.Helper()
		for i := len(calls) - 1; i >= 0; i-- {
			if strings.HasPrefix(calls[i], call) {
				return i
			}
		}
		t.Errorf("got %q, want %q in it", calls, call)
		return -1
	}

	first := slices.IndexFunc(calls, func(c string) bool { return strings.HasPrefix(c, "unlink in/") })
	commit, remove, sync, leased := at("fdatasync outbox.db"), at("unlink in/"), at("fsync in"), at("mkdir leased")
	if failed || first != remove || !(commit < remove && remove < sync && sync < leased) {
		t.Errorf("got %q (failed: %v), want the commit, the removal, its sync, the lease", calls, failed)
	}
}

// childSubmit submits until it is killed and prints what was accepted.
func childSubmit(args []string) error {
	s, err := OpenSubmitter(Config{Dir: args[0]})
	if err != nil {
		return err
	}
	for {
		b, err := devicetest.BuildLog(1, 100)
		if err != nil {
			return err
		}
		id, err := s.SubmitLog(context.Background(), devicetest.Info(1), b)
		if err != nil {
			return err
		}
		fmt.Println(id, ".") // the dot says that the line is whole
	}
}

// While one process has the outbox open and is killed again and again, and so are
// three that submit, each record that was accepted is there, once, and in the order
// of its submitter (F41, F42).
func TestF42KillSubmittersAndPickUp(t *testing.T) {
	dir := t.TempDir()
	cycles := 8
	if os.Getenv("CI") == "true" {
		cycles = 100
	}
	rnd := rand.New(rand.NewPCG(42, uint64(time.Now().UnixNano())))
	accepted := map[string]bool{}
	var mu sync.Mutex
	for range cycles {
		holder := childtest.Start(t, "hold", dir)
		if line, _ := holder.Line(); line != "open" {
			t.Fatalf("got %q from the child that has it open, want \"open\"", line)
		}
		var wg sync.WaitGroup
		for range 3 {
			c := childtest.Start(t, "submit", dir)
			kill := time.Duration(10+rnd.IntN(200)) * time.Millisecond
			wg.Go(func() {
				armed := false
				for {
					line, ok := c.Line()
					if !ok {
						break
					}
					if id, whole := strings.CutSuffix(line, " ."); whole {
						mu.Lock()
						accepted[id] = true
						mu.Unlock()
					}
					if !armed {
						armed = true
						time.AfterFunc(kill, func() { c.Process.Kill() })
					}
				}
				c.Wait()
			})
		}
		time.Sleep(time.Duration(rnd.IntN(400)) * time.Millisecond)
		holder.Process.Kill()
		holder.Wait()
		wg.Wait()
	}

	o := openOutbox(t, dir)
	defer o.Close()
	seen := map[string]bool{}
	last := map[string]int{}
	for o.Stats().Waiting > 0 {
		l := lease(t, o)
		if seen[l.ID] {
			t.Errorf("got %s twice, want it once", l.ID)
		}
		seen[l.ID] = true
		submitter, seq, _ := strings.Cut(l.ID, "-")
		n := 0
		if _, err := fmt.Sscan(seq, &n); err != nil || n <= last[submitter] {
			t.Errorf("got %s after number %d of its submitter, error %v, want a higher number and no error", l.ID, last[submitter], err)
		}
		last[submitter] = n
		l.Done()
	}
	for id := range accepted {
		if !seen[id] {
			t.Errorf("got no record %s, want it, since it was accepted", id)
		}
	}
	if s := o.Stats(); s.Damaged != 0 || len(inTheIntake(t, dir)) > 0 {
		t.Errorf("got stats %+v and %q left, want nothing damaged or left", s, inTheIntake(t, dir))
	}
	if len(accepted) < 3*cycles {
		t.Errorf("got %d records accepted in %d cycles, want at least %d", len(accepted), cycles, 3*cycles)
	}
	t.Logf("%d cycles, %d accepted, %d found", cycles, len(accepted), len(seen))
}
