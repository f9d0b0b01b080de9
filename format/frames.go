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
	// the first ever; divide by the header's TickRateHz for seconds. 0 in a
	// version 1 log.
	TickDelta uint32
	// Sequence counts frames since boot and wraps at 65536; a jump means lost
	// frames. 0 in a version 3 log.
	Sequence uint16
	// Offset is where the frame begins, in bytes from the start of the log's
	// data.
	Offset uint16
}

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
	rest  []byte // not yet walked
	len   int    // length of the data, for offsets
	v3    bool
	frame Frame
	err   error
}

// Next advances to the next frame. It returns false at the end of the log and
// at a frame that does not fit; Err tells which.
func (f *Frames) Next() bool {
	if len(f.rest) == 0 || f.err != nil {
		return false
	}
	f.frame.Offset = uint16(f.len - len(f.rest))
	if f.v3 {
		v, rest, err := ParseFrameV3(f.rest)
		if err != nil {
			return f.fail(err)
		}
		f.rest = rest
		f.frame.Payload, f.frame.TickDelta = v.Payload, v.Header.TickDelta()
		return true
	}
	v, rest, err := ParseFrameV1(f.rest)
	if err != nil {
		return f.fail(err)
	}
	f.rest = rest
	f.frame.Payload, f.frame.Sequence = v.Payload, v.Header.Sequence()
	return true
}

func (f *Frames) fail(err error) bool {
	f.err = err
	f.frame = Frame{}
	return false
}

// Frame returns the frame that Next advanced to.
func (f *Frames) Frame() Frame { return f.frame }

// Err returns nil at the end of the log, or why the walk ended before it.
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
