package format

import (
	"encoding/binary"
	"math"
)

// maxArgs is the number of arguments that an agent records; it drops the rest.
const maxArgs = 8

// maxText is the length in bytes of the longest text that fits a record.
const maxText = math.MaxUint16 - minLogFrameHeader - PayloadHeaderSize - 1 - StringSectionHeaderSize - 2

var (
	errRecordLevel   = &Error{Type: "payload_header", Field: "level", Offset: 0, Err: ErrValue}
	errRecordModule  = &Error{Type: "payload_header", Field: "module", Offset: 0, Err: ErrValue}
	errRecordArg     = &Error{Type: "payload", Field: "packed_types", Offset: PayloadHeaderSize, Err: ErrValue}
	errRecordStrings = &Error{Type: "string_section_header", Field: "len_blob", Offset: 2, Err: ErrTooLong}
	errRecordLength  = &Error{Type: "frame", Field: "len_payload", Offset: 0, Err: ErrTooLong}
	errLogFull       = &Error{Type: "log", Field: "len_data", Offset: -1, Err: ErrTooLong}
)

// newArg makes the payload of a record with one argument, a value trimmed to
// size bytes, and returns a view of that argument.
func newArg(typ ArgType, bits uint64, size int) Arg {
	packed := byte(typ)<<4 | byte(size)
	b := append(make([]byte, PayloadHeaderSize, PayloadHeaderSize+1+8), packed)
	b[PayloadHeaderSize-1] = 1 // num_args
	b = binary.LittleEndian.AppendUint64(b, bits)[:len(b)+size]
	return Arg{b: b, end: uint16(len(b)), packed: packed}
}

func newSigned(typ ArgType, x int64) Arg {
	size := 8
	switch {
	case x == int64(int8(x)):
		size = 1
	case x == int64(int16(x)):
		size = 2
	case x == int64(int32(x)):
		size = 4
	}
	return newArg(typ, uint64(x), size)
}

func newUnsigned(typ ArgType, x uint64) Arg {
	size := 8
	switch {
	case x <= math.MaxUint8:
		size = 1
	case x <= math.MaxUint16:
		size = 2
	case x <= math.MaxUint32:
		size = 4
	}
	return newArg(typ, x, size)
}

// ArgI32 returns the argument an agent records for an int.
func ArgI32(x int32) Arg { return newSigned(ArgTypeI32, int64(x)) }

// ArgU32 returns the argument an agent records for an unsigned int.
func ArgU32(x uint32) Arg { return newUnsigned(ArgTypeU32, uint64(x)) }

// ArgI64 returns the argument an agent records for a long long.
func ArgI64(x int64) Arg { return newSigned(ArgTypeI64, x) }

// ArgU64 returns the argument an agent records for an unsigned long long.
func ArgU64(x uint64) Arg { return newUnsigned(ArgTypeU64, x) }

// ArgPointer returns the argument an agent records for a pointer.
func ArgPointer(x uint32) Arg { return newUnsigned(ArgTypePointer, uint64(x)) }

// ArgChar returns the argument an agent records for %c.
func ArgChar(x byte) Arg { return newUnsigned(ArgTypeChar, uint64(x)) }

// ArgDouble returns the argument an agent records for a double.
func ArgDouble(x float64) Arg { return newArg(ArgTypeDouble, math.Float64bits(x), 8) }

// ArgString returns the argument an agent records for a string. A NULL pointer
// is recorded as the text (null). A text that fits no record becomes
// ArgDropped.
func ArgString(s string) Arg {
	if len(s) > maxText {
		return ArgDropped()
	}
	arg := ArgDropped()
	arg.b = binary.LittleEndian.AppendUint16(arg.b, 1)                // num_strings
	arg.b = binary.LittleEndian.AppendUint16(arg.b, uint16(2+len(s))) // len_blob
	arg.b = binary.LittleEndian.AppendUint16(arg.b, uint16(len(s)))   // len_text
	arg.b = append(arg.b, s...)
	return arg
}

// ArgDropped returns the argument an agent records for a string that is too
// long for it to keep. Put it last among a record's strings: the format cannot
// tell which of several was dropped, so a reader takes the last ones to be.
func ArgDropped() Arg {
	arg := newArg(ArgTypeString, 0, 0)
	arg.text = 1
	return arg
}

// value returns the value bytes.
func (a Arg) value() []byte { return a.b[a.end-uint16(a.packed&0x0f) : a.end] }

// Record is one log call, to be written as a device writes it.
//
// Source: FORMAT section 2.
type Record struct {
	Level     Level
	Module    uint8  // 0 to 31; 31 means always logged
	FmtAddr   uint32 // address of the format string
	Sequence  uint16 // frames since boot, where frames have it
	TickDelta uint32 // device ticks since the previous frame, where frames have it
	Args      []Arg  // the first 8 are recorded, as on the device
}

// AppendTo appends the record's payload to dst. It refuses a level above 7, a
// module above 31, the zero Arg, and texts of more than 65,535 bytes in all,
// their lengths included; it then returns nil.
func (r *Record) AppendTo(dst []byte) ([]byte, error) {
	if r.Level > 7 {
		return nil, errRecordLevel
	}
	if r.Module > 31 {
		return nil, errRecordModule
	}

	args := r.Args[:min(len(r.Args), maxArgs)]
	var head PayloadHeader
	head.SetLevel(r.Level)
	head.SetModule(r.Module)
	head.SetFmtAddr(r.FmtAddr)
	head.SetNumArgs(uint8(len(args)))
	dst = append(dst, head[:]...)
	for _, arg := range args {
		if argKinds[arg.packed] == 0 {
			return nil, errRecordArg // the zero Arg
		}
		dst = append(dst, arg.packed)
	}

	for _, arg := range args {
		dst = append(dst, arg.value()...)
	}
	return appendStrings(dst, args)
}

// appendStrings appends the string section, if any string was stored.
func appendStrings(dst []byte, args []Arg) ([]byte, error) {
	count, size := 0, 0
	for _, arg := range args {
		if text := arg.Text(); text != nil {
			count++
			size += 2 + len(text)
		}
	}

	if count == 0 {
		return dst, nil
	}
	if size > math.MaxUint16 {
		return nil, errRecordStrings
	}

	var head StringSectionHeader
	head.SetNumStrings(uint16(count))
	head.SetLenBlob(uint16(size))
	dst = append(dst, head[:]...)
	for _, arg := range args {
		if text := arg.Text(); text != nil {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(len(text)))
			dst = append(dst, text...)
		}
	}
	return dst, nil
}

// LogBuilder collects records and writes the log that an agent makes of them. A
// field that the header of its version does not have is left out. The zero
// LogBuilder writes version 3.
type LogBuilder struct {
	SessionToken uint32
	Sequence     uint32 // real agents leave it 0
	Tick         uint32 // when the report is made, in device ticks
	TickRateHz   uint32 // device ticks a second
	EpochTimeUs  uint64 // when the report is made, in microseconds since 1970 UTC; 0: not known

	layout *logLayout // nil: that of defaultVersion
	data   []byte
	frames int
}

// defaultVersion is what the zero LogBuilder writes.
const defaultVersion = 3

// NewLogBuilder returns a builder of logs with the header version.
func NewLogBuilder(version uint8) (*LogBuilder, error) {
	l := logLayoutOf(version)
	if l == nil {
		return nil, VersionError(version)
	}
	return &LogBuilder{layout: l}, nil
}

func (b *LogBuilder) lay() *logLayout {
	if b.layout == nil {
		b.layout = logLayoutOf(defaultVersion)
	}
	return b.layout
}

// Reset forgets the records and keeps the version and the header's fields.
func (b *LogBuilder) Reset() { b.data, b.frames = b.data[:0], 0 }

// Len returns the length in bytes of the log so far, header included.
func (b *LogBuilder) Len() int { return b.lay().lenHeader + len(b.data) }

// NumFrames returns the number of records added.
func (b *LogBuilder) NumFrames() int { return b.frames }

// Add appends a record. When it does not fit into the 65,535 data bytes of a
// log, the error unwraps to [ErrTooLong] and the builder is as before.
func (b *LogBuilder) Add(r *Record) error {
	frame, before := b.lay().frame, len(b.data)
	data := append(b.data, make([]byte, frame.lenHeader)...)
	data, err := r.AppendTo(data)
	if err != nil {
		return err
	}
	lenPayload := len(data) - before - frame.lenHeader
	if lenPayload > maxLogData-frame.lenHeader {
		return errRecordLength
	}
	if len(data) > maxLogData {
		return errLogFull
	}
	if err := frame.finish(data[before:], r.Sequence, r.TickDelta); err != nil {
		return err
	}
	b.data = data
	b.frames++
	return nil
}

// AppendTo appends the log, its header with length and checksum and its frames,
// to dst.
func (b *LogBuilder) AppendTo(dst []byte) ([]byte, error) {
	l := b.lay()
	at := len(dst)
	dst = append(dst, make([]byte, l.lenHeader)...)
	head := dst[at:]
	head[0] = l.version
	l.setSessionToken(head, b.SessionToken)
	l.setSequence(head, b.Sequence)
	l.setTick(head, b.Tick)
	l.setTickRateHz(head, b.TickRateHz)
	l.setEpochTimeUs(head, b.EpochTimeUs)
	l.setLenData(head, uint16(len(b.data)))
	l.setChecksum(head, logSum(b.data))
	return append(dst, b.data...), nil
}
