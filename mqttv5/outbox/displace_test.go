package outbox

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

// logOf returns a log of some 1,000 bytes with records of these levels.
func logOf(t testing.TB, levels ...format.Level) []byte {
	t.Helper()
	b, err := format.NewLogBuilder(3)
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range levels {
		if err := b.Add(&format.Record{Level: level, FmtAddr: 8, Args: []format.Arg{format.ArgString(strings.Repeat("x", 1000/len(levels)))}}); err != nil {
			t.Fatal(err)
		}
	}
	buf, err := b.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return buf
}

func dropping(t testing.TB, dir string, log *bytes.Buffer) *Outbox {
	t.Helper()
	o, err := Open(Config{Dir: dir, MaxBytes: 6000, DropLowest: true, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func waiting(t testing.TB, o *Outbox) (ids []string) {
	t.Helper()
	for _, r := range listOf(t, o) {
		ids = append(ids, r.ID)
	}
	return ids
}

// At the limit the oldest of the lowest level goes, is counted and told; that holds
// over a restart, and what is leased stays.
func TestDropLowestMakesRoom(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	o := dropping(t, dir, &log)
	var ids []string
	submit := func(levels ...format.Level) {
		t.Helper()
		id, err := o.SubmitLog(t.Context(), devicetest.Info(len(ids)), logOf(t, levels...))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	submit(format.LevelDebug) // 0: leased below
	submit(format.LevelInfo, format.LevelCritical)
	submit(format.LevelInfo)
	submit(format.LevelMetric) // as info
	submit(format.LevelWarning, format.LevelDebug)
	l := lease(t, o)
	if l.ID != ids[0] {
		t.Fatalf("got %s leased, want %s", l.ID, ids[0])
	}
	submit(format.LevelError) // the info goes
	if want := []string{ids[0], ids[1], ids[3], ids[4], ids[5]}; !slices.Equal(waiting(t, o), want) {
		t.Errorf("got %q waiting, want %q", waiting(t, o), want)
	}
	if s := o.Stats(); s.Dropped != 1 || s.Waiting != 5 || s.Accepted != 6 || s.Bytes > 6000 {
		t.Errorf("got stats %+v, want one dropped", s)
	}
	if got := log.String(); !strings.Contains(got, "dropped to make room") || !strings.Contains(got, "SN00002") {
		t.Errorf("got log %q, want the record told", got)
	}
	l.Again(0)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}

	o = dropping(t, dir, &log)
	defer o.Close()
	submit(format.LevelCritical) // the debug goes
	submit(format.LevelCritical) // the metric
	submit(format.LevelCritical) // the warning
	if want := []string{ids[1], ids[5], ids[6], ids[7], ids[8]}; !slices.Equal(waiting(t, o), want) {
		t.Errorf("after a restart: got %q waiting, want %q", waiting(t, o), want)
	}
	if s := o.Stats(); s.Dropped != 4 {
		t.Errorf("got stats %+v, want 4 dropped", s)
	}
}

// Crash dumps are not dropped, and what fits in no way is refused.
func TestDropLowestKeepsCrashDumps(t *testing.T) {
	dump := formattest.DumpBytes(t)[0]
	o, err := Open(Config{Dir: t.TempDir(), MaxBytes: int64(len(dump) + 400), DropLowest: true})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, err := o.SubmitCoreDump(t.Context(), dump); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := o.SubmitCoreDump(t.Context(), dump); !errors.Is(err, fault.ErrOutboxFull) {
			t.Errorf("got %v, want ErrOutboxFull", err)
		}
	}
	if s := o.Stats(); s.Waiting != 1 || s.Dropped != 0 {
		t.Errorf("got stats %+v, want the dump and nothing dropped", s)
	}
}

// What made room for a record that could not be written is there again.
func TestDropLowestDropsNothingIfTheCommitFails(t *testing.T) {
	var log bytes.Buffer
	o := dropping(t, t.TempDir(), &log)
	defer o.Close()
	for n := range 5 {
		if _, err := o.SubmitLog(t.Context(), devicetest.Info(n), logOf(t, format.LevelDebug)); err != nil {
			t.Fatal(err)
		}
	}

	before, ids := o.Stats(), waiting(t, o)
	update := o.write.update
	o.write.update = func(func(*bolt.Tx) error) error { return errFull }
	if _, err := o.SubmitLog(t.Context(), devicetest.Info(9), logOf(t, format.LevelError)); !errors.Is(err, errFull) {
		t.Errorf("got %v, want the error of the disk", err)
	}

	o.write.update = update
	after := o.Stats()
	after.OldestAge = before.OldestAge // time passes
	if after != before || !slices.Equal(waiting(t, o), ids) {
		t.Errorf("got stats %+v, want %+v", after, before)
	}

	if strings.Contains(log.String(), "dropped") {
		t.Errorf("got log %q, want nothing dropped", &log)
	}
}

func TestDropLowestMakesRoomForTheYoung(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o, err := Open(Config{Dir: dir, MaxAge: time.Hour, DropLowest: true})
		if err != nil {
			t.Fatal(err)
		}
		submitText(t, o, 1, "old")
		time.Sleep(2 * time.Hour)
		young := submitText(t, o, 2, "young")
		if got := waiting(t, o); !slices.Equal(got, []string{young}) {
			t.Errorf("got %q waiting, want %s", got, young)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestLevelIsTheHighestWithin(t *testing.T) {
	for want, levels := range map[format.Level][]format.Level{
		format.LevelCritical: {format.LevelDebug, format.LevelCritical, format.LevelInfo},
		format.LevelInfo:     {format.LevelDebug, format.LevelMetric},
		format.LevelDebug:    {format.LevelDebug},
	} {
		if got := payload.LogLevel(logOf(t, levels...)); got != want {
			t.Errorf("%v: got %v, want %v", levels, got, want)
		}
	}
	var seq payload.Sequence
	batches, err := payload.TextBatches(devicetest.Info(1), []payload.TextEntry{{Level: format.LevelDebug, Text: "x"}, {Level: format.LevelError, Text: "y"}}, payload.MaxText, &seq)
	if err != nil {
		t.Fatal(err)
	}
	if got := payload.TextLevel(batches[0]); got != format.LevelError {
		t.Errorf("got %v, want %v", got, format.LevelError)
	}
	if got := payload.LogLevel([]byte("junk")); got != format.LevelDebug {
		t.Errorf("got level %v of junk, want %v", got, format.LevelDebug)
	}
}
