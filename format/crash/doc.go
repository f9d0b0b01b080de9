// Package crash says why a device crashed and where: it turns the registers and
// the memory of a crash dump into sentences and into a chain of functions.
//
// [Read] reads a dump, whole or not. [Load] reads the firmware that the device
// runs, an ELF file with its debug information, [LoadAll] several of them, and
// [Choose] takes the one that fits a dump best. [Firmware.Explain] tells what the
// fault registers hold, [Firmware.Backtrace] which calls led there,
// [Firmware.Summary] both in a sentence, and [Firmware.Match] how far the dump can
// be of that build. All but Match work on a nil Firmware as well, with less to
// tell: [Explain] is short for that.
//
// # How frames are found
//
// The first frame is the pc of the dump. Its callers follow by the rules that
// the compiler wrote for debuggers (.debug_frame or .eh_frame); where there are
// none, by the table that C++ exceptions need (.ARM.exidx) or by the
// instructions of the function itself, from its first to the pc. Where an
// exception was taken they follow by the registers that the processor saved:
// only a handler, by the number in xpsr, has interrupted code. If nothing ran at
// pc, as after a call through a null pointer, lr names the caller. Values come
// from the dump alone: a register or a word of the stack that it does not hold
// stays unknown, and where a rule needs it the unwinding ends.
//
// A caller is taken only if the call before its return address leads to the
// function that was running: at once, or through functions that end in a jump,
// which are shown as tail calls. If sp of the dump does not stand this test and
// what the processor saved at msp or psp tells another, that is used.
//
// Where it ends before the stack does, the rest of the stack is searched for
// words that are return addresses of such calls; from there the rules go on.
// Some of these are left over from calls that had long returned, so they and all
// behind them are marked [Scanned]; all others are [Unwound].
//
// Of a firmware file without the bytes of the code, one of debug information alone,
// the calls that the compiler lists in it stand for them. Assembly has no such list,
// so that there a frame is marked that the bytes would make certain.
//
// A task is told by the name that FreeRTOS, Zephyr or ThreadX has for it, where the
// dump holds the struct of the task and the debug information tells its members;
// else by the function that it began with.
//
// A function that the compiler has put into another is a frame of its own, with
// the line at which it is called in the next.
//
// # Guarantees
//
// Dump and firmware are foreign input. Whatever their bytes, there is a result
// or an error, in time and memory that grow with them at most: what is compressed
// is taken apart to 48 times its size at most, a backtrace keeps the 4096
// innermost and the 64 outermost frames of at most 65536. Nothing is left out in
// silence: what is missing is in [Dump.Lost], [Backtrace.Notes] and
// [Firmware.Notes]. Nothing is guessed: what a sentence or an unwound frame says
// is in the dump, or follows from it by the architecture.
//
// A Firmware may be used by several goroutines.
//
// Source: Armv7-M architecture reference manual, A5, B1.5.6 to B1.5.8 and
// B1.5.14 (exceptions and faults), B3.2.15 to B3.2.18 (fault registers);
// Armv8-M architecture reference manual (STKOF, EXC_RETURN); DWARF 5, sections
// 2, 3.3, 3.4 and 6.4; DWARF for the Arm architecture, section 4.1; Exception Handling
// ABI for the Arm architecture; FORMAT section 3 and CrashCatcher.
package crash
