package crash

import (
	"fmt"
	"path"
	"strings"
)

// maxSummary is how many columns a summary has at most.
const maxSummary = 100

// Summary says in one sentence of at most 100 columns what happened, and where
// by the backtrace.
func (fw *Firmware) Summary(d *Dump, t *Backtrace) string {
	e := explainer{Fault: fault(d), fw: fw, d: d, r: newUnwinder(nil, d).reg, pc: d.Registers.PC() &^ 1}
	what := e.inShort()
	if strings.Contains(what, ", ") { // what lies between commas ends with one
		what += ","
	}

	i := 0
	for i < len(t.Frames) && t.Frames[i].Function == "" {
		i++
	}
	if i == len(t.Frames) || t.Frames[i].Confidence != Unwound {
		if !d.Known(placePC) {
			return cut(strings.TrimSuffix(what, ","), maxSummary)
		}
		return cut(what+fmt.Sprintf(" at pc 0x%08x", e.pc), maxSummary)
	}

	f := t.Frames[i]
	where := " in " + f.Function
	if i > 0 { // nothing ran at pc
		where = " from " + f.Function
	}

	line := ""
	if f.Line > 0 {
		line = fmt.Sprintf(", %s:%d", path.Base(f.File), f.Line)
	}
	room := maxSummary - len(what) - len(line)
	if room < 24 {
		line, room = "", maxSummary-len(what)
	}
	return cut(what+cut(where, max(room, 0))+line, maxSummary)
}

// cut shortens a text to n columns, with a mark where something is left out.
func cut(s string, n int) string {
	const mark = "..."
	if len(s) <= n {
		return s
	}
	if n <= len(mark) {
		return ""
	}
	head := (n - len(mark)) / 2
	return strings.ToValidUTF8(s[:head]+mark+s[len(s)-(n-len(mark)-head):], "?")
}

// inShort says what happened, in a few words.
func (e *explainer) inShort() string {
	has := func(bits uint32) bool { return e.CFSR&bits != 0 }
	i := e.fw.decode(e.pc)
	switch {
	case e.lockup():
		return "Lockup: a fault while the handler of a HardFault or NMI ran"
	case e.d.StackOverflow && e.CFSR&^addressBits == 0:
		return "Stack overflow, by the mark of the device"
	case has(bitMSTKERR | bitSTKERR | bitSTKOF):
		return "Stack overflow (or a bad sp): the registers could not be saved"
	case has(bitMUNSTKERR | bitUNSTKERR):
		return "Bad stack at the return from an exception"
	case has(bitDIVBYZERO):
		return "Division by zero"
	case has(bitUNDEFINSTR) && i.operation == trap:
		return "Trap instruction (UDF)"
	case has(bitUNDEFINSTR):
		return "Undefined instruction"
	case has(bitINVSTATE|bitIACCVIOL|bitIBUSERR) && e.pc < 0x100:
		return "Call through a null pointer"
	case has(bitINVSTATE):
		return fmt.Sprintf("Jump to 0x%08x without the Thumb bit", e.pc)
	case has(bitIACCVIOL | bitIBUSERR):
		return fmt.Sprintf("Jump to 0x%08x, where no code can run", e.pc)
	case has(bitDACCVIOL) && has(bitMMARVALID):
		return access(i, e.MMFAR)
	case has(bitPRECISERR) && has(bitBFARVALID):
		return access(i, e.BFAR)
	case has(bitDACCVIOL):
		return "Forbidden access to memory"
	case has(bitPRECISERR):
		return "Bus error"
	case has(bitIMPRECISERR):
		return "Write that failed on the bus, reported late"
	case has(bitNOCP):
		return "Floating-point or coprocessor instruction, with it turned off"
	case has(bitUNALIGNED):
		return "Unaligned access to memory"
	case has(bitINVPC):
		return "Bad return from an exception"
	case has(bitMLSPERR | bitLSPERR):
		return "Floating-point registers could not be saved"
	case e.HFSR&bitDEBUGEVT != 0:
		return "Breakpoint without a debugger, as of an assertion"
	case e.HFSR&bitVECTTBL != 0:
		return "The vector table could not be read"
	case e.HFSR&bitFORCED != 0:
		return "Hard fault of no recorded cause"
	case e.Recorded:
		if e.d.Registers.ExceptionPSR()&maskIPSR == numberNMI {
			return "NMI, often of a watchdog"
		}
		return "No fault is recorded: software asked for the dump"
	}

	if _, short := e.withoutFaultRegisters(); short != "" {
		return short
	}
	if !e.d.Known(placePC) {
		return "A dump that was cut before pc"
	}
	return "A fault of which the registers say no cause"
}

func access(i instruction, addr uint32) string {
	verb := "Access to"
	switch i.operation {
	case load:
		verb = "Read of"
	case store:
		verb = "Write to"
	}
	if addr < 0x100 {
		return fmt.Sprintf("%s a null pointer (0x%08x)", verb, addr)
	}
	return fmt.Sprintf("%s 0x%08x", verb, addr)
}

// Running says what was running: an interrupt's handler, a task or thread code.
func Running(d *Dump, t *Backtrace) string {
	if !d.Known(placePSR) {
		return ""
	}

	number := d.Registers.XPSR() & maskIPSR
	switch {
	case number != 0:
		text := "the handler of " + exceptionName(number)
		if i := firstInterrupted(t); i >= 0 {
			if f := t.Frames[i]; f.Function != "" {
				text += ", which interrupted " + f.Function
			}
		}
		if t.Task != "" {
			text += " of the task " + t.Task
		}
		return text
	case t.Task != "":
		return "the task " + t.Task
	case onTask(d.Registers.SP(), d.Registers.MSP(), d.Registers.PSP()):
		return "a task, on psp"
	}
	return "thread code, on msp"
}

// firstInterrupted returns the frame that the first exception interrupted, or
// -1.
func firstInterrupted(t *Backtrace) int {
	for i, f := range t.Frames {
		if f.How == FromException && f.Confidence == Unwound {
			return i
		}
	}
	return -1
}
