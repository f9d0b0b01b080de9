package bench

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ulogkit/ulogkit/format/dict"
)

// Addresses of the firmware that is loaded. The string is the last of its section.
const (
	loadCode    = 0x0000_8000
	loadStrings = 0x0010_0000
)

// firmware returns a linked file of about size bytes, half of it debug
// information, and the address of a string in it.
func firmware(tb testing.TB, size int) (file []byte, addr uint32) {
	tb.Helper()
	code := make([]byte, size/4)
	for i := range code {
		code[i] = byte(i * 37)
	}
	var texts []byte
	for i := 0; len(texts) < size/4; i++ {
		addr = loadStrings + uint32(len(texts))
		texts = append(texts, fmt.Sprintf("message %d from somewhere in the firmware: temp=%%d rh=%%d\x00", i)...)
	}

	const names = "\x00.text\x00.rodata\x00.debug_line\x00.debug_info\x00.shstrtab\x00"
	sections := []struct {
		name  string
		typ   elf.SectionType
		flags elf.SectionFlag
		addr  uint32
		data  []byte
	}{
		{".text", elf.SHT_PROGBITS, elf.SHF_ALLOC | elf.SHF_EXECINSTR, loadCode, code},
		{".rodata", elf.SHT_PROGBITS, elf.SHF_ALLOC, loadStrings, texts},
		{".debug_line", elf.SHT_PROGBITS, 0, 0, make([]byte, size/4)},
		{".debug_info", elf.SHT_PROGBITS, 0, 0, make([]byte, size/4)},
		{".shstrtab", elf.SHT_STRTAB, 0, 0, []byte(names)},
	}

	var b, table bytes.Buffer
	write := func(w *bytes.Buffer, v any) {
		if err := binary.Write(w, binary.LittleEndian, v); err != nil {
			tb.Fatal(err)
		}
	}

	header := elf.Header32{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS32), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_ARM), Version: uint32(elf.EV_CURRENT),
		Ehsize: 52, Shentsize: 40, Shnum: uint16(len(sections) + 1), Shstrndx: uint16(len(sections)),
	}

	offset := uint32(header.Ehsize)
	write(&table, elf.Section32{})
	for _, s := range sections {
		write(&table, elf.Section32{
			Name: uint32(bytes.Index([]byte(names), []byte("\x00"+s.name+"\x00")) + 1), Type: uint32(s.typ), Flags: uint32(s.flags),
			Addr: s.addr, Off: offset, Size: uint32(len(s.data)), Addralign: 1,
		})
		offset += uint32(len(s.data))
	}

	header.Shoff = offset
	write(&b, header)
	for _, s := range sections {
		b.Write(s.data)
	}
	return append(b.Bytes(), table.Bytes()...), addr
}

// loaders are the ways from a file to the string at an address: ours, and all
// strings of the sections that are loaded to the device in a map.
var loaders = []struct {
	name string
	run  func(path string, addr uint32) (string, error)
}{
	{"dict", func(path string, addr uint32) (string, error) {
		d, err := dict.Load(path)
		if err != nil {
			return "", err
		}
		// The worst first record has an address inside of a string, which takes
		// a look at all the code that could use it.
		text, ok := d.Format(addr)
		if !ok || !d.Begins(addr) || d.Begins(addr+8) {
			return "", fmt.Errorf("no string begins at %#x alone", addr)
		}
		return text, nil
	}},
	{"debug-elf", func(path string, addr uint32) (string, error) {
		f, err := elf.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		texts := map[uint32]string{}
		for _, s := range f.Sections {
			if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_ALLOC == 0 {
				continue
			}
			b, err := s.Data()
			if err != nil {
				return "", err
			}
			at := uint32(s.Addr)
			for text := range bytes.SplitSeq(b, []byte{0}) {
				texts[at] = string(text)
				at += uint32(len(text)) + 1
			}
		}
		return texts[addr], nil
	}},
}

// BenchmarkLoad is what a start costs before the first record is rendered.
func BenchmarkLoad(b *testing.B) {
	const size = 2_500_000
	file, addr := firmware(b, size)
	path := filepath.Join(b.TempDir(), "firmware.elf")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		b.Fatal(err)
	}

	for _, impl := range loaders {
		b.Run(fmt.Sprintf("impl=%s/size=%d", impl.name, size), func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			var text string
			for b.Loop() {
				var err error
				if text, err = impl.run(path, addr); err != nil {
					b.Fatal(err)
				}
			}
			if want := string(file[bytes.LastIndex(file, []byte("message ")):][:len(text)]); text != want || text == "" {
				b.Fatalf("the string is %q, want %q", text, want)
			}
		})
	}
}
