package outbox

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// F45 on a disk that is really full: what fits is picked up, the rest when there is
// room.
func TestF45SmallDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3300k"); err != nil {
		t.Skipf("no right to mount a small disk: %v", err)
	}
	defer syscall.Unmount(dir, 0)
	pickUpOnFullDisk(t, dir, math.MaxInt64, func() error { return syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=50m") })
}

// F17 for those who submit beside a process that delivers: a full disk refuses with
// ErrOutboxFull, leaves nothing, and takes records again when there is room.
func TestF17SubmitterOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no right to mount a small disk: %v", err)
	}
	defer syscall.Unmount(dir, 0)

	s := openSubmitter(t, dir)
	submitLog(t, s, 1)
	fill := filepath.Join(dir, "fill")
	if err := os.WriteFile(fill, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v, want a full disk", err)
	}
	if _, err := s.SubmitLog(t.Context(), devicetest.Info(2), devicetest.Log(t, 2, 100)); !errors.Is(err, fault.ErrOutboxFull) {
		t.Errorf("got %v, want %v", err, fault.ErrOutboxFull)
	}
	if files, err := os.ReadDir(intakeDir(dir)); err != nil || len(files) != 1 {
		t.Errorf("got %v, %v, want the one record that was accepted", files, err)
	}

	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	submitLog(t, s, 2)
}
