package format

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// What differs between header versions stands in logLayouts, which gen writes
// from the spec: nothing in this package compares a version number. To add a
// version follow the recipe at the top of spec/ulogger.ksy.

// ErrVersion is the class of a [VersionError].
var ErrVersion = errors.New("unknown header version")

// VersionError is the header version of a log whose layout is not known.
//
// Source: FORMAT section 1.
type VersionError uint8

// Error implements error.
func (v VersionError) Error() string {
	return "log.version at offset 0: unknown header version " + strconv.Itoa(int(v)) + " (" + knownVersions() + ")"
}

// Is reports whether target is [ErrVersion].
func (v VersionError) Is(target error) bool { return target == ErrVersion }

// knownVersions lists the versions: known are 1, 3 and 4.
func knownVersions() string {
	s := "known are "
	for i := range logLayouts {
		switch {
		case i > 0 && i == len(logLayouts)-1:
			s += " and "
		case i > 0:
			s += ", "
		}
		s += strconv.Itoa(int(logLayouts[i].version))
	}
	return s
}

var (
	errLogEmpty = &Error{Type: "log", Field: "version", Offset: 0, Err: ErrShort}
	errNoToken  = &Error{Type: "log", Field: "session_token", Offset: 1, Err: ErrShort}
)

// Header is a view of a log's header, of any version. The zero Header has no
// fields; [ParseHeader] makes the others.
//
// Source: FORMAT section 1.
type Header struct {
	buf    []byte // begins with the header; nil where only the layout is known
	layout *logLayout
}

// ParseHeader returns a view of the header that b begins with, and the bytes
// after it, which need not be all of the log.
func ParseHeader(b []byte) (h Header, rest []byte, err error) {
	if len(b) == 0 {
		return Header{}, nil, errLogEmpty
	}
	l := logLayoutOf(b[0])
	if l == nil {
		return Header{}, nil, VersionError(b[0])
	}
	if len(b) < l.lenHeader {
		return Header{}, nil, l.errShort
	}
	return Header{buf: b[:l.lenHeader:l.lenHeader], layout: l}, b[l.lenHeader:], nil
}

// Version returns the header version, for people to read: what it means, the
// other methods tell.
func (h Header) Version() uint8 {
	if h.layout == nil {
		return 0
	}
	return h.layout.version
}

// LenHeader returns the length of the header in bytes.
func (h Header) LenHeader() int {
	if h.layout == nil {
		return 0
	}
	return h.layout.lenHeader
}

// SessionToken returns the token of the device's session; 0 until a gateway
// has set it.
func (h Header) SessionToken() uint32 {
	if len(h.buf) == 0 {
		return 0
	}
	token, _ := h.layout.getSessionToken(h.buf)
	return token
}

// SetSessionToken writes the token into the caller's buffer. The checksum does
// not cover it and stays valid.
func (h Header) SetSessionToken(token uint32) {
	if len(h.buf) > 0 {
		h.layout.setSessionToken(h.buf, token)
	}
}

// Clock returns the counter of the device when it made the report, in device
// ticks, and how many of these make a second. It is ok where the header has both,
// which is so from version 3 on; a rate of 0 then says that the firmware has no
// clock configured.
func (h Header) Clock() (tick, rateHz uint32, ok bool) {
	if len(h.buf) == 0 {
		return 0, 0, false
	}
	tick, hasTick := h.layout.getTick(h.buf)
	rateHz, hasRate := h.layout.getTickRateHz(h.buf)
	if !hasTick || !hasRate {
		return 0, 0, false
	}
	return tick, rateHz, true
}

// Epoch returns the time of the report in microseconds since 1970 UTC, taken at
// the same instant as the tick that Clock returns. It is ok where the header has
// one, which is so from version 4 on; 0 then says that the firmware does not know
// the time.
func (h Header) Epoch() (us uint64, ok bool) {
	if len(h.buf) == 0 {
		return 0, false
	}
	return h.layout.getEpochTimeUs(h.buf)
}

// SetEpoch writes the time of the report into the caller's buffer and reports
// whether the header has one. The checksum does not cover it and stays valid.
func (h Header) SetEpoch(us uint64) bool {
	return len(h.buf) > 0 && h.layout.setEpochTimeUs(h.buf, us)
}

// Sequence returns the number of the buffer, 0 in every one observed. It is ok
// where the header has one, in version 1.
func (h Header) Sequence() (n uint32, ok bool) {
	if len(h.buf) == 0 {
		return 0, false
	}
	return h.layout.getSequence(h.buf)
}

// LenData returns the length in bytes of the data after the header.
func (h Header) LenData() uint16 {
	if len(h.buf) == 0 {
		return 0
	}
	n, _ := h.layout.getLenData(h.buf)
	return n
}

// Checksum returns the checksum that the header holds.
func (h Header) Checksum() uint16 {
	if len(h.buf) == 0 {
		return 0
	}
	sum, _ := h.layout.getChecksum(h.buf)
	return sum
}

// LenFrameHeader returns the length in bytes of the header of each frame.
func (h Header) LenFrameHeader() int {
	if h.layout == nil {
		return 0
	}
	return h.layout.frame.lenHeader
}

// FramesNumbered reports whether each frame has a sequence number.
func (h Header) FramesNumbered() bool {
	return h.layout != nil && h.layout.frame.ofsSequence >= 0
}

// FramesTimed reports whether each frame has the ticks since the one before it.
func (h Header) FramesTimed() bool {
	return h.layout != nil && h.layout.frame.ofsTickDelta >= 0
}

// ParseFrame reads the frame that b begins with, one of a log with this header,
// and returns the bytes after it. The frame's Offset is 0.
func (h Header) ParseFrame(b []byte) (f Frame, rest []byte, err error) {
	if h.layout == nil {
		return Frame{}, nil, errLogEmpty
	}
	f, rest, ok := parseFrame(b, h.layout.frame)
	if !ok {
		return Frame{}, nil, h.layout.frame.fail(b)
	}
	return f, rest, nil
}

// AppendFrame appends a frame of a log with this header to dst. It refuses a
// payload that no frame can hold, and then returns nil.
func (h Header) AppendFrame(dst []byte, f Frame) ([]byte, error) {
	if h.layout == nil {
		return nil, errLogEmpty
	}
	l := h.layout.frame
	if len(f.Payload) > maxLogData-l.lenHeader {
		return nil, errRecordLength
	}
	at := len(dst)
	dst = append(append(dst, make([]byte, l.lenHeader)...), f.Payload...)
	if err := l.finish(dst[at:], f.Sequence, f.TickDelta); err != nil {
		return nil, err
	}
	return dst, nil
}

// finish writes the header of the frame that is the whole of b, of which the
// payload is there already.
func (l *logFrame) finish(b []byte, sequence uint16, delta uint32) error {
	l.setLenPayload(b, uint16(len(b)-l.lenHeader))
	l.setSequence(b, sequence)
	l.setTickDelta(b, delta)
	if _, _, _, _, ok := l.parse(b); !ok {
		return l.fail(b)
	}
	return nil
}

// SetLenData writes the length in bytes of the data after the header.
func (h Header) SetLenData(n uint16) {
	if len(h.buf) > 0 {
		h.layout.setLenData(h.buf, n)
	}
}

// Seal writes the checksum of the data that follow the header into it.
func (h Header) Seal(data []byte) {
	if len(h.buf) > 0 {
		h.layout.setChecksum(h.buf, logSum(data))
	}
}

// Bytes returns the header itself.
func (h Header) Bytes() []byte {
	if len(h.buf) == 0 {
		return nil
	}
	return h.buf[:h.layout.lenHeader:h.layout.lenHeader]
}

// ofsToken is where the session token lies in the header of every version, known
// or not.
const ofsToken = 1

// SessionToken returns the token in the log b, whose version need not be known: it
// lies at the same place in all of them. Nothing else of b is looked at.
//
// Source: FORMAT section 1.
func SessionToken(b []byte) (uint32, error) {
	if len(b) < ofsToken+4 {
		return 0, errNoToken
	}
	return binary.LittleEndian.Uint32(b[ofsToken:]), nil
}

// SetSessionToken writes the token into the log b, whose version need not be
// known: it lies at the same place in all of them. Nothing else of b is looked
// at.
//
// Source: FORMAT section 1.
func SetSessionToken(b []byte, token uint32) error {
	if len(b) < ofsToken+4 {
		return errNoToken
	}
	binary.LittleEndian.PutUint32(b[ofsToken:], token)
	return nil
}

// AroundSessionToken returns the bytes of the log b before and after its session
// token, which do not change when a gateway writes another; all of b and nothing
// when b is too short to have one.
func AroundSessionToken(b []byte) (before, after []byte) {
	if len(b) < ofsToken+4 {
		return b, nil
	}
	return b[:ofsToken:ofsToken], b[ofsToken+4:]
}
