package format

import (
	"errors"
	"iter"
)

// ErrLost is the reason of a skipped range in which nothing that looks like a
// log was found.
var ErrLost = errors.New("no log, and no frame of one")

// lookahead is how many bytes a decision about damaged input sees at most. It
// takes exactly that many where the stream has them, so that the result does
// not depend on how the stream was cut into chunks.
const lookahead = 2 * MaxLog

// EventKind tells what a [Decoder] came upon.
type EventKind uint8

const (
	// EventLog is the header of a log; its frames follow.
	EventLog EventKind = iota + 1
	// EventFrame is a frame whose payload could be read.
	EventFrame
	// EventSkipped is a range of bytes that could not be read; Reason says why.
	EventSkipped
	// EventTail is what the stream ends with: the beginning of a log or frame
	// whose rest is missing. Keep it; the rest may follow some day.
	EventTail
)

// String returns the name of k.
func (k EventKind) String() string {
	switch k {
	case EventLog:
		return "log"
	case EventFrame:
		return "frame"
	case EventSkipped:
		return "skipped"
	case EventTail:
		return "tail"
	}
	return "unknown"
}

// Event is one step of a [Decoder] through a stream. The events' Bytes, put
// together, are the stream: nothing is passed over in silence.
type Event struct {
	Kind EventKind
	// Verified reports that log header and frame lie in a log whose checksum
	// is right and whose frames fill it, up to the bytes that may end a log of its
	// version. The checksum is one XOR byte
	// and covers neither token nor times in the header; the package
	// documentation says what it misses. Where Verified is false the bytes are
	// plausible, not proven: a damaged value cannot be told from a true one.
	Verified bool
	// Version is the header version of the log, 0 if there is none. Where a
	// damaged header was lost, it is the first version with such frames.
	Version uint8
	// Offset is where Bytes begin, in bytes from the start of the stream.
	Offset int64
	// Bytes alias the decoder's or the caller's buffer, and so do Frame and
	// Payload: they are valid in the body of the loop over Feed or Close, until
	// it asks for the next event or is left.
	Bytes []byte
	// Frame and Payload are set in an EventFrame only. Its Frame.Offset is 0.
	Frame   Frame
	Payload Payload
	// Reason says why bytes were skipped or are incomplete.
	Reason error
}

// Header returns the header of an EventLog. For what lies in a log it returns one
// that tells how its frames are made and has no other fields, and the zero Header
// for what lies in none.
func (e *Event) Header() Header {
	h := Header{layout: logLayoutOf(e.Version)}
	if e.Kind == EventLog {
		h.buf = e.Bytes
	}
	return h
}

// Decoder reads logs back to back from a stream that comes in chunks of any
// size, and goes on after damage:
//
//	var d format.Decoder
//	for each chunk {
//		for event := range d.Feed(chunk) { ... }
//	}
//	for event := range d.Close() { ... }
//
// A log whose checksum is right and whose frames fill it is taken as it is.
// Anything else is searched for what still makes sense: a header, or frames
// that lead to further frames, a header, or the end. What lies between is
// reported as skipped. See [Event] for what that is worth.
//
// The zero Decoder is ready for use. It holds on to at most 393,360 bytes of the
// stream. The events do not depend on where the stream was cut.
type Decoder struct {
	// ValidAddr reports whether a format string lies at the address. When it
	// is set, a frame in damaged input counts as found only with such an
	// address, and one such frame is enough where three in a row are asked for
	// otherwise. A log whose checksum is right counts whatever its addresses:
	// its firmware may be another. Set it before the first Feed.
	ValidAddr func(fmtAddr uint32) bool

	kept   []byte // bytes fed, from done on not yet consumed
	done   int
	offset int64 // of the next byte to be consumed
	wrong  bool  // no sound log begins there, so do not look again

	// The log that the next byte lies in, when inside is set.
	inside   bool
	verified bool
	layout   *logLayout
	end      int64 // as its header tells; -1 when not known
}

// Feed returns an iterator that takes the next bytes of the stream, those from
// Next on, and yields what they complete. Range over it once. A loop that is left
// early does not take all of chunk: feed the rest again, from Next on.
func (d *Decoder) Feed(chunk []byte) iter.Seq[Event] {
	return func(yield func(Event) bool) { d.run(chunk, false, yield) }
}

// Next returns the offset in the stream of the byte that Feed takes next.
func (d *Decoder) Next() int64 { return d.offset + int64(len(d.kept)-d.done) }

// Close returns an iterator that ends the stream and yields what was held back
// for more bytes. After the loop the decoder can be fed another stream.
func (d *Decoder) Close() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		if d.run(nil, true, yield) {
			*d = Decoder{ValidAddr: d.ValidAddr, kept: d.kept[:0]}
		}
	}
}

// run steps through what was kept, then through the chunk. It reports whether
// all events were taken.
func (d *Decoder) run(chunk []byte, eof bool, yield func(Event) bool) bool {
	for len(d.kept) > d.done {
		held, n := len(d.kept)-d.done, min(len(chunk), lookahead)
		d.kept = append(d.kept, chunk[:n]...)
		used, more := d.steps(d.kept[d.done:], eof, yield)
		switch {
		case used >= held:
			// All that was held is consumed: go on in the chunk itself.
			d.kept, d.done, chunk = d.kept[:0], 0, chunk[used-held:]
		case !more:
			d.kept, d.done = d.kept[:len(d.kept)-n], d.done+used
		default:
			d.done, chunk = d.done+used, chunk[n:]
			if d.done >= lookahead { // seldom, or small chunks would move it all each time
				d.kept, d.done = d.kept[:copy(d.kept, d.kept[d.done:])], 0
			}
		}

		if !more || len(chunk) == 0 {
			return more
		}
	}

	used, more := d.steps(chunk, eof, yield)
	d.kept, d.done = d.kept[:0], 0
	if more {
		d.kept = append(d.kept, chunk[used:]...)
	}
	return more
}

// steps yields events from the start of b on until more bytes are needed, and
// tells how many bytes they used and whether all were taken.
func (d *Decoder) steps(b []byte, eof bool, yield func(Event) bool) (used int, more bool) {
	for {
		event, n := d.step(b[used:], eof)
		if n == 0 {
			return used, true
		}
		d.wrong = false
		event.Offset = d.offset
		event.Bytes = b[used : used+n : used+n]
		used += n
		d.offset += int64(n)
		if !yield(event) {
			return used, false
		}
	}
}

// step makes one event of the first n bytes of b; n is 0 where more bytes are
// needed, and at the end.
func (d *Decoder) step(b []byte, eof bool) (event Event, n int) {
	if d.inside && d.offset == d.end {
		d.inside = false
	}

	switch {
	case len(b) == 0:
		return Event{}, 0
	case d.inside && d.verified:
		return d.stepVerified(b)
	case !d.inside && !d.wrong:
		l, _, err := ParseLog(b)
		if err == nil && l.sound() == nil {
			d.enter(l.layout, true, d.offset+int64(len(l.Bytes())))
			return Event{Kind: EventLog, Verified: true, Version: l.layout.version}, l.layout.lenHeader
		}
		if errors.Is(err, ErrShort) && !eof {
			return Event{}, 0 // at most MaxLog bytes are waited for
		}
		d.wrong = true
	}

	if len(b) >= lookahead {
		b, eof = b[:lookahead], eof && len(b) == lookahead
	} else if !eof {
		return Event{}, 0
	}
	return d.stepDamaged(b, eof)
}

// stepVerified reads a frame of a sound log, or passes over the bytes after the
// last one.
func (d *Decoder) stepVerified(b []byte) (Event, int) {
	left := int(d.end - d.offset)
	b = b[:min(len(b), left)]
	event := Event{Kind: EventFrame, Verified: true, Version: d.layout.version}
	frame, rest, ok := parseFrame(b, d.layout.frame)
	if !ok {
		if len(b) < left {
			return Event{}, 0 // the rest of a log whose events were not all taken
		}
		event.Kind, event.Reason = EventSkipped, errFramesTrailing
		return event, left
	}
	n := len(b) - len(rest)
	var err error
	if event.Payload, err = ParsePayload(frame.Payload); err != nil {
		event.Kind, event.Reason = EventSkipped, err
		return event, n
	}
	event.Frame = frame
	return event, n
}

// enter notes that the next byte lies in a log.
func (d *Decoder) enter(l *logLayout, verified bool, end int64) {
	d.inside, d.verified, d.layout, d.end = true, verified, l, end
}

// parseFrame reads the frame that b begins with.
func parseFrame(b []byte, l *logFrame) (frame Frame, rest []byte, ok bool) {
	frame.Sequence, frame.TickDelta, frame.Payload, rest, ok = l.parse(b)
	return frame, rest, ok
}
