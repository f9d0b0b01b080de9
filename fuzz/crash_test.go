package fuzz

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/crash"
)

// The corpus of package crash: dumps of firmware that crashed in an emulator,
// and that firmware.
var crashDir = filepath.Join("..", "format", "crash", "testdata", "dumps")

// A firmware is kept as it is, with an index of its functions; a backtrace has
// a bounded number of steps.
var crashLimits = limits{perByte: 64, base: 16 << 20, time: time.Minute, perKiB: 100 * time.Millisecond}

// crashSeeds returns the dumps without their headers, and the firmware.
func crashSeeds(t testing.TB) (dumps [][]byte, elf []byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(crashDir, "*.bin"))
	if err != nil || len(paths) < 13 {
		t.Fatalf("got %d dumps in %s, %v, want at least 13", len(paths), crashDir, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dumps = append(dumps, b[format.CoreDumpHeaderSize:])
	}
	dumps = append(dumps, readSeeds(t, "crash_catcher")...)
	dumps = append(dumps, splitMark(dumps[0]))
	if elf, err = os.ReadFile(filepath.Join(crashDir, "firmware.elf")); err != nil {
		t.Fatal(err)
	}
	return dumps, elf
}

// splitMark makes a dump into one of Secure code in an interrupt, with what the
// processor saved in two pieces of memory: the mark at the end of one, the rest
// at the beginning of the other.
func splitMark(dump []byte) []byte {
	const lenRegisters = 20 * 4
	b := bytes.Clone(dump[:format.CrashHeaderSize+lenRegisters])
	words := func(values ...uint32) {
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	}
	registers := b[format.CrashHeaderSize:]
	sp, pc := binary.LittleEndian.Uint32(registers[13*4:]), binary.LittleEndian.Uint32(registers[15*4:])
	binary.LittleEndian.PutUint32(registers[14*4:], 5)           // lr
	binary.LittleEndian.PutUint32(registers[15*4:], 0x6000_0000) // pc
	binary.LittleEndian.PutUint32(registers[16*4:], 1<<24|20)    // xpsr
	words(sp, sp+8, 0xffffffd9, 0xfefa125b)
	words(sp+44, sp+76, 0, 1, 2, 3, 12, 5, pc, 1<<24)
	return b
}

// FuzzCrash explains any bytes as a dump, of a firmware that is given: small
// inputs and quick runs, so that Go can make what it finds smaller in no time.
func FuzzCrash(f *testing.F) {
	dumps, elf := crashSeeds(f)
	fw, err := crash.ReadELF(bytes.NewReader(elf), int64(len(elf)))
	if err != nil {
		f.Fatal(err)
	}

	for _, b := range dumps {
		f.Add(b)
		f.Add(slices.Concat(make([]byte, format.CoreDumpHeaderSize), b))
		f.Add([]byte(hex.EncodeToString(b)))
	}

	for _, b := range readFolder(f, filepath.Join("testdata", "bad", "crash_catcher")) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, dump []byte) {
		if len(dump) > 64<<10 {
			return
		}
		d, err := crash.Read(dump)
		if (d == nil) != (err != nil) && !errors.Is(err, crash.ErrNoDump) {
			t.Errorf("got a dump: %v, error %v, want one of the two", d != nil, err)
		}
		if err != nil {
			return
		}
		within(t, crashLimits, len(dump)+len(elf), func() {
			explain(t, d, nil)
			explain(t, d, fw)
		})
	})
}

// FuzzFirmware explains a dump with a firmware in which bytes are changed: each
// three bytes of the input are a place and what is put there.
func FuzzFirmware(f *testing.F) {
	dumps, elf := crashSeeds(f)
	files := append([][]byte{elf}, debugSeeds(f)...)
	for i := range dumps {
		f.Add(uint8(i), []byte{0, 0, 0x7f, 0x20, 0, 0xff})
	}
	f.Fuzz(func(t *testing.T, which uint8, changes []byte) {
		if len(changes) > 3*64 {
			return
		}
		b := bytes.Clone(files[int(which)/len(dumps)%len(files)])
		for ; len(changes) >= 3; changes = changes[3:] {
			b[int(binary.LittleEndian.Uint16(changes))%len(b)] = changes[2]
		}
		explainAll(t, dumps[int(which)%len(dumps)], b)
	})
}

// debugSeeds returns firmware with its debug information.
func debugSeeds(t testing.TB) (files [][]byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(crashDir, "..", "debug", "*.elf"))
	if err != nil || len(paths) < 2 {
		t.Fatalf("got %d files with debug information, %v, want at least 2", len(paths), err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, b)
	}
	return files
}

// explainAll reads dump and firmware and explains them.
func explainAll(t *testing.T, dump, elf []byte) {
	t.Helper()
	d, err := crash.Read(dump)
	if err != nil {
		return
	}
	within(t, crashLimits, len(dump)+len(elf), func() {
		fw, err := crash.ReadELF(bytes.NewReader(elf), int64(len(elf)))
		if (fw == nil) != (err != nil) {
			t.Errorf("got a firmware: %v, error %v, want one of the two", fw != nil, err)
		}
		explain(t, d, nil)
		explain(t, d, fw)
	})
}

// maxFrames is how many frames a backtrace has at most, with those that are
// inlined.
const maxFrames = 3 * (4096 + 64)

func explain(t *testing.T, d *crash.Dump, fw *crash.Firmware) {
	t.Helper()
	trace := fw.Backtrace(d)
	frames := trace.Frames
	if len(frames) > maxFrames || d.Known(15) && (len(frames) == 0 || frames[0].PC != d.Registers.PC()&^1) {
		t.Errorf("got %d calls, the first %+v, want at most %d, the first at the program counter where that is known",
			len(frames), frames[:min(len(frames), 1)], maxFrames)
	}

	// What was found apart follows what is sure.
	if i := slices.IndexFunc(frames, func(f crash.Frame) bool { return f.Confidence == crash.Scanned }); i >= 0 {
		for _, f := range frames[i:] {
			if f.Confidence != crash.Scanned {
				t.Errorf("got %+v behind a call that was found, want only such", f)
			}
		}
	}

	fault := fw.Explain(d)
	if d.Known(15) && len(fault.Reasons) == 0 || len(fault.Reasons) > 64 {
		t.Errorf("got fault %+v, want at most 64 reasons, and one where the program counter is known", fault)
	}
	if summary := fw.Summary(d, trace); len(summary) == 0 || len(summary) > 100 {
		t.Errorf("got summary %q, want 1 to 100 bytes", summary)
	}

	crash.Running(d, trace)
	if fw != nil {
		fw.Match(d)
	}
}

// TestDamagedFirmwareIsExplainedWithinLimits inverts each byte of the firmware in
// turn, and cuts it.
func TestDamagedFirmwareIsExplainedWithinLimits(t *testing.T) {
	dumps, elf := crashSeeds(t)
	for i := range elf {
		b := bytes.Clone(elf)
		b[i] ^= 0xff
		explainAll(t, dumps[i%len(dumps)], b)
		if i%16 == 0 {
			explainAll(t, dumps[i%len(dumps)], elf[:i])
		}
	}
	for _, b := range readFolder(t, elfBadDir) {
		explainAll(t, dumps[0], b)
	}
	for _, elf := range debugSeeds(t) {
		for i := 0; i < len(elf); i += 7 {
			b := bytes.Clone(elf)
			b[i] ^= 0xff
			explainAll(t, dumps[i%len(dumps)], b)
		}
	}
}
