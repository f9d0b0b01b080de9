package format

import (
	"errors"
	"strconv"
)

// CheckError tells a person what is wrong with a log or crash dump. CheckLog
// and CheckCoreDump return it; they are for the cold path and allocate.
type CheckError struct {
	Offset int    // of the trouble, in bytes from the start of the input
	Detail string // the values involved
	Err    error  // an *Error, a VersionError or a sentinel

	// Trailing is how many bytes of a log are left over after its last frame,
	// where its version lets some follow, and after its data, when nothing else
	// is wrong with it; else 0. They may be another log.
	Trailing int
}

// Error implements error.
func (e *CheckError) Error() string {
	s := "at offset " + strconv.Itoa(e.Offset) + ": "
	// An *Error's offset counts from the start of its type and would confuse
	// next to this one.
	if field := (*Error)(nil); errors.As(e.Err, &field) {
		s += field.Type
		if field.Field != "" {
			s += "." + field.Field
		}
		s += ": " + field.Err.Error()
	} else if errors.Is(e.Err, ErrVersion) {
		s += ErrVersion.Error()
	} else {
		s += e.Err.Error()
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap returns the underlying error.
func (e *CheckError) Unwrap() error { return e.Err }

// CheckLog reads all of b as one log, down to the last argument, and returns
// nil or a *[CheckError] for the first thing wrong.
func CheckLog(b []byte) error {
	l, rest, err := ParseLog(b)
	if err != nil {
		return explainLogHeader(b, err)
	}

	if err := l.Verify(); err != nil {
		return &CheckError{
			Offset: l.layout.ofsChecksum, Err: err,
			Detail: explainChecksum(uint64(l.Checksum()), uint64(logSum(l.Data())), 4, len(l.Data())),
		}
	}

	frames := l.Frames()
	index := 0
	for frames.Next() {
		frame := frames.Frame()
		if _, err := ParsePayload(frame.Payload); err != nil {
			return &CheckError{
				Offset: l.LenHeader() + int(frame.Offset), Err: err,
				Detail: "frame " + strconv.Itoa(index) + " with a payload of " + strconv.Itoa(len(frame.Payload)) + " bytes",
			}
		}
		index++
	}

	if err := frames.Err(); err != nil {
		left := len(l.Data()) - frames.Offset()
		e := &CheckError{
			Offset: l.LenHeader() + frames.Offset(), Err: err,
			Detail: "frame " + strconv.Itoa(index) + ", with " + strconv.Itoa(left) + " bytes left in the log",
		}
		if errors.Is(err, ErrTrailing) {
			e.Detail = strconv.Itoa(left) + " after the last frame"
			e.Trailing = left + len(rest)
		}
		return e
	}

	if len(rest) > 0 {
		e := leftOver(rest, "log", len(l.Bytes()))
		e.Trailing = len(rest)
		return e
	}
	return nil
}

// CheckCoreDump reads all of b as one crash dump, down to the last memory
// region, and returns nil or a *[CheckError] for the first thing wrong.
func CheckCoreDump(b []byte) error {
	d, rest, err := ParseCoreDump(b)
	if err != nil {
		return explainCoreDumpHeader(b, err)
	}
	if err := d.Verify(); err != nil {
		return &CheckError{
			Offset: 4, Err: err,
			Detail: explainChecksum(uint64(d.Header.Checksum()), uint64(Sum32(d.Crash)), 8, len(d.Crash)),
		}
	}
	if _, at, err := parseCrashCatcher(d.Crash); err != nil {
		return &CheckError{
			Offset: CoreDumpHeaderSize + at, Err: err,
			Detail: "with " + strconv.Itoa(len(d.Crash)-at) + " bytes left in the crash dump",
		}
	}
	if len(rest) > 0 {
		return leftOver(rest, "crash dump", CoreDumpHeaderSize+len(d.Crash))
	}
	return nil
}

func leftOver(rest []byte, what string, size int) *CheckError {
	return &CheckError{
		Offset: size, Err: ErrTrailing,
		Detail: strconv.Itoa(len(rest)) + " after the " + what + " of " + strconv.Itoa(size) + " bytes",
	}
}

// explainLogHeader says where and why a header is not that of a log.
func explainLogHeader(b []byte, err error) error {
	e := &CheckError{Err: err}
	if v := VersionError(0); errors.As(err, &v) {
		e.Detail = strconv.Itoa(int(v)) + "; " + knownVersions()
		return e
	}
	if len(b) == 0 {
		e.Detail = "the input is empty"
		return e
	}
	e.Offset = len(b)
	h, _, err := ParseHeader(b)
	if err != nil {
		e.Detail = explainShort(b, logLayoutOf(b[0]).lenHeader, 0)
		return e
	}
	e.Detail = explainShort(b, h.LenHeader(), int(h.LenData()))
	return e
}

func explainShort(b []byte, lenHead, lenBody int) string {
	if len(b) < lenHead {
		return "its header has " + strconv.Itoa(lenHead) + " bytes, the input " + strconv.Itoa(len(b))
	}
	return "its header announces " + strconv.Itoa(lenHead+lenBody) + " bytes in all, the input has " + strconv.Itoa(len(b))
}

// explainCoreDumpHeader says where and why a header is not that of a crash dump.
func explainCoreDumpHeader(b []byte, err error) error {
	e := &CheckError{Err: err}
	if len(b) < CoreDumpHeaderSize {
		e.Offset = len(b)
		e.Detail = explainShort(b, CoreDumpHeaderSize, 0)
		return e
	}
	head := (*CoreDumpHeader)(b)
	switch field := (*Error)(nil); {
	case errors.Is(err, ErrShort):
		e.Offset = len(b)
		e.Detail = "its header announces " + strconv.FormatUint(uint64(head.LenTotal()), 10) + " bytes in all, the input has " + strconv.Itoa(len(b))
	case errors.As(err, &field) && field.Offset >= 0:
		e.Offset = field.Offset
		e.Detail = "len_total is " + strconv.FormatUint(uint64(head.LenTotal()), 10) + ", version " + strconv.FormatUint(uint64(head.Version()), 10)
	}
	return e
}

func explainChecksum(want, got uint64, digits, size int) string {
	return "the header says " + hexadecimal(want, digits) + ", the " + strconv.Itoa(size) + " bytes after it give " + hexadecimal(got, digits)
}

func hexadecimal(x uint64, digits int) string {
	s := strconv.FormatUint(x, 16)
	for len(s) < digits {
		s = "0" + s
	}
	return "0x" + s
}
