package text

import (
	"fmt"
	"strings"

	"github.com/ulogkit/ulogkit/format/text/clock"
)

// timing is what the clock tells about a log.
type timing struct {
	clock.Note
	log, offset int64
	otherLog    int64
	otherFile   string // if it is another one
	row         string // in place of all that, what a row says
}

func noteOf(n clock.Note, log, offset int64) timing {
	return timing{Note: n, log: log, offset: offset, otherLog: int64(n.Other)}
}

// note counts and lists what the clock tells.
func (r *Report) note(t timing) {
	switch t.Kind {
	case clock.Restart:
		r.Restarts++
		r.clockRestarts++
	case clock.Repeat:
		r.Repeated++
	case clock.Lost:
		r.LostBetween++
	default:
		r.Discords++
	}
	if len(r.timings) < maxListed {
		r.timings = append(r.timings, t)
	}
}

// odd counts and lists what a row says of its time that cannot be read.
func (r *Report) odd(what string) {
	r.Discords++
	if len(r.timings) < maxListed {
		r.timings = append(r.timings, timing{row: what})
	}
}

// String tells it for people.
func (t timing) String() string {
	if t.row != "" {
		return t.row
	}

	other := fmt.Sprintf("log %d", t.otherLog)
	if t.otherFile != "" {
		other += " of " + string(appendPrintable(nil, t.otherFile))
	}

	seconds := string(appendMicros(nil, max(t.Micros, -t.Micros)))
	var b strings.Builder
	fmt.Fprintf(&b, "log %d at byte %d: ", t.log, t.offset)
	switch t.Kind {
	case clock.Restart:
		fmt.Fprintf(&b, "the device has restarted since %s; its counter goes from %d to %d", other, t.FromT, t.ToT)
	case clock.Repeat:
		fmt.Fprintf(&b, "%s came once more; it is shown once (--repeats shows all)", other)
	case clock.Swapped:
		fmt.Fprintf(&b, "it was written before %s, which came first", other)
	case clock.Lost:
		fmt.Fprintf(&b, "frames are lost before it: of the time since %s at least %s s are missing", other, seconds)
	case clock.NewRate:
		fmt.Fprintf(&b, "the tick rate goes from %d to %d Hz after %s", t.From, t.To, other)
	case clock.Stepped:
		way := "forward"
		if t.Micros < 0 {
			way = "back"
		}
		fmt.Fprintf(&b, "the wall clock of the device was set %s by %s s before it", way, seconds)
	case clock.NoTime:
		fmt.Fprintf(&b, "its epoch of %d us since 1970 is no time before the year 10000, and not believed", t.Epoch)
	default:
		fmt.Fprintf(&b, "its frames take more time than its tick %d allows; the counter has wrapped unseen, or the log is wrong", t.ToT)
	}
	return b.String()
}
