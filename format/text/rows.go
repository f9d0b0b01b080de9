package text

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/text/choose"
	"github.com/ulogkit/ulogkit/format/text/clock"
)

// maxRow is the longest row of JSON that is read, in bytes. The longest record
// has 64 KiB, of which each byte can take six characters in several keys.
const maxRow = 4 << 20

var errNoRow = errors.New("not a record that decode wrote")

// rows reads records from the JSON of an earlier run.
type rows struct {
	line    int64
	payload []byte
}

// row is a record as JSON, as far as it is read.
type row struct {
	V        int         `json:"v"`
	Index    int64       `json:"index"`
	Tick     *uint64     `json:"tick"`
	Seconds  json.Number `json:"seconds"`
	Sequence *uint16     `json:"sequence"`
	Damaged  bool        `json:"damaged"`
	// Where and when it was, to be shown as it is.
	Log         *int64      `json:"log"`
	Offset      int64       `json:"offset"`
	Boot        int64       `json:"boot"`
	DeviceTime  json.Number `json:"device_time"`
	DeviceError *uint64     `json:"device_time_error_us"`
	Time        string      `json:"time"`
	TimeError   *uint64     `json:"time_error_us"`
	Level       string      `json:"level"`
	Module      uint8       `json:"module"`
	FmtAddr     uint32      `json:"fmt_addr"`
	Args        []rowArg    `json:"args"`
	Payload     *string     `json:"payload_hex"`
}

type rowArg struct {
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value"`
	Bits  string          `json:"bits"`
	Hex   *string         `json:"hex"`
}

// consumeRows renders the rows that are whole in s.buf.
func (s *stream) consumeRows(eof bool) error {
	if ok, err := s.ready(nil, func(b []byte) (choose.Records, int, error) { return nextRow(b, eof) }); !ok {
		return err
	}
	for {
		n := lenRow(s.buf, eof)
		if n == 0 {
			break
		}
		s.rows.line++
		if err := s.rows.render(s.buf[:n], s); err != nil {
			s.out.report.damage(Damage{Offset: s.base, Len: int64(n), Reason: fmt.Sprintf("row %d: %v", s.rows.line, err)})
		}
		s.advance(n)
		if len(s.out.buf) >= lenOutput {
			if err := s.write(); err != nil {
				return err
			}
		}
	}
	return s.write()
}

// lenRow returns the size of the row that b begins with, 0 if it is not whole.
func lenRow(b []byte, eof bool) int {
	n := bytes.IndexByte(b, '\n') + 1
	if n == 0 && (eof || len(b) >= maxRow) {
		n = len(b)
	}
	return n
}

// render renders one row.
func (w *rows) render(b []byte, s *stream) error {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil
	}
	in, err := readRow(b)
	if err != nil {
		return err
	}

	if w.payload, err = in.appendPayload(w.payload[:0]); err != nil {
		return err
	}
	r := record{index: in.Index, seconds: in.Seconds.String(), damaged: in.Damaged, row: in}
	if in.Tick != nil {
		r.timed, r.tick = true, *in.Tick
	} else if in.Sequence != nil {
		r.seq = *in.Sequence
	}

	if _, _, ok := in.wall(); !ok && in.Time != "" {
		s.out.report.odd(fmt.Sprintf("row %d: time %.40q is not one as in 2026-11-28T09:30:00Z; its record is shown without", w.line, in.Time))
	}
	s.out.use(s.judge.Of(choose.RecordOf(w.payload)))
	s.out.record(&r, w.payload)
	return nil
}

// wall returns when a row says that it was logged, in microseconds since 1970, by how
// much that may be wrong, and whether it says so.
func (in *row) wall() (us, bound int64, ok bool) {
	t, err := time.Parse(time.RFC3339, in.Time)
	if err != nil || !clock.Believed(t.UnixMicro()) {
		return 0, 0, false
	}
	if in.TimeError != nil {
		bound = int64(min(*in.TimeError, math.MaxInt64))
	}
	return t.UnixMicro(), bound, true
}

// nextRow returns the record of the row that b begins with, if there is one, and
// the row's size.
func nextRow(b []byte, eof bool) (choose.Records, int, error) {
	n := lenRow(b, eof)
	if n == 0 {
		return choose.Records{}, 0, format.ErrShort
	}
	var payload []byte
	if in, err := readRow(b[:n]); err == nil {
		if p, err := in.appendPayload(nil); err == nil {
			payload = p
		}
	}
	return choose.RecordOf(payload), n, nil
}

// appendPayload appends the record as the device sent it.
func (in *row) appendPayload(dst []byte) ([]byte, error) {
	if in.Payload != nil {
		return hex.AppendDecode(dst, []byte(*in.Payload))
	}
	if in.V != 1 || in.Tick == nil && in.Sequence == nil {
		return dst, errNoRow
	}

	r := format.Record{Level: 8, Module: in.Module, FmtAddr: in.FmtAddr}
	for i, name := range levelNames {
		if in.Level == name {
			r.Level = format.Level(i)
		}
	}
	if r.Level == 8 {
		return dst, fmt.Errorf("%w: level %.20q", errNoRow, in.Level)
	}

	if len(in.Args) > maxRecorded {
		return dst, fmt.Errorf("%w: %d arguments", errNoRow, len(in.Args))
	}
	for i := range in.Args {
		a, err := in.Args[i].arg()
		if err != nil {
			return dst, fmt.Errorf("argument %d: %w", i+1, err)
		}
		r.Args = append(r.Args, a)
	}

	return r.AppendTo(dst)
}

// arg returns the argument as the device recorded it.
func (in *rowArg) arg() (format.Arg, error) {
	value := string(in.Value)
	if in.Type != "double" && in.Type != "string" {
		exact, err := wholeNumber(value)
		if err != nil {
			return format.Arg{}, err
		}
		value = exact
	}

	switch in.Type {
	case "i32":
		x, err := strconv.ParseInt(value, 10, 32)
		return format.ArgI32(int32(x)), err
	case "i64":
		x, err := strconv.ParseInt(value, 10, 64)
		return format.ArgI64(x), err
	case "u32", "ptr":
		x, err := strconv.ParseUint(value, 10, 32)
		if in.Type == "ptr" {
			return format.ArgPointer(uint32(x)), err
		}
		return format.ArgU32(uint32(x)), err
	case "u64":
		x, err := strconv.ParseUint(value, 10, 64)
		return format.ArgU64(x), err
	case "char":
		x, err := strconv.ParseUint(value, 10, 8)
		return format.ArgChar(byte(x)), err
	case "double":
		if in.Bits != "" {
			x, err := strconv.ParseUint(in.Bits, 16, 64)
			return format.ArgDouble(math.Float64frombits(x)), err
		}
		x, err := strconv.ParseFloat(value, 64)
		return format.ArgDouble(x), err
	case "string":
		if in.Hex != nil {
			b, err := hex.DecodeString(*in.Hex)
			return format.ArgString(string(b)), err
		}
		if value == "null" {
			return format.ArgDropped(), nil
		}
		var s string
		err := json.Unmarshal(in.Value, &s)
		return format.ArgString(s), err
	}

	return format.Arg{}, fmt.Errorf("%w: type %.20q", errNoRow, in.Type)
}
