package choose

import (
	"errors"

	"github.com/ulogkit/ulogkit/format"
)

// Records are those of a log that can be read, or the one of a row. A copy
// begins at the first again.
type Records struct {
	frames format.Frames
	row    []byte // payload
	token  uint32 // of the log's session; 0 for a row
}

// RecordsOf returns the records of a log.
func RecordsOf(l format.Log) Records {
	return Records{frames: l.Frames(), token: l.SessionToken()}
}

// RecordOf returns the one record of a payload.
func RecordOf(payload []byte) Records { return Records{row: payload} }

func (r *Records) next() (p format.Payload, ok bool) {
	for r.frames.Next() {
		if p, err := format.ParsePayload(r.frames.Frame().Payload); err == nil {
			return p, true
		}
	}
	p, err := format.ParsePayload(r.row)
	r.row = nil
	return p, err == nil
}

// Sound reports whether the checksum of a log is right and its frames fill it, up
// to what its version lets follow them. Payloads are not looked at.
func Sound(l format.Log) bool {
	if l.Verify() != nil {
		return false
	}
	frames := l.Frames()
	for frames.Next() {
	}
	err := frames.Err()
	return err == nil || errors.Is(err, format.ErrTrailing)
}

// NextLog returns the records of the good log that b begins with, and its size.
func NextLog(b []byte) (Records, int, error) {
	l, rest, err := format.ParseLog(b)
	if err == nil && !Sound(l) {
		err = format.ErrLength // of a frame, which more bytes do not mend
	}
	return RecordsOf(l), len(b) - len(rest), err
}
