package inspect

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/ulogkit/ulogkit/format/crash"
)

// readSet returns files of the set of crash dumps.
func readSet(t *testing.T, names ...string) map[string][]byte {
	t.Helper()
	in, err := os.Open(filepath.Join("..", "..", "..", "..", "format", "crash", "testdata", "crashset.tar.zst"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := zstd.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if filepath.Clean(h.Name) != name {
				continue
			}
			if files[name], err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
	}

	if len(files) != len(names) {
		t.Fatalf("got %d files, want one for each of %q", len(files), names)
	}

	return files
}

// What programs read of a dump: addresses as numbers and as a person writes them, what
// is inlined, whether something is left out, how far the build is that of the dump, the
// task, and how each frame was found.
func TestCrashRowTellsWhatProgramsRead(t *testing.T) {
	files := readSet(t, "m3-O2/fw.elf", "m3-O2/s20.core", "m3-O2/s10.stk.core", "m3-O2/s11.core")
	elf := files["m3-O2/fw.elf"]
	fw, err := crash.ReadELF(bytes.NewReader(elf), int64(len(elf)))
	if err != nil {
		t.Fatal(err)
	}

	hows := map[crash.How]bool{
		crash.FromPC: true, crash.FromLR: true, crash.FromCFI: true, crash.FromExidx: true,
		crash.FromCode: true, crash.FromException: true, crash.FromTail: true, crash.FromStack: true,
	}

	for name, want := range map[string]struct {
		inlined   int
		truncated bool
		task      string // empty is null
	}{
		"m3-O2/s20.core":     {inlined: 2},
		"m3-O2/s10.stk.core": {truncated: true},
		"m3-O2/s11.core":     {task: "task_main"},
	} {
		row, err := Explain("x", files[name], []*crash.Firmware{fw})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}

		var got struct {
			Match     string  `json:"match"`
			Task      *string `json:"task"`
			Truncated *bool   `json:"truncated"`
			Backtrace []struct {
				PC      *uint32   `json:"pc"`
				Hex     string    `json:"hex"`
				Inlined *bool     `json:"inlined"`
				How     crash.How `json:"how"`
			} `json:"backtrace"`
		}

		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		inlined := 0
		for i, f := range got.Backtrace {
			if f.PC == nil || f.Inlined == nil || f.Hex != fmt.Sprintf("0x%08x", *f.PC) || !hows[f.How] {
				t.Fatalf("%s: got frame %d as %+v, want a pc, its hex, inlined and how it was found: %s", name, i, f, text)
			}
			if *f.Inlined {
				inlined++
			}
		}

		task := ""
		if got.Task != nil {
			task = *got.Task
		}
		if got.Match != "fits" || got.Truncated == nil || *got.Truncated != want.truncated || inlined != want.inlined || task != want.task || !bytes.Contains(text, []byte(`"task":`)) {
			t.Errorf("%s: got match %q, task %q, %d inlined in %s, want %+v", name, got.Match, task, inlined, text, want)
		}
	}
}
