package dict

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// firmwareOf returns a firmware file of about size bytes, half of it debug
// information, with a string every 64 bytes of .rodata.
func firmwareOf(size int) []byte {
	instructions := make([]byte, size/4)
	for i := range instructions {
		instructions[i] = byte(i * 37)
	}
	var texts []byte
	for i := 0; len(texts) < size/4; i++ {
		texts = append(texts, fmt.Sprintf("message %d from somewhere in the firmware: temp=%%d rh=%%d\x00", i)...)
	}
	return testELF{
		sections: []testSection{
			code(0x8000, instructions),
			rodata(0x10_0000, texts),
			moduleSection(0x20_0000, 1, 0x10_0000, 1),
			{name: ".debug_line", typ: typeProgBits, data: make([]byte, size/4)},
			{name: ".debug_info", typ: typeProgBits, data: make([]byte, size/4)},
		},
		symbols: []testSymbol{{symbolModules, 0x20_0004}, {symbolCount, 0x20_0000}},
	}.bytes()
}

// BenchmarkLoad is what a start costs before the first record is rendered.
func BenchmarkLoad(b *testing.B) {
	const size = 2_500_000
	path := filepath.Join(b.TempDir(), "firmware.elf")
	if err := os.WriteFile(path, firmwareOf(size), 0o600); err != nil {
		b.Fatal(err)
	}
	b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
		b.SetBytes(size)
		b.ReportAllocs()
		for b.Loop() {
			d, err := Load(path)
			if err != nil {
				b.Fatal(err)
			}
			// The worst first record: its string shares the end of another.
			if _, ok := d.Format(0x10_0008); !ok || d.Begins(0x10_0008) {
				b.Fatal("wrong answer")
			}
		}
	})
}
