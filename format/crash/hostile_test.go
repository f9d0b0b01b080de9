package crash

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"path"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// builds reads the firmware of each build of the set.
func builds(t testing.TB, files map[string][]byte) map[string]*Firmware {
	t.Helper()
	all := map[string]*Firmware{}
	for name, b := range files {
		if path.Base(name) != "fw.elf" {
			continue
		}
		fw, err := ReadELF(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		all[path.Dir(name)] = fw
	}
	return all
}

// names shows the functions of a backtrace, with "?" behind what is not sure, and
// what repeats as once.
func names(frames []Frame) string {
	var all []string
	for _, f := range frames {
		name := f.Function
		if name == "" {
			name = "nowhere"
		}
		if f.Confidence == Scanned {
			name += "?"
		}
		if len(all) == 0 || all[len(all)-1] != name {
			all = append(all, name)
		}
	}
	return strings.Join(all, " ")
}

const inISR = "leaf_crash isr_work IRQ0_Handler trigger app_run main Reset_Handler"

// TestDumpsOnceMisreadAreReadRight has dumps that once were refused, or told something
// false.
func TestDumpsOnceMisreadAreReadRight(t *testing.T) {
	files := readSet(t, crashset)
	all := builds(t, files)
	for _, tt := range []struct {
		name        string // of the case
		build, dump string
		calls       string
		lost        string // part of what is lost; "" if nothing is
		says        string // part of the reasons, the notes or the match
		match       Verdict
	}{
		{"stack-overflow-marker", "m3-O2", "hostile/acce55ed-end", inISR, "", "stack had overflowed", Fits},
		{"stack-overflow-marker, with a dump behind it", "m3-O2", "hostile/acce55ed-mid", "leaf_crash isr_work IRQ0_Handler trigger app_run main Reset_Handler", "Another dump of 65660 bytes follows at offset 65900", "stack had overflowed", Fits},
		{"broken-region-loses-all, end before start", "m3-O2", "hostile/region-end-lt-start", inISR, "ends at 0x20000000, before its start 0x20001000", "", Fits},
		{"broken-region-loses-all, past the end of memory", "m3-O2", "hostile/region-wrap", inISR, "before its start 0xfffffff0", "", Fits},
		{"broken-region-loses-all, cut", "m3-O2", "hostile/trunc-region-mid", "leaf_crash isr_work", "only the first 30000 of 65536 bytes", "reads 4 bytes through r3, which is 0xb0000000", Fits},
		{"cut in the registers", "m3-O2", "hostile/trunc-regs", "", "ends after 13 of 20 registers", "", Fits},
		{"no floating-point registers", "m3-O2", "hostile/flags-fp-but-no-fp", inISR, "there are none", "", Fits},
		{"adjacent-regions", "m3-O2", "hostile/split-every-4-bytes", inISR, "", "", Fits},
		{"overlapping regions", "m3-O2", "hostile/overlap-zero-first", inISR, "overlap and differ in 50 bytes", "", Fits},
		{"overlapping regions, the other way", "m3-O2", "hostile/overlap-zero-last", inISR, "overlap and differ in 50 bytes", "", Fits},
		{"many regions", "m3-O2", "hostile/2000-regions-after-stack", inISR, "", "PRECISERR", Fits},
		{"very many regions", "m3-O2", "hostile/100k-empty-regions", inISR, "", "", Fits},
		{"fault registers in two regions", "m3-O2", "hostile/fault-region-split", inISR, "", "PRECISERR", Fits},
		{"fault registers in a bigger region", "m3-O2", "hostile/fault-region-bigger", inISR, "", "PRECISERR", Fits},
		{"hexadecimal digits", "m3-O2", "hostile/hex-text", inISR, "", "was read from hexadecimal digits", Fits},
		{"no memory", "m3-O2", "hostile/no-memory", "leaf_crash isr_work", "registers alone", "", Fits},
		{"sp-wrong-certain", "m4-O2", "hostile/sp72-m4-O2-s01", "leaf_crash app_run main Reset_Handler", "", "0x2000ffe0 was used", Fits},
		{"sp-wrong-certain in an interrupt", "m4-O2", "hostile/sp104-m4-O2-s09", inISR, "", "was used", Fits},
		{"recursion-count", "m3-O2", "m3-O2/s27", "leaf_crash recurse app_run main Reset_Handler", "", "", Fits},
		{"recursion-count, registers lost", "m3-O2", "hostile/recursion-mstkerr", "leaf_crash? recurse? app_run? main? Reset_Handler?", "", "MSTKERR", Fits},
		{"null-call-flash-at-0", "m3-O2", "m3-O2/s05", "nowhere call_ptr app_run main Reset_Handler", "", "INVSTATE", Fits},
		{"task-stack-not-dumped", "m3-O2", "m3-O2/s10.stk", "leaf_crash isr_work IRQ0_Handler", "", "interrupted a task; its stack, psp 0x20000cf8, is not in the dump", Fits},
		{"alias-name", "x-O2", "x-O2/s42", "Default_Handler app_run main Reset_Handler", "", "UDF", Fits},
		{"inlined-name-line", "m3-O2", "m3-O2/s20", "inl_inner inl_outer with_inlines app_run main Reset_Handler", "", "", Fits},
		{"compressed-debug", "m3-O2-gz", "m3-O2-gz/s15", "leaf_crash tail3 tail2 tail1 app_run main Reset_Handler", "", "", Fits},
		{"m0-no-reason, a trap", "m0-Os", "m0-Os/s03", "app_run main Reset_Handler", "", "The instruction at pc is UDF", Fits},
		{"m0-no-reason, a bad pointer", "m0-Os", "m0-Os/s01", "leaf_crash app_run main Reset_Handler", "", "through r3, which is 0xb0000000", Fits},
		{"m0-no-reason, a jump", "m0-Os", "m0-Os/s04", "nowhere call_ptr app_run main Reset_Handler", "", "The Thumb bit of xpsr is clear", Fits},
		{"wrong-firmware-silent, wrong-firmware-fits", "m3-O2-lto", "m3-O2/s01", "", "", "", Doubtful},
		{"a core without fault registers", "m0-Os", "m3-O2/s01", "", "", "The fault registers in the dump are set", Wrong},
		{"another core", "m33-Os", "m3-O2/s01", "", "", "Neither pc 0x", Wrong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Read(files[tt.dump+".core"])
			if err != nil {
				t.Fatal(err)
			}
			fw := all[tt.build]
			trace, match := fw.Backtrace(d), fw.Match(d)
			if got := names(trace.Frames); tt.match == Fits && got != tt.calls {
				t.Errorf("calls are %s, want %s", got, tt.calls)
			}

			if lost := strings.Join(d.Lost, "\n"); (lost != "") != (tt.lost != "") || !strings.Contains(lost, tt.lost) {
				t.Errorf("lost is %q, want %q", lost, tt.lost)
			}
			said := strings.Join(append(append(append(fw.Explain(d).Reasons, d.Notes...), trace.Notes...), match.Reasons...), "\n")
			if !strings.Contains(said, tt.says) {
				t.Errorf("said is %q, want %q", said, tt.says)
			}

			if match.Verdict != tt.match {
				t.Errorf("match is %s: %q, want %s", match.Verdict, match.Reasons, tt.match)
			}
		})
	}
}

// TestRecursionIsCounted has 100 calls of one function in another.
func TestRecursionIsCounted(t *testing.T) {
	files := readSet(t, crashset)
	fw := builds(t, files)["m3-O2"]
	for _, dump := range []string{"m3-O2/s27", "hostile/recursion-mstkerr"} {
		d, err := Read(files[dump+".core"])
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, f := range fw.Backtrace(d).Frames {
			if f.Function == "recurse" {
				n++
			}
		}
		if n != 101 && n != 100 {
			t.Errorf("%s: %d calls of recurse, want 101", dump, n)
		}
	}
}

// TestHostileDumpsTakeLittleTimeAndMemory explains every hostile dump with every
// build, in no time and with memory that is a small multiple of the input.
func TestHostileDumpsTakeLittleTimeAndMemory(t *testing.T) {
	files := readSet(t, crashset)
	all := builds(t, files)
	checked := 0
	for name, b := range files {
		if path.Dir(name) != "hostile" {
			continue
		}
		d, err := Read(b)
		if err != nil {
			if !errors.Is(err, ErrNoDump) {
				t.Errorf("%s: got error %v, want %v or none", name, err, ErrNoDump)
			}
			continue
		}

		checked++
		for build, fw := range all {
			var before, after runtime.MemStats
			work := func() {
				runtime.ReadMemStats(&before)
				fw.Backtrace(d)
				fw.Explain(d)
				fw.Match(d)
				runtime.ReadMemStats(&after)
			}
			took := quickest(time.Minute, work)
			if used, most := after.TotalAlloc-before.TotalAlloc, uint64(32*(len(b)+len(files[build+"/fw.elf"]))); used > most {
				t.Errorf("%s with %s: got %d bytes allocated, want at most %d", name, build, used, most)
			}
			if took > time.Minute { // a second, on a machine that is not shared
				t.Errorf("%s with %s: got an answer after %v, want one within a minute", name, build, took)
			}
		}
	}

	if checked < 40 {
		t.Errorf("%d hostile dumps, want 40", checked)
	}
}

// TestEveryFormOfADumpIsRead reads one dump in the forms that it comes in.
func TestEveryFormOfADumpIsRead(t *testing.T) {
	whole := readSet(t, crashset)["m3-O2/s01.stk.core"]
	raw := whole[264:]
	digits := hex.EncodeToString(raw)
	var console strings.Builder
	console.WriteString("CRASH ENCOUNTERED\r\n\r\n")
	for line := digits; line != ""; {
		n := min(32, len(line))
		console.WriteString("[12:34:56.789] " + strings.ToUpper(line[:n]) + "\r\n")
		line = line[n:]
	}
	console.WriteString("End of dump\r\n")

	newer := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(newer[8:], 2)
	longer := append(bytes.Clone(newer[:264]), make([]byte, 8)...)
	longer = append(longer, raw...)
	binary.LittleEndian.PutUint32(longer, uint32(len(longer)))

	wide := func(order binary.ByteOrder, s string) (b []byte) {
		for _, unit := range utf16.Encode([]rune("\ufeff" + s)) {
			b = append(b, 0, 0)
			order.PutUint16(b[len(b)-2:], unit)
		}
		return b
	}

	want := names((*Firmware)(nil).Backtrace(mustRead(t, whole)).Frames)
	for name, b := range map[string][]byte{
		"console, UTF-16": wide(binary.LittleEndian, "Gerät\r\n"+console.String()), "digits of the whole, UTF-16": wide(binary.BigEndian, hex.EncodeToString(whole)),
		"digits, UTF-8 with a mark": []byte("\ufeff" + hex.EncodeToString(whole)),

		"raw": raw, "digits": []byte(digits), "console": []byte(console.String()), "digits of the whole": []byte(hex.EncodeToString(whole)),
		"another version": newer, "a longer header": longer, "CrashCatcher 4": append([]byte{0x63, 0x43, 4, 0}, raw[4:]...),
	} {
		d := mustRead(t, b)
		if len(d.Lost) > 0 || len(d.Notes) == 0 {
			t.Errorf("%s: lost %q, notes %q, want no Lost and some Notes", name, d.Lost, d.Notes)
		}
		if *d.Registers != *mustRead(t, whole).Registers || len(d.Regions) != 2 {
			t.Errorf("%s: got registers %v and %d regions, want those of the whole dump and 2", name, *d.Registers, len(d.Regions))
		}
		if got := names((*Firmware)(nil).Backtrace(d).Frames); got != want {
			t.Errorf("%s: calls are %s, want %s", name, got, want)
		}
	}
}

func mustRead(t *testing.T, b []byte) *Dump {
	t.Helper()
	d, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestCutDumpSaysWhatIsLost cuts a dump at each place: what is there is read, and it
// is said that something is missing.
func TestCutDumpSaysWhatIsLost(t *testing.T) {
	whole := readSet(t, crashset)["m4-O2/s09.stk.core"]
	for n := range whole {
		d, err := Read(whole[:n])
		switch {
		case err != nil && n >= 264+8+4:
			t.Fatalf("cut at %d: got error %v, want none", n, err)
		case err == nil && len(d.Lost) == 0:
			t.Fatalf("cut at %d: got nothing lost, want some", n)
		}
	}
}

// quickest returns how long f takes at best, and is content with at most enough: what
// else a machine does is no fault of f's.
func quickest(enough time.Duration, f func()) time.Duration {
	best := time.Duration(math.MaxInt64)
	for n := 0; n == 0 || n < 5 && best > enough; n++ {
		begin := time.Now()
		f()
		best = min(best, time.Since(begin))
	}
	return best
}
