package format

import "iter"

// Frame is one frame of a log: its header's fields and its payload, one log
// record.
//
// Source: FORMAT section 2.
type Frame struct {
	// Payload is the record, for ParsePayload.
	Payload []byte
	// TickDelta is in device ticks since the previous frame, since boot for
	// the first ever; divide by the rate of the header's Clock for seconds. 0
	// where frames have none, see [Header.FramesTimed].
	TickDelta uint32
	// Sequence counts frames since boot and wraps at 65536; a jump means lost
	// frames. 0 where frames have none, see [Header.FramesNumbered].
	Sequence uint16
	// Offset is where the frame begins, in bytes from the start of the log's
	// data.
	Offset uint16
}

// errFramesTrailing is the error of a walk that ends at bytes which are no frame,
// in a log that may end so.
var errFramesTrailing = &Error{Type: "log", Field: "data", Offset: -1, Err: ErrTrailing}

// Frames walks the frames of one log, without checking their payloads:
//
//	frames := log.Frames()
//	for frames.Next() {
//		... frames.Frame() ...
//	}
//	if err := frames.Err(); err != nil { ... }
//
// A frame whose length does not fit ends the walk, since where the next one
// begins is not known.
type Frames struct {
	rest   []byte // not yet walked
	len    int    // length of the data, for offsets
	kind   *logFrame
	layout *logLayout
	frame  Frame
	err    error
}

// Next advances to the next frame. It returns false at the end of the log and
// at a frame that does not fit; Err tells which.
func (f *Frames) Next() bool {
	if len(f.rest) == 0 || f.err != nil {
		return false
	}
	sequence, delta, payload, rest, ok := f.kind.parse(f.rest)
	if !ok {
		return f.fail()
	}
	f.frame.Offset = uint16(f.len - len(f.rest))
	f.frame.Sequence, f.frame.TickDelta, f.frame.Payload = sequence, delta, payload
	f.rest = rest
	return true
}

func (f *Frames) fail() bool {
	f.err = f.kind.fail(f.rest)
	if f.layout.trailing && !anyFrames(f.rest, f.kind) {
		f.err = errFramesTrailing
	}
	f.frame = Frame{}
	return false
}

// Frame returns the frame that Next advanced to.
func (f *Frames) Frame() Frame { return f.frame }

// Err returns nil at the end of the log, or why the walk ended before it. It
// unwraps to [ErrTrailing] where the log's version allows bytes after the last
// frame and nothing in what is left looks like a frame: these bytes are told, and
// no sign of damage.
func (f *Frames) Err() error { return f.err }

// Offset returns where the next frame begins, or the one that did not fit, in
// bytes from the start of the log's data.
func (f *Frames) Offset() int { return f.len - len(f.rest) }

// All returns an iterator over the frames that are left. Ask Err after it.
func (f *Frames) All() iter.Seq[Frame] {
	return func(yield func(Frame) bool) {
		for f.Next() {
			if !yield(f.frame) {
				return
			}
		}
	}
}
