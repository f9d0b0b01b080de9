package crash

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// TestTaskIsNamedAsItsSystemDoes has firmware with the structs of three operating
// systems, and the memory that it has when it begins.
func TestTaskIsNamedAsItsSystemDoes(t *testing.T) {
	needTool(t, "arm-none-eabi-gcc")
	for system, name := range map[string]string{"1": "FreeRTOS", "2": "Zephyr", "3": "ThreadX"} {
		for _, debug := range []string{"-gdwarf-2", "-gdwarf-4", "-gdwarf-5", "-gdwarf-4 -gz", "-gdwarf-4 -gsplit-dwarf", "-gdwarf-5 -gsplit-dwarf"} {
			t.Run(name+" "+debug, func(t *testing.T) {
				fw := mustLoad(t, compileTasks(t, system, debug))
				if got := taskOf(t, fw, nil); got != "sensor" {
					t.Errorf("task is %q, want the name that the system has", got)
				}
				// A name that was overwritten, or a pointer to nowhere, is none.
				for what, change := range map[string]func([]byte){
					"overwritten":  func(b []byte) { fill(b, 0xa5) },
					"zero":         func(b []byte) { fill(b, 0) },
					"not in there": func(b []byte) { fill(b, 0x40) },
				} {
					if got := taskOf(t, fw, change); got != "sensor_task" {
						t.Errorf("%s: task is %q, want the function", what, got)
					}
				}
			})
		}
	}
}

// TestTaskWithoutLayoutIsNamedByItsFunction has no debug information that tells where
// the name is.
func TestTaskWithoutLayoutIsNamedByItsFunction(t *testing.T) {
	if got := taskOf(t, mustLoad(t, compileTasks(t, "1", "-g0")), nil); got != "sensor_task" {
		t.Errorf("task is %q, want the function", got)
	}
}

func fill(b []byte, c byte) {
	for i := range b {
		b[i] = c
	}
}

// compileTasks builds the tasks of an operating system and returns the file.
func compileTasks(t *testing.T, system, flags string) string {
	t.Helper()
	needTool(t, "arm-none-eabi-gcc")
	source, err := filepath.Abs("testdata/tasks/tasks.c")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tasks.elf")
	args := append(strings.Fields(flags), "-mcpu=cortex-m3", "-mthumb", "-nostdlib", "-ffreestanding", "-O1", "-DSYSTEM="+system,
		"-Wl,-Ttext=0x1000,-Tdata=0x20000000,-e,sensor_task", "-o", path, source)
	cmd := exec.CommandContext(t.Context(), "arm-none-eabi-gcc", args...)
	cmd.Dir = filepath.Dir(path) // where split files go
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func mustLoad(t *testing.T, path string) *Firmware {
	t.Helper()
	fw, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return fw
}

// taskBody returns the code of the function of the task.
func taskBody(t *testing.T, fw *Firmware) extent {
	t.Helper()
	for _, f := range fw.functions {
		if f.Name == "sensor_task" {
			return extent{f.Addr, f.Addr + f.Size}
		}
	}
	t.Fatal("got no function sensor_task, want it")
	return extent{}
}

// taskOf returns the task of a crash in the function of a task, on the stack of the
// tasks. Change changes the memory of the device.
func taskOf(t *testing.T, fw *Firmware, change func([]byte)) string {
	t.Helper()
	entry := taskBody(t, fw).begin
	d := testDump{reg: [16]uint32{13: testStack, 14: 0xffffffff, 15: entry}, psp: testStack - 32, stack: []uint32{0, 0}}.parse(t)
	d.Registers.SetMSP(0x2000_8000)
	for _, b := range fw.blocks {
		if !b.Writable {
			continue
		}
		data := append([]byte(nil), b.Data...)
		if change != nil {
			change(data)
		}
		d.Regions = append(d.Regions, format.MemoryRegion{Start: b.Addr, End: uint32(b.End()), Data: data})
	}
	d.finish()
	return fw.Backtrace(d).Task
}
