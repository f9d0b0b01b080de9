package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
	"github.com/ulogkit/ulogkit/mqttv5/outbox"
)

// F45: while the disk is full nothing of the spool is lost, whatever a file is: good
// ones stay where they are, a bad one is set aside though its reason finds no room, and
// it is told. With room again all go on.
func TestF45FullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := childtest.Start(t, "full", dir).Wait(); err != nil {
		t.Fatal(err)
	}
	out, err := outbox.Open(outbox.Config{Dir: filepath.Join(dir, "outbox")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if s := out.Stats(); s.Waiting != 5 || s.Damaged != 0 {
		t.Errorf("got stats %+v, want Waiting 5 and Damaged 0", s)
	}

	var left []string
	err = filepath.WalkDir(filepath.Join(dir, "spool"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			left = append(left, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	want(t, "files", left, []string{"2-bad", "0", "1", "3", "4", "5"})
}

// childFull looks at a spool while no file can be written to, and then while one can.
func childFull(args []string) error {
	box, dir := filepath.Join(args[0], "outbox"), filepath.Join(args[0], "spool")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	out, err := outbox.Open(outbox.Config{Dir: box})
	if err != nil {
		return err
	}
	now := time.Now()
	for i := range 6 {
		b, err := buildLog(i)
		if err != nil {
			return err
		}
		name := filepath.Join(dir, fmt.Sprint(i))
		if i == 2 {
			name += "-bad"
			b[len(b)-1] ^= 1
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			return err
		}
		// The bad one is the oldest: those behind it stop at the first that finds no room.
		age := time.Duration(10-i) * time.Second
		if i == 2 {
			age = time.Hour
		}
		if err := os.Chtimes(name, now, now.Add(-age)); err != nil {
			return err
		}
	}
	var log strings.Builder
	s, err := New(Config{Dir: dir, Device: lamp, Keep: true, Settle: time.Nanosecond, Logger: slog.New(slog.NewTextHandler(&log, nil))}, out)
	if err != nil {
		return err
	}

	if err := childtest.LimitFileSize(0); err != nil {
		return err
	}
	for range 3 {
		s.Scan(context.Background())
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 6 { // five files and bad
		return fmt.Errorf("%d entries while the disk is full, want 6; error %v", len(entries), err)
	}
	if st := s.Stats(); st.Accepted != 0 || st.Bad != 1 || st.Skipped != 5 {
		return fmt.Errorf("stats %+v while the disk is full, want 0 accepted, 1 bad and 5 skipped", st)
	}
	for _, words := range []string{"cannot write why a file is bad", "nothing was accepted"} {
		if n := strings.Count(log.String(), words); n != 1 {
			return fmt.Errorf("told %d times %q, want once:\n%s", n, words, &log)
		}
	}

	if err := childtest.LimitFileSize(math.MaxInt64); err != nil {
		return err
	}
	s.Scan(context.Background())
	if st := s.Stats(); st.Accepted != 5 || st.Skipped != 0 {
		return fmt.Errorf("stats %+v with room again, want 5 accepted and none skipped\n%s", st, &log)
	}
	return errors.Join(out.Close())
}
