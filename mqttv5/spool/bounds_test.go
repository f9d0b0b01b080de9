package spool

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// A file longer than any message is read so far and set aside, with the reason.
func TestLongFileIsSetAside(t *testing.T) {
	f := newFixture(t, nil)
	f.write("dump.bin", testDump(t, "SN-1"))
	name := filepath.Join(f.dir, "dump.bin")
	if err := os.Truncate(name, 100<<20); err != nil {
		t.Fatal(err)
	}
	if b, err := read(name); err != nil || len(b) != maxFile+1 {
		t.Errorf("got %d bytes, %v, want %d", len(b), err, maxFile+1)
	}
	f.Scan(t.Context())
	reason, err := os.ReadFile(filepath.Join(f.dir, dirBad, "dump.bin.reason"))
	if err != nil || !strings.Contains(string(reason), "it is longer than 16777216 bytes") {
		t.Errorf("got %q, %v, want the reason", reason, err)
	}
	want(t, "records", f.records(), nil)
}

// closing is an outbox that is closed while files are taken in.
type closing struct{ Outbox }

func (closing) SubmitLog(context.Context, device.Info, []byte) (string, error) {
	return "", &fault.Error{Op: "submit to outbox", Class: fault.ErrClosed, Err: errors.New("it is closed")}
}

// What comes when the outbox is closed is no bad file, and is there when it is open
// again.
func TestFilesStayWhenTheOutboxCloses(t *testing.T) {
	f := newFixture(t, nil)
	f.write("log.bin", testLog(t, 1))
	f.out, f.Spool.out = nil, closing{f.Spool.out}
	f.Scan(t.Context())
	if s := f.Stats(); s.Accepted != 0 || s.Bad != 0 || s.Skipped != 1 {
		t.Errorf("got stats %+v, want one skipped", s)
	}
	want(t, "files", f.names(), []string{"log.bin"})
}

// What is set aside may hold a token, and so may its reason.
func TestFilesSetAsideAreTheOwnersAlone(t *testing.T) {
	f := newFixture(t, nil)
	f.write("bad.bin", []byte("no log"))
	f.Scan(t.Context())
	for name, want := range map[string]os.FileMode{dirBad: 0o700, dirBad + "/bad.bin.reason": 0o600} {
		if info, err := os.Stat(filepath.Join(f.dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got mode %v, %v, want %o", name, info.Mode(), err, want)
		}
	}
}

// F46: a pipe or a link that is to name a device holds nothing up, is told, and leads
// nowhere.
func TestDeviceFilesAreRegular(t *testing.T) {
	f := newFixture(t, nil)
	f.write("0-pipe/log.bin", testLog(t, 1))
	f.write("1-link/log.bin", testLog(t, 2))
	f.write("2-pipe/log.bin", testLog(t, 3))
	f.write("3-good.bin", testLog(t, 4))
	elsewhere := filepath.Join(t.TempDir(), "device.json")
	if err := errors.Join(
		os.WriteFile(elsewhere, []byte(`{"application":7,"serial":"SN-2"}`), 0o600), os.Symlink(elsewhere, filepath.Join(f.dir, "1-link", fileJSON)),
		syscall.Mkfifo(filepath.Join(f.dir, "0-pipe", fileJSON), 0o600), syscall.Mkfifo(filepath.Join(f.dir, "2-pipe", fileBLE), 0o600),
	); err != nil {
		t.Skip(err)
	}

	done := make(chan struct{})
	go func() { f.Scan(t.Context()); close(done) }()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatal("the pipe is waited for")
	}
	want(t, "records", f.records(), []string{"SN-1 log"})
	for _, words := range []string{"0-pipe", "device.json: it is a special file", "1-link", "2-pipe", "device.bin: it is a special file"} {
		if !strings.Contains(f.log.String(), words) {
			t.Errorf("got log %s, want %q in it", f.log, words)
		}
	}
}

// A spool's folder that has gone is told.
func TestFolderThatHasGoneIsTold(t *testing.T) {
	f := newFixture(t, nil)
	if err := os.RemoveAll(f.dir); err != nil {
		t.Fatal(err)
	}
	f.Scan(t.Context())
	if s := f.Stats(); s.Skipped != 1 || !strings.Contains(f.log.String(), "no such file") {
		t.Errorf("got stats %+v and log %q, want it told", s, f.log)
	}
}
