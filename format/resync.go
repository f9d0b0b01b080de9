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
		version, lenHead, lenLog := headerHint(b)
		if lenHead > 0 && (valid.leadsToFrame(b, lenHead) || valid.boundary(b, lenLog, eof)) {
			d.enter(version, false, d.offset+int64(lenLog))
			return Event{Kind: EventLog, Version: version}, lenHead
		}
		return d.resync(b, eof, 0)
	}
	if frame, n := valid.plausible(b, d.v3); n > 0 {
		if d.offset < d.end && d.offset+int64(n) > d.end {
			d.end = -1 // the header's length was wrong
		}
		event := Event{Kind: EventFrame, Version: d.version(), Frame: frame}
		event.Payload, _ = ParsePayload(frame.Payload)
		return event, n
	}
	if valid.foundHeader(b, eof) {
		d.inside = false
		return d.step(b, eof)
	}
	return d.resync(b, eof, 1)
}

// headerHint returns version, length of the header and announced length of the
// log that b begins with; zeroes if its version is not known or the header does
// not fit.
func headerHint(b []byte) (version uint8, lenHead, lenLog int) {
	switch {
	case len(b) >= HeaderV1Size && b[0] == 1:
		return 1, HeaderV1Size, HeaderV1Size + int((*HeaderV1)(b).LenData())
	case len(b) >= HeaderV3Size && b[0] == 3:
		return 3, HeaderV3Size, HeaderV3Size + int((*HeaderV3)(b).LenData())
	}
	return 0, 0, 0
}

// leadsToFrame reports whether a plausible frame follows the header.
func (valid addrCheck) leadsToFrame(b []byte, lenHead int) bool {
	_, n := valid.plausible(b[lenHead:], lenHead == HeaderV3Size)
	return n > 0
}

// foundHeader reports whether the header of a log is found at the start of b,
// where none is expected. Bytes of frames can pass for a header before further
// frames, so the checksum has to be right or the announced end too. A log that is
// right needs no addresses that the validator knows.
func (valid addrCheck) foundHeader(b []byte, eof bool) bool {
	_, lenHead, lenLog := headerHint(b)
	if lenHead == 0 {
		return false
	}
	v3, end := lenHead == HeaderV3Size, int64(lenLog-lenHead)
	if !addrCheck(nil).chain(b[lenHead:], end, v3, eof) {
		return false
	}
	if l, _, err := ParseLog(b); err == nil && l.VerifyFrames() == nil {
		return true
	}
	return valid.chain(b[lenHead:], end, v3, eof) && valid.boundary(b, lenLog, eof)
}

// boundary reports whether a log may end at offset n of b: the stream ends
// there too, or the header of another log leads to a frame there.
func (valid addrCheck) boundary(b []byte, n int, eof bool) bool {
	if n >= len(b) {
		return n == len(b) && eof
	}
	_, lenHead, _ := headerHint(b[n:])
	return lenHead > 0 && valid.leadsToFrame(b[n:], lenHead)
}

// plausible returns the frame that b begins with and its length, or zeroes if
// no device would have written it.
func (valid addrCheck) plausible(b []byte, v3 bool) (Frame, int) {
	frame, rest, err := parseFrame(b, v3)
	if err != nil {
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
func (valid addrCheck) chain(b []byte, end int64, v3, eof bool) bool {
	total := len(b)
	for count := 1; ; count++ {
		_, n := valid.plausible(b, v3)
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
		if _, lenHead, _ := headerHint(b); lenHead > 0 && valid.leadsToFrame(b, lenHead) {
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
		event.Version = d.version()
	}
	limit := len(b)
	if !eof {
		limit /= 2 // a header's announced end must be in sight
	}
	for n := from; n < limit; n++ {
		rest := b[n:]
		// Where the log may have ended, the header of the next may be lost too,
		// and its frames of the other version.
		end := int64(-1)
		if d.inside {
			end = d.end - d.offset - int64(n)
		}
		outside := end <= 0
		switch {
		case d.inside && valid.chain(rest, end, d.v3, eof):
		case valid.foundHeader(rest, eof):
			d.inside = false
		case outside && valid.chain(rest, -1, true, eof):
			d.enter(3, false, -1)
		case outside && valid.chain(rest, -1, false, eof):
			d.enter(1, false, -1)
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

// reason tells why neither a log nor a frame can be read at the start of b, and
// whether that is for want of the bytes after b. A payload that ends too early
// is no such case: its frame is whole.
func (d *Decoder) reason(b []byte) (cut bool, err error) {
	if !d.inside {
		l, _, err := ParseLog(b)
		if err != nil {
			return errors.Is(err, ErrShort), err
		}
		if err = l.VerifyFrames(); err != nil {
			return false, err
		}
		return false, ErrLost
	}
	frame, _, err := parseFrame(b, d.v3)
	if err != nil {
		return errors.Is(err, ErrShort), err
	}
	if _, err = ParsePayload(frame.Payload); err != nil {
		return false, err
	}
	return false, ErrLost
}
