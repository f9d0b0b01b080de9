package tokens

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/internal/fault"
)

// The library writes its file where it stands, so that half of it may be seen: that is
// not written over, and the token is not kept either.
func TestLibraryFileThatIsHalfWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session_tokens.json")
	put := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(libraryFile)
	s, err := OpenFile(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}

	for _, content := range []string{libraryFile[:len(libraryFile)/2], libraryFile + "}", "dear diary"} {
		put(content)
		if err := s.SetToken(t.Context(), keyOf("SN-3", "h3"), 333); !errors.Is(err, fault.ErrConfig) {
			t.Errorf("got %v, want %v", err, fault.ErrConfig)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != content {
			t.Errorf("got %q, %v, want %q as it was", b, err, content)
		}
	}

	put(libraryFile) // the library has done
	if err := s.SetToken(t.Context(), keyOf("SN-4", "h4"), 444); err != nil {
		t.Error(err)
	}
	if f, ok := readForeign(path); !ok || !f.has("SN-1") || !f.has("SN-3") || !f.has("SN-4") {
		t.Errorf("got %v, want what the library wrote and what was set", f)
	}
}

// Who only looks tokens up replaces nothing, though the file has changed.
func TestLibraryFileIsNotWrittenByReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session_tokens.json")
	if err := os.WriteFile(path, []byte(libraryFile), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := OpenFile(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}

	if _, ok, err := s.Token(t.Context(), keyOf("none", "h1")); ok || err != nil {
		t.Errorf("got %v, %v, want no token", ok, err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("got %v, %v, want the file as it was", after, err)
	}
}

// Only a regular file of a size that can be is the library's.
func TestLibraryFileIsARegularOne(t *testing.T) {
	dir := t.TempDir()
	path, link, large := filepath.Join(dir, "f"), filepath.Join(dir, "link"), filepath.Join(dir, "large")
	err := errors.Join(
		os.WriteFile(path, []byte(libraryFile), 0o644), os.Symlink(path, link),
		os.WriteFile(large, []byte(libraryFile+strings.Repeat(" ", maxContent)), 0o644),
	)
	if err != nil {
		t.Skip(err)
	}
	for _, name := range []string{link, large} {
		if _, ok := readForeign(name); ok {
			t.Errorf("%s is taken for the library's file", filepath.Base(name))
		}
		if _, err := OpenFile(Config{Path: name}); err == nil {
			t.Errorf("%s: got no error", filepath.Base(name))
		}
	}
	if _, ok := readForeign(path); !ok {
		t.Error("the library's file is not taken for it")
	}
}
