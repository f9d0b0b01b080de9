package format

import (
	"errors"
	"strconv"
)

// ErrVersion is the class of a [VersionError].
var ErrVersion = errors.New("unknown header version")

const knownVersions = "known are 1 and 3, which agents up to 1.2.2 write"

// VersionError is the header version of a log whose layout is not known. The
// agents from 1.2.3 on write such logs.
//
// Source: FORMAT section 1.
type VersionError uint8

// Error implements error.
func (v VersionError) Error() string {
	return "log.version at offset 0: unknown header version " + strconv.Itoa(int(v)) + " (" + knownVersions + ")"
}

// Is reports whether target is [ErrVersion].
func (v VersionError) Is(target error) bool { return target == ErrVersion }

var errLogEmpty = &Error{Type: "log", Field: "version", Offset: 0, Err: ErrShort}

// Log is a view of one log buffer, a header of either version and its data.
// The zero Log is empty; [ParseLog] makes the others.
//
// Source: FORMAT section 1.
type Log struct {
	buf     []byte // header and data
	lenHead int    // HeaderV1Size or HeaderV3Size
}

// ParseLog returns a view of the log that b begins with, and the bytes after
// it. It checks version and lengths, not the checksum: that is [Log.Verify].
func ParseLog(b []byte) (l Log, rest []byte, err error) {
	if len(b) == 0 {
		return Log{}, nil, errLogEmpty
	}
	switch b[0] {
	case 1:
		if _, rest, err = ParseLogV1(b); err != nil {
			return Log{}, nil, err
		}
		l.lenHead = HeaderV1Size
	case 3:
		if _, rest, err = ParseLogV3(b); err != nil {
			return Log{}, nil, err
		}
		l.lenHead = HeaderV3Size
	default:
		return Log{}, nil, VersionError(b[0])
	}
	n := len(b) - len(rest)
	l.buf = b[:n:n]
	return l, rest, nil
}

// Version returns the header version, 1 or 3.
func (l Log) Version() uint8 {
	switch l.lenHead {
	case HeaderV1Size:
		return 1
	case HeaderV3Size:
		return 3
	}
	return 0
}

// HeaderV1 returns a view of the header, or nil if its version is not 1.
func (l Log) HeaderV1() *HeaderV1 {
	if l.lenHead != HeaderV1Size {
		return nil
	}
	return (*HeaderV1)(l.buf)
}

// HeaderV3 returns a view of the header, or nil if its version is not 3.
func (l Log) HeaderV3() *HeaderV3 {
	if l.lenHead != HeaderV3Size {
		return nil
	}
	return (*HeaderV3)(l.buf)
}

// SessionToken returns the token of the device's session; 0 until a gateway
// has set it.
func (l Log) SessionToken() uint32 {
	if h := l.HeaderV3(); h != nil {
		return h.SessionToken()
	}
	if h := l.HeaderV1(); h != nil {
		return h.SessionToken()
	}
	return 0
}

// SetSessionToken writes the token into the caller's buffer. The checksum does
// not cover it and stays valid.
func (l Log) SetSessionToken(token uint32) {
	if h := l.HeaderV3(); h != nil {
		h.SetSessionToken(token)
	} else if h := l.HeaderV1(); h != nil {
		h.SetSessionToken(token)
	}
}

// Checksum returns the checksum that the header holds.
func (l Log) Checksum() uint16 {
	if h := l.HeaderV3(); h != nil {
		return h.Checksum()
	}
	if h := l.HeaderV1(); h != nil {
		return h.Checksum()
	}
	return 0
}

// Verify compares the header's checksum with that of the data. Its error
// unwraps to [ErrChecksum]; [CheckLog] tells both values.
func (l Log) Verify() error {
	if h := l.HeaderV3(); h != nil {
		return LogV3{Header: h, Data: l.Data()}.Verify()
	}
	if h := l.HeaderV1(); h != nil {
		return LogV1{Header: h, Data: l.Data()}.Verify()
	}
	return errLogEmpty
}

// VerifyFrames is Verify, and the frames have to fill the data, too: none is cut
// and nothing is left over. It does not read their payloads; [CheckLog] does.
func (l Log) VerifyFrames() error {
	if err := l.Verify(); err != nil {
		return err
	}
	frames := l.Frames()
	for frames.Next() {
	}
	return frames.Err()
}

// Data returns the bytes after the header: the frames, back to back.
func (l Log) Data() []byte { return l.buf[l.lenHead:] }

// Bytes returns the whole log, header and data.
func (l Log) Bytes() []byte { return l.buf }

// Frames returns a walker that stands before the first frame.
func (l Log) Frames() Frames {
	data := l.Data()
	return Frames{rest: data, len: len(data), v3: l.lenHead == HeaderV3Size}
}
