package crash

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// variant is a form in which the same firmware may be handed over.
type variant struct {
	name  string
	make  [][]string // objcopy's arguments; IN is the whole file, DIR the folder
	give  string     // what is loaded; fw.elf unless it says so
	lines bool       // that there are source lines and inlined functions
	blind bool       // without the bytes of the code, which assembly needs
}

var variants = []variant{
	{name: "compressed with zlib", make: [][]string{{"--compress-debug-sections=zlib", "IN", "DIR/fw.elf"}}, lines: true},
	{name: "compressed as GNU did", make: [][]string{{"--compress-debug-sections=zlib-gnu", "IN", "DIR/fw.elf"}}, lines: true},
	{name: "compressed with zstd", make: [][]string{{"--compress-debug-sections=zstd", "IN", "DIR/fw.elf"}}, lines: true},
	{name: "without rules for debuggers", make: [][]string{{"-R", ".debug_frame", "IN", "DIR/fw.elf"}}, lines: true},
	{name: "symbols alone", make: [][]string{{"--strip-debug", "IN", "DIR/fw.elf"}}},
	{name: "symbols alone, no table of exceptions", make: [][]string{{"--strip-debug", "-R", ".ARM.exidx", "-R", ".ARM.extab", "IN", "DIR/fw.elf"}}},
	{name: "stripped, with a link", make: [][]string{
		{"--only-keep-debug", "IN", "DIR/fw.dbg"}, {"-S", "--add-gnu-debuglink=DIR/fw.dbg", "IN", "DIR/fw.elf"},
	}, lines: true},
	{name: "stripped, debug information in the folder", make: [][]string{
		{"--only-keep-debug", "IN", "DIR/sub.dbg"}, {"-S", "--add-gnu-debuglink=DIR/sub.dbg", "IN", "DIR/fw.elf"},
	}, give: ".", lines: true},
	{name: "debug information alone", make: [][]string{{"--only-keep-debug", "IN", "DIR/fw.elf"}}, lines: true, blind: true},
}

// TestEveryVariantHasTheFramesOfGDB has the firmware in every form in which tools
// leave it: the frames of GDB are there in each.
func TestEveryVariantHasTheFramesOfGDB(t *testing.T) {
	needTool(t, "arm-none-eabi-objcopy")
	files := readSet(t, crashset)
	for _, build := range []string{"m3-O2", "m0-Os"} {
		var gdb map[string][]gdbFrame
		if err := json.Unmarshal(files[build+"/gdb.json"], &gdb); err != nil {
			t.Fatal(err)
		}
		whole := filepath.Join(t.TempDir(), "whole.elf")
		if err := os.WriteFile(whole, files[build+"/fw.elf"], 0o644); err != nil {
			t.Fatal(err)
		}

		for _, v := range variants {
			t.Run(build+" "+v.name, func(t *testing.T) {
				fw := v.load(t, whole)
				total := score{}
				for core, frames := range gdb {
					if v.blind && asmRuns(core) {
						continue
					}
					d, err := Read(files[build+"/"+core])
					if err != nil {
						t.Fatal(err)
					}
					total.add(compare(t, build+"/"+core, fw.Backtrace(d).Frames, v.without(frames)))
					if m := fw.Match(d); m.Verdict != Fits {
						t.Errorf("%s: match is %s: %q, want %s", core, m.Verdict, m.Reasons, Fits)
					}
				}
				checkScore(t, v.name, total)
			})
		}
	}
}

// asmRuns reports whether a way to crash goes through assembly without rules, which
// is read from the code.
func asmRuns(core string) bool {
	ways := []string{"s12", "s13", "s14", "s36"}
	return slices.ContainsFunc(ways, func(way string) bool { return strings.HasPrefix(core, way) })
}

// without leaves out of GDB's frames what needs source lines.
func (v variant) without(frames []gdbFrame) (kept []gdbFrame) {
	for _, f := range frames {
		if !v.lines {
			if f.Inlined {
				continue
			}
			f.Line = 0
		}
		kept = append(kept, f)
	}
	return kept
}

// load makes the variant of the whole file and reads it.
func (v variant) load(t *testing.T, whole string) *Firmware {
	t.Helper()
	dir := t.TempDir()
	for _, args := range v.make {
		args = slices.Clone(args)
		for i := range args {
			args[i] = strings.ReplaceAll(strings.Replace(args[i], "IN", whole, 1), "DIR", dir)
		}
		if out, err := exec.CommandContext(t.Context(), "arm-none-eabi-objcopy", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	give := "fw.elf"
	if v.give != "" {
		give = v.give
	}
	all, err := LoadAll([]string{filepath.Join(dir, give)})
	if err != nil || len(all) != 1 {
		t.Fatalf("%d firmware files, %v, want 1", len(all), err)
	}
	return all[0]
}

// TestDebugInformationAloneIsEnough is the case debug-only-elf: firmware without the
// bytes of the code. The calls that the compiler lists stand for them: what GDB has is
// there, and at most 5 % of what was scanned for is false. Clang lists jumps alone.
func TestDebugInformationAloneIsEnough(t *testing.T) {
	needTool(t, "arm-none-eabi-objcopy")
	files := readSet(t, crashset)
	blind := variants[len(variants)-1]
	total, believed, wrong := score{}, 0, 0
	for _, build := range []string{"m3-O2", "m3-Os", "m4-O2", "m33-Os", "m3-O2-lto", "cl-O2"} {
		var gdb map[string][]gdbFrame
		if err := json.Unmarshal(files[build+"/gdb.json"], &gdb); err != nil {
			t.Fatal(err)
		}
		whole := filepath.Join(t.TempDir(), "whole.elf")
		if err := os.WriteFile(whole, files[build+"/fw.elf"], 0o644); err != nil {
			t.Fatal(err)
		}

		fw := blind.load(t, whole)
		for core, frames := range gdb {
			d := mustRead(t, files[build+"/"+core])
			s := compare(t, build+"/"+core, fw.Backtrace(d).Frames, frames)
			if asmRuns(core) { // these frames are there, but marked
				s.certain = s.gdb
			}
			total.add(s)
			if m := fw.Match(d); m.Verdict != Fits {
				t.Errorf("%s/%s: match is %s: %q, want %s", build, core, m.Verdict, m.Reasons, Fits)
			}

			if build == "cl-O2" {
				continue
			}
			for _, other := range []string{"m3-O2", "m3-Os", "m4-O2"} {
				if b := files[other+"/"+core]; b != nil && other != build {
					if wrong++; fw.Match(mustRead(t, b)).Verdict == Fits {
						believed++
					}
				}
			}
		}
	}

	checkScore(t, "debug information alone", total)
	t.Logf("%s; %d of %d wrong builds are believed", total, believed, wrong)
	if wrong < 500 || believed*20 > wrong {
		t.Errorf("got %d of %d wrong builds believed, want at most 5 %% of at least 500", believed, wrong)
	}
}
