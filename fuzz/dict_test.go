package fuzz

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format/dict"
)

// The corpus of package dict, and seeds of dictionary files.
var (
	elfGoodDir  = filepath.Join("..", "format", "dict", "testdata", "elf", "good")
	elfBadDir   = filepath.Join("..", "format", "dict", "testdata", "elf", "bad")
	dictSeedDir = filepath.Join("testdata", "dict")
)

// A dictionary keeps its strings one by one; a firmware is kept as it is, with
// an index of its addresses.
var dictLimits = limits{perByte: 256, base: 1 << 20, time: time.Minute, perKiB: 100 * time.Millisecond}

func makeDictSeeds(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for name, texts := range map[string]map[uint32]string{
		"empty":   {},
		"vectors": vectorStrings(t),
		"odd":     {0: "a", 2: "b\"\\,\n\t\r;", 0xfffffff0: "\xff\x80", 0x1000: "mix %s", 0x1004: "%s"},
	} {
		d, err := dict.FromStrings(texts)
		if err != nil {
			t.Fatal(err)
		}
		d.ID = dict.ID{GitHash: "abc123def", Version: "v1"}
		d.SetModules(map[uint8]string{0: "MAIN", 31: "ALWAYS"})
		var asJSON, asCSV bytes.Buffer
		if err := d.WriteJSON(&asJSON); err != nil {
			t.Fatal(err)
		}
		if err := d.WriteCSV(&asCSV); err != nil {
			t.Fatal(err)
		}
		files["json/"+name+".json"] = asJSON.Bytes()
		files["csv/"+name+".csv"] = asCSV.Bytes()
	}

	return files
}

// TestDictSeedsAreThereAndCurrent holds the seeds of the targets to be there and current.
func TestDictSeedsAreThereAndCurrent(t *testing.T) {
	files := makeDictSeeds(t)
	if *update {
		rewrite(t, dictSeedDir, files)
	}
	sameFiles(t, dictSeedDir, files)
	for dir, least := range map[string]int{elfGoodDir: 2, elfBadDir: 20, filepath.Join(dictSeedDir, "json"): 3, filepath.Join(dictSeedDir, "csv"): 3} {
		if n := len(readFolder(t, dir)); n < least {
			t.Errorf("%s: got %d seeds, want at least %d", dir, n, least)
		}
	}
}

// FuzzELF reads any bytes as firmware and asks for everything that it tells.
func FuzzELF(f *testing.F) {
	for _, dir := range []string{elfGoodDir, elfBadDir} {
		for _, b := range readFolder(f, dir) {
			f.Add(b)
		}
	}

	f.Fuzz(func(t *testing.T, b []byte) {
		within(t, dictLimits, len(b), func() {
			d, err := dict.ReadELF(bytes.NewReader(b), int64(len(b)))
			if (d == nil) != (err != nil) {
				t.Errorf("got a dictionary: %v, error %v, want one of the two", d != nil, err)
			}
			if d == nil {
				return
			}

			n := 0
			for addr, text := range d.Strings() {
				// Which of several it gives, where sections lie on each other, is held by the
				// tests of package dict.
				if got, ok := d.Format(addr); !ok {
					t.Errorf("%#x: got %q, %v, want one such as %q", addr, got, ok, text)
				}
				d.Overlays(addr)
				d.Sources(addr)
				if n++; n == 1000 {
					break
				}
			}

			d.Begins(0x2001)
			d.Modules()
		})
	})
}

// FuzzDictionaryJSON reads any bytes as a dictionary, writes what it holds and
// reads that.
func FuzzDictionaryJSON(f *testing.F) {
	for _, b := range readFolder(f, filepath.Join(dictSeedDir, "json")) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d *dict.Dictionary
		within(t, dictLimits, len(b), func() { d, _ = dict.ReadJSON(bytes.NewReader(b)) })
		if d == nil {
			return
		}
		var out bytes.Buffer
		if err := d.WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
		again, err := dict.ReadJSON(&out)
		if err != nil || !sameStrings(d, again) || fmt.Sprint(d.Modules()) != fmt.Sprint(again.Modules()) {
			t.Errorf("written and read again: got error %v, want none and the same strings and modules", err)
		}
	})
}

// FuzzDictionaryCSV is the same about tables.
func FuzzDictionaryCSV(f *testing.F) {
	for _, b := range readFolder(f, filepath.Join(dictSeedDir, "csv")) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var d *dict.Dictionary
		within(t, dictLimits, len(b), func() { d, _ = dict.ReadCSV(bytes.NewReader(b)) })
		if d == nil {
			return
		}
		var out bytes.Buffer
		if err := d.WriteCSV(&out); err != nil {
			t.Fatal(err)
		}
		again, err := dict.ReadCSV(&out)
		if err != nil || !sameStrings(d, again) {
			t.Errorf("written and read again: got error %v, want none and the same strings", err)
		}
	})
}

func sameStrings(a, b *dict.Dictionary) bool {
	return maps.Equal(maps.Collect(a.Strings()), maps.Collect(b.Strings()))
}
