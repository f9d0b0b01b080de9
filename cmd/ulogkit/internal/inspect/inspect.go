// Package inspect turns a file's bytes into the rows that the command line
// prints and writes as JSON: [File] says what the bytes are and hold, and
// [Frames] lists the records of a log.
//
// The JSON keys are a contract: keys may be added, none renamed. JSON cannot
// hold everything that a device records, so:
//
//   - 64-bit integers are JSON numbers with all digits; read them with a
//     decoder that keeps them.
//   - A finite double is the shortest number that reads back as the same
//     double, -0 included. Any other is the text "NaN", "Infinity" or
//     "-Infinity", and "bits" holds its 64 bits as 16 hexadecimal digits.
//   - A char is its number.
//   - A string is text. If its bytes are not UTF-8, what is not becomes U+FFFD
//     and "hex" holds all bytes. A string that the device dropped is null.
//   - A text of a crash dump's header that is not UTF-8 likewise has a key
//     with its name and "_hex".
package inspect

import (
	"encoding/hex"
	"fmt"
	"iter"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/ulogkit/ulogkit/format"
)

// The kinds of rows.
const (
	KindLog      = "log"
	KindCoreDump = "coredump"
	KindELF      = "elf" // has no row of its own
	KindUnknown  = "unknown"
	KindFrame    = "frame"
)

// typePointer is the JSON name of the type that the format calls pointer.
const typePointer = "ptr"

// Log is the row of a log. What a damaged header does not tell is absent.
type Log struct {
	Kind         string  `json:"kind"`
	File         string  `json:"file"`
	Version      uint8   `json:"version"`
	SessionToken *uint32 `json:"session_token,omitempty"`
	Tick         *uint32 `json:"tick,omitempty"`
	TickRateHz   *uint32 `json:"tick_rate_hz,omitempty"`
	EpochTimeUs  *uint64 `json:"epoch_time_us,omitempty"`
	Sequence     *uint32 `json:"sequence,omitempty"`
	DataLen      *uint16 `json:"data_len,omitempty"`
	Checksum     *uint16 `json:"checksum,omitempty"`
	ChecksumOK   bool    `json:"checksum_ok"`
	Frames       int     `json:"frames"`
	LostFrames   int     `json:"lost_frames,omitempty"` // between others, by their numbers
	Trailing     int     `json:"trailing,omitempty"`    // bytes after the data
	Error        string  `json:"error,omitempty"`
}

// Unknown is the row of bytes that are neither a log nor a crash dump.
type Unknown struct {
	Kind  string `json:"kind"`
	File  string `json:"file"`
	Len   int    `json:"len"`
	Error string `json:"error"`
}

// File returns the row of the bytes, a *Log, a *CoreDump or an *Unknown, and
// the error that it also holds.
func File(name string, b []byte) (row any, err error) {
	err = Check(b)
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	switch Kind(b) {
	case KindLog:
		row := fileLog(b)
		row.File, row.Error = name, reason
		return row, err
	case KindCoreDump:
		row := fileCoreDump(b)
		row.File, row.Error = name, reason
		return row, err
	}
	return &Unknown{Kind: KindUnknown, File: name, Len: len(b), Error: reason}, err
}

// fileLog returns the row of a log's header; of an unknown version there is nothing
// else.
func fileLog(b []byte) *Log {
	row := &Log{Kind: KindLog, Version: b[0]}
	h, _, err := format.ParseHeader(b)
	if err != nil {
		return row
	}
	row.SessionToken, row.DataLen, row.Checksum = new(h.SessionToken()), new(h.LenData()), new(h.Checksum())
	if tick, rate, ok := h.Clock(); ok {
		row.Tick, row.TickRateHz = &tick, &rate
	}

	if us, ok := h.Epoch(); ok {
		row.EpochTimeUs = &us
	}
	if n, ok := h.Sequence(); ok {
		row.Sequence = &n
	}

	l, rest, err := format.ParseLog(b)
	if err != nil {
		return row
	}
	row.Trailing = len(rest)
	row.ChecksumOK = l.Verify() == nil
	frames := l.Frames()
	for range frames.All() {
		row.Frames++
	}

	row.LostFrames, _ = lostFrames(b)
	return row
}

// Frame is the row of one frame of a log.
type Frame struct {
	Kind      string       `json:"kind"`
	File      string       `json:"file"`
	Index     int          `json:"index"`
	TickDelta *uint32      `json:"tick_delta,omitempty"`
	Sequence  *uint16      `json:"sequence,omitempty"`
	Level     format.Level `json:"level"`
	Module    uint8        `json:"module"`
	FmtAddr   uint32       `json:"fmt_addr"`
	Args      []Arg        `json:"args"`
	Error     string       `json:"error,omitempty"` // the payload is damaged behind fmt_addr; args is empty
}

// Arg is one recorded argument.
type Arg struct {
	Type  string `json:"type"`
	Value any    `json:"value"`
	Bits  string `json:"bits,omitempty"` // of a double that JSON has no number for
	Hex   string `json:"hex,omitempty"`  // of a string that is not UTF-8
}

// Frames returns the rows of a log's frames, as far as they can be told
// apart; there are none for bytes that are not a log.
func Frames(name string, b []byte) iter.Seq[*Frame] {
	return func(yield func(*Frame) bool) {
		l, _, err := format.ParseLog(b)
		if err != nil || Kind(b) != KindLog {
			return
		}
		frames, index := l.Frames(), 0
		for frame := range frames.All() {
			row := &Frame{Kind: KindFrame, File: name, Index: index, Args: []Arg{}}
			if l.FramesNumbered() {
				row.Sequence = &frame.Sequence
			}
			if l.FramesTimed() {
				row.TickDelta = &frame.TickDelta
			}

			// No frame is too short for it.
			if h, _, err := format.ParsePayloadHeader(frame.Payload); err == nil {
				row.Level, row.Module, row.FmtAddr = h.Level(), h.Module(), h.FmtAddr()
			}

			if p, err := format.ParsePayload(frame.Payload); err != nil {
				row.Error = err.Error()
			} else {
				args := p.Args()
				for arg := range args.All() {
					row.Args = append(row.Args, argRow(arg))
				}
			}

			if !yield(row) {
				return
			}
			index++
		}
	}
}

// argRow returns the row of one argument, with the type that JSON names it by.
func argRow(a format.Arg) Arg {
	switch a.Type() {
	case format.ArgTypeI32, format.ArgTypeI64:
		return Arg{Type: a.Type().String(), Value: a.Int()}
	case format.ArgTypePointer:
		return Arg{Type: typePointer, Value: a.Uint()}
	case format.ArgTypeDouble:
		x := a.Float()
		row := Arg{Type: a.Type().String(), Value: x}
		switch {
		case math.IsNaN(x):
			row.Value = "NaN"
		case math.IsInf(x, 1):
			row.Value = "Infinity"
		case math.IsInf(x, -1):
			row.Value = "-Infinity"
		default:
			return row
		}

		row.Bits = fmt.Sprintf("%016x", math.Float64bits(x))
		return row
	case format.ArgTypeString:
		if !a.Stored() {
			return Arg{Type: a.Type().String()}
		}
		text, hex := textOf(a.Text())
		return Arg{Type: a.Type().String(), Value: text, Hex: hex}
	}
	return Arg{Type: a.Type().String(), Value: a.Uint()}
}

// textOf returns the bytes as text, and as hexadecimal digits when the text
// lost something.
func textOf(b []byte) (text, digits string) {
	if utf8.Valid(b) {
		return string(b), ""
	}
	return strings.ToValidUTF8(string(b), "\ufffd"), hex.EncodeToString(b)
}

// Text returns the argument for a person.
func (a Arg) Text() string {
	switch v := a.Value.(type) {
	case nil:
		return "(dropped by the device)"
	case string:
		switch {
		case a.Bits != "":
			return v
		case a.Hex != "":
			if raw, err := hex.DecodeString(a.Hex); err == nil {
				return fmt.Sprintf("%q", raw)
			}
		}
		return fmt.Sprintf("%q", v)

	case uint64:
		switch {
		case a.Type == typePointer:
			return fmt.Sprintf("0x%08x", v)
		case a.Type == format.ArgTypeChar.String() && v < utf8.RuneSelf:
			return fmt.Sprintf("%q", rune(v))
		}
	}

	return fmt.Sprint(a.Value)
}
