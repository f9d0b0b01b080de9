package otlp

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// F45 for refused records: one that a full disk does not take whole leaves nothing of
// itself, and those before and after it stay lines.
func TestF45RefusedRecords(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no right to mount a small disk: %v", err)
	}
	defer syscall.Unmount(dir, 0)

	name := filepath.Join(dir, "refused")
	if err := appendFile(name, []byte("before\n")); err != nil {
		t.Fatal(err)
	}
	if err := appendFile(name, []byte(strings.Repeat("x", 256<<10)+"\n")); err == nil {
		t.Error("got no error of a full disk")
	}
	if err := appendFile(name, []byte("after\n")); err != nil {
		t.Errorf("got %v, want room again", err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "before\nafter\n" {
		t.Errorf("got %d bytes that begin %.20q, %v, want the lines before and after", len(b), b, err)
	}
}
