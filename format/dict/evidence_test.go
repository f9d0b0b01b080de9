package dict

import (
	"bytes"
	"testing"
)

// TestStringMayBeginAfterAPointer takes a string for one though the byte before it,
// the top of a pointer, could be text. The compiler reaches it by the address of
// another (case right-firmware-refused-pointer-before-string).
func TestStringMayBeginAfterAPointer(t *testing.T) {
	d, err := Load("testdata/anchors.elf")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := d.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}

	written, err := ReadJSON(&b)
	if err != nil {
		t.Fatal(err)
	}

	for name, d := range map[string]*Dictionary{"ELF": d, "JSON": written} {
		for addr, want := range map[uint32]string{0x080000c4: "sensor stop %d", 0x080000dc: "radio up %d"} {
			if got, ok := d.Format(addr); got != want || !ok || !d.Begins(addr) {
				t.Errorf("%s: %#x is %q, begins there: %v; want %q", name, addr, got, d.Begins(addr), want)
			}
			if d.Begins(addr + 1) {
				t.Errorf("%s: a string begins at %#x, inside of %q", name, addr+1, want)
			}
		}
	}
}

// TestPrintkLevelIsPartOfAFormat takes a printk level, "\001" "6", for a part of a
// format (case control-byte-in-format).
func TestPrintkLevelIsPartOfAFormat(t *testing.T) {
	d, err := Load("testdata/control.elf")
	if err != nil {
		t.Fatal(err)
	}
	const want = "\x016printk style %d"
	if got, ok := d.Format(0x080003f8); got != want || !ok || !d.Begins(0x080003f8) {
		t.Errorf("got %q, %v, want %q", got, ok, want)
	}
	for _, binary := range []string{"\x01\x02\x03\x04", "ab\x01\x02cd"} {
		if isString([]byte(binary)) {
			t.Errorf("got %q taken for a format, want it refused", binary)
		}
	}
}
