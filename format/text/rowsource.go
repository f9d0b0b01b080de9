package text

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// rowSource gives rows an object a line, whatever program has written them: with a
// byte order mark, as UTF-16, over several lines or in one array. Logs pass as they
// are: their first byte, the version, is none that rows begin with.
type rowSource struct {
	r       io.Reader
	begun   bool
	objects *json.Decoder // of rows that are not one a line
	array   bool
	tried   *attempt // what objects has read, until it has found the first
	line    []byte   // that was made of an object, or read ahead, what is left of it
	start   []byte   // white space so far
	end     error    // of the source, once line is read
}

// changed implements changer where the source does.
func (s *rowSource) changed() (what string, ok bool) {
	if c, is := s.r.(changer); is {
		if what, ok = c.changed(); ok {
			s.begun, s.objects, s.array, s.line = false, nil, false, nil
			s.start, s.end = nil, nil
		}
	}
	return what, ok
}

// Read implements io.Reader.
func (s *rowSource) Read(b []byte) (int, error) {
	if len(s.line) > 0 {
		n := copy(b, s.line)
		s.line = s.line[n:]
		return n, nil
	}

	switch {
	case s.end != nil:
		return 0, s.end
	case s.objects != nil:
		return s.object(b)
	case s.begun:
		return s.r.Read(b)
	}

	n, err := s.r.Read(b)
	s.start = append(s.start, b[:n]...)
	if len(s.start) == 0 {
		return 0, err
	}
	if err == nil && strings.HasPrefix("\ufeff", string(s.start)) {
		return 0, nil
	}
	if err == nil && len(s.start) < lenSpace && len(bytes.TrimLeft(bytes.TrimPrefix(s.start, []byte("\ufeff")), " \t\r\n")) < 2 {
		return 0, nil // more will tell
	}

	s.begun = true
	start := s.start
	s.start = nil
	return s.begin(start, err, b)
}

// lenSpace is how much white space rows may begin with.
const lenSpace = 1 << 10

// begin looks at the first bytes.
func (s *rowSource) begin(start []byte, end error, b []byte) (int, error) {
	order := binary.ByteOrder(nil)
	switch {
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), len(start) > 1 && start[0] == '{' && start[1] == 0:
		order = binary.LittleEndian
	case bytes.HasPrefix(start, []byte{0xfe, 0xff}), len(start) > 1 && start[0] == 0 && start[1] == '{':
		order = binary.BigEndian
	}

	text := bytes.TrimLeft(bytes.TrimPrefix(start, []byte("\ufeff")), " \t\r\n")
	if order == nil && (len(text) == 0 || text[0] != '{' && text[0] != '[') {
		return s.serve(start, end, b) // logs, or what is neither
	}

	first, whole, _ := bytes.Cut(text, []byte("\n"))
	first = bytes.TrimSpace(first)
	if order == nil && text[0] == '{' && (json.Valid(first) || len(whole) == 0 && len(first) > 1) {
		return s.serve(text, end, b) // an object a line, as it should be
	}
	s.tried = &attempt{start: bytes.NewReader(bytes.Clone(start)), rest: s.r, end: end}
	if order != nil {
		s.objects = json.NewDecoder(&utf16Reader{r: bufio.NewReader(s.tried), order: order})
	} else {
		io.CopyN(io.Discard, s.tried, int64(len(start)-len(text))) // of what is there
		s.objects = json.NewDecoder(s.tried)
	}

	if order == nil && text[0] == '[' {
		_, _ = s.objects.Token()
		s.array = true
	}
	return 0, nil
}

// attempt reads a source from its first bytes on and keeps what it gives, so that it
// can be given back.
type attempt struct {
	start *bytes.Reader
	rest  io.Reader
	end   error // of the source, if it came with the first bytes
	kept  []byte
	done  bool
}

// Read implements io.Reader.
func (a *attempt) Read(b []byte) (n int, err error) {
	switch {
	case a.start.Len() > 0:
		n, _ = a.start.Read(b)
	case a.end != nil:
		return 0, a.end
	default:
		n, err = a.rest.Read(b)
		a.end = err
	}
	if !a.done {
		a.kept = append(a.kept, b[:n]...)
	}
	return n, err
}

// forget keeps nothing any more.
func (a *attempt) forget() { a.kept, a.done = nil, true }

// giveBack returns what was read of the source, and what ended it.
func (a *attempt) giveBack() (all []byte, end error) {
	left, _ := io.ReadAll(a.start) // of memory
	return append(a.kept, left...), a.end
}

// plainText reports whether bytes are what a person would call text: what is wrong with
// it is then said in terms of JSON.
func plainText(b []byte) bool {
	return utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && r != '\t' && r != '\r' && r != '\n' || r == 0x7f })
}

// serve gives bytes that were read, and then what ended them.
func (s *rowSource) serve(start []byte, end error, b []byte) (int, error) {
	n := copy(b, start)
	s.line, s.end = start[n:], end
	if len(s.line) == 0 {
		return n, end
	}
	return n, nil
}

// object reads the next object.
func (s *rowSource) object(b []byte) (int, error) {
	var raw json.RawMessage
	var err error
	if s.array && !s.objects.More() {
		if _, err = s.objects.Token(); err == nil || s.tried == nil {
			return 0, io.EOF // the end of the array, or of what there is
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
	} else {
		err = s.objects.Decode(&raw)
	}

	if tried := s.tried; tried != nil {
		s.tried = nil
		if err != nil && !plainText(tried.kept) {
			// It only looked like rows: logs, and what is left of them, can look
			// like anything. Who reads on judges it.
			s.objects, s.array = nil, false
			all, end := tried.giveBack()
			return s.serve(all, end, b)
		}
		tried.forget()
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		return 0, fmt.Errorf("rows of JSON: at byte %d: %w", s.objects.InputOffset(), err)
	}

	if raw[0] == '[' && !s.array { // an array as UTF-16
		s.objects, s.array = json.NewDecoder(bytes.NewReader(raw)), true
		_, _ = s.objects.Token()
		return 0, nil
	}

	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil {
		return 0, err
	}
	s.line = append(line.Bytes(), '\n')
	return s.Read(b)
}

// utf16Reader gives UTF-16 as UTF-8, without its byte order mark.
type utf16Reader struct {
	r     *bufio.Reader
	order binary.ByteOrder
	left  []byte
}

// Read implements io.Reader.
func (r *utf16Reader) Read(b []byte) (int, error) {
	for len(r.left) == 0 {
		unit, err := r.unit()
		if err != nil {
			return 0, err
		}
		c := rune(unit)
		if utf16.IsSurrogate(c) {
			second, err := r.unit()
			if err != nil {
				return 0, io.ErrUnexpectedEOF
			}
			c = utf16.DecodeRune(c, rune(second))
		}
		if c != 0xfeff {
			r.left = utf8.AppendRune(r.left, c)
		}
	}
	n := copy(b, r.left)
	r.left = r.left[:copy(r.left, r.left[n:])]
	return n, nil
}

func (r *utf16Reader) unit() (uint16, error) {
	var b [2]byte
	if _, err := io.ReadFull(r.r, b[:]); err != nil {
		return 0, err
	}
	return r.order.Uint16(b[:]), nil
}
