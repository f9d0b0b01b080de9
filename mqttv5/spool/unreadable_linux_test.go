package spool

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// F46: a file that may not be read, and one that vanishes while others are taken, hold
// nothing up.
func TestUnreadableFilesHoldNothingUp(t *testing.T) {
	f := newFixture(t, nil)
	for i, name := range []string{"0-secret", "1-first", "2-vanishes", "3-last"} {
		f.write(name, testLog(t, i))
		mode := os.FileMode(0o644)
		if i == 0 {
			mode = 0
		}
		if err := os.Chmod(filepath.Join(f.dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	f.cfg.Accepted = func(name string, _ []string) {
		if name == "1-first" {
			if err := os.Remove(filepath.Join(f.dir, "2-vanishes")); err != nil {
				t.Error(err)
			}
		}
	}
	if os.Geteuid() == 0 {
		asNobody(t, f.dir)
	}

	for range 2 {
		f.Scan(t.Context())
	}
	want(t, "records", f.records(), []string{"SN-1 log", "SN-1 log"})
	want(t, "files", f.names(), []string{"0-secret"})
	if s := f.Stats(); s.Accepted != 2 || s.Bad != 0 || s.Skipped != 1 {
		t.Errorf("got stats %+v, want Accepted 2, Skipped 1 and Bad 0", s)
	}
	if log := f.log.String(); strings.Count(log, "0-secret") != 2 || !strings.Contains(log, "permission denied") || strings.Contains(log, "2-vanishes") {
		t.Errorf("got log %s\nwant one line, of 0-secret and \"permission denied\"", log)
	}
}

// asNobody takes from this test alone what root may do with files; others share the
// folder with it.
func asNobody(t *testing.T, dir string) {
	t.Helper()
	for name, mode := range map[string]os.FileMode{filepath.Dir(dir): 0o755, dir: 0o777} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = 65534
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	if err := syscall.Setfsuid(nobody); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setfsuid(0); err != nil {
			t.Error(err)
		}
	})
}
