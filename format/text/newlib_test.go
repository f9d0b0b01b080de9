package text

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// armScript places a program where the machine mps2-an385 has memory.
const armScript = `ENTRY(_start)
MEMORY { code (rx) : ORIGIN = 0, LENGTH = 4M  ram (rwx) : ORIGIN = 0x20000000, LENGTH = 4M }
SECTIONS {
  .vectors : { KEEP(*(.vectors)) } > code
  .text : { *(.text*) *(.rodata*) KEEP(*(.init)) KEEP(*(.fini)) . = ALIGN(8); } > code
  .ARM.exidx : { *(.ARM.exidx*) } > code
  .init_array : { PROVIDE_HIDDEN(__preinit_array_start = .); KEEP(*(.preinit_array*)) PROVIDE_HIDDEN(__preinit_array_end = .);
    PROVIDE_HIDDEN(__init_array_start = .); KEEP(*(.init_array*)) PROVIDE_HIDDEN(__init_array_end = .);
    PROVIDE_HIDDEN(__fini_array_start = .); KEEP(*(.fini_array*)) PROVIDE_HIDDEN(__fini_array_end = .); } > ram AT > ram
  .data : { *(.data*) } > ram
  .bss : { __bss_start__ = .; *(.bss*) *(COMMON) __bss_end__ = .; } > ram
  . = ALIGN(8); end = .; __end__ = .;
}
`

// armVectors is the reset vector: the stack, and newlib's start-up code.
const armVectors = `extern void _start(void);
__attribute__((section(".vectors"), used)) static const void *vectors[2] = {(void *)0x203ffff0, _start};
`

// TestTextIsThatOfNewlib compares the same calls with newlib itself, on an emulated
// Cortex-M. It is skipped without the tools, in CI too: the vectors hold what
// newlib wrote, and TestTextIsThatOfTheCLibrary covers the breadth. Debian's newlib is built
// without %a, %F, hh and j.
func TestTextIsThatOfNewlib(t *testing.T) {
	for _, tool := range []string{"arm-none-eabi-gcc", "qemu-system-arm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	// The compiler tells where a file of its libraries is, or gives the name back.
	const specs = "rdimon.specs"
	if out, err := exec.Command("arm-none-eabi-gcc", "-print-file-name="+specs).Output(); err != nil || strings.TrimSpace(string(out)) == specs {
		t.Skipf("newlib is not installed: %v", err)
	}

	dir := t.TempDir()
	in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
	source, vectors := filepath.Join(dir, "main.c"), filepath.Join(dir, "vectors.c")
	script, program := filepath.Join(dir, "arm.ld"), filepath.Join(dir, "main.elf")
	cases := randomCases(numCases, true)
	writeCases(t, in, cases)
	writeDriver(t, source, in, out)
	for path, content := range map[string]string{vectors: armVectors, script: armScript} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	run(t, "arm-none-eabi-gcc", "-w", "-O1", "-mcpu=cortex-m3", "-mthumb", "--specs="+specs, "-T", script, "-o", program, source, vectors)
	run(t, "timeout", "300", "qemu-system-arm", "-M", "mps2-an385", "-nographic", "-monitor", "none", "-serial", "none",
		"-semihosting-config", "enable=on,target=native", "-kernel", program)
	compare(t, "newlib", out, cases)
}
