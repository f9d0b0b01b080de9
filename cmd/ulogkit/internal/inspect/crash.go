package inspect

import (
	"cmp"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/crash"
)

// Crash is the row of a crash dump and of what it says. Of a dump whose
// registers cannot be read, fault is null and backtrace is empty.
type Crash struct {
	*CoreDump
	Fault     *Fault `json:"fault"`
	Backtrace []Call `json:"backtrace"` // the innermost first

	// FirmwareFits is false if the dump cannot be of the firmware that was given,
	// which then was not used. It is absent if there was none, or no registers.
	FirmwareFits *bool `json:"firmware_fits,omitempty"`
}

// Fault is why a device stopped. The registers are null if the dump does not
// hold them.
type Fault struct {
	CFSR    *uint32  `json:"cfsr"`
	HFSR    *uint32  `json:"hfsr"`
	DFSR    *uint32  `json:"dfsr"`
	MMFAR   *uint32  `json:"mmfar"`
	BFAR    *uint32  `json:"bfar"`
	Reasons []string `json:"reasons"`
}

// Call is a function that was running; what is not known of it is null.
type Call struct {
	PC         uint32           `json:"pc"`
	Function   *string          `json:"function"`
	Offset     *uint32          `json:"offset"` // of pc in the function, in bytes
	File       *string          `json:"file"`
	Line       *int             `json:"line"`
	Confidence crash.Confidence `json:"confidence"`
	How        crash.How        `json:"how"`
}

// Explain returns the row of a crash dump, or nil if the bytes are none, and the
// error that it also holds. The firmware may be nil.
func Explain(name string, b []byte, fw *crash.Firmware) (row *Crash, err error) {
	if Kind(b) != KindCoreDump {
		return nil, cmp.Or(Other(b, ACrashDump), Check(b))
	}
	dump, err := File(name, b)
	row = &Crash{CoreDump: dump.(*CoreDump), Backtrace: []Call{}}
	d, _, e := format.ParseCoreDump(b)
	if e != nil {
		return row, err
	}
	c, e := format.ParseCrashCatcher(d.Crash)
	if e != nil {
		return row, err
	}
	if fw != nil {
		// What other code says of these addresses would be false.
		if row.FirmwareFits = new(fw.Fits(c)); !*row.FirmwareFits {
			fw = nil
		}
	}
	f := fw.Explain(c)
	row.Fault = &Fault{Reasons: f.Reasons}
	if f.Recorded {
		row.Fault.CFSR, row.Fault.HFSR, row.Fault.DFSR, row.Fault.MMFAR, row.Fault.BFAR = &f.CFSR, &f.HFSR, &f.DFSR, &f.MMFAR, &f.BFAR
	}
	for _, frame := range fw.Backtrace(c) {
		call := Call{PC: frame.PC, Confidence: frame.Confidence, How: frame.How}
		if frame.Function != "" {
			call.Function, call.Offset = &frame.Function, &frame.Offset
		}
		if frame.Line > 0 {
			call.File, call.Line = &frame.File, &frame.Line
		}
		row.Backtrace = append(row.Backtrace, call)
	}
	return row, err
}
