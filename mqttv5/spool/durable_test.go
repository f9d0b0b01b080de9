package spool

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/durable/durabletest"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// What the spool moved lies where it went, and what it took away does not come back
// after a power cut, to be accepted once more.
func TestSpoolMovesAreDurable(t *testing.T) {
	dir := t.TempDir()
	for name, b := range map[string][]byte{"good": testLog(t, 1), "bad-one": []byte("x")} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	box := t.TempDir()
	calls, failed := durabletest.Calls(t, dir, func(dir string) error {
		out, err := outbox.Open(outbox.Config{Dir: box})
		if err != nil {
			return err
		}
		s, err := New(Config{Dir: dir, Device: lamp, Keep: true, Settle: time.Nanosecond, Logger: slog.New(slog.DiscardHandler)}, out)
		if err != nil {
			return err
		}
		s.Scan(context.Background())
		return out.Close()
	}, "-e", "trace=fsync,rename,renameat,renameat2,mkdir,mkdirat,link,linkat,unlink,unlinkat")

	var got []string
	for _, c := range calls {
		if !strings.HasPrefix(c, "link ") && !strings.HasPrefix(c, "unlink temp") { // what they are told by
			got = append(got, c)
		}
	}
	const bad = "mkdir bad, fsync ., unlink bad-one, fsync bad, fsync bad/temp, rename bad/bad-one.reason, fsync bad"
	const good = "mkdir done, fsync ., unlink good, fsync done"
	text := strings.Join(got, ", ")
	if want := bad + ", " + good + ", fsync ."; text != want && text != good+", "+bad+", fsync ." || failed {
		t.Errorf("got %s (failed: %v), want %s", text, failed, want)
	}
}

// A file that became something else between the listing and the reading is not read,
// and a pipe keeps nobody waiting (F46, F53).
func TestReadFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	secret, link, pipe := filepath.Join(dir, "secret"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(secret, []byte("secret"), 0o600), os.Symlink(secret, link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}

	for _, name := range []string{link, pipe, dir} {
		done := make(chan error, 1)
		go func() {
			b, err := read(name)
			if err == nil {
				err = errors.New("it was read: " + string(b))
			} else {
				err = nil
			}
			done <- err
		}()

		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: got %v, want it refused", filepath.Base(name), err)
			}
		case <-time.After(2 * time.Minute):
			t.Errorf("%s: got no answer in two minutes, want it refused at once", filepath.Base(name))
			if f, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
				f.Close() // lets it go
			}
		}
	}
}
