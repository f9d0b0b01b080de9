package format

import (
	"encoding/binary"
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
	errStrings           = &Error{Type: "strings", Field: "strings", Offset: -1, Err: ErrShort}
	errStringsTrailing   = &Error{Type: "strings", Field: "end", Offset: -1, Err: ErrTrailing}
)

// Payload is a view of one log record: what the device's log function was
// called with.
//
// Source: FORMAT section 2.
type Payload struct {
	head    *PayloadHeader
	types   []byte // one packed type an argument
	values  []byte // exactly the bytes the types ask for
	strings Strings
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
	p := Payload{head: head, types: rest[:n:n]}
	rest = rest[n:]
	n = 0
	for _, t := range p.types {
		size := argSizes[t]
		if size == 0 {
			return Payload{}, errPayloadTypes
		}
		n += int(size &^ argKnown)
	}
	if n > len(rest) {
		return Payload{}, errPayloadValues
	}
	p.values, rest = rest[:n:n], rest[n:]
	if len(rest) > 0 {
		if p.strings, err = parseStrings(rest); err != nil {
			return Payload{}, err
		}
	}
	return p, nil
}

// Level returns the severity of the record.
func (p Payload) Level() Level { return p.head.Level() }

// Module returns the module number, 0 to 31; 31 means always logged.
func (p Payload) Module() uint8 { return p.head.Module() }

// FmtAddr returns the address of the printf format string in the firmware's
// ELF file.
func (p Payload) FmtAddr() uint32 { return p.head.FmtAddr() }

// NumArgs returns the number of recorded arguments. Agents record at most 8 and
// drop the rest.
func (p Payload) NumArgs() int { return len(p.types) }

// Args returns a walker that stands before the first argument.
func (p Payload) Args() Args {
	return Args{types: p.types, values: p.values, strings: p.strings}
}

// Strings returns a walker over the record's string section, which Args uses
// up in order: the section may hold fewer texts than there are string
// arguments, since a device drops what is too long.
func (p Payload) Strings() Strings { return p.strings }

// Strings walks the texts of a record's string section.
//
// Source: FORMAT section 2.
type Strings struct {
	blob []byte // counted strings, checked by parseStrings
}

// parseStrings reads the string section that is the whole of b.
func parseStrings(b []byte) (Strings, error) {
	section, rest, err := ParseStringSection(b)
	if err != nil {
		return Strings{}, err
	}
	if len(rest) > 0 {
		return Strings{}, errPayloadTrailing
	}
	rest = section.Blob
	for range section.Header.NumStrings() {
		if len(rest) < 2 {
			return Strings{}, errStrings
		}
		n := int(binary.LittleEndian.Uint16(rest))
		if n > len(rest)-2 {
			return Strings{}, errStrings
		}
		rest = rest[2+n:]
	}
	if len(rest) > 0 {
		return Strings{}, errStringsTrailing
	}
	return Strings{blob: section.Blob}, nil
}

// Next returns the next text, and whether there was one.
func (s *Strings) Next() (text []byte, ok bool) {
	if len(s.blob) < 2 {
		return nil, false
	}
	n := 2 + int(binary.LittleEndian.Uint16(s.blob))
	text, s.blob = s.blob[2:n:n], s.blob[n:]
	return text, true
}

// All returns an iterator over the texts that are left.
func (s *Strings) All() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for text, ok := s.Next(); ok; text, ok = s.Next() {
			if !yield(text) {
				return
			}
		}
	}
}
