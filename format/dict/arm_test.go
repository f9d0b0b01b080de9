package dict

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// firmwareSource logs as the uLogger macros do. The number after each LINE is
// that of its line, which the test looks for. DROPPED stands for a hundred
// statements of a function that nothing calls.
const firmwareSource = `typedef unsigned int u32;
void log_it(u32 level, const char *format, ...); int dropped(volatile int *p) { DROPPED return *p; }
struct module { const char *name; u32 mask; };
__attribute__((used, section(".ulogger.debug_modules"))) const struct module ulogger_debug_modules[] = {
  {"MAIN", 1u << 0}, {"SENSOR", 1u << 1}, {"BLE", 1u << 30}};
__attribute__((used, section(".ulogger.debug_modules"))) const u32 ulogger_debug_modules_count = 3;
const char in_text[] __attribute__((section(".text.strings"))) = "kept in text %u LINE0";
__attribute__((noipa)) void log_it(u32 level, const char *format, ...) { *(volatile u32 *)0x40000000 = level + (u32)format; }
void one(int t) { log_it(1, "temp=%d LINE9", t); }
void two(int t, char *s) {
  log_it(2, "state %s LINE11", s);
  if (t > 3) log_it(3, "too hot: %d LINE12", t);
  log_it(3, in_text, t);
}
__attribute__((used)) void left_out(void) { log_it(1, "left out"); }
void _start(void) { one(1); two(2, "idle"); }
`

func needARM(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("arm-none-eabi-gcc"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("got no arm-none-eabi-gcc, want it in CI")
		}
		t.Skip("arm-none-eabi-gcc is not installed")
	}
}

func compileARM(t testing.TB, flags ...string) (path string) {
	t.Helper()
	dir := t.TempDir()
	source, path := filepath.Join(dir, "firmware.c"), filepath.Join(dir, "firmware.elf")
	if err := os.WriteFile(source, []byte(strings.Replace(firmwareSource, "DROPPED", strings.Repeat("*p = 1; ", 100), 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-mthumb", "-nostdlib", "-ffreestanding", "-Wl,-Ttext=0x8000", "-o", path, "firmware.c"}, flags...)
	cmd := exec.CommandContext(t.Context(), "arm-none-eabi-gcc", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// checkFirmware finds every string of the source, and its line.
func checkFirmware(t *testing.T, d *Dictionary, lines bool) {
	t.Helper()
	found := 0
	for addr, text := range d.Strings() {
		_, number, ok := strings.Cut(text, "LINE")
		if !ok || !d.Begins(addr) {
			continue
		}
		found++
		if got, ok := d.Format(addr); !ok || got != text {
			t.Errorf("%#x: %q, %v, want %q", addr, got, ok, text)
		}

		sources := d.Sources(addr)
		if !lines {
			if len(sources) != 0 {
				t.Errorf("%q: got lines %v without a line table, want none", text, sources)
			}
			continue
		}

		if number == "0" {
			number = "13" // in_text is used there
		}
		if want := "firmware.c:" + number; len(sources) != 1 || sources[0].String() != want {
			t.Errorf("%q is used at %v, want %s", text, sources, want)
		}
	}

	if found != 4 {
		t.Errorf("found %d strings, want 4", found)
	}
	if m := d.Modules(); len(m) != 3 || m[0] != "MAIN" || m[1] != "SENSOR" || m[30] != "BLE" {
		t.Errorf("modules are %v, want len(m) 3, m[0] \"MAIN\", m[1] \"SENSOR\" and m[30] \"BLE\"", m)
	}
}

// TestCompiledFirmwareIsRead reads what a real compiler and linker make.
func TestCompiledFirmwareIsRead(t *testing.T) {
	needARM(t)
	for _, cpu := range []string{"cortex-m0", "cortex-m4"} {
		for _, flags := range []string{"-O0 -gdwarf-2", "-O1 -gdwarf-3", "-Os -gdwarf-4", "-O2 -gdwarf-5", "-O2 -g -fno-inline -mslow-flash-data"} {
			if cpu == "cortex-m0" && strings.Contains(flags, "slow-flash") {
				continue // needs MOVW and MOVT
			}
			t.Run(cpu+" "+flags, func(t *testing.T) {
				path := compileARM(t, append(strings.Fields(flags), "-mcpu="+cpu)...)
				d, err := Load(path)
				if err != nil {
					t.Fatal(err)
				}
				checkFirmware(t, d, true)
				compareLines(t, path)
			})
		}
	}
}

func TestStrippedFirmwareIsRead(t *testing.T) {
	needARM(t)
	path := compileARM(t, "-Os", "-mcpu=cortex-m3", "-g", "-s")
	d, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	checkFirmware(t, d, false)
}

// TestDroppedFunctionsGiveNoLines has functions that the linker drops: their rows stay
// in the line table, at address 0, where they cover the code that is there.
func TestDroppedFunctionsGiveNoLines(t *testing.T) {
	needARM(t)
	path := compileARM(t, "-O0", "-mcpu=cortex-m3", "-g", "-ffunction-sections", "-Wl,--gc-sections,-Ttext=0x4,-u,ulogger_debug_modules,-u,ulogger_debug_modules_count")
	d, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	checkFirmware(t, d, true)
}

// TestLoadsOfAddressesAreFound has each instruction that loads an address, as assembled.
func TestLoadsOfAddressesAreFound(t *testing.T) {
	const text = 0x2000
	for name, code16 := range map[string][]uint16{
		"LDR T1":     {0xbf00, 0x4b01, 0xbf00, 0xbf00, text, 0},         // ldr r3, [pc, #4]
		"LDR T2":     {0xbf00, 0xf8df, 0x3004, 0xbf00, text, 0},         // ldr.w r3, [pc, #4]
		"LDR T2 up":  {text, 0, 0xbf00, 0xbf00, 0xf85f, 0x300c, 0xbf00}, // ldr.w r3, [pc, #-12]
		"MOVW, MOVT": {0xf242, 0x0300, 0xbf00, 0xf2c0, 0x0300},          // movw r3, #0x2000; movt r3, #0
	} {
		var b []byte
		for _, h := range code16 {
			b = append(b, byte(h), byte(h>>8))
		}
		d := readTestELF(t, testELF{sections: []testSection{code(0x100, b), rodata(text, []byte("used\x00"))}})
		d.findUses()
		if len(d.uses) != 1 || d.uses[0].addr != text {
			t.Errorf("%s: uses are %+v, want len(uses) 1 and addr %v", name, d.uses, text)
		}
	}

	// adr r3, .+8: the text lies among the code.
	d := readTestELF(t, testELF{sections: []testSection{code(0x100, []byte("\x01\xa3\x00\xbf\x00\xbf\x00\xbfused\x00"))}})
	d.findUses()
	if len(d.uses) != 1 || d.uses[0].addr != 0x108 {
		t.Errorf("ADR: got uses %+v, want one, of 0x108", d.uses)
	}
}

// compareLines holds the line table to what debug/dwarf reads, for the address
// of each instruction that loads a string.
func compareLines(t *testing.T, path string) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := f.DWARF()
	if err != nil {
		t.Fatal(err)
	}

	lines := map[uint64]int{} // by address, of each halfword
	reader := data.Reader()
	for {
		entry, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		if entry == nil {
			break
		}

		reader.SkipChildren()
		rows, err := data.LineReader(entry)
		if err != nil || rows == nil {
			continue
		}
		var last, row dwarf.LineEntry
		for rows.Next(&row) == nil {
			// As GDB has it, of several rows for one address the last statement is
			// meant, and code of no line goes on with the one before.
			if last.Line > 0 && !last.EndSequence && !row.EndSequence && (row.Address == last.Address && last.IsStmt && !row.IsStmt || row.Line == 0) {
				continue
			}
			for pc := last.Address; last.Line > 0 && !last.EndSequence && pc < row.Address; pc += 2 {
				lines[pc] = last.Line
			}
			last = row
		}
	}

	d, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}

	// Ask for every halfword of code, not only for what loads a string.
	var pcs []uint32
	for i := range d.blocks {
		for pc := uint64(d.blocks[i].addr); d.blocks[i].code && pc < d.blocks[i].end(); pc += 2 {
			pcs = append(pcs, uint32(pc))
		}
	}

	compared := 0
	for i, at := range d.lines.Locate(pcs) {
		if at.Line != lines[uint64(pcs[i])] {
			t.Errorf("%#x: got line %d, want %d as debug/dwarf says", pcs[i], at.Line, lines[uint64(pcs[i])])
		}
		if at.Line > 0 {
			compared++
		}
	}

	if compared < 20 {
		t.Errorf("compared %d instructions, want at least 20", compared)
	}
}

// TestSectionsAreThoseOfDebugELF holds what is loaded to what debug/elf reads.
func TestSectionsAreThoseOfDebugELF(t *testing.T) {
	needARM(t)
	path := compileARM(t, "-Os", "-mcpu=cortex-m3", "-g")
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}

	var want, got []string
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Type != elf.SHT_NOBITS && s.Size > 0 {
			data, err := s.Data()
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, fmt.Sprintf("%#x %x", s.Addr, data))
		}
	}

	for _, b := range d.blocks {
		got = append(got, fmt.Sprintf("%#x %x", b.addr, b.data))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("loaded\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestCompiledOverlaysAreRead reads two sections that the linker has put at one address.
func TestCompiledOverlaysAreRead(t *testing.T) {
	needARM(t)
	dir := t.TempDir()
	source, path := filepath.Join(dir, "overlays.c"), filepath.Join(dir, "overlays.elf")
	const text = `void log_it(const char *format, ...) { (void)format; }
__attribute__((section(".overlay1"))) const char one[] = "motor at %d rpm";
__attribute__((section(".overlay2"))) const char two[] = "valve %s is open";
void _start(void) { log_it(one, 1); log_it(two, "a"); }
`

	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "arm-none-eabi-gcc", "-mthumb", "-mcpu=cortex-m4", "-nostdlib", "-ffreestanding", "-Wl,-Ttext=0x8000,--no-check-sections",
		"-Wl,--section-start=.overlay1=0x20001000,--section-start=.overlay2=0x20001000", "-o", path, source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	d, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	first, ok := d.Format(0x20001000)
	others := d.Overlays(0x20001000)
	if !ok || len(others) != 1 || first+others[0] != "motor at %d rpmvalve %s is open" || !d.Begins(0x20001000) {
		t.Errorf("got %q and %q, want both strings", first, others)
	}
}

// TestCompressedLinesAreReadOrReported reads debug information that is compressed, and
// says so where it cannot be (case compressed-debug-sections).
func TestCompressedLinesAreReadOrReported(t *testing.T) {
	needARM(t)
	whole := compileARM(t, "-Os", "-mcpu=cortex-m3", "-g")
	for _, way := range []string{"zlib", "zlib-gnu", "zstd"} {
		t.Run(way, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "fw.elf")
			if out, err := exec.CommandContext(t.Context(), "arm-none-eabi-objcopy", "--compress-debug-sections="+way, whole, path).CombinedOutput(); err != nil {
				t.Fatalf("objcopy: %v\n%s", err, out)
			}
			d, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			checkFirmware(t, d, true)
			if d.NoSources() != "" {
				t.Errorf("told %q, want \"\"", d.NoSources())
			}
			if way == "zlib-gnu" {
				return // an old form, which does not say how it is compressed
			}

			f, err := elf.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			at := f.Section(".debug_line").Offset
			f.Close()
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[at] = 99 // the type of compression
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if d, err = Load(path); err != nil {
				t.Fatal(err)
			}
			checkFirmware(t, d, false)
			if d.NoSources() == "" {
				t.Error("got no word of lines that cannot be read, want why")
			}
		})
	}
}

// TestDebugFileBesideAStrippedOneIsUsed takes lines and names of modules from the file
// of debug information beside a stripped firmware, by its link or build id, and never
// from one of another build; given the debug information alone, it takes the code from
// beside that. Case crash/debug-only-elf, for dictionaries.
func TestDebugFileBesideAStrippedOneIsUsed(t *testing.T) {
	needARM(t)
	whole := compileARM(t, "-Os", "-mcpu=cortex-m3", "-g", "-Wl,-Ttext=0x8100,--build-id")
	bare := compileARM(t, "-Os", "-mcpu=cortex-m3", "-g")
	other := compileARM(t, "-O0", "-mcpu=cortex-m3", "-g", "-Wl,-Ttext=0x8100,--build-id")
	objcopy := func(args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), "arm-none-eabi-objcopy", args...).CombinedOutput(); err != nil {
			t.Fatalf("objcopy %v: %v\n%s", args, err, out)
		}
	}
	load := func(path string) *Dictionary {
		t.Helper()
		d, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}

	for name, of := range map[string]struct{ from, debug string }{
		"by its build id": {whole, "fw.debug"}, "by its build id, beside": {whole, "fw.elf.debug"}, "by a link": {bare, "other.dbg"}, "by a link, below": {bare, ".debug/other.dbg"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, debug := filepath.Join(dir, "fw.elf"), filepath.Join(dir, of.debug)
			if err := os.MkdirAll(filepath.Dir(debug), 0o700); err != nil {
				t.Fatal(err)
			}
			objcopy("--only-keep-debug", of.from, debug)
			if strings.HasSuffix(debug, ".dbg") {
				objcopy("--strip-all", "--add-gnu-debuglink="+debug, of.from, path)
			} else {
				objcopy("--strip-all", of.from, path)
			}
			d := load(path)
			checkFirmware(t, d, true)
			if d.NoSources() != "" {
				t.Errorf("told %q, want \"\"", d.NoSources())
			}
			if got := d.Beside(); len(got) != 1 || got[0] != debug {
				t.Errorf("got %q read beside it, want %s", got, debug)
			}
			if of.debug == "fw.debug" {
				checkFirmware(t, load(debug), true)
			}
			objcopy("--only-keep-debug", other, debug)
			d = load(path)
			checkFirmware(t, d, false)
			if told := d.NoSources(); strings.Contains(told, "other.dbg") != strings.HasSuffix(debug, ".dbg") {
				t.Errorf("another build in %s: got %q, want other.dbg in it: %v", debug, told, strings.HasSuffix(debug, ".dbg"))
			}
		})
	}
	alone := filepath.Join(t.TempDir(), "fw.elf")
	objcopy("--only-keep-debug", whole, alone)
	if _, err := Load(alone); err == nil || !strings.Contains(err.Error(), "debug information alone") {
		t.Errorf("got error %v, want one that says \"debug information alone\"", err)
	}
}
