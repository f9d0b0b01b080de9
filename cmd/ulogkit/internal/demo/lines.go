package demo

import (
	"fmt"
	"iter"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/sample"
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text"
)

// Line is a log record of a simulated device as text.
type Line struct {
	When    string // ticks since the frame before it as seconds, or the frame's number
	Level   format.Level
	Module  uint8
	FmtAddr uint32
	Text    string
}

// Lines returns the records of a log. The simulated devices' firmware has no
// ELF file, so the format strings are the simulation's.
func Lines(log []byte) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		l, _, err := format.ParseLog(log)
		if err != nil {
			return
		}
		frames := l.Frames()
		for frame := range frames.All() {
			p, err := format.ParsePayload(frame.Payload)
			if err != nil {
				return
			}
			line := Line{Level: p.Level(), Module: p.Module(), FmtAddr: p.FmtAddr()}
			if h := l.HeaderV3(); h != nil {
				line.When = fmt.Sprintf("+%.3fs", float64(frame.TickDelta)/float64(h.TickRateHz()))
			} else {
				line.When = fmt.Sprintf("#%d", frame.Sequence)
			}
			printf, _ := sample.Format(p.FmtAddr())
			line.Text = string(text.Parse(printf).Append(nil, p))
			if !yield(line) {
				return
			}
		}
	}
}
