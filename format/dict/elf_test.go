package dict

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// testSection is a section of an ELF file made for a test.
type testSection struct {
	name  string
	typ   uint32
	flags uint32
	addr  uint32
	data  []byte
	link  uint32
}

// testELF is an ELF file made for a test; zero fields get the usual values.
type testELF struct {
	sections []testSection
	symbols  []testSymbol
	segments bool // write program headers for the sections that are loaded
	bare     bool // no section headers
}

type testSymbol struct {
	name  string
	value uint32
}

// Sizes and values of the ELF specification.
const (
	sizeHeader  = 52
	sizeSection = 40
	sizeSegment = 32
	sizeSymbol  = 16

	typeExec    = 2
	machineARM  = 40
	segmentLoad = 1

	typeProgBits   = 1
	sectionSymbols = 2
	typeStrings    = 3
	sectionNoBits  = 8

	flagAlloc, flagExec, flagCompressed = 2, 4, 0x800
)

// rodata and code are sections with contents.
func rodata(addr uint32, data []byte) testSection {
	return testSection{name: ".rodata", typ: typeProgBits, flags: flagAlloc, addr: addr, data: data}
}

func code(addr uint32, data []byte) testSection {
	return testSection{name: ".text", typ: typeProgBits, flags: flagAlloc | flagExec, addr: addr, data: data}
}

func moduleSection(addr uint32, words ...uint32) testSection {
	return testSection{name: sectionModules, typ: typeProgBits, flags: flagAlloc, addr: addr, data: wordBytes(words...)}
}

func wordBytes(words ...uint32) []byte {
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// bytes returns the file: header, program headers, contents, section headers.
func (e testELF) bytes() []byte {
	le := binary.LittleEndian
	sections := append([]testSection{{}}, e.sections...)
	if len(e.symbols) > 0 {
		table, names := make([]byte, sizeSymbol), []byte{0}
		for _, s := range e.symbols {
			table = append(le.AppendUint32(le.AppendUint32(table, uint32(len(names))), s.value), make([]byte, 8)...)
			names = append(append(names, s.name...), 0)
		}
		sections = append(sections, testSection{name: ".symtab", typ: sectionSymbols, data: table, link: uint32(len(sections) + 1)},
			testSection{name: ".strtab", typ: typeStrings, data: names})
	}
	names := []byte{0}
	offsets := make([]uint32, 0, len(sections)+1)
	for _, s := range append(sections, testSection{name: ".shstrtab"}) {
		offsets = append(offsets, uint32(len(names)))
		names = append(append(names, s.name...), 0)
	}
	sections = append(sections, testSection{name: ".shstrtab", typ: typeStrings, data: names})

	b := make([]byte, sizeHeader)
	copy(b, "\x7fELF\x01\x01\x01")
	le.PutUint16(b[16:], typeExec)
	le.PutUint16(b[18:], machineARM)
	le.PutUint32(b[20:], 1)
	le.PutUint16(b[40:], sizeHeader)
	le.PutUint16(b[42:], sizeSegment)
	le.PutUint16(b[46:], sizeSection)
	var headers, segments []byte
	at := sizeHeader
	if e.segments {
		at += sizeSegment * len(e.sections)
		le.PutUint32(b[28:], sizeHeader)
		le.PutUint16(b[44:], uint16(len(e.sections)))
	}
	var contents []byte
	for i, s := range sections {
		offset := uint32(at + len(contents))
		headers = append(headers, wordBytes(offsets[i], s.typ, s.flags, s.addr, offset, uint32(len(s.data)), s.link, 0, 1, 0)...)
		if e.segments && i > 0 && i <= len(e.sections) {
			segments = append(segments, wordBytes(segmentLoad, offset, s.addr, s.addr, uint32(len(s.data)), uint32(len(s.data)), s.flags>>2&1|4, 1)...)
		}
		contents = append(contents, s.data...)
	}
	b = append(append(b, segments...), contents...)
	if !e.bare {
		le.PutUint32(b[32:], uint32(len(b)))
		le.PutUint16(b[48:], uint16(len(sections)))
		le.PutUint16(b[50:], uint16(len(sections)-1))
		b = append(b, headers...)
	}
	return b
}

func readTestELF(t testing.TB, e testELF) *Dictionary {
	t.Helper()
	b := e.bytes()
	d, err := ReadELF(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFormatIsTheTextAtTheAddress(t *testing.T) {
	text := []byte("\x00\xbf\x80\xb5temp %d\x00\x01\x02abc\x01\x00unterminated")
	d := readTestELF(t, testELF{sections: []testSection{
		code(0x100, text),
		rodata(0x2000, []byte("first %s\x00\x00caf\xc3\xa9\x00\xb0C\x00bell\x02\x00")),
		{name: ".bss", typ: sectionNoBits, flags: flagAlloc, addr: 0x3000, data: []byte("zero\x00")},
		{name: ".comment", typ: typeProgBits, addr: 0x4000, data: []byte("not loaded\x00")},
	}})

	tests := []struct {
		addr   uint32
		text   string
		ok     bool
		begins bool
	}{
		{0x104, "temp %d", true, false}, // a code byte before it passes for text
		{0x105, "emp %d", true, false},
		{0x2000, "first %s", true, true},
		{0x2006, "%s", true, false},
		{0x2008, "", true, false},
		{0x2009, "", true, true},
		{0x200a, "caf\xc3\xa9", true, true},
		{0x2010, "\xb0C", true, true},
		{0x2013, "", false, false}, // holds a byte that is no text
		{0x10f, "", false, false},
		{0x118, "", false, false}, // the section ends before a NUL
		{0xff, "", false, false},
		{0x1000, "", false, false},
		{0x2018 + 2, "", false, false},
		{0x3000, "", false, false},
		{0x4000, "", false, false},
		{0xffffffff, "", false, false},
	}

	for _, tt := range tests {
		text, ok := d.Format(tt.addr)
		if text != tt.text || ok != tt.ok || d.Begins(tt.addr) != tt.begins {
			t.Errorf("%#x: %q, %v, begins %v; want %q, %v, %v", tt.addr, text, ok, d.Begins(tt.addr), tt.text, tt.ok, tt.begins)
		}
	}

	if !d.Contains("unterminated") || d.Contains("not loaded") {
		t.Errorf("Contains: got %v of what is loaded and %v of what is not, want true and false", d.Contains("unterminated"), d.Contains("not loaded"))
	}
}

// TestSharedEndBeginsWhereCodeRefersToIt is about a string that the linker let share
// the end of another: it counts as beginning where the code refers to it.
func TestSharedEndBeginsWhereCodeRefersToIt(t *testing.T) {
	d := readTestELF(t, testELF{sections: []testSection{
		code(0x100, wordBytes(0x2004, 0x2000)),
		rodata(0x2000, []byte("mix %s\x00")),
	}})
	if !d.Begins(0x2004) || d.Begins(0x2005) {
		t.Errorf("begins: %v and %v, want true and false", d.Begins(0x2004), d.Begins(0x2005))
	}
	got := map[uint32]string{}
	for addr, text := range d.Strings() {
		got[addr] = text
	}
	if len(got) != 2 || got[0x2000] != "mix %s" || got[0x2004] != "%s" || d.Len() != 2 {
		t.Errorf("strings are %v, want len(got) 2, got[0x2000] \"mix %%s\", got[0x2004] \"%%s\" and Len 2", got)
	}
}

func TestSegmentsDoWithoutSections(t *testing.T) {
	e := testELF{sections: []testSection{rodata(0x2000, []byte("text\x00"))}, segments: true, bare: true}
	d := readTestELF(t, e)
	if text, ok := d.Format(0x2000); !ok || text != "text" {
		t.Errorf("without sections: got %q, %v, want \"text\"", text, ok)
	}
}

// TestOverlayHasTheStringsOfAllSections reads sections that take turns in the same
// memory: an address has all of their strings, those that begin there first.
func TestOverlayHasTheStringsOfAllSections(t *testing.T) {
	d := readTestELF(t, testELF{sections: []testSection{
		rodata(0x2000, []byte("first\x00")), rodata(0x2000, []byte("again\x00more\x00")), rodata(0x2002, []byte("abc\x00")),
		rodata(0x3000, []byte("alone\x00")),
	}})

	var js, csv bytes.Buffer
	if err := errors.Join(d.WriteJSON(&js), d.WriteCSV(&csv)); err != nil {
		t.Fatal(err)
	}
	fromJSON, err := ReadJSON(&js)
	if err != nil {
		t.Fatal(err)
	}

	fromCSV, err := ReadCSV(&csv)
	if err != nil {
		t.Fatal(err)
	}

	for name, d := range map[string]*Dictionary{"ELF": d, "JSON": fromJSON, "CSV": fromCSV} {
		for addr, want := range map[uint32][]string{
			0x2000: {"first", "again"}, 0x2006: {"more"}, 0x2002: {"abc"}, 0x2003: {"st", "in", "bc"}, 0x3000: {"alone"}, 0x3001: {"lone"}, 0x4000: nil,
		} {
			if addr == 0x2003 && name != "ELF" {
				continue // of listed strings the longest one is looked into
			}
			var got []string
			if text, ok := d.Format(addr); ok {
				got = append(got, text)
			}
			if got = append(got, d.Overlays(addr)...); !slices.Equal(got, want) {
				t.Errorf("%s: %#x has %q, want %q", name, addr, got, want)
			}
			if begins := d.Begins(addr); begins != (len(want) > 0 && addr&1 == 0) {
				t.Errorf("%s: %#x: got begins %v, want %v", name, addr, begins, !begins)
			}
		}
	}
}

// Where one section has zeros and another a string, the string is meant, whichever comes
// first; zeros alone are the empty string.
func TestOverlayOfZerosGivesTheString(t *testing.T) {
	zeros, text := rodata(0x2000, make([]byte, 16)), rodata(0x2000, []byte("boot %d\x00"))
	for name, sections := range map[string][]testSection{"zeros first": {zeros, text}, "zeros last": {text, zeros}} {
		d := readTestELF(t, testELF{sections: append(sections, rodata(0x2008, make([]byte, 4)))})
		if got, ok := d.Format(0x2000); !ok || got != "boot %d" || len(d.Overlays(0x2000)) > 0 {
			t.Errorf("%s: got %q, %v and %q, want the string alone", name, got, ok, d.Overlays(0x2000))
		}
		if got, ok := d.Format(0x2009); !ok || got != "" || len(d.Overlays(0x2009)) > 0 {
			t.Errorf("%s: got %q, %v and %q, want one empty string", name, got, ok, d.Overlays(0x2009))
		}
	}
}

// However many sections lie at one address, few are looked at.
func TestOverlaysAreBounded(t *testing.T) {
	var sections []testSection
	for i := range 2 * maxOverlays {
		sections = append(sections, rodata(0x2000, fmt.Appendf(nil, "text %d\x00", i)))
	}
	d := readTestELF(t, testELF{sections: sections})
	if got := len(d.Overlays(0x2000)); got == 0 || got > maxOverlays {
		t.Errorf("got %d strings, want up to %d", got, maxOverlays)
	}
}

func TestModulesAreFoundWithAndWithoutSymbols(t *testing.T) {
	names := rodata(0x2000, []byte("MAIN\x00SENSOR\x00BLE\x00"))
	main, sensor, ble := []uint32{0x2000, 1}, []uint32{0x2005, 2}, []uint32{0x200c, 1 << 31}
	entries := append(append(append([]uint32(nil), main...), sensor...), ble...)
	first := append([]uint32{3}, entries...)
	last := append(append([]uint32(nil), entries...), 3)
	symbols := func(array, count uint32) []testSymbol {
		return []testSymbol{{"other", 1}, {symbolModules + "_not", 7}, {symbolCount, count}, {symbolModules, array}}
	}
	tests := []struct {
		name    string
		words   []uint32
		symbols []testSymbol
		want    int
	}{
		{"symbols, count first", first, symbols(0x3004, 0x3000), 3},
		{"symbols, count last", last, symbols(0x3000, 0x3018), 3},
		{"stripped, count first", first, nil, 3},
		{"stripped, count last", last, nil, 3},
		{"stripped, aligned to 8", append([]uint32{3, 0}, entries...), nil, 3},
		{"stripped, count elsewhere", entries, nil, 3},
		{"symbols, fewer than there is room for", append([]uint32{2}, entries...), symbols(0x3004, 0x3000), 2},
		{"symbols outside, then guessed", first, symbols(0x9000, 0x9004), 3},
		{"stripped, count last, aligned to 8", append(append([]uint32(nil), entries...), 3, 0), nil, 3},
		{"count less than the section has", append([]uint32{1}, entries...), nil, 0},
		{"count lies", append([]uint32{4}, entries...), nil, 0},
		{"count huge", append([]uint32{0xffffffff}, entries...), symbols(0x3004, 0x3000), 0},
		{"mask of two bits", []uint32{1, 0x2000, 3}, nil, 0},
		{"name nowhere", []uint32{1, 0x9000, 1}, nil, 0},
		{"empty", nil, nil, 0},
		{"three bytes of nothing", []uint32{0}, nil, 0},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := readTestELF(t, testELF{sections: []testSection{names, moduleSection(0x3000, tt.words...)}, symbols: tt.symbols})
			got := d.Modules()
			if len(got) != tt.want {
				t.Fatalf("modules are %v, want %d", got, tt.want)
			}
			if tt.want == 3 && (got[0] != "MAIN" || got[1] != "SENSOR" || got[31] != "BLE") {
				t.Errorf("got modules %v, want 0 MAIN, 1 SENSOR and 31 BLE", got)
			}
			if name, ok := d.Module(1); ok != (tt.want > 0) || ok && name != "SENSOR" {
				t.Errorf("module 1: got %q, %v, want SENSOR: %v", name, ok, tt.want > 0)
			}
			if _, ok := d.Module(32); ok {
				t.Error("got a module 32, want 31 to be the last")
			}
		})
	}
}

// TestModulesOfARealBuildAreFound is the section as one GCC 12 build wrote it.
func TestModulesOfARealBuildAreFound(t *testing.T) {
	words := []uint32{5}
	var names []byte
	for i, name := range []string{"MAIN", "SENSOR", "BLE", "FLASH", "POWER"} {
		words = append(words, 0x2000+uint32(len(names)), 1<<i)
		names = append(append(names, name...), 0)
	}
	d := readTestELF(t, testELF{sections: []testSection{rodata(0x2000, names), moduleSection(0x3000, words...)}})
	if got := d.Modules(); len(got) != 5 || got[4] != "POWER" {
		t.Errorf("modules are %v, want len(got) 5 and got[4] \"POWER\"", got)
	}
}

// TestStringsCopiedToRAMAreFound finds strings that start-up code copies to RAM, as
// formats that are no constants: the file has them at the address that the device
// uses.
func TestStringsCopiedToRAMAreFound(t *testing.T) {
	d := readTestELF(t, testELF{sections: []testSection{
		code(0x100, wordBytes(0x2000_0104)),
		{name: ".data", typ: typeProgBits, flags: flagAlloc | 1, addr: 0x2000_0100, data: []byte("\x01\x02\x03\x00speed %u\x00")},
		{name: ".bss", typ: sectionNoBits, flags: flagAlloc | 1, addr: 0x2000_0200},
	}})
	if text, ok := d.Format(0x2000_0104); !ok || text != "speed %u" || !d.Begins(0x2000_0104) {
		t.Errorf("got %q, %v, begins %v, want \"speed %%u\" that begins there", text, ok, d.Begins(0x2000_0104))
	}
	if _, ok := d.Format(0x2000_0200); ok {
		t.Error("got a string in what only the device fills, want none")
	}
}
