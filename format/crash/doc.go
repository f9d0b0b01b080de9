// Package crash says why a device crashed and where: it turns the registers and
// the memory of a crash dump into sentences and into a chain of functions.
//
// [Load] reads the firmware that the device runs, an ELF file.
// [Firmware.Explain] tells what the fault registers hold, and
// [Firmware.Backtrace] which calls led there. Both work on a nil Firmware as
// well, with less to tell: [Explain] is short for that.
//
// # How frames are found
//
// The first frame is the pc of the dump. Its callers follow by the rules that
// the compiler wrote for debuggers (.debug_frame or .eh_frame), and where an
// exception was taken by the registers that the processor saved: only a handler,
// by the number in xpsr, has interrupted code. Values come from the dump alone:
// a register or a word of the stack that it does not hold stays unknown, and
// where a rule needs it the unwinding ends.
//
// Where it ends before the stack does, the rest of the stack is searched for
// words that are return addresses, odd and right behind a call instruction.
// Some of these are left over from calls that had long returned, so they are
// marked [Scanned]; all others are [Unwound].
//
// A function that the compiler has put into its caller has no frame of its own:
// the line is that of the code, the name that of the function it stands in.
//
// # Guarantees
//
// Dump and firmware are foreign input. Whatever their bytes, there is a result
// or an error, in time and memory that grow with them at most: a firmware is
// read as package dict does, a backtrace has at most 64 frames and 32 scanned
// ones. Nothing is guessed: what a sentence or an unwound frame says is in the
// dump, or follows from it by the architecture.
//
// A Firmware may be used by several goroutines.
//
// Source: Armv7-M architecture reference manual, A5, B1.5.6 to B1.5.8 and
// B1.5.14 (exceptions and faults), B3.2.15 to B3.2.18 (fault registers);
// Armv8-M architecture reference manual (STKOF, EXC_RETURN); DWARF 5, section
// 6.4; DWARF for the Arm architecture, section 4.1; FORMAT section 3 and
// CrashCatcher.
package crash
