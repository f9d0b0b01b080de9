package outbox

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"
	bolt "go.etcd.io/bbolt"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// Who opens an outbox removes nothing of a Submitter that is at work, and makes no lock
// through a link that somebody has put there.
func TestOpenSparesWhoSubmits(t *testing.T) {
	dir := t.TempDir()
	openSubmitter(t, dir)
	half, err := durable.Create(intakeName(dir, 1, 1, 1), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer half.Abort()
	lock := flock.New(intakeLock(dir))
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	openOutbox(t, dir).Close()
	if _, err := os.Stat(half.Name()); err != nil {
		t.Errorf("got %v, want the file that is being written left alone", err)
	}

	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	openOutbox(t, dir).Close()
	if _, err := os.Stat(half.Name()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want what was left removed", err)
	}

	victim := filepath.Join(t.TempDir(), "victim")
	if err := errors.Join(os.Remove(intakeLock(dir)), os.Symlink(victim, intakeLock(dir))); err != nil {
		t.Skip(err)
	}
	openOutbox(t, dir).Close()
	if _, err := os.Lstat(victim); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v where the link leads, want no lock made through it", err)
	}
}

// A record under the name of another is none, and is kept for a person to see for as
// long as nobody has dropped it.
func TestIntakeKeepsWhatIsNotWhatItsNameSays(t *testing.T) {
	dir := t.TempDir()
	submitLog(t, openSubmitter(t, dir), 1)
	if err := os.Rename(filepath.Join(intakeDir(dir), inTheIntake(t, dir)[0]), intakeName(dir, 1, 5, 1)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		o := openOutbox(t, dir)
		if s := o.Stats(); s.Waiting != 0 || s.Damaged != 1 {
			t.Errorf("got stats %+v, want one damaged", s)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What is picked up counts against the limit, and what cannot be written does not.
func TestIntakeKeepsToTheLimit(t *testing.T) {
	dir := t.TempDir()
	s := openSubmitter(t, dir)
	for n := range 4 {
		submitLog(t, s, n)
	}
	info, err := os.Stat(filepath.Join(intakeDir(dir), inTheIntake(t, dir)[0]))
	if err != nil {
		t.Fatal(err)
	}

	o, err := Open(Config{Dir: dir, MaxBytes: 5 * info.Size() / 2})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	o.intake.stop()
	in := o.intake
	o.intake = startIntakeStopped()
	if s, left := o.Stats(), inTheIntake(t, dir); s.Waiting != 2 || len(left) != 2 {
		t.Fatalf("got stats %+v and %q left, want two of each", s, left)
	}

	o.cfg.MaxBytes *= 2
	before := o.Stats()
	update := o.write.update
	o.write.update = func(func(*bolt.Tx) error) error { return errFull }
	if err := in.pickUp(); !errors.Is(err, errFull) {
		t.Errorf("got %v, want the error of the disk", err)
	}
	o.write.update = update
	if after := o.Stats(); after.Bytes != before.Bytes || after.Waiting != 2 {
		t.Errorf("got stats %+v, want %+v", after, before)
	}
	if err := in.pickUp(); err != nil || o.Stats().Waiting != 4 {
		t.Errorf("got %v, stats %+v, want all four waiting", err, o.Stats())
	}
}
