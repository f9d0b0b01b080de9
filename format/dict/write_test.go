package dict

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// What is written string by string is what encoding/json makes of the whole.
func TestWriteJSONIsTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &Dictionary{ID: ID{GitHash: rapid.SampledFrom([]string{"", "abc<>&"}).Draw(t, "hash")}}
		at := uint32(16)
		for range rapid.IntRange(0, 5).Draw(t, "strings") {
			text := rapid.SampledFrom([]string{"%d\n", "a <b> & \"c\" \\", "plain text %u", "caf\xc3\xa9 \xe2\x80\xa8", "\xff\xfe", "\x1b[31m", "~", " "}).Draw(t, "text")
			if err := d.add(at, text); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "has a source") {
				d.addSources(at, []Source{{"src/<main>.c", 7}, {"b.c", 9}})
			}
			at += 100
		}
		if rapid.Bool().Draw(t, "has modules") {
			d.SetModules(map[uint8]string{0: "MAIN", 31: "\u2028"})
		}
		d, err := d.finish()
		if err != nil {
			t.Fatal(err)
		}

		whole := dictionaryFile{Kind: fileKind, V: fileVersion, ID: d.ID, Strings: []fileString{}}
		for i, name := range d.modules {
			if name != "" {
				whole.Modules = append(whole.Modules, fileModule{uint8(i), name})
			}
		}
		for addr, text := range d.Strings() {
			s := fileString{Addr: addr, Sources: d.Sources(addr)}
			if utf8.ValidString(text) {
				s.Text = text
			} else {
				s.Hex = hex.EncodeToString([]byte(text))
			}
			whole.Strings = append(whole.Strings, s)
		}
		var want, got bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		if err := enc.Encode(whole); err != nil {
			t.Fatal(err)
		}
		if err := d.WriteJSON(&got); err != nil || got.String() != want.String() {
			t.Fatalf("got %v\n%s\nwant\n%s", err, &got, &want)
		}
		if !IsDictionary(got.Bytes()) || IsDictionary([]byte(`{"kind":"ulogkit-dictionary-of-another"`)) {
			t.Fatalf("IsDictionary: got false for what WriteJSON wrote, or true for another kind, want the opposite:\n%s", &got)
		}
		if !Recognize(got.Bytes()) || Recognize([]byte(`{"kind":"ulogkit-dictionary-of-another"`)) || !Recognize([]byte(` {"kind" : "ulogkit-dictionary"`)) {
			t.Error("got another dictionary recognized, or one of ours not, want ours alone, whatever its white space")
		}
	})
}

// heapWriter notes the most memory in use while it is written to.
type heapWriter struct{ written, most uint64 }

func (w *heapWriter) Write(b []byte) (int, error) {
	if before := w.written; before>>20 != (before+uint64(len(b)))>>20 { // each MiB
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.most = max(w.most, m.HeapAlloc)
	}
	w.written += uint64(len(b))
	return len(b), nil
}

// A firmware of nothing but short strings costs a small multiple of its size to
// write (case dictionary-memory: 5.5 GB for 60 MiB).
func TestWriteTakesAMultipleOfTheSize(t *testing.T) {
	const size = 8 << 20
	d := &Dictionary{blocks: []block{{addr: 0x0800_0000, data: []byte(strings.Repeat("%s %d\x00", size/6))}}}
	for name, write := range map[string]func(io.Writer) error{"JSON": d.WriteJSON, "CSV": d.WriteCSV} {
		runtime.GC()
		var w heapWriter
		if err := write(&w); err != nil {
			t.Fatal(err)
		}
		if w.written < 2*size {
			t.Errorf("%s: wrote %d bytes, want all strings", name, w.written)
		}
		if w.most == 0 || w.most > 5*size {
			t.Errorf("%s: got %d bytes in use, want at most %d", name, w.most, 5*size)
		}
	}
}

// A writer that fails ends the work.
func TestFailedWriterEndsTheWork(t *testing.T) {
	d := &Dictionary{blocks: []block{{addr: 0x0800_0000, data: []byte(strings.Repeat("%s %d\x00", 10_000))}}}
	for name, write := range map[string]func(io.Writer) error{"JSON": d.WriteJSON, "CSV": d.WriteCSV} {
		if err := write(fullDisk{}); err == nil || err.Error() != "no space" {
			t.Errorf("%s: got %v, want no space", name, err)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, fmt.Errorf("no space") }
