package outbox

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/mqttv5/durable/durabletest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
)

// A damaged file is moved aside, and what is brought over is in the folder, before
// anything is delivered out of it: a power cut brings back one or the other.
func TestSalvageIsDurable(t *testing.T) {
	dir, _ := fillOutbox(t, 5)
	ruin(t, dir, "b")
	calls, failed := durabletest.Calls(t, dir, func(dir string) error {
		o, err := Open(Config{Dir: dir})
		if err != nil {
			return err
		}
		return o.Close()
	})

	var got []string
	for _, c := range calls {
		if strings.HasPrefix(c, "rename outbox.db.damaged-") {
			c = "rename aside"
		}
		got = append(got, c)
	}

	want := []string{
		"rename aside", "fsync .", // SetAside
		"fdatasync outbox.db.tmp", "rename outbox.db", "fsync .", // Build
		"fsync temp", "rename outbox.losses", "fsync .", // noteLoss
	}

	at := 0
	for _, c := range got {
		if at < len(want) && c == want[at] {
			at++
		}
	}

	if at < len(want) || failed {
		t.Errorf("got %q (failed: %v), want %q in this order", got, failed, want)
	}
	if fi, err := os.Stat(fileName(dir)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", fi.Mode(), err)
	}

	// bbolt syncs a new file, the pages of a commit, and the one that makes it count.
	synced := 0
	for _, c := range got[:max(slices.Index(got, "rename outbox.db"), 0)] {
		if c == "fdatasync outbox.db.tmp" {
			synced++
		}
	}

	if synced < 3 {
		t.Errorf("got %q, want what was brought over on the disk before it has its name", got)
	}
}

// A damaged state is not believed: it tells which ids were given out, and two records
// of one id would be one to who drops copies.
func TestDamagedStateIsNotBelieved(t *testing.T) {
	for bit := range stateSize * 8 {
		s := state{identity: 1, last: 2, accepted: 3, delivered: 4, dropped: 5}
		b := s.encode(6)
		b[bit/8] ^= 1 << (bit % 8)
		if got, ok := decodeState(b); ok {
			t.Fatalf("bit %d flipped: got %+v, want it refused", bit, got)
		}
	}

	dir := t.TempDir()
	o := openOutbox(t, dir)
	first := submitText(t, o, 1, "x")
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(filepath.Join(dir, "outbox.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b := append([]byte(nil), tx.Bucket(bucketMeta).Get(keyState)...)
		b[12] = 0 // the number given out last
		return tx.Bucket(bucketMeta).Put(keyState, b)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	o = openOutbox(t, dir)
	defer o.Close()
	second := submitText(t, o, 1, "y")
	before, _, _ := strings.Cut(first, "-")
	after, _, _ := strings.Cut(second, "-")
	if before == after {
		t.Errorf("got the ids %s and %s, want the second of another identity", first, second)
	}
	if s := o.Stats(); s.Waiting != 2 {
		t.Errorf("got stats %+v, want both waiting", s)
	}
}

// Notes of losses, and that a person has seen them, survive a power cut.
func TestNotesOfLossesAreDurable(t *testing.T) {
	calls, failed := durabletest.Calls(t, t.TempDir(), func(dir string) error {
		l := Loss{Kept: "x"}
		if err := noteLoss(dir, l); err != nil {
			return err
		}
		return AcceptLosses(dir, []Loss{l})
	})
	want := "fsync temp, rename outbox.losses, fsync ., fsync temp, rename outbox.losses-seen, fsync ."
	if got := strings.Join(calls, ", "); got != want || failed {
		t.Errorf("got %s (failed: %v), want %s", got, failed, want)
	}
}

// Whatever is made in an outbox's folder is its owner's alone: it holds tokens and
// what devices say.
func TestSubmittedFilesAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ob")
	submitLog(t, openSubmitter(t, dir), 1)
	if err := noteLoss(dir, Loss{Kept: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := AcceptLosses(dir, []Loss{{Kept: "x"}}); err != nil {
		t.Fatal(err)
	}

	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got mode %v, %v, want %o", path, info.Mode(), err, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A file made smaller takes the place of the other when all of it is on the disk.
func TestCompactionIsDurable(t *testing.T) {
	dir := t.TempDir()
	o, _ := backlog(t, dir)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	calls, failed := durabletest.Calls(t, dir, func(dir string) error {
		o, err := Open(Config{Dir: dir})
		if err != nil {
			return err
		}
		return o.Close()
	})
	at := slices.Index(calls, "rename outbox.db")
	if failed || at < 1 || calls[at-1] != "fdatasync outbox.db.tmp" || len(calls) <= at+1 || calls[at+1] != "fsync ." {
		t.Errorf("got %q (failed: %v), want the file synced, renamed and its folder synced", calls, failed)
	}
	if fi, err := os.Stat(fileName(dir)); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v, want 0600", fi.Mode(), err)
	}
}

// F56: a folder that others may write to is told, by whoever opens the outbox.
func TestF56DirectoryOpenToOthers(t *testing.T) {
	dir := t.TempDir()
	for mode, want := range map[os.FileMode]bool{0o700: false, 0o750: false, 0o770: true, 0o702: true, 0o1777: true} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		cfg := Config{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		o, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}

		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "others may write"); got != want {
			t.Errorf("mode %o: got %q, want it told: %v", mode, log.String(), want)
		}

		log.Reset()
		if _, err := OpenSubmitter(cfg); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(log.String(), "others may write"); got != want {
			t.Errorf("mode %o: a submitter said %q, want it told: %v", mode, log.String(), want)
		}
	}
}

// F44: a count that is older than a record that was found is none: what was accepted
// after it may be gone as well.
func TestF44CountOfAnOlderCommit(t *testing.T) {
	for last, want := range map[uint64]bool{2: false, 3: true} {
		dir := t.TempDir()
		s := state{identity: 1, last: last, accepted: last}
		b := append([]byte("no file of this kind "), keyState...)
		b = append(b, s.encode(0)...)
		for seq := range uint64(3) {
			r := record{Record: Record{Kind: Log, Device: devicetest.Info(1), Payload: []byte("payload")}, seq: seq + 1, outbox: 1}
			b = append(b, r.encode()...)
		}
		if err := os.WriteFile(fileName(dir), b, 0o600); err != nil {
			t.Fatal(err)
		}
		openOutbox(t, dir).Close()
		if l := oneLoss(t, dir); l.Counted != want || l.Restored != 3 || l.None() != want {
			t.Errorf("the count is of record %d: got %+v, want it believed: %v", last, l, want)
		}
	}
}
