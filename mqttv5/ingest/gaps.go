package ingest

import "github.com/ulogkit/ulogkit/format"

// maxGapDevices is the number of devices that Gaps follows.
const maxGapDevices = 1 << 16

// Gaps counts the frames that never arrived, by the sequence numbers that frames of
// some versions have (FORMAT section 2). Its numbers between two logs of a device hold only
// where all logs of the device pass: for the reader of a sink that all workers
// share, not for one worker of several. The zero Gaps is ready to use.
type Gaps struct {
	last map[gapKey]uint16
}

type gapKey struct {
	topic string
	token uint32
}

// Observe takes the next record and returns the number of frames that are missing
// inside it, and between it and the last one of the same device.
func (g *Gaps) Observe(r *Record) (inside, before int) {
	if r.Kind != KindLog || r.Reason != "" {
		return 0, 0
	}

	l, _, err := format.ParseLog(r.Payload)
	if err != nil || !l.FramesNumbered() {
		return 0, 0
	}
	key := gapKey{r.Topic, l.SessionToken()}
	last, known := g.last[key]
	frames := l.Frames()
	any := false
	for frames.Next() {
		s := frames.Frame().Sequence
		switch {
		case any:
			inside += gap(last, s)
		case known:
			before = gap(last, s)
		}
		last, any = s, true
	}

	if !any {
		return inside, before
	}
	if g.last == nil || len(g.last) >= maxGapDevices {
		g.last = make(map[gapKey]uint16) // forgets; a gap may go unnoticed
	}

	g.last[key] = last
	return inside, before
}
