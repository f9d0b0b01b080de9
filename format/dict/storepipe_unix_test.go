//go:build unix

package dict

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A pipe in a folder of firmware holds nothing up, whatever it is called.
func TestPipesAmongDictionaries(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"pipe", "pipe.elf", "pipe.json", "pipe.csv"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Skip(err)
		}
	}
	writeFile(t, filepath.Join(dir, "good.elf"), elfWith("good"), 0)
	s, err := OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}

	done := make(chan struct{})
	go func() {
		defer close(done)
		found, skipped, err := s.All()
		if err != nil || len(found) != 1 || len(skipped) != 3 {
			t.Errorf("got %d dictionaries, skipped %v, %v, want one and the three that are named as firmware", len(found), skipped, err)
		}
		for _, err := range skipped {
			if !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("got %v, want that it is no regular file", err)
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatal("the pipes are waited for")
	}
}
