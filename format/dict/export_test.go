package dict

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func contents(d *Dictionary) map[uint32]string { return maps.Collect(d.Strings()) }

// TestExportIsReadBack holds what is read back to what was written, with Begins, for
// strings of any bytes that may stand in one.
func TestExportIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.Custom(func(t *rapid.T) string {
			b := rapid.SliceOfN(rapid.ByteMin(1), 1, 12).Draw(t, "bytes")
			return string(slices.DeleteFunc(b, func(c byte) bool { return !isText(c) })) + "."
		})

		texts := map[uint32]string{}
		at := rapid.Uint32Range(0, 1<<31).Draw(t, "base")
		for _, s := range rapid.SliceOfN(text, 0, 10).Draw(t, "texts") {
			texts[at] = s
			if rapid.Bool().Draw(t, "shares its end") {
				texts[at+uint32(len(s))-1] = "."
			}
			at += uint32(len(s)) + 1
		}

		d, err := FromStrings(texts)
		if err != nil {
			t.Fatal(err)
		}
		d.ID = ID{GitHash: "abc123def", Version: "v1.0.0", DeviceType: "\"x\"\n"}
		d.SetModules(map[uint8]string{0: "MAIN", 31: "é", 32: "none"})
		var asJSON, asCSV bytes.Buffer
		if err := d.WriteJSON(&asJSON); err != nil {
			t.Fatal(err)
		}

		if err := d.WriteCSV(&asCSV); err != nil {
			t.Fatal(err)
		}
		fromJSON, err := ReadJSON(&asJSON)
		if err != nil {
			t.Fatal(err)
		}

		fromCSV, err := ReadCSV(&asCSV)
		if err != nil {
			t.Fatal(err)
		}
		if fromJSON.ID != d.ID || !maps.Equal(fromJSON.Modules(), map[uint8]string{0: "MAIN", 31: "é"}) {
			t.Fatalf("got ID %+v, modules %v, want %+v, 0 MAIN and 31 é", fromJSON.ID, fromJSON.Modules(), d.ID)
		}

		for name, got := range map[string]*Dictionary{"built": d, "JSON": fromJSON, "CSV": fromCSV} {
			if !maps.Equal(contents(got), texts) {
				t.Fatalf("%s: %v, want %v", name, contents(got), texts)
			}
			for addr, want := range texts {
				if s, ok := got.Format(addr); !ok || s != want || !got.Begins(addr) {
					t.Fatalf("%s: %#x is %q, want %q", name, addr, s, want)
				}
				if s, ok := got.Format(addr + 1); ok && s != want[1:] && s != texts[addr+1] {
					t.Fatalf("%s: got %q as the end of %q, want %q or the text there, %q", name, s, want, want[1:], texts[addr+1])
				}
			}
		}
	})
}

// TestExportOfFirmwareIsReadBack writes a firmware's strings and reads them back with
// what the firmware tells about them.
func TestExportOfFirmwareIsReadBack(t *testing.T) {
	needARM(t)
	d, err := Load(compileARM(t, "-Os", "-mcpu=cortex-m3", "-g"))
	if err != nil {
		t.Fatal(err)
	}
	var asJSON, asCSV bytes.Buffer
	if err := d.WriteJSON(&asJSON); err != nil {
		t.Fatal(err)
	}

	if err := d.WriteCSV(&asCSV); err != nil {
		t.Fatal(err)
	}
	back, err := ReadJSON(&asJSON)
	if err != nil {
		t.Fatal(err)
	}

	checkFirmware(t, back, true)
	table, err := ReadCSV(&asCSV)
	if err != nil {
		t.Fatal(err)
	}
	table.SetModules(d.Modules()) // which a table does not hold
	checkFirmware(t, table, true)
}

func TestBadDictionariesAreRefused(t *testing.T) {
	head := `{"kind":"ulogkit-dictionary","v":1,"strings":[`
	tests := []struct {
		name, json, csv string
		want            error
	}{
		{"half", head, "addr,te", ErrDamaged},
		{"empty", "", "", ErrDamaged},
		{"array", "[]", "1,2", ErrDamaged},
		{"other kind", `{"kind":"x"}`, "address,text\n", ErrDamaged},
		{"trailing", head + `]} {}`, "addr,text\n1\n", ErrDamaged},
		{"deep", strings.Repeat(`{"kind":`, 20_000), `addr,text` + "\n" + `1,"`, ErrDamaged},
		{"number of the address", head + `{"addr":1e400,"text":"a"}]}`, "addr,text\n1e4,a\n", ErrDamaged},
		{"address of 33 bits", head + `{"addr":4294967296,"text":"a"}]}`, "addr,text\n0x100000000,a\n", ErrDamaged},
		{"past the end", head + `{"addr":4294967295,"text":"ab"}]}`, "addr,text\n0xffffffff,ab\n", ErrDamaged},
		{"NUL", head + `{"addr":1,"text":"a\u0000b"}]}`, "addr,text\n1,a\\x00\n", ErrDamaged},
		{"bad escape", head + `{"addr":1,"hex":"zz"}]}`, "addr,text\n1,a\\q\n", ErrDamaged},
		{"escape cut", head + `{"addr":1,"hex":"0"}]}`, "addr,text\n1,a\\\n", ErrDamaged},
		{
			"long", head + `{"addr":1,"text":"` + strings.Repeat("a", MaxString+1) + `"}]}`,
			"addr,text\n1," + strings.Repeat("a", MaxString+1) + "\n", ErrTooLarge,
		},
		{"module 32", `{"kind":"ulogkit-dictionary","v":1,"modules":[{"module":32,"name":"x"}]}`, "addr,text\n-1,a\n", ErrDamaged},
	}

	for _, tt := range tests {
		if d, err := ReadJSON(strings.NewReader(tt.json)); !errors.Is(err, tt.want) || d != nil {
			t.Errorf("%s: JSON gives %v, want %v", tt.name, err, tt.want)
		}
		if d, err := ReadCSV(strings.NewReader(tt.csv)); !errors.Is(err, tt.want) || d != nil {
			t.Errorf("%s: CSV gives %v, want %v", tt.name, err, tt.want)
		}
	}

	if _, err := ReadJSON(strings.NewReader(`{"kind":"ulogkit-dictionary","v":2}`)); !errors.Is(err, ErrUnsupported) {
		t.Errorf("version 2: %v, want %v", err, ErrUnsupported)
	}
}
