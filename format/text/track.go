package text

import (
	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text/clock"
)

// track follows a device through the logs of a file: its clock, its count of
// frames. It is small and copied to where work on a part of the file begins.
type track struct {
	index   int64       // of the next record
	log     int64       // of the log at hand
	logs    int64       // so far
	place   clock.Place // of the log at hand
	tick    uint64
	timed   bool   // frames of the log at hand have ticks
	lenHead int    // of their headers, in bytes
	seq     uint16 // of the last numbered frame
	seen    bool   // seq is set
}

// enter begins a sound log, which lies at this place.
func (t *track) enter(h format.Header, place clock.Place, r *Report) {
	r.Logs++
	t.log = t.logs
	t.logs++
	t.place, t.tick = place, place.Base
	t.kind(h)
}

// header begins a log that is not sound: its ticks are added to those before.
func (t *track) header(h format.Header, r *Report) {
	r.Logs++
	_, rate, _ := h.Clock()
	t.log = t.logs
	t.kind(h)
	t.logs++
	if rate != t.place.Rate {
		t.place.Shift = 0
	}
	t.place.Rate, t.place.Wall.Known = rate, false
}

// kind notes how the frames of the log at hand are made.
func (t *track) kind(h format.Header) { t.timed, t.lenHead = h.FramesTimed(), h.LenFrameHeader() }

// frame moves on to the next frame.
func (t *track) frame(f *format.Frame, offset int64, r *Report) {
	t.index++
	if t.timed {
		t.tick += uint64(f.TickDelta)
		return
	}
	if next := t.seq + 1; t.seen && f.Sequence != next {
		// A restarted device counts from 0; frames may also come twice.
		if ahead := f.Sequence - next; f.Sequence != 0 && ahead < 1<<15 {
			r.gap(Gap{Offset: offset, From: next, To: f.Sequence})
		} else {
			r.Restarts++
		}
	}
	t.seq, t.seen = f.Sequence, true
}

// skip passes the frames of a log that is not shown.
func (t *track) skip(l format.Log) {
	frames := l.Frames()
	for frames.Next() {
		t.index++
	}
}
