package text

import "github.com/ulogkit/ulogkit/format"

// track follows a device through the logs of a file: its clock, its count of
// frames. It is small and copied to where work on a part of the file begins.
type track struct {
	index int64 // of the next record
	tick  uint64
	rate  uint32
	head  uint32 // tick of the last header with a clock
	v3    bool   // frames of the log at hand have ticks
	begun bool   // head is set
	seq   uint16 // of the last numbered frame
	seen  bool   // seq is set
}

// header begins a log.
func (t *track) header(h format.Header, r *Report) {
	r.Logs++
	tick, rate, ok := h.Clock()
	t.v3, t.rate = h.FramesTimed(), rate
	if !ok {
		return
	}
	// The header's tick is the device's counter, which wraps. Half its range
	// decides whether it has wrapped or the device has begun anew.
	if t.begun && int32(tick-t.head) < 0 {
		r.Restarts++
		t.tick = 0
	}
	t.head, t.begun = tick, true
}

// frame moves on to the next frame.
func (t *track) frame(f *format.Frame, offset int64, r *Report) {
	t.index++
	if t.v3 {
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
