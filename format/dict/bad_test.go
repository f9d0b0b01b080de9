package dict

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goodELF is what the bad files are made of.
func goodELF() []byte {
	return testELF{
		sections: []testSection{
			code(0x100, append([]byte("\x00\xbf"), "text %d\x00\x01\x01"...)),
			rodata(0x2000, []byte("MAIN\x00value %s\x00")),
			moduleSection(0x3000, 1, 0x2000, 1),
			{name: ".debug_line", typ: typeProgBits, data: bytes.Repeat([]byte{9, 0, 0, 0, 4, 0, 1, 1, 1}, 8)},
		},
		symbols: []testSymbol{{symbolModules, 0x3004}, {symbolCount, 0x3000}},
	}.bytes()
}

// badELFs are files that must be refused, with the reason.
func badELFs() map[string]struct {
	data []byte
	want error
} {
	good := goodELF()
	le := binary.LittleEndian
	change := func(f func(b []byte)) []byte {
		b := bytes.Clone(good)
		f(b)
		return b
	}
	shoff := int(le.Uint32(good[32:]))
	sectionAt := func(b []byte, i int) []byte { return b[shoff+i*sizeSection:] }
	files := map[string]struct {
		data []byte
		want error
	}{
		"empty":          {nil, ErrNotELF},
		"one byte":       {[]byte{0x7f}, ErrNotELF},
		"all 00":         {make([]byte, 4096), ErrNotELF},
		"all FF":         {bytes.Repeat([]byte{0xff}, 4096), ErrNotELF},
		"text":           {[]byte("hello\n"), ErrNotELF},
		"magic alone":    {[]byte("\x7fELF"), ErrDamaged},
		"64-bit":         {change(func(b []byte) { b[4] = 2 }), ErrUnsupported},
		"big-endian":     {change(func(b []byte) { b[5] = 2 }), ErrUnsupported},
		"class 0":        {change(func(b []byte) { b[4] = 0 }), ErrUnsupported},
		"object file":    {change(func(b []byte) { b[16] = 1 }), ErrUnsupported},
		"core file":      {change(func(b []byte) { b[16] = 4 }), ErrUnsupported},
		"sectionless":    {testELF{bare: true, sections: []testSection{rodata(0x2000, []byte("a\x00"))}}.bytes(), ErrNoStrings},
		"nothing loaded": {testELF{sections: []testSection{{name: ".comment", typ: typeProgBits, data: []byte("GCC\x00")}}}.bytes(), ErrNoStrings},

		"section table outside":      {change(func(b []byte) { le.PutUint32(b[32:], 0xfffffff0) }), ErrDamaged},
		"section table cut":          {good[:len(good)-1], ErrDamaged},
		"65535 sections":             {change(func(b []byte) { le.PutUint16(b[48:], 0xffff) }), ErrDamaged},
		"section headers too small":  {change(func(b []byte) { le.PutUint16(b[46:], sizeSection-1) }), ErrDamaged},
		"section headers of nothing": {change(func(b []byte) { le.PutUint16(b[46:], 0) }), ErrDamaged},
		"section outside":            {change(func(b []byte) { le.PutUint32(sectionAt(b, 2)[16:], 0x7fffffff) }), ErrDamaged},
		"section lies about size":    {change(func(b []byte) { le.PutUint32(sectionAt(b, 2)[20:], uint32(len(b))) }), ErrDamaged},
		"section of 4 GiB":           {change(func(b []byte) { le.PutUint32(sectionAt(b, 2)[20:], 0xffffffff) }), ErrDamaged},
		"section passes memory":      {change(func(b []byte) { le.PutUint32(sectionAt(b, 2)[12:], 0xfffffffe) }), ErrDamaged},
		"section compressed":         {change(func(b []byte) { le.PutUint32(sectionAt(b, 2)[8:], flagAlloc|flagCompressed) }), ErrDamaged},
		"modules outside":            {change(func(b []byte) { le.PutUint32(sectionAt(b, 3)[8:], 0); le.PutUint32(sectionAt(b, 3)[16:], 1<<30) }), ErrDamaged},
		"symbols outside":            {change(func(b []byte) { le.PutUint32(sectionAt(b, 5)[16:], 1<<30) }), ErrDamaged},
		"symbol names outside":       {change(func(b []byte) { le.PutUint32(sectionAt(b, 6)[16:], 1<<30) }), ErrDamaged},
		"line table outside":         {change(func(b []byte) { le.PutUint32(sectionAt(b, 4)[16:], 1<<30) }), ErrDamaged},
	}
	sectionless := testELF{bare: true, segments: true, sections: []testSection{rodata(0x2000, []byte("a\x00"))}}.bytes()
	lie := func(offset int, value uint32) []byte {
		b := bytes.Clone(sectionless)
		le.PutUint32(b[offset:], value)
		return b
	}
	files["segment outside"] = struct {
		data []byte
		want error
	}{lie(sizeHeader+4, 1<<30), ErrDamaged}
	files["segment table outside"] = struct {
		data []byte
		want error
	}{lie(28, 1<<30), ErrDamaged}
	return files
}

// corpus is where the files are kept for others, such as the fuzz targets: good
// ones, and bad ones by class with the verdict on each.
const corpus = "testdata/elf"

func TestBadELFIsRefusedWithItsReason(t *testing.T) {
	good := goodELF()
	if _, err := ReadELF(bytes.NewReader(good), int64(len(good))); err != nil {
		t.Fatalf("the file that the bad ones are made of: %v", err)
	}
	var verdicts strings.Builder
	files := badELFs()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		bad := files[name]
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "firmware.elf")
			if err := os.WriteFile(path, bad.data, 0o600); err != nil {
				t.Fatal(err)
			}
			d, err := Load(path)
			if !errors.Is(err, bad.want) || d != nil {
				t.Fatalf("error is %v, want %v", err, bad.want)
			}
			verdict, ok := strings.CutPrefix(err.Error(), path+": ")
			if !ok || strings.HasSuffix(verdict, ".") {
				t.Errorf("got error %q, want %s, a colon and a sentence without a period", err, path)
			}
			file := fileName(name)
			fmt.Fprintf(&verdicts, "%s: %s\n", file, verdict)
			golden(t, filepath.Join(corpus, "bad", file), bad.data)
		})
	}

	golden(t, filepath.Join(corpus, "verdicts.txt"), []byte(verdicts.String()))
	golden(t, filepath.Join(corpus, "good", "sections.elf"), good)
	golden(t, filepath.Join(corpus, "good", "segments.elf"),
		testELF{bare: true, segments: true, sections: []testSection{rodata(0x2000, []byte("text %d\x00"))}}.bytes())
	entries, err := os.ReadDir(filepath.Join(corpus, "bad"))
	if err != nil || len(entries) != len(files) {
		t.Errorf("got %d files, error %v, want %d and no error", len(entries), err, len(files))
	}
}

func fileName(class string) string { return strings.ReplaceAll(class, " ", "-") + ".elf" }

var update = flag.Bool("update", false, "write the files under testdata anew")

// golden compares b with the file at path, or writes it.
func golden(t *testing.T, path string, b []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, want) {
		t.Errorf("%s: got %d bytes, want other ones, %d: is the file current?", path, len(b), len(want))
	}
}

// TestTruncatedELFIsRefused cuts the file everywhere: no piece gives a dictionary.
func TestTruncatedELFIsRefused(t *testing.T) {
	good := goodELF()
	for n := range good {
		if _, err := ReadELF(bytes.NewReader(good[:n]), int64(n)); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotELF) {
			t.Errorf("%d bytes: got error %v, want %v or %v", n, err, ErrDamaged, ErrNotELF)
		}
	}
}

// TestStackedSectionsAreRefusedEarly has thousands of sections that are all of the
// same large range, so that reading each would take 16 GiB.
func TestStackedSectionsAreRefusedEarly(t *testing.T) {
	e := testELF{sections: []testSection{rodata(0x2000, make([]byte, 1<<20))}}
	for range 16_000 {
		e.sections = append(e.sections, testSection{name: "", typ: typeProgBits, flags: flagAlloc, addr: 0x2000})
	}
	b := e.bytes()
	le := binary.LittleEndian
	shoff := int(le.Uint32(b[32:]))
	offset := le.Uint32(b[shoff+sizeSection+16:])
	for i := 2; i < 16_000; i++ {
		le.PutUint32(b[shoff+i*sizeSection+16:], offset)
		le.PutUint32(b[shoff+i*sizeSection+20:], 1<<20)
	}
	before := testing.AllocsPerRun(1, func() {
		if _, err := ReadELF(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrTooLarge) {
			t.Errorf("error is %v, want %v", err, ErrTooLarge)
		}
	})
	if before > 1000 {
		t.Errorf("got %v allocations until it is refused, want at most 1000", before)
	}
}

// TestTailsDoNotMultiplyTheStrings has firmware that refers to every byte of a long
// string: the list of strings must not grow with the square of its length.
func TestTailsDoNotMultiplyTheStrings(t *testing.T) {
	const n = 60_000
	var words []uint32
	for i := range uint32(n) {
		words = append(words, 0x2000+i)
	}
	d := readTestELF(t, testELF{sections: []testSection{
		rodata(0x2000, append(bytes.Repeat([]byte("x"), n), 0)), code(0x100_0000, wordBytes(words...)),
	}})
	total := 0
	for _, text := range d.Strings() {
		total += len(text)
	}
	if total < n || total > 10*n {
		t.Errorf("got strings of %d bytes for one of %d, want at least that and at most ten times", total, n)
	}
}

func TestLoadSaysWhyAFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "missing.elf")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v, want %v", err, os.ErrNotExist)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("directory: %v, want an error that says \"not a regular file\"", err)
	}
	if _, err := ReadELF(bytes.NewReader(nil), MaxFile+1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("huge file: %v, want %v", err, ErrTooLarge)
	}
}
