package outbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/internal/childtest"
)

// compactBelowStrace makes an outbox smaller in a process whose calls on its files are
// changed as inject says, and reports whether that process was killed.
func compactBelowStrace(t *testing.T, file []byte, inject string) (dir, said string, killed bool) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("got no strace in the path, want it installed where CI runs")
		}
		t.Skip("strace is not installed")
	}

	dir = t.TempDir()
	db := filepath.Join(dir, "outbox.db")
	if err := os.WriteFile(db, file, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("strace", "-f", "-o", filepath.Join(t.TempDir(), "calls"), "-P", db+".tmp", "-e", "inject="+inject, os.Args[0], dir)
	cmd.Env = append(os.Environ(), childtest.Variable+"=compact")
	out, err := cmd.CombinedOutput()
	status := (*exec.ExitError)(nil)
	if err != nil && !errors.As(err, &status) {
		t.Fatalf("got %v from strace, want it to run", err)
	}

	if status != nil && !killedBy(status) {
		t.Fatalf("got %v from the child, want success or a kill: %s", err, out)
	}

	return dir, string(out), status != nil
}

func killedBy(status *exec.ExitError) bool {
	w := status.Sys().(syscall.WaitStatus)
	return w.Signaled() && w.Signal() == syscall.SIGKILL || w.ExitStatus() == 128+int(syscall.SIGKILL)
}

// F43: killed at each of the calls that compaction makes on the file that it writes,
// one after the other: nothing is lost, whichever it was.
func TestF43KillAtEveryCall(t *testing.T) {
	file, left := wastefulFile(t)
	points := 0
	for _, call := range []string{"pwrite64", "fdatasync", "fsync", "ftruncate", "openat", "renameat,renameat2,rename", "fchmod,fchmodat,chmod", "close"} {
		for n := 1; ; n++ {
			dir, said, killed := compactBelowStrace(t, file, fmt.Sprintf("%s:signal=KILL:when=%d", call, n))
			if !killed {
				break
			}
			points++
			o := openOutbox(t, dir)
			expect(t, o, left)
			if err := o.Close(); err != nil {
				t.Errorf("killed at %s %d: got %v from Close, want no error: %s", call, n, err, said)
			}
			if leftovers, err := filepath.Glob(filepath.Join(dir, "*.tmp")); err != nil || len(leftovers) > 0 {
				t.Errorf("killed at %s %d: got %q left, error %v, want nothing left", call, n, leftovers, err)
			}
		}
	}

	if points < 8 {
		t.Errorf("got %d calls to be killed at, want at least 8", points)
	}
	t.Logf("killed at %d calls", points)
}

// F45: the disk is full or broken at any call that compaction makes: it is told, the
// file stays as it was, and the outbox goes on.
func TestF45CompactionFails(t *testing.T) {
	file, left := wastefulFile(t)
	for _, inject := range []string{"pwrite64:error=ENOSPC", "pwrite64:error=ENOSPC:when=3+", "ftruncate:error=ENOSPC", "fdatasync:error=EIO", "openat:error=ENOSPC", "renameat,renameat2,rename:error=ENOSPC"} {
		dir, said, _ := compactBelowStrace(t, file, inject)
		after, err := os.ReadFile(filepath.Join(dir, "outbox.db"))
		if err != nil || len(after) != len(file) {
			t.Errorf("%s: the file has %d bytes, want %d; error %v", inject, len(after), len(file), err)
		}
		if n := strings.Count(said, "cannot be made smaller"); n != 1 {
			t.Errorf("%s: told %d times, want once: %s", inject, n, said)
		}

		if leftovers, err := filepath.Glob(filepath.Join(dir, "*.tmp")); err != nil || len(leftovers) > 0 {
			t.Errorf("%s: got %q left, error %v, want nothing left", inject, leftovers, err)
		}
		o := openOutbox(t, dir)
		expect(t, o, left)
		if err := o.Close(); err != nil {
			t.Errorf("%s: got %v from Close, want no error", inject, err)
		}

		if shrunk := size(t, dir); shrunk > int64(len(file))/2 {
			t.Errorf("%s: with room again the file has %d bytes of %d, want far fewer", inject, shrunk, len(file))
		}
	}
}

// wastefulFile returns the file of an outbox that wants to be made smaller, and what is
// in it.
func wastefulFile(t *testing.T) (file []byte, left map[string][]byte) {
	t.Helper()
	dir := t.TempDir()
	o, left := backlog(t, dir)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, "outbox.db"))
	if err != nil {
		t.Fatal(err)
	}
	return file, left
}
