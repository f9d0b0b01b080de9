package filesink

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/durable/durabletest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// What Append has returned for is on the disk: its bytes, the segment's name, and the
// names of all folders above that were made for it (case outbox-new-dir-not-synced).
func TestAppendReturnsAfterEachSync(t *testing.T) {
	calls, failed := durabletest.Calls(t, t.TempDir(), func(dir string) error {
		s, err := Open(Config{Dir: filepath.Join(dir, "a", "b"), SegmentBytes: 1})
		if err != nil {
			return err
		}
		for n := range uint64(2) {
			if err := s.Append(context.Background(), testRecords(n+1, 1)); err != nil {
				return err
			}
		}
		return s.Close()
	})

	const first, second = "a/b/00000000000000000001.seg", "a/b/00000000000000000002.seg"
	want := "mkdir a, mkdir a/b, fsync a, fsync ., " +
		"fsync a/b/temp, rename a/b/newest, fsync a/b, " +
		"fsync a/b/temp, rename a/b/sink, fsync a/b, " + // its identity
		"fsync " + first + ", fsync a/b, fsync a/b/temp, rename a/b/newest, fsync a/b, fsync " + first + ", " +
		"fsync " + second + ", fsync a/b, fsync a/b/temp, rename a/b/newest, fsync a/b, fsync " + second
	if got := strings.Join(calls, ", "); got != want || failed {
		t.Errorf("got %s (failed: %v), want %s", got, failed, want)
	}
}

// Opening cuts off what was half written and makes the index anew, durably, before
// anything is written behind it.
func TestRepairIsDurable(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	appendAll(t, s, testRecords(1, 2))
	s.Close()
	content, places := newest(t, dir)
	rewrite(t, segmentName(dir, 1), append(content, "half"...))
	rewrite(t, indexName(dir, 1), places[0].appendTo(nil))

	calls, failed := durabletest.Calls(t, dir, func(dir string) error {
		s, err := Open(Config{Dir: dir})
		if err != nil {
			return err
		}
		return s.Close()
	})
	want := "fsync temp, rename 00000000000000000001.idx, fsync ., fsync 00000000000000000001.seg"
	if got := strings.Join(calls, ", "); got != want || failed {
		t.Errorf("got %s (failed: %v), want %s", got, failed, want)
	}
	if after, _ := newest(t, dir); string(after) != string(content) {
		t.Errorf("the segment has %d bytes, want the %d before what was half written", len(after), len(content))
	}
}

// What a reader returns of a tail that no worker has looked at is on the disk first: a
// position behind it must not outlive it.
func TestReaderSyncsATailThatNobodyKnows(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	appendAll(t, s, testRecords(1, 2))
	s.Close()
	_, places := newest(t, dir)
	rewrite(t, indexName(dir, 1), places[0].appendTo(nil))

	calls, failed := durabletest.Calls(t, dir, func(dir string) error {
		r, err := OpenReader(dir, 1)
		if err != nil {
			return err
		}
		defer r.Close()
		for range 2 {
			if _, err := r.Next(context.Background()); err != nil {
				return err
			}
		}
		return nil
	})
	if got, want := strings.Join(calls, ", "), "fsync 00000000000000000001.seg"; got != want || failed {
		t.Errorf("got %s (failed: %v), want %s", got, failed, want)
	}
}

// A loss that a person has accepted stays accepted, and segments that were removed
// stay away.
func TestAcceptedLossesAndRemovalAreDurable(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, SegmentBytes: 1})
	appendAll(t, s, testRecords(1, 1))
	appendAll(t, s, testRecords(2, 1))
	s.Close()

	calls, failed := durabletest.Calls(t, dir, func(dir string) error {
		err := AcceptLosses(dir, []ingest.LossError{{First: 1, Last: 1}})
		s, openErr := Open(Config{Dir: dir, SegmentBytes: 1})
		if openErr != nil {
			return openErr
		}
		return errors.Join(err, s.Remove(2), s.Close())
	})
	want := "fsync temp, rename accepted-losses, fsync ., fsync 00000000000000000002.seg, fsync ."
	if got := strings.Join(calls, ", "); got != want || failed {
		t.Errorf("got %s (failed: %v), want %s", got, failed, want)
	}
}

// Records hold session tokens: nobody else may read them.
func TestFilesAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := open(t, Config{Dir: dir})
	appendAll(t, s, testRecords(1, 1))
	s.Close()
	if err := AcceptLosses(dir, []ingest.LossError{{First: 1, Last: 1}}); err != nil {
		t.Fatal(err)
	}

	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 6 {
		t.Fatalf("got %v, %v, want six files", files, err)
	}

	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: got mode %v, %v, want 0600", f.Name(), info.Mode(), err)
		}
	}

	for _, name := range []string{dir, filepath.Dir(dir)} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: got mode %v, %v, want 0700", name, info.Mode(), err)
		}
	}
}

// After a sync that failed nobody knows what of the segment is on the disk, and another
// sync may call it good: what was written of the batch is cut off, and the next goes
// into a segment of its own.
func TestSegmentIsLeftAfterASyncThatFailed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	appendAll(t, s, testRecords(1, 2))
	before, _ := newest(t, dir)
	s.sync = func(*os.File) error { return errors.New("no") }
	if err := s.Append(t.Context(), testRecords(3, 5)); err == nil {
		t.Fatal("got no error of a sync that fails, want one")
	}
	if after, _ := newest(t, dir); len(after) != len(before) {
		t.Errorf("the segment has %d bytes, want %d as before the batch", len(after), len(before))
	}

	s.sync = (*os.File).Sync
	appendAll(t, s, testRecords(3, 1))
	if all, err := listSegments(dir); err != nil || len(all) != 2 || all[1] != 3 {
		t.Errorf("got segments %v, %v, want 1 and 3", all, err)
	}
	got, lost := readAll(t, dir, 1)
	if len(lost) > 0 {
		t.Errorf("got losses %v, want none", lost)
	}
	same(t, got, want(1, 3))
}
