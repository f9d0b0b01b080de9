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

func TestStoreFollowsItsFolder(t *testing.T) {
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
				t.Fatalf("%+v: got error %v, want none or %v", id, err, ErrNoDictionary)
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
		t.Errorf("got error %v, want one that names broken.elf", err)
	}

	// A file is replaced, half written, then whole; another goes away.
	writeFile(t, filepath.Join(dir, "v1.0.0.elf"), elfWith("rebuilt"), time.Second)
	if got := lookup(ID{Version: "v1.0.0"}); got != "rebuilt" {
		t.Errorf("after the change: got %q, want \"rebuilt\"", got)
	}
	writeFile(t, filepath.Join(dir, "v1.0.0.elf"), elfWith("half")[:100], 2*time.Second)
	if got := lookup(ID{Version: "v1.0.0"}); got != "rebuilt" {
		t.Errorf("while it is written: got %q, want \"rebuilt\"", got)
	}
	writeFile(t, filepath.Join(dir, "v1.0.0.elf"), elfWith("whole"), 3*time.Second)
	if got := lookup(ID{Version: "v1.0.0"}); got != "whole" {
		t.Errorf("after it is written: got %q, want \"whole\"", got)
	}
	if err := os.Remove(filepath.Join(dir, "v1.0.0.elf")); err != nil {
		t.Fatal(err)
	}
	if got := lookup(ID{Version: "v1.0.0"}); got != "" {
		t.Errorf("after it is gone: got %q, want none", got)
	}
}

func TestStoreNeedsItsFolder(t *testing.T) {
	if _, err := OpenStore(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error is %v, want %v", err, os.ErrNotExist)
	}
}

// TestAllReadsAgainWhatHasChanged has All read again what has changed, and nothing
// else, for a directory and for a file.
func TestAllReadsAgainWhatHasChanged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "firmware.elf")
	writeFile(t, path, elfWith("one"), 0)
	for _, tt := range []struct {
		path    string
		removed bool // what is gone is gone
	}{{path, false}, {dir, true}} {
		writeFile(t, path, elfWith("one"), 0)
		s, err := OpenStore(tt.path)
		if err != nil {
			t.Fatal(err)
		}

		all := func() []*Dictionary {
			t.Helper()
			all, skipped, err := s.All()
			if err != nil || len(skipped) != 0 || len(all) != 1 {
				t.Fatalf("got %d dictionaries, %v skipped, error %v, want 1, none and no error", len(all), skipped, err)
			}
			return all
		}

		one := all()
		if again := all(); again[0] != one[0] {
			t.Errorf("got another dictionary without a change (%v), want the same, not read again", again[0])
		}
		writeFile(t, path, elfWith("two")[:70], time.Second)
		again, skipped, err := s.All()
		if err != nil || len(again) != 1 || again[0] != one[0] || len(skipped) != 1 || !errors.Is(skipped[0], ErrDamaged) {
			t.Errorf("when half written: got %v, %v skipped, error %v, want the one from before, one skipped as %v and no error",
				again, skipped, err, ErrDamaged)
		}

		writeFile(t, path, elfWith("two"), 2*time.Second)
		two := all()
		if text, _ := two[0].Format(0x2000); text != "two" || two[0].String() != path {
			t.Errorf("read %q of %s, want text \"two\" and two[0] %v", text, two[0], path)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}

		if _, _, err := s.All(); err == nil || errors.Is(err, ErrNoDictionary) != tt.removed {
			t.Errorf("when it is gone: got error %v, want one, that is %v: %v", err, ErrNoDictionary, tt.removed)
		}
		if !tt.removed {
			continue
		}

		writeFile(t, path, elfWith("three")[:70], 3*time.Second)
		if all, _, err := s.All(); !errors.Is(err, ErrNoDictionary) {
			t.Errorf("when another is half written: got %d dictionaries, error %v, want %v", len(all), err, ErrNoDictionary)
		}
	}
}

// TestDictionaryIsReadByManyAtOnce uses one dictionary from several goroutines, for
// the race detector.
func TestDictionaryIsReadByManyAtOnce(t *testing.T) {
	d := readTestELF(t, testELF{sections: []testSection{code(0x100, wordBytes(0x2004)), rodata(0x2000, []byte("mix %s\x00"))}})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if !d.Begins(0x2004) || len(d.Sources(0x2000)) != 0 || d.Len() != 2 {
				t.Errorf("got begins %v, sources %v, %d strings, want true, none and 2", d.Begins(0x2004), d.Sources(0x2000), d.Len())
			}
		})
	}
	wg.Wait()
}

// TestAllNamesWhatItSkips takes the dictionaries of a build directory, and names the
// rest.
func TestAllNamesWhatItSkips(t *testing.T) {
	dir := t.TempDir()
	all := func(path string) ([]*Dictionary, []error, error) {
		t.Helper()
		s, err := OpenStore(path)
		if err != nil {
			t.Fatal(err)
		}
		return s.All()
	}

	if _, _, err := all(dir); !errors.Is(err, ErrNoDictionary) {
		t.Errorf("empty directory: %v, want %v", err, ErrNoDictionary)
	}
	host := elfWith("host")
	host[4] = 2 // 64-bit
	others := []struct {
		name string
		b    []byte
		want error
	}{
		{"a.out", host, ErrUnsupported},
		{"compile_commands.json", []byte("[]"), ErrNotELF},
		{"half.elf", elfWith("half")[:70], ErrDamaged},
		{"notes.csv", nil, ErrNotELF},
		{"package.json", []byte(`{"name": "x"}`), ErrDamaged},
	}

	for _, o := range others {
		writeFile(t, filepath.Join(dir, o.name), o.b, 0)
	}
	writeFile(t, filepath.Join(dir, "notes.txt"), []byte("no"), 0)
	_, _, err := all(dir)
	if !errors.Is(err, ErrNoDictionary) {
		t.Errorf("directory without dictionaries: got error %v, want %v", err, ErrNoDictionary)
	}

	for _, o := range others {
		if !strings.Contains(err.Error(), o.name) {
			t.Errorf("got error %v, want one that names %s", err, o.name)
		}
		if _, _, err := all(filepath.Join(dir, o.name)); !errors.Is(err, o.want) {
			t.Errorf("%s by itself: %v, want %v", o.name, err, o.want)
		}
	}

	writeFile(t, filepath.Join(dir, "b.elf"), elfWith("b"), 0)
	writeFile(t, filepath.Join(dir, "a.json"), dictionaryWith(t, ID{}, "a"), 0)
	found, skipped, err := all(dir)
	if err != nil || len(found) != 2 || len(skipped) != len(others) {
		t.Fatalf("got %d dictionaries, %d skipped, error %v, want 2, %d and no error", len(found), len(skipped), err, len(others))
	}

	for i, want := range []string{"a", "b"} {
		if text, _ := found[i].Format(0x2000); text != want {
			t.Errorf("dictionary %d has %q, want %q", i, text, want)
		}
	}

	for i, o := range others {
		if !errors.Is(skipped[i], o.want) || !strings.Contains(skipped[i].Error(), o.name) {
			t.Errorf("%s: got skipped because of %v, want %v and its name", o.name, skipped[i], o.want)
		}
	}
}
