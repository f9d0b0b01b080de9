package crash

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryDebugFormGivesTheSame has debug information in every form in which
// compilers write it: the functions and lines at each instruction are those of the
// plain form.
func TestEveryDebugFormGivesTheSame(t *testing.T) {
	want := formOf(t, compileTasks(t, "1", "-gdwarf-5"))
	if !strings.Contains(want, "read_word tasks.c:7 inlined, read_sensor tasks.c:12 inlined, sensor_task tasks.c:18") {
		t.Fatalf("got functions\n%s\nwant read_word inlined in read_sensor inlined in sensor_task", want)
	}
	for _, form := range []string{
		"-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-4 -gz=zlib", "-gdwarf-5 -gz=zlib-gnu", "-gdwarf-4 -fdebug-types-section",
		"-gdwarf-5 -flto -ffat-lto-objects", "-gdwarf-4 -gsplit-dwarf", "-gdwarf-5 -gsplit-dwarf", "-gdwarf-5 -gsplit-dwarf -gz",
	} {
		t.Run(form, func(t *testing.T) {
			if got := formOf(t, compileTasks(t, "1", form)); got != want {
				t.Errorf("functions are\n%s\nwant\n%s", got, want)
			}
		})
	}

	t.Run("packed", func(t *testing.T) {
		needTool(t, "dwp")
		path := compileTasks(t, "1", "-gdwarf-4 -gsplit-dwarf")
		if out, err := exec.CommandContext(t.Context(), "dwp", "-e", path, "-o", path+".dwp").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		removeSplits(t, path)
		if got := formOf(t, path); got != want {
			t.Errorf("functions are\n%s\nwant\n%s", got, want)
		}
	})

	t.Run("lost", func(t *testing.T) {
		path := compileTasks(t, "1", "-gdwarf-4 -gsplit-dwarf")
		removeSplits(t, path)
		if notes := strings.Join(mustLoad(t, path).Notes, "\n"); !strings.Contains(notes, ".dwo: inlined functions are not shown") {
			t.Errorf("notes are %q, want that a split file is missing", notes)
		}
	})
}

// TestDroppedCodeNamesNothing has debug information of a function that the linker left
// out: its code and what is inlined in it stay at address 0, where other code may be.
func TestDroppedCodeNamesNothing(t *testing.T) {
	fw := mustLoad(t, compileTasks(t, "1", "-gdwarf-5 -ffunction-sections -Wl,--gc-sections"))
	_, scopes := fw.debug.Locate([]uint32{2, 4})
	for i, s := range scopes {
		if len(s) > 0 {
			t.Errorf("at address %d there is %+v, want nothing", 2*i+2, s)
		}
	}
}

// removeSplits removes the split files beside a firmware.
func removeSplits(t *testing.T, path string) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.dwo"))
	if err != nil || len(all) == 0 {
		t.Fatalf("%d split files, %v, want some", len(all), err)
	}
	for _, name := range all {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// formOf returns the functions and lines at each instruction of the task.
func formOf(t *testing.T, path string) string {
	t.Helper()
	fw := mustLoad(t, path)
	body := taskBody(t, fw)
	var b strings.Builder
	for pc := body.begin; pc < body.end; pc += 2 {
		d := testDump{reg: [16]uint32{14: 0xffffffff, 15: pc}}.parse(t)
		var all []string
		for _, f := range fw.Backtrace(d).Frames {
			text := fmt.Sprintf("%s %s:%d", f.Function, filepath.Base(f.File), f.Line)
			if f.Inlined {
				text += " inlined"
			}
			all = append(all, text)
		}
		fmt.Fprintf(&b, "%x %s\n", pc-body.begin, strings.Join(all, ", "))
	}
	return b.String()
}
