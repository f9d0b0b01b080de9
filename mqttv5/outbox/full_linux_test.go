package outbox

import (
	"math"
	"syscall"
	"testing"
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
