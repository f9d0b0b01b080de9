package format

import "errors"

// What follows decides what in damaged input is still taken for a log or a
// frame. The decisions cost a bounded time at each byte, whatever the bytes:
// a plausible frame has at most 8 arguments and 8 strings, and a checksum is
// computed only behind a header whose first frame is plausible.

// minChain is how many plausible frames in a row prove that frames begin there.
// One with a wrong beginning passes for plausible about once in 2^24 random
// offsets, fewer are enough where they lead to the end or to a header.
const minChain = 3

// addrCheck is a Decoder's ValidAddr; nil takes any address.
type addrCheck func(fmtAddr uint32) bool

// stepDamaged makes one event of damaged input. b holds as many bytes as
// decisions may see; eof tells that they are the last of the stream.
func (d *Decoder) stepDamaged(b []byte, eof bool) (Event, int) {
	valid := addrCheck(d.ValidAddr)
	if !d.inside {
		layout, lenLog := headerHint(b)
		if layout != nil && (valid.leadsToFrame(b, layout) || valid.boundary(b, lenLog, eof)) {
			d.enter(layout, false, d.offset+int64(lenLog))
			return Event{Kind: EventLog, Version: layout.version}, layout.lenHeader
		}
		return d.resync(b, eof, 0)
	}

	if frame, n := valid.plausible(b, d.layout.frame); n > 0 {
		if d.offset < d.end && d.offset+int64(n) > d.end {
			d.end = -1 // the header's length was wrong
		}
		event := Event{Kind: EventFrame, Version: d.layout.version, Frame: frame}
		event.Payload, _ = ParsePayload(frame.Payload)
		return event, n
	}

	if valid.foundHeader(b, eof) {
		d.inside = false
		return d.step(b, eof)
	}
	return d.resync(b, eof, 1)
}

// headerHint returns the layout and the announced length of the log that b
// begins with; nil if its version is not known or the header does not fit.
func headerHint(b []byte) (l *logLayout, lenLog int) {
	h, _, err := ParseHeader(b)
	if err != nil {
		return nil, 0
	}
	return h.layout, h.layout.lenHeader + int(h.LenData())
}

// leadsToFrame reports whether a plausible frame follows the header.
func (valid addrCheck) leadsToFrame(b []byte, l *logLayout) bool {
	_, n := valid.plausible(b[l.lenHeader:], l.frame)
	return n > 0
}

// foundHeader reports whether the header of a log is found at the start of b,
// where none is expected. Bytes of frames can pass for a header before further
// frames, so the checksum has to be right or the announced end too. A log that is
// right needs no addresses that the validator knows.
func (valid addrCheck) foundHeader(b []byte, eof bool) bool {
	layout, lenLog := headerHint(b)
	if layout == nil {
		return false
	}
	data, end := b[layout.lenHeader:], int64(lenLog-layout.lenHeader)
	if !addrCheck(nil).chain(data, end, layout.frame, eof) {
		return false
	}
	if l, _, err := ParseLog(b); err == nil && l.sound() == nil {
		return !l.shadows()
	}
	return valid.chain(data, end, layout.frame, eof) && valid.boundary(b, lenLog, eof)
}

// Times in microseconds since 1970 that no device means: before 2000, or after 2100.
const (
	minEpoch = 946_684_800_000_000
	maxEpoch = 4_102_444_800_000_000
)

// shadows reports whether a sound log is rather a shorter header with the same data,
// and what precedes it a byte that looks like a version. Versions 3 and 4 end alike:
// a 4 that stands 8 bytes before a header of version 3 makes one of version 4 out of
// it, whose time of the day is then ticks and their rate.
func (l Log) shadows() bool {
	epoch, ok := l.Epoch()
	if !ok || epoch == 0 || epoch >= minEpoch && epoch < maxEpoch {
		return false
	}
	for i := range logLayouts {
		at := l.layout.lenHeader - logLayouts[i].lenHeader
		if at <= 0 || l.buf[at] != logLayouts[i].version {
			continue
		}
		if other, rest, err := ParseLog(l.buf[at:]); err == nil && len(rest) == 0 && other.sound() == nil {
			return true
		}
	}
	return false
}

// boundary reports whether a log may end at offset n of b: the stream ends
// there too, or the header of another log leads to a frame there.
func (valid addrCheck) boundary(b []byte, n int, eof bool) bool {
	if n >= len(b) {
		return n == len(b) && eof
	}
	layout, _ := headerHint(b[n:])
	return layout != nil && valid.leadsToFrame(b[n:], layout)
}

// plausible returns the frame that b begins with and its length, or zeroes if
// no device would have written it.
func (valid addrCheck) plausible(b []byte, l *logFrame) (Frame, int) {
	frame, rest, ok := parseFrame(b, l)
	if !ok {
		return Frame{}, 0
	}
	head, tail, err := ParsePayloadHeader(frame.Payload)
	if err != nil || head.NumArgs() > maxArgs || valid != nil && !valid(head.FmtAddr()) {
		return Frame{}, 0
	}
	if len(tail) < int(head.NumArgs()) {
		return Frame{}, 0
	}

	size := int(head.NumArgs())
	for _, packed := range tail[:size] {
		size += argKinds[packed].size()
	}

	if section, _, err := ParseStringSection(tail[min(size, len(tail)):]); err == nil && section.Header.NumStrings() > maxArgs {
		return Frame{}, 0
	}
	if _, err := ParsePayload(frame.Payload); err != nil {
		return Frame{}, 0
	}
	return frame, len(b) - len(rest)
}

// chain reports whether frames begin at the start of b: several plausible ones
// in a row, or fewer that lead to a header, to end, the offset in b at which a
// header tells that its log ends, or to the end of the stream.
func (valid addrCheck) chain(b []byte, end int64, l *logFrame, eof bool) bool {
	total := len(b)
	for count := 1; ; count++ {
		_, n := valid.plausible(b, l)
		if n == 0 {
			return false
		}
		b = b[n:]
		at := total - len(b)
		if count == minChain || valid != nil || int64(at) == end {
			return true
		}
		if len(b) == 0 {
			return eof
		}
		if next, _ := headerHint(b); next != nil && valid.leadsToFrame(b, next) {
			return true
		}
	}
}

// resync reports as skipped what lies before the next header or chain of
// frames, which is looked for from offset from of b on.
func (d *Decoder) resync(b []byte, eof bool, from int) (Event, int) {
	valid := addrCheck(d.ValidAddr)
	cut, err := d.reason(b)
	event := Event{Kind: EventSkipped, Reason: err}
	if d.inside {
		event.Version = d.layout.version
	}

	limit := len(b)
	if !eof {
		limit /= 2 // a header's announced end must be in sight
	}

	for n := from; n < limit; n++ {
		rest := b[n:]
		// Where the log may have ended, the header of the next may be lost too,
		// and its frames of another version.
		end := int64(-1)
		if d.inside {
			end = d.end - d.offset - int64(n)
		}
		outside := end <= 0
		switch {
		case d.inside && valid.chain(rest, end, d.layout.frame, eof):
		case valid.foundHeader(rest, eof):
			d.inside = false
		case outside && d.enterFrames(rest, eof):
		default:
			continue
		}

		if n == 0 {
			return d.stepDamaged(b, eof)
		}
		return event, n
	}

	if eof && cut {
		event.Kind = EventTail
	}
	return event, limit
}

// enterFrames reports whether frames of any kind begin at the start of b, and
// enters a log of which only these are known.
func (d *Decoder) enterFrames(b []byte, eof bool) bool {
	valid := addrCheck(d.ValidAddr)
	for i := len(logFrames) - 1; i >= 0; i-- { // what newer devices write first
		if valid.chain(b, -1, &logFrames[i], eof) {
			d.enter(firstWith(&logFrames[i]), false, -1)
			return true
		}
	}
	return false
}

// firstWith returns the layout of the first version that has such frames.
func firstWith(l *logFrame) *logLayout {
	for i := range logLayouts {
		if logLayouts[i].frame == l {
			return &logLayouts[i]
		}
	}
	return nil // cannot be: gen writes only frames that a version has
}

// anyFrames reports whether frames begin anywhere in b, the last bytes of a log.
func anyFrames(b []byte, l *logFrame) bool {
	for n := range b {
		if addrCheck(nil).chain(b[n:], -1, l, true) {
			return true
		}
	}
	return false
}

// reason tells why neither a log nor a frame can be read at the start of b, and
// whether that is for want of the bytes after b. A payload that ends too early
// is no such case: its frame is whole.
func (d *Decoder) reason(b []byte) (cut bool, err error) {
	if !d.inside {
		l, _, err := ParseLog(b)
		if err != nil {
			return errors.Is(err, ErrShort), err
		}
		if err = l.sound(); err != nil {
			return false, err
		}
		return false, ErrLost
	}
	frame, _, ok := parseFrame(b, d.layout.frame)
	if !ok {
		err := d.layout.frame.fail(b)
		return errors.Is(err, ErrShort), err
	}
	if _, err = ParsePayload(frame.Payload); err != nil {
		return false, err
	}
	return false, ErrLost
}
