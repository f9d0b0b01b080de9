package spool

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
)

func TestMain(m *testing.M) {
	childtest.Main(map[string]func([]string) error{"full": childFull})
	goleak.VerifyTestMain(m)
}

var lamp = device.Info{ApplicationID: 42, DeviceSerial: "SN-1", DeviceType: "lamp", GitVersion: "v1", GitHash: "3f2c9a1"}

// testLog returns a log whose bytes follow from n.
func testLog(t testing.TB, n int) []byte {
	t.Helper()
	log, err := buildLog(n)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// buildLog is testLog for one who has no test.
func buildLog(n int) ([]byte, error) {
	b, err := format.NewLogBuilder(3)
	if err != nil {
		return nil, err
	}
	if err := b.Add(&format.Record{FmtAddr: uint32(n), Args: []format.Arg{format.ArgI32(int32(n))}}); err != nil {
		return nil, err
	}
	return b.AppendTo(nil)
}

// testDump returns a crash dump of a device.
func testDump(t testing.TB, serial string) []byte {
	t.Helper()
	h := &format.CoreDumpHeader{}
	h.SetVersion(1)
	h.SetApplicationID(42)
	h.SetLenTotal(264 + 88)
	if err := errors.Join(h.SetDeviceSerial(serial), h.SetDeviceType("lamp"), h.SetGitHash("3f2c9a1"), h.SetVersionString("v1")); err != nil {
		t.Fatal(err)
	}
	crash := make([]byte, 88)
	binary.LittleEndian.PutUint32(crash, 0x00034363)
	sum := uint32(0)
	for _, c := range crash {
		sum += uint32(c)
	}
	h.SetChecksum(sum)
	b, err := format.CoreDump{Header: h, Crash: crash}.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fixture is a spool on a folder of its own, with a real outbox.
type fixture struct {
	*Spool
	t   *testing.T
	dir string
	out *outbox.Outbox
	log *bytes.Buffer
}

func newFixture(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), log: &bytes.Buffer{}}
	out, err := outbox.Open(outbox.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	f.out = out
	cfg := Config{Dir: f.dir, Device: lamp, Settle: time.Nanosecond, Logger: slog.New(slog.NewTextHandler(f.log, nil))}
	if change != nil {
		change(&cfg)
	}
	if f.Spool, err = New(cfg, out); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) write(name string, b []byte) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// names returns the files below the folder.
func (f *fixture) names() (all []string) {
	f.t.Helper()
	err := filepath.WalkDir(f.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(f.dir, path)
			all = append(all, rel)
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

// records returns what is in the outbox, "serial kind" each.
func (f *fixture) records() (all []string) {
	f.t.Helper()
	for r, err := range f.out.Records() {
		if err != nil {
			f.t.Fatal(err)
		}
		all = append(all, r.Device.DeviceSerial+" "+r.Kind.String())
	}
	return all
}

func want[T ~[]string](t *testing.T, what string, got, want T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// What is no text is not sent as text because of its name, and what is lost of text is
// told: the file is gone afterwards.
func TestNameAloneMakesNoText(t *testing.T) {
	f := newFixture(t, nil)
	log := testLog(t, 1)
	f.write("1.txt", log)
	f.write("2.txt", log[:len(log)-1])
	f.write("3.txt", []byte("door open\n21 \xb0C\n"))
	f.write("4.txt", []byte("21 \u00b0C\n"))
	f.Scan(t.Context())
	want(t, "records", f.records(), []string{"SN-1 log", "SN-1 text", "SN-1 text"})
	want(t, "files", f.names(), []string{"bad/2.txt", "bad/2.txt.reason"})
	if got := f.log.String(); strings.Count(got, "not UTF-8") != 1 || !strings.Contains(got, "3.txt lines=1") {
		t.Errorf("log is %q, want one line about 1 line of 3.txt", got)
	}
}

// Each kind of file becomes a record of the right device, and is gone; with Keep it is
// in done.
func TestFilesBecomeRecords(t *testing.T) {
	for _, keep := range []bool{false, true} {
		var found []device.Info
		var accepted []string
		f := newFixture(t, func(c *Config) {
			c.Keep = keep
			c.Found = func(d device.Info) { found = append(found, d) }
			c.Accepted = func(name string, ids []string) { accepted = append(accepted, fmt.Sprint(name, " ", len(ids))) }
		})

		f.write("a.bin", testLog(t, 1))
		f.write("b.core", testDump(t, "SN-9"))
		f.write("c.txt", []byte("door open\ndoor shut\n"))
		f.write("kitchen/device.json", []byte(`{"application":7,"serial":"SN-2","device_type":"oven","git_version":"v2","git_hash":"beef"}`))
		f.write("kitchen/x.bin", testLog(t, 2))
		f.Scan(t.Context())
		want(t, "records", f.records(), []string{"SN-1 log", "SN-9 core-dump", "SN-1 text", "SN-2 log"})
		want(t, "accepted", accepted, []string{"a.bin 1", "b.core 1", "c.txt 1", "kitchen/x.bin 1"})
		left := []string{"kitchen/device.json"}
		if keep {
			left = []string{"done/a.bin", "done/b.core", "done/c.txt", "done/kitchen/x.bin", "kitchen/device.json"}
		}
		want(t, "files", f.names(), left)
		if len(found) != 1 || found[0].DeviceSerial != "SN-2" || found[0].ApplicationID != 7 {
			t.Errorf("got %+v found, want SN-2 of application 7 once", found)
		}

		f.Scan(t.Context())
		if s := f.Stats(); s != (Stats{Accepted: 4}) || len(found) != 1 {
			t.Errorf("after a second look: got stats %+v and %d devices found, want Accepted 4 alone and 1", s, len(found))
		}
	}
}

// Files of one device are accepted in the order of their times.
func TestFilesAreTakenInOrderOfTime(t *testing.T) {
	f := newFixture(t, nil)
	var accepted []string
	f.cfg.Accepted = func(name string, _ []string) { accepted = append(accepted, name) }
	now := time.Now()
	for i, name := range []string{"c", "a", "b"} {
		f.write(name, testLog(t, i))
		if err := os.Chtimes(filepath.Join(f.dir, name), now, now.Add(time.Duration(i-10)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	f.Scan(t.Context())
	want(t, "order", accepted, []string{"c", "a", "b"})
}

// A bad file goes to bad with its reason, whatever lies there already, and the others
// go on.
func TestBadFileIsSetAside(t *testing.T) {
	f := newFixture(t, nil)
	bad := testLog(t, 1)
	bad[len(bad)-1] ^= 1
	f.write("a", bad)
	f.write("b", testLog(t, 2))
	f.write("empty", nil)
	f.write("bad/a", []byte("an earlier one"))
	f.Scan(t.Context())
	want(t, "records", f.records(), []string{"SN-1 log"})
	want(t, "files", f.names(), []string{"bad/a", "bad/a.1", "bad/a.1.reason", "bad/empty", "bad/empty.reason"})
	reason, err := os.ReadFile(filepath.Join(f.dir, "bad/a.1.reason"))
	if err != nil || !strings.Contains(string(reason), "checksum") {
		t.Errorf("got reason %q, %v, want \"checksum\" in it", reason, err)
	}
	if s := f.Stats(); s.Bad != 2 || s.Accepted != 1 {
		t.Errorf("got stats %+v, want Bad 2 and Accepted 1", s)
	}
}

// The folders of the spool's own, and those in them, are no links to others (F53).
func TestOwnFoldersAreNoLinks(t *testing.T) {
	for _, own := range []string{dirBad, dirDone} {
		dir, elsewhere := t.TempDir(), t.TempDir()
		if err := os.Symlink(elsewhere, filepath.Join(dir, own)); err != nil {
			t.Skip(err)
		}
		if _, err := New(Config{Dir: dir}, nil); err == nil || !strings.Contains(err.Error(), own+" is a symbolic link to "+elsewhere) {
			t.Errorf("%s: got %v, want an error about the link", own, err)
		}
	}

	// One that comes later: the file stays where it is, and that is told.
	for _, link := range []string{dirBad, filepath.Join(dirBad, "kitchen")} {
		f, elsewhere := newFixture(t, nil), t.TempDir()
		f.write("kitchen/device.json", []byte(`{"application":7,"serial":"SN-2"}`))
		f.write("kitchen/empty", nil)
		path := filepath.Join(f.dir, link)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.Symlink(elsewhere, path)); err != nil {
			t.Fatal(err)
		}
		f.Scan(t.Context())
		if names := f.names(); !slices.Contains(names, "kitchen/empty") {
			t.Errorf("%s: got %q, want the file where it was", link, names)
		}
		if entries, err := os.ReadDir(elsewhere); err != nil || len(entries) > 0 {
			t.Errorf("%s: got %v, %v behind the link, want nothing", link, entries, err)
		}
		if !strings.Contains(f.log.String(), filepath.Base(link)+" is a symbolic link to "+elsewhere) {
			t.Errorf("%s: got %q told, want the link", link, f.log)
		}
	}
}

// F46: what is being written, vanished, not readable, a folder, a link or a pipe holds
// nothing up; it is told once.
func TestOddThingsHoldNothingUp(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Settle = time.Hour })
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, testLog(t, 5), 0o600); err != nil {
		t.Fatal(err)
	}
	f.write("0-half", testLog(t, 1)[:20])
	f.write("1-half.part", testLog(t, 1))
	f.write(".2-hidden", testLog(t, 1))
	f.write("3-folder/x", testLog(t, 1))
	f.write("4-folder/device.json", []byte(`{"serial":"../x"}`))
	if err := os.Symlink(outside, filepath.Join(f.dir, "5-link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(f.dir, "6-pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.write("7-good", testLog(t, 7))
	for range 3 {
		f.Scan(t.Context())
	}
	want(t, "records", f.records(), []string{"SN-1 log"})
	if s := f.Stats(); s.Bad != 0 || s.Accepted != 1 || s.Skipped != 5 {
		t.Errorf("got stats %+v, want Accepted 1, Skipped 5 and Bad 0", s)
	}
	for _, words := range []string{"5-link", "symbolic link", "6-pipe", "3-folder", "neither device.json", "4-folder"} {
		if !strings.Contains(f.log.String(), words) {
			t.Errorf("got log %s\nwant %q in it", f.log, words)
		}
	}
	if n := strings.Count(f.log.String(), "5-link"); n != 1 {
		t.Errorf("got the link told of %d times, want once", n)
	}
	if b, err := os.ReadFile(outside); err != nil || len(b) == 0 {
		t.Errorf("got %d bytes, %v at the link's target, want them left there", len(b), err)
	}

	// When it has been written to its end it is taken.
	f.write("0-half", testLog(t, 1))
	f.Scan(t.Context())
	if n := len(f.records()); n != 2 {
		t.Errorf("got %d records, want 2", n)
	}
}

// F46: as many files as nobody has counted.
func TestAnyNumberOfFilesIsTaken(t *testing.T) {
	const n = 500
	f := newFixture(t, nil)
	log := testLog(t, 1)
	for i := range n {
		f.write(fmt.Sprintf("%06d", i), log)
	}
	f.Scan(t.Context())
	if got := len(f.records()); got != n || len(f.names()) != 0 {
		t.Errorf("got %d records and %d files left, want %d and none", got, len(f.names()), n)
	}
}

// F46: a folder in which more is put than can be taken does not keep the others
// waiting, and what is left of it is taken at once.
func TestFoldersTakeTurns(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Poll = time.Hour })
	f.turn = 3
	for i := range 8 {
		f.write(fmt.Sprint(i), testLog(t, i))
	}
	f.write("kitchen/device.json", []byte(`{"application":7,"serial":"SN-2","device_type":"oven","git_version":"v2","git_hash":"beef"}`))
	f.write("kitchen/x.bin", testLog(t, 2))
	f.Scan(t.Context())
	want(t, "records", f.records(), []string{"SN-1 log", "SN-1 log", "SN-1 log", "SN-2 log"})

	ctx, cancel := context.WithCancel(t.Context())
	left := 5
	f.cfg.Accepted = func(string, []string) {
		if left--; left == 0 {
			cancel()
		}
	}
	if err := f.Run(ctx); err != nil || left != 0 {
		t.Errorf("got %d files left, error %v, want none", left, err)
	}
}

// A full outbox leaves every file where it is, says so once, and takes them when there
// is room.
func TestFullOutboxLeavesFilesInPlace(t *testing.T) {
	f := newFixture(t, nil)
	if _, err := f.out.SubmitLog(t.Context(), lamp, testLog(t, 1)); err != nil {
		t.Fatal(err)
	}
	small, err := outbox.Open(outbox.Config{Dir: t.TempDir(), MaxBytes: f.out.Stats().Bytes}) // room for one
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	f.Spool.out = small
	for i := range 3 {
		f.write(fmt.Sprint(i), testLog(t, i))
	}
	for range 3 {
		f.Scan(t.Context())
	}
	want(t, "files", f.names(), []string{"1", "2"})
	if n := strings.Count(f.log.String(), "nothing was accepted"); n != 1 {
		t.Errorf("got log %s\nwant one line that nothing was accepted", f.log)
	}

	lease, err := small.Lease(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lease.Done()
	if err := small.WaitEmpty(t.Context()); err != nil {
		t.Fatal(err)
	}

	f.Scan(t.Context())
	want(t, "files", f.names(), []string{"2"})
}

// Run takes what comes, and ends with its context.
func TestRunTakesWhatComes(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.Poll = time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	taken := make(chan string, 1)
	f.cfg.Accepted = func(name string, _ []string) { taken <- name }
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	f.write(".tmp", testLog(t, 1))
	if err := os.Rename(filepath.Join(f.dir, ".tmp"), filepath.Join(f.dir, "in")); err != nil {
		t.Fatal(err)
	}
	if got := <-taken; got != "in" {
		t.Errorf("took %q, want in", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := New(Config{Dir: filepath.Join(f.dir, "none")}, f.out); err == nil {
		t.Error("got no error about a folder that does not exist, want one")
	}
}

func FuzzDeviceFile(f *testing.F) {
	f.Add([]byte(`{"application":7,"serial":"SN-2","device_type":"oven","git_version":"v2","git_hash":"beef"}`))
	f.Add([]byte(`{"serial":"../x"}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := parseDevice(b); err == nil && d.Validate() != nil {
			t.Fatalf("got device %+v, want it refused: %v", d, d.Validate())
		}
	})
}
