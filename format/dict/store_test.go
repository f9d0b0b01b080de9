package dict

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const testHash = "abc123def4567890abc123def4567890abc123de"

// writeFile writes a file of the store and moves its time on, so that a change
// within one tick of the file system shows.
func writeFile(t *testing.T, path string, b []byte, age time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_700_000_000, 0).Add(age)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func elfWith(text string) []byte {
	return testELF{sections: []testSection{rodata(0x2000, []byte(text+"\x00"))}}.bytes()
}

func dictionaryWith(t *testing.T, id ID, text string) []byte {
	t.Helper()
	d, err := FromStrings(map[uint32]string{0x2000: text})
	if err != nil {
		t.Fatal(err)
	}
	d.ID = id
	var b bytes.Buffer
	if err := d.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestStore(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(id ID) string {
		t.Helper()
		d, err := s.Lookup(id)
		if err != nil {
			if !errors.Is(err, ErrNoDictionary) {
				t.Fatal(err)
			}
			return ""
		}
		text, _ := d.Format(0x2000)
		return text
	}
	writeFile(t, filepath.Join(dir, "v1.0.0.elf"), elfWith("by version"), 0)
	writeFile(t, filepath.Join(dir, "1111111.elf"), elfWith("by hash"), 0)
	writeFile(t, filepath.Join(dir, "build.elf"), elfWith("held "+testHash), 0)
	writeFile(t, filepath.Join(dir, "a.json"), dictionaryWith(t, ID{GitHash: "2222222", Version: "v3"}, "by id"), 0)
	writeFile(t, filepath.Join(dir, "b.json"), dictionaryWith(t, ID{Version: "v4", DeviceType: "lamp"}, "lamp"), 0)
	writeFile(t, filepath.Join(dir, "broken.elf"), []byte("no"), 0)
	writeFile(t, filepath.Join(dir, "notes.txt"), []byte("by version"), 0)
	tests := []struct {
		id   ID
		want string
	}{
		{ID{Version: "v1.0.0"}, "by version"},
		{ID{GitHash: "1111111aaaa"}, "by hash"},
		{ID{GitHash: testHash, Version: "v9"}, "held " + testHash},
		{ID{GitHash: "2222222bbb"}, "by id"},
		{ID{GitHash: "333333344", Version: "v3"}, ""}, // the hash contradicts
		{ID{Version: "v4", DeviceType: "lamp"}, "lamp"},
		{ID{Version: "v4", DeviceType: "lock"}, ""},
		{ID{Version: "v5"}, ""},
		{ID{}, ""},
	}
	for _, tt := range tests {
		if got := lookup(tt.id); got != tt.want {
			t.Errorf("%+v gives %q, want %q", tt.id, got, tt.want)
		}
	}
	if _, err := s.Lookup(ID{Version: "v5"}); err == nil || !strings.Contains(err.Error(), "broken.elf") {
		t.Errorf("the error does not name the broken file: %v", err)
	}

	// A file is replaced, half written, then whole; another goes away.
	writeFile(t, filepath.Join(dir, "v1.0.0.elf"), elfWith("rebuilt"), time.Second)
	if got := lookup(ID{Version: "v1.0.0"}); got != "rebuilt" {
		t.Errorf("after the change: %q", got)
	}
	writeFile(t, filepath.Join(dir, "v1.0.0.elf"), elfWith("half")[:100], 2*time.Second)
	if got := lookup(ID{Version: "v1.0.0"}); got != "rebuilt" {
		t.Errorf("while it is written: %q", got)
	}
	writeFile(t, filepath.Join(dir, "v1.0.0.elf"), elfWith("whole"), 3*time.Second)
	if got := lookup(ID{Version: "v1.0.0"}); got != "whole" {
		t.Errorf("after it is written: %q", got)
	}
	if err := os.Remove(filepath.Join(dir, "v1.0.0.elf")); err != nil {
		t.Fatal(err)
	}
	if got := lookup(ID{Version: "v1.0.0"}); got != "" {
		t.Errorf("after it is gone: %q", got)
	}
}

func TestStoreMissing(t *testing.T) {
	if _, err := OpenStore(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "firmware.elf")
	writeFile(t, path, elfWith("one"), 0)
	poll := Watch(path)
	if _, changed := poll(); changed {
		t.Error("changed at once")
	}
	writeFile(t, path, elfWith("two")[:70], time.Second)
	if _, changed := poll(); changed {
		t.Error("changed when half written")
	}
	writeFile(t, path, elfWith("two"), 2*time.Second)
	d, changed := poll()
	if !changed {
		t.Fatal("change not seen")
	}
	if text, _ := d.Format(0x2000); text != "two" {
		t.Errorf("read %q", text)
	}
	if _, changed := poll(); changed {
		t.Error("changed twice")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, changed := poll(); changed {
		t.Error("changed when it went away")
	}
}

// TestConcurrent uses one dictionary from several goroutines, for the race
// detector.
func TestConcurrent(t *testing.T) {
	d := readTestELF(t, testELF{sections: []testSection{code(0x100, wordBytes(0x2004)), rodata(0x2000, []byte("mix %s\x00"))}})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if !d.Begins(0x2004) || len(d.Sources(0x2000)) != 0 || d.Len() != 2 {
				t.Error("wrong answer")
			}
		})
	}
	wg.Wait()
}

func TestLoadAll(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadAll(dir); !errors.Is(err, ErrNoDictionary) {
		t.Errorf("empty directory: %v", err)
	}
	writeFile(t, filepath.Join(dir, "b.elf"), elfWith("b"), 0)
	writeFile(t, filepath.Join(dir, "a.json"), dictionaryWith(t, ID{}, "a"), 0)
	writeFile(t, filepath.Join(dir, "notes.txt"), []byte("no"), 0)
	all, err := LoadAll(dir)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d dictionaries, error %v", len(all), err)
	}
	for i, want := range []string{"a", "b"} {
		if text, _ := all[i].Format(0x2000); text != want {
			t.Errorf("dictionary %d has %q, want %q", i, text, want)
		}
	}
	if one, err := LoadAll(filepath.Join(dir, "b.elf")); err != nil || len(one) != 1 {
		t.Errorf("%d dictionaries of a file, error %v", len(one), err)
	}
	writeFile(t, filepath.Join(dir, "c.elf"), []byte("no"), 0)
	if _, err := LoadAll(dir); !errors.Is(err, ErrNotELF) {
		t.Errorf("broken file: %v", err)
	}
}
