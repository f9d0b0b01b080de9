package inspect

import (
	"strconv"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/crash"
)

// CoreDump is the row of a crash dump.
type CoreDump struct {
	Kind             string       `json:"kind"`
	File             string       `json:"file"`
	TotalLen         uint32       `json:"total_len"`
	Checksum         uint32       `json:"checksum"`
	ChecksumOK       bool         `json:"checksum_ok"`
	Version          uint32       `json:"version"`
	ApplicationID    uint32       `json:"application_id"`
	GitHash          string       `json:"git_hash"`
	GitHashHex       string       `json:"git_hash_hex,omitempty"`
	DeviceType       string       `json:"device_type"`
	DeviceTypeHex    string       `json:"device_type_hex,omitempty"`
	DeviceSerial     string       `json:"device_serial"`
	DeviceSerialHex  string       `json:"device_serial_hex,omitempty"`
	VersionString    string       `json:"version_string"`
	VersionStringHex string       `json:"version_string_hex,omitempty"`
	Flags            *uint32      `json:"flags,omitempty"` // of the CrashCatcher dump; absent with all below when that is damaged
	Registers        *Registers   `json:"registers,omitempty"`
	FPRegisters      *FPRegisters `json:"fp_registers"` // null when the device recorded none
	Regions          []Region     `json:"regions"`
	StackOverflow    bool         `json:"stack_overflow"` // the device's own stack had overflowed
	Error            string       `json:"error,omitempty"`
}

// Region is a piece of memory in a crash dump, without its bytes.
type Region struct {
	Start uint32 `json:"start"`
	End   uint32 `json:"end"`
}

// Registers are the integer registers of a crash dump.
type Registers struct {
	R0           uint32 `json:"r0"`
	R1           uint32 `json:"r1"`
	R2           uint32 `json:"r2"`
	R3           uint32 `json:"r3"`
	R4           uint32 `json:"r4"`
	R5           uint32 `json:"r5"`
	R6           uint32 `json:"r6"`
	R7           uint32 `json:"r7"`
	R8           uint32 `json:"r8"`
	R9           uint32 `json:"r9"`
	R10          uint32 `json:"r10"`
	R11          uint32 `json:"r11"`
	R12          uint32 `json:"r12"`
	SP           uint32 `json:"sp"`
	LR           uint32 `json:"lr"`
	PC           uint32 `json:"pc"`
	XPSR         uint32 `json:"xpsr"`
	MSP          uint32 `json:"msp"`
	PSP          uint32 `json:"psp"`
	ExceptionPSR uint32 `json:"exception_psr"`

	lacks bool // some, since the dump was cut
	known [20]bool
}

// fileCoreDump reads what it can: the header of any dump, and what there is of
// registers and regions.
func fileCoreDump(b []byte) *CoreDump {
	d, err := crash.Read(b)
	if err != nil {
		d = &crash.Dump{}
		if len(b) >= format.CoreDumpHeaderSize {
			d.Header = (*format.CoreDumpHeader)(b)
		}
	}
	return coreDumpRow(d, b)
}

// coreDumpRow returns the row of what was read of the bytes.
func coreDumpRow(d *crash.Dump, b []byte) *CoreDump {
	row := &CoreDump{Kind: KindCoreDump, TotalLen: uint32(len(b)), Regions: []Region{}, StackOverflow: d.StackOverflow}
	if h := d.Header; h != nil {
		row.TotalLen, row.Checksum, row.Version, row.ApplicationID = h.LenTotal(), h.Checksum(), h.Version(), h.ApplicationID()
		row.GitHash, row.GitHashHex = textOf(h.GitHash())
		row.DeviceType, row.DeviceTypeHex = textOf(h.DeviceType())
		row.DeviceSerial, row.DeviceSerialHex = textOf(h.DeviceSerial())
		row.VersionString, row.VersionStringHex = textOf(h.VersionString())
	}

	if dump, _, err := format.ParseCoreDump(b); err == nil {
		row.ChecksumOK = dump.Verify() == nil
	}
	if d.Registers == nil {
		return row
	}
	row.Flags = &d.Flags
	row.Registers = registersRow(d)
	if d.FP != nil {
		row.FPRegisters = fpRegistersRow(d.FP)
	}

	for _, region := range d.Regions {
		row.Regions = append(row.Regions, Region{Start: region.Start, End: region.End})
	}
	return row
}

func registersRow(d *crash.Dump) *Registers {
	r := d.Registers
	row := &Registers{
		R0: r.R0(), R1: r.R1(), R2: r.R2(), R3: r.R3(), R4: r.R4(), R5: r.R5(), R6: r.R6(),
		R7: r.R7(), R8: r.R8(), R9: r.R9(), R10: r.R10(), R11: r.R11(), R12: r.R12(),
		SP: r.SP(), LR: r.LR(), PC: r.PC(), XPSR: r.XPSR(), MSP: r.MSP(), PSP: r.PSP(), ExceptionPSR: r.ExceptionPSR(),
	}
	for i := range registerNames {
		row.lacks = row.lacks || !d.Known(i)
		row.known[i] = d.Known(i)
	}
	return row
}

// registerNames are the JSON names of the registers, in the order of the dump.
var registerNames = [...]string{
	"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "sp", "lr", "pc", "xpsr", "msp", "psp", "exception_psr",
}

// Values returns the registers in the order of the dump, with their names; one
// that the dump does not hold is null.
func (r *Registers) Values() (names []string, values []*uint32) {
	all := [...]*uint32{
		&r.R0, &r.R1, &r.R2, &r.R3, &r.R4, &r.R5, &r.R6, &r.R7, &r.R8, &r.R9, &r.R10, &r.R11, &r.R12,
		&r.SP, &r.LR, &r.PC, &r.XPSR, &r.MSP, &r.PSP, &r.ExceptionPSR,
	}
	for i := range all {
		if r.lacks && !r.known[i] {
			all[i] = nil
		}
	}
	return registerNames[:], all[:]
}

// MarshalJSON writes null for a register that a cut dump does not hold.
func (r *Registers) MarshalJSON() ([]byte, error) {
	names, values := r.Values()
	b := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, name), ':')
		if values[i] == nil {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendUint(b, uint64(*values[i]), 10)
		}
	}
	return append(b, '}'), nil
}

// FPRegisters are the floating-point registers of a crash dump, as their 32
// raw bits.
type FPRegisters struct {
	S0    uint32 `json:"s0"`
	S1    uint32 `json:"s1"`
	S2    uint32 `json:"s2"`
	S3    uint32 `json:"s3"`
	S4    uint32 `json:"s4"`
	S5    uint32 `json:"s5"`
	S6    uint32 `json:"s6"`
	S7    uint32 `json:"s7"`
	S8    uint32 `json:"s8"`
	S9    uint32 `json:"s9"`
	S10   uint32 `json:"s10"`
	S11   uint32 `json:"s11"`
	S12   uint32 `json:"s12"`
	S13   uint32 `json:"s13"`
	S14   uint32 `json:"s14"`
	S15   uint32 `json:"s15"`
	S16   uint32 `json:"s16"`
	S17   uint32 `json:"s17"`
	S18   uint32 `json:"s18"`
	S19   uint32 `json:"s19"`
	S20   uint32 `json:"s20"`
	S21   uint32 `json:"s21"`
	S22   uint32 `json:"s22"`
	S23   uint32 `json:"s23"`
	S24   uint32 `json:"s24"`
	S25   uint32 `json:"s25"`
	S26   uint32 `json:"s26"`
	S27   uint32 `json:"s27"`
	S28   uint32 `json:"s28"`
	S29   uint32 `json:"s29"`
	S30   uint32 `json:"s30"`
	S31   uint32 `json:"s31"`
	FPSCR uint32 `json:"fpscr"`
}

func fpRegistersRow(r *format.FPRegisters) *FPRegisters {
	return &FPRegisters{
		S0: r.S0(), S1: r.S1(), S2: r.S2(), S3: r.S3(), S4: r.S4(), S5: r.S5(), S6: r.S6(), S7: r.S7(),
		S8: r.S8(), S9: r.S9(), S10: r.S10(), S11: r.S11(), S12: r.S12(), S13: r.S13(), S14: r.S14(), S15: r.S15(),
		S16: r.S16(), S17: r.S17(), S18: r.S18(), S19: r.S19(), S20: r.S20(), S21: r.S21(), S22: r.S22(), S23: r.S23(),
		S24: r.S24(), S25: r.S25(), S26: r.S26(), S27: r.S27(), S28: r.S28(), S29: r.S29(), S30: r.S30(), S31: r.S31(),
		FPSCR: r.FPSCR(),
	}
}
