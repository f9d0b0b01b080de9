package format

import (
	"errors"
	"iter"
)

// ErrTrailing is the class of errors about bytes left over where a type must
// end: nobody would decode them, so they are reported.
var ErrTrailing = errors.New("bytes are left over")

var (
	errPayloadTypesShort = &Error{Type: "payload", Field: "packed_types", Offset: PayloadHeaderSize, Err: ErrShort}
	errPayloadTypes      = &Error{Type: "payload", Field: "packed_types", Offset: PayloadHeaderSize, Err: ErrValue}
	errPayloadValues     = &Error{Type: "payload", Field: "values", Offset: -1, Err: ErrShort}
	errPayloadTrailing   = &Error{Type: "payload", Field: "strings", Offset: -1, Err: ErrTrailing}
	errStringsTrailing   = &Error{Type: "strings", Field: "end", Offset: -1, Err: ErrTrailing}
)

// Payload is a view of one log record: what the device's log function was
// called with. ParsePayload makes it; the zero Payload holds no record to ask.
//
// Source: FORMAT section 2.
type Payload struct {
	b []byte
}

// ParsePayload returns a view of the record that is the whole of b, a frame's
// payload. All arguments and strings are checked here.
func ParsePayload(b []byte) (Payload, error) {
	head, rest, err := ParsePayloadHeader(b)
	if err != nil {
		return Payload{}, err
	}
	n := int(head.NumArgs())
	if n > len(rest) {
		return Payload{}, errPayloadTypesShort
	}
	size := n
	for _, packed := range rest[:n] {
		kind := argKinds[packed]
		if kind == 0 {
			return Payload{}, errPayloadTypes
		}
		size += kind.size()
	}

	if size > len(rest) {
		return Payload{}, errPayloadValues
	}
	if size < len(rest) {
		if err := checkStrings(rest[size:]); err != nil {
			return Payload{}, err
		}
	}
	return Payload{b}, nil
}

func (p Payload) head() *PayloadHeader { return (*PayloadHeader)(p.b) }

// Level returns the severity of the record.
func (p Payload) Level() Level { return p.head().Level() }

// Module returns the module number, 0 to 31; 31 means always logged.
func (p Payload) Module() uint8 { return p.head().Module() }

// FmtAddr returns the address of the printf format string in the firmware's
// ELF file.
func (p Payload) FmtAddr() uint32 { return p.head().FmtAddr() }

// NumArgs returns the number of recorded arguments. Agents record at most 8 and
// drop the rest.
func (p Payload) NumArgs() int { return int(p.head().NumArgs()) }

// PackedTypes returns a byte for each recorded argument: its type in the high four
// bits, the number of its value's bytes in the low four.
func (p Payload) PackedTypes() []byte {
	end := PayloadHeaderSize + p.NumArgs()
	return p.b[PayloadHeaderSize:end:end]
}

// Args returns a walker that stands before the first argument.
func (p Payload) Args() Args {
	return Args{b: p.b, next: PayloadHeaderSize, end: PayloadHeaderSize + uint16(p.NumArgs())}
}

// Strings returns an iterator over the texts of the string section, in the
// order of the string arguments. There may be fewer of them than arguments,
// since a device drops a text that is too long.
func (p Payload) Strings() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for texts := p.texts(); len(texts) > 0; {
			counted, rest, err := ParseCountedString(texts)
			if err != nil || !yield(counted.Text) {
				return
			}
			texts = rest
		}
	}
}

// NumTexts returns how many texts the string section holds.
func (p Payload) NumTexts() int {
	texts := p.texts()
	if len(texts) == 0 {
		return 0
	}
	head := len(p.b) - len(texts) - StringSectionHeaderSize
	return int((*StringSectionHeader)(p.b[head:]).NumStrings())
}

// texts returns the counted strings of the string section.
func (p Payload) texts() []byte {
	if len(p.b) < PayloadHeaderSize {
		return nil
	}
	start := PayloadHeaderSize + p.NumArgs()
	for _, packed := range p.b[PayloadHeaderSize:start] {
		start += int(packed & 0x0f)
	}
	if start == len(p.b) {
		return nil
	}
	return p.b[start+StringSectionHeaderSize:]
}

// checkStrings reads the string section that is the whole of b.
func checkStrings(b []byte) error {
	section, rest, err := ParseStringSection(b)
	if err != nil {
		return err
	}
	texts := section.Blob
	for range section.Header.NumStrings() {
		if _, texts, err = ParseCountedString(texts); err != nil {
			return err
		}
	}
	if len(texts) > 0 {
		return errStringsTrailing
	}
	if len(rest) > 0 {
		return errPayloadTrailing
	}
	return nil
}
