package crash

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/format/internal/firmware"
)

// testDump is a dump made for a test. Its stack begins at sp.
type testDump struct {
	reg       [16]uint32 // r0 to r12, sp, lr, pc
	xpsr      uint32     // 0 for thread code
	handler   uint32     // exception_psr
	psp       uint32
	faults    []uint32 // CFSR, HFSR, DFSR, MMFAR, BFAR, as far as given; nil for none
	stack     []uint32
	taskStack []uint32
	overflow  bool
}

const testStack = 0x2000_1000

func (d testDump) parse(t testing.TB) *Dump {
	t.Helper()
	var head format.CrashHeader
	head.SetMagic()
	b := head[:]
	word := func(words ...uint32) {
		for _, w := range words {
			b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
		}
	}

	region := func(start uint32, words []uint32) {
		if words != nil {
			word(start, start+uint32(len(words)*4))
			word(words...)
		}
	}

	sp := d.reg[regSP]
	if sp == 0 {
		sp = testStack
	}
	if d.xpsr == 0 {
		d.xpsr = thumbBit
	}
	word(d.reg[:13]...)
	word(sp, d.reg[regLR], d.reg[15], d.xpsr, sp, d.psp, d.handler)
	region(testStack, d.stack)
	region(d.psp, d.taskStack)
	if d.faults != nil {
		region(0xe000ed28, append(slices.Clone(d.faults), make([]uint32, 5-len(d.faults))...))
	}
	if d.overflow {
		word(0xed55ceac)
	}
	return parse(t, b)
}

// TestDumpsOfRealAgentsAreExplained says what real agents' dumps tell.
func TestDumpsOfRealAgentsAreExplained(t *testing.T) {
	vectors := formattest.Dumps(t)
	const who = "Thread code (main or a task) was running; the handler of HardFault took the dump."
	want := map[string]string{
		"agent-1.2.2/undefined-instruction": "The processor came to bytes at pc 0x000001e8 that are no instruction it knows (UNDEFINSTR): usually a trap that the compiler put there, data that was run as code, or code for another core.\n" + who,
		"agent-1.0.2/undefined-instruction": "The processor came to bytes at pc 0x000001d8 that are no instruction it knows (UNDEFINSTR): usually a trap that the compiler put there, data that was run as code, or code for another core.\n" + who,
		"agent-1.2.2/assert":                "CFSR and HFSR are zero, yet the handler of HardFault took the dump: software asked for it, as a failed assertion of the agent does, or the bits were cleared before.\n" + who,
	}
	if len(vectors) != len(want) {
		t.Errorf("%d vectors, want %d", len(vectors), len(want))
	}
	for _, v := range vectors {
		d, _, err := format.ParseCoreDump(v.Core)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(Explain(parse(t, d.Crash)).Reasons, "\n"); got != want[v.Name] {
			t.Errorf("%s:\n%s\nwant\n%s", v.Name, got, want[v.Name])
		}
	}
}

// TestEveryFaultBitIsNamedAlone has each bit of the fault registers on its own: its
// sentence names it and no other.
func TestEveryFaultBitIsNamedAlone(t *testing.T) {
	names := [3]map[uint32]string{
		{
			0: "IACCVIOL", 1: "DACCVIOL", 3: "MUNSTKERR", 4: "MSTKERR", 5: "MLSPERR", 7: "MMFAR", 8: "IBUSERR", 9: "PRECISERR",
			10: "IMPRECISERR", 11: "UNSTKERR", 12: "STKERR", 13: "LSPERR", 15: "BFAR", 16: "UNDEFINSTR", 17: "INVSTATE", 18: "INVPC",
			19: "NOCP", 20: "STKOF", 24: "UNALIGNED", 25: "DIVBYZERO",
		},
		{1: "VECTTBL", 30: "FORCED", 31: "DEBUGEVT"},
		{0: "HALTED", 1: "BKPT", 2: "DWTTRAP", 3: "VCATCH", 4: "EXTERNAL"},
	}

	for register, bits := range names {
		for bit := range uint32(32) {
			faults := make([]uint32, 5)
			faults[register] = 1 << bit
			f := Explain(testDump{faults: faults, reg: [16]uint32{15: 0x8000}, stack: make([]uint32, 4)}.parse(t))
			if !f.Recorded || [3]uint32{f.CFSR, f.HFSR, f.DFSR} != [3]uint32(faults) {
				t.Errorf("got recorded %v, CFSR %#x, HFSR %#x, DFSR %#x, want true and %#x", f.Recorded, f.CFSR, f.HFSR, f.DFSR, faults[:3])
			}

			text := strings.Join(f.Reasons, "\n")
			name := bits[bit]
			if name == "" {
				name = []string{"CFSR", "HFSR", "DFSR"}[register] + fmt.Sprintf(" has bits set that the architecture leaves without a meaning: 0x%08x.", uint32(1)<<bit)
			}
			if !strings.Contains(text, name) {
				t.Errorf("register %d, bit %d: got\n%s\nwant %s in it", register, bit, text, name)
			}

			for _, all := range names {
				for _, other := range all {
					if strings.Contains(text, "("+other+")") && other != name {
						t.Errorf("register %d, bit %d: got\n%s\nwant no %s in it", register, bit, text, other)
					}
				}
			}

			if requested := strings.Contains(text, "No fault is recorded"); requested != (register == 2 || register == 0 && (bit == 7 || bit == 15)) {
				t.Errorf("register %d, bit %d: got \"No fault is recorded\" %v, want %v", register, bit, requested, !requested)
			}
		}
	}
}

func TestReasonsSayWhatTheFaultBitsMean(t *testing.T) {
	const thread = "Thread code (main or a task) was running; the handler of HardFault took the dump."
	stack := make([]uint32, 4)
	code := func(pc uint32, halves ...uint16) *Firmware {
		var b []byte
		for _, h := range halves {
			b = append(b, byte(h), byte(h>>8))
		}
		return &Firmware{blocks: []firmware.Block{{Addr: pc, Data: b, Code: true}}}
	}

	vectors := code(0x8000, 0xbf00, 0xbf00)
	vectors.functions = []firmware.Function{{Addr: 0x8000, Size: 4, Name: "handler"}}
	tests := []struct {
		name string
		fw   *Firmware
		dump testDump
		want []string
	}{
		{"null read", nil, testDump{faults: []uint32{bitDACCVIOL | bitMMARVALID, 0, 0, 8}, reg: [16]uint32{3: 8, 5: 8, 15: 0x8000}}, []string{
			"The code at pc 0x00008000 reads or writes 0x00000008, a null pointer with an offset, as of a member or an element, and the memory protection unit forbids it (DACCVIOL).",
			"r3 and r5 hold that address.", thread,
		}},
		{"near base", nil, testDump{faults: []uint32{bitPRECISERR | bitBFARVALID, bitFORCED, 0, 0, 0x4000_4010}, reg: [16]uint32{
			0x4000_4011, 0x4000_4000, 0x4000_3010, 0x4000_3011, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0x8000,
		}}, []string{
			"The code at pc 0x00008000 reads or writes 0x40004010, in the peripheral region, and the bus answers with an error (PRECISERR): the clock or the power of the peripheral is usually off.",
			"Near that address: r1 (0x40004000, 16 below) and r3 (0x40003011, 4095 below).",
			"The fault became a HardFault since its own handler was off or could not run at that priority (FORCED).", thread,
		}},
		{"address not valid", nil, testDump{faults: []uint32{bitPRECISERR, 0, 0, 0, 0x4000_4010}, reg: [16]uint32{15: 0x8000}}, []string{
			"The code at pc 0x00008000 reads or writes memory where the bus answers with an error (PRECISERR). The address is not recorded.", thread,
		}},
		{"text in a pointer", code(0x8000, 0x7a1a), testDump{faults: []uint32{bitPRECISERR | bitBFARVALID, 0, 0, 0, 0x6c6c_6568}, reg: [16]uint32{3: 0x6c6c_6560, 15: 0x8000}}, []string{
			"The code at pc 0x00008000 reads a byte at 0x6c6c6568, in the external RAM region, and the bus answers with an error (PRECISERR): there is usually nothing at that address.",
			`The bytes of 0x6c6c6568 read as the text "hell": a string may have been written over a pointer.`,
			"The instruction takes the address from r3, which is 0x6c6c6560.", thread,
		}},
		{"fill pattern", nil, testDump{faults: []uint32{bitIBUSERR}, reg: [16]uint32{15: 0xa5a5_a5a4, 4: 0xa5a5_a5a5}}, []string{
			"The processor jumped to pc 0xa5a5a5a4 and could not read an instruction there (IBUSERR): usually a call through a bad function pointer, or a return address that was overwritten.",
			"pc 0xa5a5a5a4 is in the external device region, where code rarely is.",
			"r4 holds that address, so the jump may have gone through it.", thread,
		}},
		{"at the stack", code(0x8000, 0x9000), testDump{faults: []uint32{bitPRECISERR | bitBFARVALID, 0, 0, 0, testStack - 8}, reg: [16]uint32{15: 0x8000}}, []string{
			"The code at pc 0x00008000 writes 4 bytes at 0x20000ff8, in the SRAM region, and the bus answers with an error (PRECISERR): there is usually nothing at that address.",
			"The instruction takes the address from sp, which is 0x20001000.",
			"The address is near sp 0x20001000: the stack may have run out of its memory.", thread,
		}},
		{"an instruction that cannot be the one", code(0x8000, 0x9000), testDump{faults: []uint32{bitPRECISERR | bitBFARVALID, 0, 0, 0, 0x4000_0000}, reg: [16]uint32{6: 0x4000_0000, 15: 0x8000}}, []string{
			"The code at pc 0x00008000 writes 4 bytes at 0x40000000, in the peripheral region, and the bus answers with an error (PRECISERR): the clock or the power of the peripheral is usually off.",
			"r6 holds that address.", thread,
		}},
		{"an indexed instruction", code(0x8000, 0x58d1), testDump{faults: []uint32{bitPRECISERR | bitBFARVALID, 0, 0, 0, 0x4000_0000}, reg: [16]uint32{2: 0x2000_0000, 3: 0x2000_0000, 15: 0x8000}}, []string{
			"The code at pc 0x00008000 reads 4 bytes at 0x40000000, in the peripheral region, and the bus answers with an error (PRECISERR): the clock or the power of the peripheral is usually off.",
			"The instruction takes the address from r2, which is 0x20000000.", thread,
		}},
		{"unaligned", code(0x8000, 0xe9d1, 0x2300), testDump{faults: []uint32{bitUNALIGNED}, reg: [16]uint32{1: 0x2000_0001, 15: 0x8000}}, []string{
			"The code at pc 0x00008000 used an address that is not a multiple of the size of what is there (UNALIGNED): usually a cast pointer into a packed structure or a byte buffer.",
			"The instruction at pc reads through r1, which is 0x20000001.", thread,
		}},
		{"division", code(0x8000, 0xfb92, 0xf3f7), testDump{faults: []uint32{bitDIVBYZERO}, reg: [16]uint32{15: 0x8000}}, []string{
			"The code at pc 0x00008000 divided by zero (DIVBYZERO).", "The divisor is in r7.", thread,
		}},
		{"breakpoint", code(0x8000, 0xbe00), testDump{faults: []uint32{0, bitDEBUGEVT, bitBKPT}, reg: [16]uint32{15: 0x8000}}, []string{
			"A breakpoint was hit with no debugger attached (DEBUGEVT), as assertions do that end in a breakpoint. The instruction at pc is BKPT.",
			"The code ran into a breakpoint (BKPT in DFSR).", thread,
		}},
		{"several", nil, testDump{faults: []uint32{bitDIVBYZERO | bitNOCP}, reg: [16]uint32{15: 0x8000}, xpsr: thumbBit | 15, handler: 6}, []string{
			"The code at pc 0x00008000 used a coprocessor that is off or missing (NOCP): usually floating-point instructions before the FPU was turned on in CPACR.",
			"The code at pc 0x00008000 divided by zero (DIVBYZERO).",
			"More than one fault is recorded. They stay recorded until software clears them, so some may be older.",
			"The handler of SysTick was running; the handler of UsageFault took the dump.",
		}},
		{"no fault registers", nil, testDump{reg: [16]uint32{15: 0x8000}, handler: 2}, []string{
			"The dump does not hold the fault registers, as on cores that have none (Armv6-M, such as Cortex-M0 and M0+): it does not tell why the processor stopped.",
			"Thread code (main or a task) was running; the handler of NMI took the dump.",
		}},
		{"escalated without a cause", nil, testDump{faults: []uint32{0, bitFORCED}, reg: [16]uint32{15: 0x8000}}, []string{
			"A fault became a HardFault (FORCED), but which is not recorded: its bit was cleared, code ran SVC where interrupts are off, or on Armv8-M it was a SecureFault, whose SFSR the dump does not hold.", thread,
		}},
		{"not read back", nil, testDump{faults: []uint32{bitUNSTKERR}, reg: [16]uint32{15: 0x8000}}, []string{
			"The processor returned from an exception and could not read the saved registers from the stack (UNSTKERR): the handler has usually damaged sp or the stack.",
			"The processor could not save or read back the registers, so pc, lr, xpsr, r0 to r3 and r12 in the dump may not be those of the code that failed.", thread,
		}},
		{"not read back, and another", nil, testDump{faults: []uint32{bitMUNSTKERR | bitPRECISERR | bitBFARVALID, 0, 0, 0, 0x4000_0000}, reg: [16]uint32{15: 0x8000}}, []string{
			"The processor returned from an exception and the memory protection unit forbade it to read the saved registers (MUNSTKERR): the handler has usually damaged sp or the stack.",
			"The address that failed is 0x40000000, in the peripheral region.",
			"The processor could not save or read back the registers, so pc, lr, xpsr, r0 to r3 and r12 in the dump may not be those of the code that failed.",
			"More than one fault is recorded. They stay recorded until software clears them, so some may be older.", thread,
		}},
		{"a jump without the Thumb bit", nil, testDump{faults: []uint32{bitINVSTATE}, reg: [16]uint32{3: 0x8000, 15: 0x8000}, xpsr: 1 << 30}, []string{
			"The code jumped to pc 0x00008000 through an address with bit 0 clear, which asks for a state that the processor does not have (INVSTATE): usually a function pointer that is null or was never set, or a return address that was overwritten.",
			"The Thumb bit of xpsr is clear, which confirms it.",
			"r3 holds that address, so the jump may have gone through it.", thread,
		}},
		{"no jump", nil, testDump{faults: []uint32{bitUNDEFINSTR}, reg: [16]uint32{3: 0x8000, 15: 0x8000}}, []string{
			"The processor came to bytes at pc 0x00008000 that are no instruction it knows (UNDEFINSTR): usually a trap that the compiler put there, data that was run as code, or code for another core.", thread,
		}},
		{"bad IT bits", nil, testDump{faults: []uint32{bitINVSTATE}, reg: [16]uint32{3: 0x8000, 15: 0x8000}, xpsr: thumbBit | 0x0600_fc00}, []string{
			"The code at pc 0x00008000 went on in a state that does not suit it (INVSTATE). The Thumb bit of xpsr is set, so it is the bits for conditional and interrupted instructions (IT and ICI): usually a saved xpsr or pc was overwritten.", thread,
		}},
		{"bad state of lost registers", nil, testDump{faults: []uint32{bitINVSTATE | bitSTKERR}, reg: [16]uint32{3: 0x8000, 15: 0x8000}, xpsr: 1 << 30}, []string{
			"The processor took an exception and could not save the registers on the stack (STKERR): the stack has usually overflowed, or sp is wrong.",
			"The code went on in a state that the processor does not have, by the Thumb, IT or ICI bits of xpsr (INVSTATE): usually it jumped through an address with bit 0 clear.",
			"The processor could not save or read back the registers, so pc, lr, xpsr, r0 to r3 and r12 in the dump may not be those of the code that failed.", thread,
		}},
		{"handler without the Thumb bit", vectors, testDump{faults: []uint32{bitINVSTATE, bitFORCED}, reg: [16]uint32{14: 0xfffffff9, 15: 0x8000}, xpsr: 20}, []string{
			"The handler of interrupt 4 (exception 20) began at pc 0x00008000 in a state that the processor does not have (INVSTATE): its entry in the vector table has bit 0 clear, or it jumped there through an address that does.",
			"The Thumb bit of xpsr is clear, which confirms it.",
			"The fault became a HardFault since its own handler was off or could not run at that priority (FORCED).",
			"The handler of interrupt 4 (exception 20) was running; the handler of HardFault took the dump.",
		}},
		{"bad sp, overflow", nil, testDump{faults: []uint32{0}, reg: [16]uint32{13: 0x4000_0000, 15: 0x8000}, xpsr: thumbBit | 40, handler: 40, overflow: true}, []string{
			"No fault is recorded: CFSR and HFSR are zero. Software asked for the dump, as a failed assertion does.",
			"The handler of interrupt 24 (exception 40) was running; the handler of interrupt 24 (exception 40) took the dump.",
			"sp 0x40000000, in the peripheral region, is outside of all memory in the dump: sp may be wrong, or the stack may have overflowed.",
			"The device found while it took the dump that its stack had overflowed: registers and memory may be damaged.",
		}},
		{"odd sp, no handler", nil, testDump{faults: []uint32{0}, reg: [16]uint32{13: testStack + 2, 15: 0x8000}, handler: 1 << 24}, []string{
			"No fault is recorded: CFSR and HFSR are zero. Software asked for the dump, as a failed assertion does.",
			"Thread code (main or a task) was running and took the dump itself.",
			"sp 0x20001002 is not a multiple of 4: it was overwritten.",
		}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.dump.handler == 0 {
				tt.dump.handler = 3
			}
			tt.dump.stack = stack
			got := tt.fw.Explain(tt.dump.parse(t)).Reasons
			if !slices.Equal(got, tt.want) {
				t.Errorf("reasons are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// TestInvalidStateIsAJump has what is no handler that has just begun: all of it jumped.
func TestInvalidStateIsAJump(t *testing.T) {
	fw := testFirmware(nil, false)
	for name, dump := range map[string]testDump{
		"thread":            {reg: [16]uint32{14: 0xfffffff9, 15: leafAt}, xpsr: 1 << 30},
		"called":            {reg: [16]uint32{14: calls(middleAt), 15: leafAt}, xpsr: 20},
		"inside a function": {reg: [16]uint32{14: 0xfffffff9, 15: leafAt + 2}, xpsr: 20},
		"outside":           {reg: [16]uint32{14: 0xfffffff9, 15: 0x9000}, xpsr: 20},
	} {
		dump.faults = []uint32{bitINVSTATE}
		if got := fw.Explain(dump.parse(t)).Reasons[0]; !strings.HasPrefix(got, "The code jumped to pc") {
			t.Errorf("%s: got %q, want a jump to pc", name, got)
		}
	}
}

// TestUnrecordedFaultSaysWhoTookTheDump has no bit of CFSR and HFSR, by who took the
// dump.
func TestUnrecordedFaultSaysWhoTookTheDump(t *testing.T) {
	const asked = "No fault is recorded: CFSR and HFSR are zero. Software asked for the dump, as a failed assertion does."
	const yet, took = "CFSR and HFSR are zero, yet the handler of ", " took the dump: "
	const cleared = took + "the bits were cleared before, or software made the exception pending."

	for _, tt := range []struct {
		handler, dfsr uint32
		want          string
	}{
		{0, 0, asked},
		{1, 0, asked},
		{8, 0, asked},
		{11, 0, asked},
		{13, 0, asked},
		{14, 0, asked},
		{15, 0, asked},
		{16, 0, asked},
		{2, 0, yet + "NMI" + took + "NMI leaves no bit there, and is often a watchdog's."},
		{3, 0, yet + "HardFault" + took + "software asked for it, as a failed assertion of the agent does, or the bits were cleared before."},
		{4, 0, yet + "MemManage" + cleared},
		{5, 0, yet + "BusFault" + cleared},
		{6, 0, yet + "UsageFault" + cleared},
		{7, 0, yet + "SecureFault" + took + "what failed is in SFSR, which the dump does not hold."},
		{12, 0, yet + "DebugMonitor" + cleared},
		{12, 4, yet + "DebugMonitor" + took + "a debug event called it."},
		{12, 32, yet + "DebugMonitor" + cleared},
	} {
		dump := testDump{faults: []uint32{0, 0, tt.dfsr}, reg: [16]uint32{15: 0x8000}, handler: tt.handler}
		if got := Explain(dump.parse(t)).Reasons[0]; got != tt.want {
			t.Errorf("handler %d: %s\nwant %s", tt.handler, got, tt.want)
		}
	}
}

// TestDecodeTellsReadsFromWrites has an instruction of each form.
func TestDecodeTellsReadsFromWrites(t *testing.T) {
	for _, tt := range []struct {
		halves []uint16
		want   string
	}{
		{[]uint16{0x50d1}, "writes 4 bytes r2"},        // str r1, [r2, r3]
		{[]uint16{0x52d1}, "writes 2 bytes r2"},        // strh r1, [r2, r3]
		{[]uint16{0x56d1}, "reads a byte r2"},          // ldrsb r1, [r2, r3]
		{[]uint16{0x5ed1}, "reads 2 bytes r2"},         // ldrsh r1, [r2, r3]
		{[]uint16{0x6023}, "writes 4 bytes r4"},        // str r3, [r4]
		{[]uint16{0x6863}, "reads 4 bytes r4"},         // ldr r3, [r4, #4]
		{[]uint16{0x7023}, "writes a byte r4"},         // strb r3, [r4]
		{[]uint16{0x8823}, "reads 2 bytes r4"},         // ldrh r3, [r4]
		{[]uint16{0x9801}, "reads 4 bytes sp"},         // ldr r0, [sp, #4]
		{[]uint16{0xb510}, "writes sp"},                // push {r4, lr}
		{[]uint16{0xbd10}, "reads sp"},                 // pop {r4, pc}
		{[]uint16{0xc10c}, "writes r1"},                // stmia r1!, {r2, r3}
		{[]uint16{0xe92d, 0x41f0}, "writes sp"},        // push.w
		{[]uint16{0xe9d3, 0x0100}, "reads r3"},         // ldrd r0, r1, [r3]
		{[]uint16{0xf8d3, 0x0080}, "reads 4 bytes r3"}, // ldr.w r0, [r3, #128]
		{[]uint16{0xf883, 0x0080}, "writes a byte r3"}, // strb.w r0, [r3, #128]
		{[]uint16{0xf8b6, 0x0080}, "reads 2 bytes r6"}, // ldrh.w
		{[]uint16{0xed93, 0x0a00}, "reads r3"},         // vldr s0, [r3]
		{[]uint16{0xfbb1, 0xf0f2}, "divide r2"},        // udiv r0, r1, r2
		{[]uint16{0xde01}, "trap"},                     // udf
		{[]uint16{0xf7f0, 0xa001}, "trap"},             // udf.w
		{[]uint16{0xbe00}, "breakpoint"},               // bkpt
		{[]uint16{0xf8df, 0x0010}, "other"},            // ldr r0, [pc, #16]
		{[]uint16{0x4770}, "other"},                    // bx lr
		{[]uint16{0xf000, 0xf800}, "other"},            // bl
		{[]uint16{0xfb01, 0xf002}, "other"},            // mul
	} {
		var b []byte
		for _, h := range tt.halves {
			b = append(b, byte(h), byte(h>>8))
		}
		fw := &Firmware{blocks: []firmware.Block{{Addr: 0x100, Data: b, Code: true}}}
		i := fw.decode(0x100)
		got := "other"
		switch {
		case i.accesses():
			got = i.verb + " " + registerName(i.register)
		case i.operation == divide:
			got = "divide " + registerName(i.register)
		case i.operation == trap:
			got = "trap"
		case i.operation == breakpoint:
			got = "breakpoint"
		}

		if got != tt.want {
			t.Errorf("%04x is %q, want %q", tt.halves, got, tt.want)
		}
	}
}

func TestPlaceNamesTheRegionOfAnAddress(t *testing.T) {
	for addr, want := range map[uint32]string{
		0: "a null pointer", 1: "a null pointer with an offset", 0xff: "a null pointer with an offset", 0x100: "in the code region",
		0x1fff_ffff: "in the code region", 0x2000_0000: "in the SRAM region", 0x4000_0000: "in the peripheral region",
		0x5fff_ffff: "in the peripheral region", 0x6000_0000: "in the external RAM region", 0xa000_0000: "in the external device region",
		0xdfff_ffff: "in the external device region", 0xe000_0000: "in the system region", 0xffff_ffff: "in the system region",
	} {
		if got := place(addr); !strings.HasPrefix(got, want) || want == "a null pointer" && got != want {
			t.Errorf("%#x is %s, want %s", addr, got, want)
		}
	}
	for number, want := range map[uint32]string{3: "HardFault", 8: "exception 8", 15: "SysTick", 16: "interrupt 0 (exception 16)", 511: "interrupt 495 (exception 511)"} {
		if got := exceptionName(number); got != want {
			t.Errorf("exception %d is %s, want %s", number, got, want)
		}
	}
}
