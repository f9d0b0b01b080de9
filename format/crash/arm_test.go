package crash

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
)

var update = flag.Bool("update", false, "write the dumps under testdata anew, with compiler and emulator")

const source = "testdata/firmware/firmware.c"

// needTool fails where checks must run and skips elsewhere.
func needTool(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("got no %s, want it in CI", name)
		}
		t.Skipf("%s is not installed", name)
	}
}

// compile builds the firmware and returns its file.
func compile(t testing.TB, flags ...string) string {
	t.Helper()
	needTool(t, "arm-none-eabi-gcc")
	dir, err := filepath.Abs(filepath.Dir(source))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "firmware.elf")
	args := append([]string{
		"-mthumb", "-ffreestanding", "-nostdlib", "-Wall", "-Werror", "-Wno-infinite-recursion", "-T", "firmware.ld",
		"-ffile-prefix-map=" + dir + "=.", "-o", path,
	}, flags...)
	cmd := exec.CommandContext(t.Context(), "arm-none-eabi-gcc", append(args, "firmware.c", "-lgcc")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// emulate runs a way to crash of the firmware and returns the CrashCatcher dump
// that it wrote.
func emulate(t testing.TB, machine, path string, way int) []byte {
	t.Helper()
	needTool(t, "qemu-system-arm")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, "qemu-system-arm", "-M", machine, "-nographic", "-monitor", "none", "-serial", "none",
		"-semihosting", "-kernel", path, "-device", fmt.Sprintf("loader,addr=0x20000000,data=%d,data-len=4", way))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("way %d: %v\n%s", way, err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "core.bin"))
	if err != nil {
		t.Fatalf("way %d: %v", way, err)
	}
	return b
}

func parse(t testing.TB, dump []byte) *Dump {
	t.Helper()
	if _, err := format.ParseCrashCatcher(dump); err != nil {
		t.Fatal(err)
	}
	d, err := Read(dump)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// way is a way to crash: the calls that lead there, the innermost first, each
// as "function" or "function@place", and what must be said.
type way struct {
	name    string
	calls   string
	reasons []string
}

// ways are by the number that the firmware knows them by.
var ways = map[int]way{
	1: {"read of nothing", "read_bus middle@middle1", []string{
		"reads 4 bytes at 0xa0000004, in the external device region, and the bus answers with an error (PRECISERR): there is usually nothing at that address.",
		"became a HardFault", "Thread code (main or a task) was running; the handler of HardFault took the dump.",
	}},
	2: {"null pointer", "write_null middle@middle2", []string{
		"writes 4 bytes at 0x0000000c, a null pointer with an offset, as of a member or an element, and the memory protection unit forbids it (DACCVIOL).",
		"The instruction takes the address from r", "the handler of MemManage took the dump.",
	}},
	3: {"division by zero", "divide middle@middle3", []string{"divided by zero (DIVBYZERO).", "The divisor is in r"}},
	4: {"undefined instruction", "undefined middle@middle4", []string{"(UNDEFINSTR)", "The instruction at pc is UDF, a trap"}},
	5: {"call of nothing", "? call middle@middle5", []string{"The processor jumped to pc 0xa0000000, where it is forbidden to run code (IACCVIOL)", "There is no code of the firmware at pc 0xa0000000"}},
	6: {"call without the Thumb bit", "? call middle@middle6", []string{"The code jumped to pc 0x00001000 through an address with bit 0 clear", "The Thumb bit of xpsr is clear, which confirms it.", "holds that address"}},
	7: {"jump to nothing", "? jump middle@middle7", []string{"(IACCVIOL)"}},
	8: {"in an interrupt", "read_bus interrupt_work interrupt victim! middle@middle8", []string{
		"The handler of interrupt 0 (exception 16) was running; the handler of HardFault took the dump.",
	}},
	9:  {"in an interrupt of an interrupt", "read_bus interrupt_work interrupt second_interrupt! victim! middle@middle9", nil},
	10: {"in an interrupt of floating point", "read_bus interrupt_work interrupt victim! float_victim middle@middle10", nil},
	11: {"deep recursion", "read_bus recurse@recurse_end" + strings.Repeat(" recurse", 10) + " middle@middle11", nil},
	12: {"in an interrupt of a task", "read_bus interrupt_work interrupt victim! middle@middle8 outer main task reset@reset12", nil},
	13: {"stack overflow", "", []string{
		"forbade it to save the registers on the stack (MSTKERR): the stack has usually overflowed.", "The address is near sp",
		"pc, lr, xpsr, r0 to r3 and r12 in the dump may not be those",
	}},
}

// wantCalls returns the calls of a way as showCalls shows them.
func (w way) wantCalls(t testing.TB, lines, optimised bool) []string {
	t.Helper()
	calls := w.calls
	if !strings.Contains(calls, "outer") {
		calls += " outer main reset"
	}
	if optimised { // what ends in a jump leaves no frame
		calls = strings.Replace(calls, "? jump ", "? ", 1)
	}
	var want []string
	for i, call := range strings.Fields(calls) {
		call, interrupted := strings.CutSuffix(call, "!")
		function, place, ok := strings.Cut(call, "@")
		if !ok {
			place = function
		}
		line := 0
		if lines && function != "?" {
			line = lineOf(t, place)
		}
		how := FromCFI
		switch {
		case i == 0:
			how = FromPC
		case interrupted:
			how = FromException
		case want[0] == "? 0 pc" && i == 1:
			how = FromLR
		}

		want = append(want, fmt.Sprintf("%s %d %s", function, line, how))
	}

	return want
}

func lineOf(t testing.TB, place string) int {
	t.Helper()
	b, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(b), "\n") {
		if strings.Contains(line, "/* at "+place+" */") {
			return i + 1
		}
	}
	t.Fatalf("%s: got no place %q, want one", source, place)
	return 0
}

func showCalls(frames []Frame) (all []string) {
	for _, f := range frames {
		function := f.Function
		if function == "" {
			function = "?"
		}
		all = append(all, fmt.Sprintf("%s %d %s", function, f.Line, f.How))
	}
	return all
}

// checkDump holds what is said of a dump to the way that it came about. Lines
// says that the firmware has what -g adds.
func checkDump(t *testing.T, fw *Firmware, c *Dump, number int, lines, optimised bool) {
	t.Helper()
	w := ways[number]
	reasons := strings.Join(fw.Explain(c).Reasons, "\n")
	for _, want := range w.reasons {
		if !strings.Contains(reasons, want) {
			t.Errorf("got reasons\n%s\nwant %q among them", reasons, want)
		}
	}

	if !fw.Fits(c) {
		t.Error("got a firmware that does not fit, want a fit")
	}
	frames := fw.Backtrace(c).Frames
	got := showCalls(frames)
	if w.calls == "" { // the registers are lost
		if len(frames) < 25 || frames[0].Function != "" {
			t.Errorf("got calls\n%s\nwant at least 25, the first without a function", strings.Join(got, "\n"))
		}
		for i, f := range frames {
			if f.Confidence != Scanned || i > 0 && i < 25 && f.Function != "endless" {
				t.Errorf("call %d: got %+v, want Confidence %v and, from 1 to 24, Function \"endless\"", i, f, Scanned)
			}
		}
		return
	}

	want := w.wantCalls(t, lines, optimised)
	if lines {
		if !slices.Equal(got, want) {
			t.Errorf("calls are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for _, f := range frames {
			if f.Confidence != Unwound || f.Line > 0 && filepath.Base(f.File) != "firmware.c" {
				t.Errorf("got call %+v, want Confidence %v and File firmware.c", f, Unwound)
			}
		}
		return
	}

	// Without rules the calls are found by the code itself.
	rest := want
	for _, f := range frames {
		function := f.Function
		if function == "" {
			function = "?"
		}
		if len(rest) > 0 && strings.HasPrefix(rest[0], function+" ") {
			rest = rest[1:]
		}
		if f.Confidence != Unwound || f.Line != 0 {
			t.Errorf("call is %+v, want Confidence %v and Line 0", f, Unwound)
		}
	}

	if len(rest) > 0 {
		t.Errorf("got calls\n%s\nwant these, too\n%s", strings.Join(got, "\n"), strings.Join(rest, "\n"))
	}
}

// TestEmulatedCrashesAreExplained crashes a real firmware in every way there is, as
// compilers write it with and without optimisation and debug information.
func TestEmulatedCrashesAreExplained(t *testing.T) {
	for _, flags := range []string{
		"-O0 -g", "-Os -g", "-O2 -g", "-O2 -gdwarf-3 -fno-omit-frame-pointer", "-O0", "-Os", "-O2",
		"-O0 -g -mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16", "-O2 -g -mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16",
		"-Os -mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16",
	} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			machine := "mps2-an386"
			all := strings.Fields(flags)
			if !strings.Contains(flags, "-mcpu") {
				machine = "mps2-an385"
				all = append(all, "-mcpu=cortex-m3")
			}

			path := compile(t, all...)
			fw, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			checkFunctions(t, fw, path)
			for number, w := range ways {
				t.Run(w.name, func(t *testing.T) {
					c := parse(t, emulate(t, machine, path, number))
					checkDump(t, fw, c, number, strings.Contains(flags, "-g"), !strings.Contains(flags, "-O0"))
				})
			}
		})
	}
}

// checkFunctions holds the functions to what debug/elf reads.
func checkFunctions(t *testing.T, fw *Firmware, path string) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}

	checked := 0
	for _, s := range symbols {
		if elf.ST_TYPE(s.Info) != elf.STT_FUNC || s.Size == 0 {
			continue
		}
		checked++
		first, last := uint32(s.Value)&^1, uint32(s.Value)&^1+uint32(s.Size)-1
		for _, pc := range []uint32{first, last} {
			// Functions of the compiler's own library begin in one another.
			if got := fw.function(pc); got == nil || got.Addr != first && (pc == first || got.Addr < first) || pc-got.Addr >= got.Size {
				t.Errorf("at %#x is %+v, want %s", pc, got, s.Name)
			}
		}
	}

	if checked < 15 {
		t.Errorf("checked %d functions, want at least 15", checked)
	}
}

// dumps holds what emulated firmware wrote, so that the backtrace is tested
// where neither compiler nor emulator is: firmware.elf and WAY.bin.
const dumps = "testdata/dumps"

func TestKeptDumpsAreExplained(t *testing.T) {
	if *update {
		writeDumps(t)
	}
	fw, err := Load(filepath.Join(dumps, "firmware.elf"))
	if err != nil {
		t.Fatal(err)
	}
	for number, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(dumps, fmt.Sprintf("%02d.bin", number)))
			if err != nil {
				t.Fatal(err)
			}
			d, rest, err := format.ParseCoreDump(b)
			if err := errors.Join(err, format.CheckCoreDump(b)); err != nil || len(rest) > 0 {
				t.Fatalf("got error %v, %d bytes after the dump, want neither", err, len(rest))
			}
			checkDump(t, fw, parse(t, d.Crash), number, true, true)
		})
	}
}

// debugFiles are firmware with its debug information, to be damaged.
var debugFiles = map[string][]string{
	"dwarf5.elf": {"-O3", "-gdwarf-5", "-mcpu=cortex-m3"},
	"dwarf4.elf": {"-O2", "-gdwarf-4", "-gz", "-mcpu=cortex-m3"},
}

// writeDebugFiles compiles them.
func writeDebugFiles(t *testing.T) {
	t.Helper()
	for name, flags := range debugFiles {
		b, err := os.ReadFile(compile(t, flags...))
		if err == nil {
			err = os.WriteFile(filepath.Join("testdata", "debug", name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func writeDumps(t *testing.T) {
	t.Helper()
	writeDebugFiles(t)
	if err := os.MkdirAll(dumps, 0o755); err != nil {
		t.Fatal(err)
	}
	path := compile(t, "-Os", "-g", "-mcpu=cortex-m3")
	for number := range ways {
		d := format.CoreDump{Header: new(format.CoreDumpHeader), Crash: emulate(t, "mps2-an385", path, number)}
		d.Header.SetLenTotal(uint32(format.CoreDumpHeaderSize + len(d.Crash)))
		d.Header.SetVersion(1)
		d.Header.SetApplicationID(7)
		err := errors.Join(d.Header.SetDeviceSerial("SN-1"), d.Header.SetDeviceType("lamp"), d.Header.SetVersionString("v1.0.0"), d.Header.SetGitHash("3f2c9a1"))
		if err != nil {
			t.Fatal(err)
		}
		d.Seal()
		b, err := d.AppendTo(nil)
		if err == nil {
			err = os.WriteFile(filepath.Join(dumps, fmt.Sprintf("%02d.bin", number)), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	// Types and variables are most of it and not looked at.
	cmd := exec.CommandContext(t.Context(), "arm-none-eabi-objcopy", "-R", ".debug_info", "-R", ".debug_abbrev", "-R", ".debug_aranges",
		"-R", ".debug_str", "-R", ".debug_loclists", "-R", ".debug_rnglists", path, filepath.Join(dumps, "firmware.elf"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestWithoutFirmwareThereArePCAndLR has pc and lr alone.
func TestWithoutFirmwareThereArePCAndLR(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(dumps, "01.bin"))
	if err != nil {
		t.Fatal(err)
	}
	c := parse(t, b[format.CoreDumpHeaderSize:])
	got := (*Firmware)(nil).Backtrace(c).Frames
	want := []Frame{
		{PC: c.Registers.PC(), Confidence: Unwound, How: FromPC},
		{PC: c.Registers.LR() &^ 1, Confidence: Scanned, How: FromLR},
	}
	if !slices.Equal(got, want) {
		t.Errorf("calls are %+v, want %+v", got, want)
	}
	reasons := strings.Join(Explain(c).Reasons, "\n")
	if !strings.Contains(reasons, "reads or writes 0xa0000004") || !strings.Contains(reasons, "\nr0 holds that address.\n") {
		t.Errorf("got reasons\n%s\nwant that 0xa0000004 was read or written and r0 holds that address", reasons)
	}
}

// TestWrongFirmwareDoesNotFit has firmware whose code is elsewhere.
func TestWrongFirmwareDoesNotFit(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(dumps, "firmware.elf"))
	if err != nil {
		t.Fatal(err)
	}
	fw, err := ReadELF(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range fw.blocks {
		fw.blocks[i].Addr += 0x0800_0000
	}
	dump, err := os.ReadFile(filepath.Join(dumps, "01.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if fw.Fits(parse(t, dump[format.CoreDumpHeaderSize:])) {
		t.Error("got a fit, want none")
	}
}
