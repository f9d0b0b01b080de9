package format

import "math"

// maxLogData is the length in bytes of the longest data of a log.
const maxLogData = math.MaxUint16

// MaxHeader and MaxLog are the lengths in bytes of the longest header and of the
// longest log, of any version.
const (
	MaxHeader = maxLogHeader
	MaxLog    = maxLogHeader + maxLogData
)

// Log is a view of one log buffer, a header of any version and its data. The
// zero Log is empty; [ParseLog] makes the others.
//
// Source: FORMAT section 1.
type Log struct {
	Header // its buf is the whole log
}

// ParseLog returns a view of the log that b begins with, and the bytes after
// it. It checks version and lengths, not the checksum: that is [Log.Verify].
func ParseLog(b []byte) (l Log, rest []byte, err error) {
	h, data, err := ParseHeader(b)
	if err != nil {
		return Log{}, nil, err
	}
	n := int(h.LenData())
	if n > len(data) {
		return Log{}, nil, h.layout.errData
	}
	n += h.layout.lenHeader
	h.buf = b[:n:n]
	return Log{h}, b[n:], nil
}

// Verify compares the header's checksum with that of the data. Its error
// unwraps to [ErrChecksum]; [CheckLog] tells both values.
func (l Log) Verify() error {
	if len(l.buf) == 0 {
		return errLogEmpty
	}
	if l.Checksum() != logSum(l.Data()) {
		return l.layout.errChecksum
	}
	return nil
}

// sound reports whether the checksum is right and frames fill the data, up to a
// trailer where the version allows one.
func (l Log) sound() error {
	if err := l.Verify(); err != nil {
		return err
	}
	frames := l.Frames()
	for frames.Next() {
	}
	if frames.err == errFramesTrailing {
		return nil
	}
	return frames.err
}

// Seal writes the checksum of the data into the header.
func (l Log) Seal() { l.Header.Seal(l.Data()) }

// Data returns the bytes after the header: the frames, back to back.
func (l Log) Data() []byte { return l.buf[l.LenHeader():] }

// Bytes returns the whole log, header and data.
func (l Log) Bytes() []byte { return l.buf }

// Frames returns a walker that stands before the first frame.
func (l Log) Frames() Frames {
	if l.layout == nil {
		return Frames{}
	}
	data := l.buf[l.layout.lenHeader:]
	return Frames{rest: data, len: len(data), kind: l.layout.frame, layout: l.layout}
}
