package firmware

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
)

// compressedFile is an ELF file with one section of debug information, of zeros
// that are compressed and a size that it says it has.
func compressedFile(t *testing.T, method, says uint32, zeros int) *File {
	t.Helper()
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	if _, err := z.Write(make([]byte, zeros)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	body := le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, method), says), 1)
	body = append(body, packed.Bytes()...)
	names := []byte("\x00.debug_str\x00")
	f := &File{r: bytes.NewReader(body), size: int64(len(body)), names: names}
	f.sections = []Section{{Size: uint32(len(body)), name: 1, typ: 1, flags: flagCompressed}}
	return f
}

// TestCompressedSectionsAreReadWithinBounds takes sections apart, and does not fill
// the memory for a small one.
func TestCompressedSectionsAreReadWithinBounds(t *testing.T) {
	for _, tt := range []struct {
		method, says uint32
		zeros        int
		want         error
	}{
		{1, 1000, 1000, nil},
		{1, 60 << 10, 60 << 10, nil},
		{1, 8 << 20, 8 << 20, ErrTooLarge}, // 1,000 times its size
		{1, 0xffffffff, 1000, ErrTooLarge},
		{1, 1001, 1000, ErrDamaged},
		{2, 1000, 1000, ErrDamaged}, // it is zlib
		{3, 1000, 1000, ErrUnsupported},
	} {
		t.Run(fmt.Sprint(tt.method, " ", tt.says), func(t *testing.T) {
			b, err := compressedFile(t, tt.method, tt.says, tt.zeros).Debug("debug_str", "")
			if !errors.Is(err, tt.want) || err == nil && len(b) != tt.zeros {
				t.Errorf("%d bytes, error %v, want %v", len(b), err, tt.want)
			}
		})
	}
}

// TestReadingDeepAbbreviationsEnds has entries of one byte that stand for very many
// attributes: reading them ends.
func TestReadingDeepAbbreviationsEnds(t *testing.T) {
	abbrev := []byte{1, tagSubprogram, 1}
	for range 20000 {
		abbrev = append(abbrev, 0x3f, formFlagPresent) // external, of no bytes
	}
	abbrev = append(abbrev, 0, 0, 0)
	entries := bytes.Repeat([]byte{1}, 100000)
	le := binary.LittleEndian
	info := le.AppendUint32(nil, uint32(7+len(entries)))
	info = append(le.AppendUint32(le.AppendUint16(info, 4), 0), 4)
	info = append(info, entries...)
	d := &Debug{data: unitData{info: info, abbrev: abbrev}, split: map[uint64]*splitUnit{}}
	d.units = d.data.readUnits()
	if len(d.units) != 1 {
		t.Fatalf("%d units, want 1", len(d.units))
	}
	if _, scopes := d.Locate([]uint32{0x1000}); len(scopes) != 1 || len(scopes[0]) != 0 {
		t.Errorf("scopes are %+v, want len(scopes) 1 and len(scopes[0]) 0", scopes)
	}
}
