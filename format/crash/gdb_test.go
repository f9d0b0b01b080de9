package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// framesScript prints the frames that GDB has, one JSON array behind FRAMES.
const framesScript = `
import gdb, json
frames, f = [], gdb.newest_frame()
while f is not None and len(frames) < 64:
    sal = f.find_sal()
    frames.append(dict(PC=f.pc(), Function=f.name() or "", Line=sal.line if sal.symtab else 0,
        Inlined=f.type() == gdb.INLINE_FRAME, Signal=f.type() == gdb.SIGTRAMP_FRAME, Tail=f.type() == gdb.TAILCALL_FRAME))
    f = f.older()
print("FRAMES " + json.dumps(frames))
`

// crashUnderGDB runs a way to crash of the firmware under GDB. It returns the
// frames that GDB has when the handler of the fault begins, and the dump that the
// firmware then writes.
func crashUnderGDB(t *testing.T, machine, path string, way int) (frames []gdbFrame, dump []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	dir := t.TempDir()
	script := filepath.Join(dir, "frames.py")
	if err := os.WriteFile(script, []byte(framesScript), 0o644); err != nil {
		t.Fatal(err)
	}

	emulator := fmt.Sprintf("target remote | exec qemu-system-arm -M %s -display none -monitor none -serial none"+
		" -semihosting-config enable=on,target=native -kernel %s -device loader,addr=0x20000000,data=%d,data-len=4 -gdb stdio -S", machine, path, way)
	cmd := exec.CommandContext(ctx, "gdb-multiarch", "-nx", "-batch", "-ex", "set confirm off", "-ex", "set architecture arm", "-ex", emulator,
		"-ex", "break *fault", "-ex", "continue", "-ex", "source "+script, "-ex", "delete", "-ex", "continue", path)
	cmd.Dir = dir
	cmd.WaitDelay = time.Minute
	out, err := cmd.CombinedOutput()
	_, list, ok := strings.Cut(string(out), "FRAMES ")
	if !ok {
		t.Fatalf("way %d: %v\n%s", way, err, out)
	}

	if err := json.NewDecoder(strings.NewReader(list)).Decode(&frames); err != nil {
		t.Fatal(err)
	}
	dump, err = os.ReadFile(filepath.Join(dir, "core.bin"))
	if err != nil {
		t.Fatalf("way %d: %v\n%s", way, err, out)
	}

	return frames, dump
}

// TestFreshCrashHasTheFramesOfGDB compiles and crashes firmware, and holds the
// backtrace of what it writes to the frames that GDB has of the running processor.
func TestFreshCrashHasTheFramesOfGDB(t *testing.T) {
	for _, tool := range []string{"arm-none-eabi-gcc", "qemu-system-arm", "gdb-multiarch"} {
		needTool(t, tool)
	}
	for _, flags := range []string{
		"-O2 -g -gsplit-dwarf -mcpu=cortex-m3", "-Os -gdwarf-2 -gstrict-dwarf -mcpu=cortex-m3", "-O3 -gdwarf-4 -gz -mcpu=cortex-m3",
		"-O1 -gdwarf-3 -mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16",
	} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			machine := "mps2-an385"
			if strings.Contains(flags, "cortex-m4") {
				machine = "mps2-an386"
			}
			path := compile(t, strings.Fields(flags)...)
			fw, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, number := range []int{1, 3, 8, 9, 10, 11} {
				frames, dump := crashUnderGDB(t, machine, path, number)
				d, err := Read(dump)
				if err != nil {
					t.Fatal(err)
				}
				compareLive(t, ways[number].name, fw, d, frames)
			}
		})
	}
}

// compareLive holds a backtrace to the frames that GDB has of the same crash.
func compareLive(t *testing.T, name string, fw *Firmware, d *Dump, want []gdbFrame) {
	t.Helper()
	for len(want) > 0 && !want[0].Signal { // the handler
		want = want[1:]
	}
	var expected []string
	for _, f := range want {
		if !f.Signal {
			expected = append(expected, fmt.Sprintf("%x %s:%d %v", f.PC, f.Function, f.Line, f.Inlined))
		}
		if f.Function == "main" || f.Function == "reset" {
			break
		}
	}

	if len(expected) < 2 {
		t.Fatalf("%s: got %d calls of GDB, want at least 2: %+v", name, len(expected), want)
	}
	var got []string
	for _, f := range fw.Backtrace(d).Frames {
		if f.Confidence != Unwound {
			t.Errorf("%s: got call %+v, want Confidence %v", name, f, Unwound)
		}
		got = append(got, fmt.Sprintf("%x %s:%d %v", f.PC, f.Function, f.Line, f.Inlined))
	}

	if len(got) < len(expected) || strings.Join(got[:len(expected)], "\n") != strings.Join(expected, "\n") {
		t.Errorf("%s: got calls\n%s\nwant as GDB has\n%s", name, strings.Join(got, "\n"), strings.Join(expected, "\n"))
	}
	if m := fw.Match(d); m.Verdict != Fits {
		t.Errorf("%s: match is %s: %q, want %s", name, m.Verdict, m.Reasons, Fits)
	}
}
