package crash

// Bits of CFSR that sentences depend on. Its bytes are MMFSR, BFSR and, two of
// them, UFSR.
//
// Source: Armv7-M ARM, B3.2.15; Armv8-M for STKOF.
const (
	bitIACCVIOL    = 1 << 0
	bitDACCVIOL    = 1 << 1
	bitMUNSTKERR   = 1 << 3
	bitMSTKERR     = 1 << 4
	bitMLSPERR     = 1 << 5
	bitMMARVALID   = 1 << 7
	bitIBUSERR     = 1 << 8
	bitPRECISERR   = 1 << 9
	bitIMPRECISERR = 1 << 10
	bitUNSTKERR    = 1 << 11
	bitSTKERR      = 1 << 12
	bitLSPERR      = 1 << 13
	bitBFARVALID   = 1 << 15
	bitUNDEFINSTR  = 1 << 16
	bitINVSTATE    = 1 << 17
	bitINVPC       = 1 << 18
	bitNOCP        = 1 << 19
	bitSTKOF       = 1 << 20
	bitUNALIGNED   = 1 << 24
	bitDIVBYZERO   = 1 << 25

	// addressBits say that MMFAR or BFAR holds something; they are no fault.
	addressBits = bitMMARVALID | bitBFARVALID
	// savingBits come together with the fault that was to be saved.
	savingBits = bitMSTKERR | bitSTKERR | bitSTKOF
	// lostBits mean that the saved registers, and with them those in the dump,
	// are not those of the code.
	lostBits = savingBits | bitMUNSTKERR | bitUNSTKERR
	// fetchBits are faults of the jump to pc, not of the instruction there.
	fetchBits = bitIACCVIOL | bitIBUSERR | bitINVSTATE
	knownBits = bitIACCVIOL | bitDACCVIOL | bitMUNSTKERR | bitMSTKERR | bitMLSPERR | bitIBUSERR | bitPRECISERR | bitIMPRECISERR |
		bitUNSTKERR | bitSTKERR | bitLSPERR | bitUNDEFINSTR | bitINVSTATE | bitINVPC | bitNOCP | bitSTKOF | bitUNALIGNED |
		bitDIVBYZERO | addressBits
)

// Bits of HFSR.
//
// Source: Armv7-M ARM, B3.2.16.
const (
	bitVECTTBL  = 1 << 1
	bitFORCED   = 1 << 30
	bitDEBUGEVT = 1 << 31
	knownHFSR   = bitVECTTBL | bitFORCED | bitDEBUGEVT
)

const (
	bitBKPT   = 1 << 1 // of DFSR
	thumbBit  = 1 << 24
	maskIPSR  = 0x1ff
	knownDFSR = 31
)

// Exceptions by their numbers, as in IPSR. Those of faults are next to each
// other, from HardFault to SecureFault.
//
// Source: Armv7-M ARM, B1.5.2; Armv8-M for SecureFault.
const (
	numberNMI          = 2
	numberHardFault    = 3
	numberSecureFault  = 7
	numberDebugMonitor = 12
)

// sentence is what a bit means.
type sentence struct {
	bit  uint32
	text string // "{pc}" stands for that of the dump
}

// faultSentences are for those bits of CFSR that need no more than the pc.
var faultSentences = []sentence{
	{bitMSTKERR, "The processor took an exception and the memory protection unit forbade it to save the registers on the stack (MSTKERR): the stack has usually overflowed."},
	{bitSTKERR, "The processor took an exception and could not save the registers on the stack (STKERR): the stack has usually overflowed, or sp is wrong."},
	{bitSTKOF, "The stack went below its limit (STKOF): it has overflowed."},
	{bitMUNSTKERR, "The processor returned from an exception and the memory protection unit forbade it to read the saved registers (MUNSTKERR): the handler has usually damaged sp or the stack."},
	{bitUNSTKERR, "The processor returned from an exception and could not read the saved registers from the stack (UNSTKERR): the handler has usually damaged sp or the stack."},
	{bitMLSPERR, "The memory protection unit forbade to save the floating-point registers on the stack (MLSPERR): the stack has usually overflowed since the exception was taken."},
	{bitLSPERR, "The floating-point registers could not be saved on the stack (LSPERR): the stack has usually overflowed since the exception was taken."},
	{bitIACCVIOL, "The processor jumped to {pc}, where it is forbidden to run code (IACCVIOL): usually a call through a bad function pointer, or a return address that was overwritten."},
	{bitIBUSERR, "The processor jumped to {pc} and could not read an instruction there (IBUSERR): usually a call through a bad function pointer, or a return address that was overwritten."},
	{bitIMPRECISERR, "A write failed on the bus after the code had gone on (IMPRECISERR): the address is not recorded, and the code that wrote is somewhat before {pc}. Set DISDEFWBUF in ACTLR, where the core has it, to have the processor stop at the write."},
	{bitUNDEFINSTR, "The processor came to bytes at {pc} that are no instruction it knows (UNDEFINSTR): usually a trap that the compiler put there, data that was run as code, or code for another core."},
	{bitINVSTATE, "The code jumped to {pc} through an address with bit 0 clear, which asks for a state that the processor does not have (INVSTATE): usually a function pointer that is null or was never set, or a return address that was overwritten."},
	{bitINVPC, "The return from an exception used a value that is not valid (INVPC): usually lr or the stack was overwritten in a handler."},
	{bitNOCP, "The code at {pc} used a coprocessor that is off or missing (NOCP): usually floating-point instructions before the FPU was turned on in CPACR."},
	{bitUNALIGNED, "The code at {pc} used an address that is not a multiple of the size of what is there (UNALIGNED): usually a cast pointer into a packed structure or a byte buffer."},
	{bitDIVBYZERO, "The code at {pc} divided by zero (DIVBYZERO)."},
}

// debugSentences are for the bits of DFSR.
//
// Source: Armv7-M ARM, C1.6.1.
var debugSentences = []sentence{
	{1 << 0, "A debugger had halted or stepped the processor (HALTED in DFSR)."},
	{bitBKPT, "The code ran into a breakpoint (BKPT in DFSR)."},
	{1 << 2, "A watchpoint of the trace unit was hit (DWTTRAP in DFSR)."},
	{1 << 3, "A debugger had asked to stop at this exception (VCATCH in DFSR)."},
	{1 << 4, "A signal from outside of the processor asked to stop it (EXTERNAL in DFSR)."},
}
