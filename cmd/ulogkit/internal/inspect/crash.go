package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/ulogkit/ulogkit/format/crash"
)

// Crash is the row of a crash dump and of what it says. Of a dump without
// registers, fault is null and backtrace is empty.
type Crash struct {
	*CoreDump
	Fault     *Fault `json:"fault"`
	Backtrace []Call `json:"backtrace"` // the innermost first

	// What follows is absent if no firmware was given, or there are no registers.
	ELF          string        `json:"elf,omitempty"`   // the one that fits best
	Match        crash.Verdict `json:"match,omitempty"` // "proven", "fits", "doubtful" or "wrong"
	MatchReasons []string      `json:"match_reasons,omitempty"`
	// FirmwareFits is false if the dump cannot be of the firmware that was given,
	// which then was not used.
	FirmwareFits *bool `json:"firmware_fits,omitempty"`

	Summary   string   `json:"summary,omitempty"` // what happened, in a sentence
	Running   string   `json:"running,omitempty"` // what was running: an interrupt or a task
	Task      *string  `json:"task"`              // its name, or the function that it began with
	Truncated bool     `json:"truncated"`         // frames are left out, or memory is that there may be more in
	Omitted   int      `json:"omitted,omitempty"` // frames left out before the outermost ones
	Outermost int      `json:"outermost,omitempty"`
	Lost      []string `json:"lost"`  // what of the dump is missing or broken
	Notes     []string `json:"notes"` // what else is to be known

	Source *Source `json:"source,omitempty"`
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
	Hex        string           `json:"hex"` // pc as a person writes it
	Function   *string          `json:"function"`
	Offset     *uint32          `json:"offset"` // of pc in the function, in bytes
	File       *string          `json:"file"`
	Line       *int             `json:"line"`
	Inlined    bool             `json:"inlined"` // into the next one
	Confidence crash.Confidence `json:"confidence"`
	How        crash.How        `json:"how"`
}

// Explain returns the row of a crash dump, or nil if the bytes are none, and the
// error that it also holds. Of several builds that the dump may be of, the one
// that fits best is used.
func Explain(name string, b []byte, builds []*crash.Firmware) (row *Crash, err error) {
	d, err := crash.Read(b)
	if err != nil && Kind(b) == KindCoreDump {
		row := fileCoreDump(b)
		row.File, row.Error = name, err.Error()
		return &Crash{CoreDump: row, Backtrace: []Call{}, Lost: []string{}, Notes: []string{}}, err
	}
	if err != nil {
		return nil, cmp.Or(Other(b, ACrashDump), err)
	}

	row = &Crash{CoreDump: coreDumpRow(d, b), Backtrace: []Call{}, Lost: d.Lost, Notes: d.Notes}
	row.File = name
	if len(d.Lost) > 0 {
		err = errors.New(strings.Join(d.Lost, " "))
		if strict := Check(b); strict != nil {
			err = strict
		}
		row.Error = err.Error()
	}

	fw := row.choose(d, builds)
	f := fw.Explain(d)
	row.Fault = &Fault{Reasons: f.Reasons}
	if f.Recorded {
		row.Fault.CFSR, row.Fault.HFSR, row.Fault.DFSR, row.Fault.MMFAR, row.Fault.BFAR = &f.CFSR, &f.HFSR, &f.DFSR, &f.MMFAR, &f.BFAR
	}

	t := fw.Backtrace(d)
	for _, frame := range t.Frames {
		row.Backtrace = append(row.Backtrace, callRow(&frame))
	}

	row.Truncated, row.Omitted, row.Outermost = t.Truncated, t.Omitted, t.Outermost
	if row.Notes = append(row.Notes, t.Notes...); fw != nil {
		row.Notes = append(row.Notes, fw.Notes...)
	}
	if t.Task != "" {
		row.Task = &t.Task
	}
	row.Summary, row.Running = fw.Summary(d, t), crash.Running(d, t)
	row.Source = sourceOf(row)
	if row.Lost == nil {
		row.Lost = []string{}
	}
	if row.Notes == nil {
		row.Notes = []string{}
	}
	return row, err
}

// choose returns the build that the dump is of, or nil.
func (row *Crash) choose(d *crash.Dump, builds []*crash.Firmware) *crash.Firmware {
	fw, match := crash.Choose(builds, d)
	if fw == nil {
		return nil
	}
	row.ELF, row.Match, row.MatchReasons = fw.Path, match.Verdict, match.Reasons
	if len(builds) > 1 {
		row.Notes = append(row.Notes, fmt.Sprintf("Of %d builds, %s fits best.", len(builds), fw.Path))
	}
	// What other code says of these addresses would be false.
	if row.FirmwareFits = new(match.Verdict != crash.Wrong); !*row.FirmwareFits {
		return nil
	}
	return fw
}

func callRow(frame *crash.Frame) Call {
	call := Call{PC: frame.PC, Hex: fmt.Sprintf("0x%08x", frame.PC), Inlined: frame.Inlined, Confidence: frame.Confidence, How: frame.How}
	if frame.Function != "" {
		call.Function, call.Offset = &frame.Function, &frame.Offset
	}
	if frame.Line > 0 {
		call.File, call.Line = &frame.File, &frame.Line
	}
	return call
}
