package text

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/ulogkit/ulogkit/format"
)

// appendJSON appends r as one JSON object and a newline. rendered is its text,
// nil where it cannot be rendered.
func (r *record) appendJSON(dst []byte, o *renderer, rendered []byte, reason string) []byte {
	dst = append(dst, o.jsonHead...)
	dst = appendUnsigned(dst, uint64(r.index))
	if r.v3 {
		dst = appendKey(dst, `,"tick":`, r.tick)
		if r.hasTime() {
			dst = r.appendSeconds(append(dst, `,"seconds":`...))
		}
	} else {
		dst = appendKey(dst, `,"sequence":`, uint64(r.seq))
	}
	if r.damaged {
		dst = append(dst, `,"damaged":true`...)
	}
	if r.bad != nil {
		dst = appendPayload(dst, r.raw)
		dst = append(dst, `,"text":null,"reason":`...)
		dst = appendJSONString(dst, r.bad.Error())
		return append(dst, '}', '\n')
	}
	dst = append(dst, o.jsonModule(r.p.Level(), r.p.Module())...)
	dst = append(dst, r.stmt.json()...)
	args := r.p.Args()
	foreign := r.p.NumArgs() > maxRecorded
	for n := 0; args.Next(); n++ {
		if n > 0 {
			dst = append(dst, ',')
		}
		a := args.Arg()
		dst = appendJSONArg(dst, &a)
		foreign = foreign || !isAgents(&a)
	}
	dst = append(dst, ']')
	if foreign {
		dst = appendPayload(dst, r.raw)
	}
	if reason != "" {
		dst = append(dst, `,"text":null,"reason":`...)
		dst = appendJSONString(dst, reason)
		return append(dst, '}', '\n')
	}
	dst = append(dst, `,"text":`...)
	dst = appendJSONString(dst, rendered)
	if !utf8.Valid(rendered) {
		dst = append(dst, `,"text_hex":"`...)
		dst = append(hex.AppendEncode(dst, rendered), '"')
	}
	if r.p.Level() == format.LevelMetric {
		dst = appendMetric(dst, rendered)
	}
	return append(dst, '}', '\n')
}

// newJSONHead returns what every object begins with, up to the record's index.
func newJSONHead(file string) string {
	return string(appendJSONString([]byte(`{"v":1,"file":`), file)) + `,"index":`
}

// jsonModule returns the keys of level and module, which are made once for each
// pair of them.
func (o *renderer) jsonModule(level format.Level, module uint8) string {
	cell := &o.jsonModules[level&7][module&31]
	if *cell == "" {
		b := append([]byte(`,"level":"`), levelNames[level&7]...)
		b = appendKey(append(b, '"'), `,"module":`, uint64(module))
		if o.dict != nil {
			if name, ok := o.dict.Module(module); ok {
				b = appendJSONString(append(b, `,"module_name":`...), name)
			}
		}
		*cell = string(b)
	}
	return *cell
}

// json returns the keys of the statement, up to the arguments, made once.
func (st *statement) json() []byte {
	if st.keys == nil {
		b := appendKey(nil, `,"fmt_addr":`, uint64(st.addr))
		if st.template != nil {
			b = appendJSONString(append(b, `,"fmt":`...), st.template.format)
		}
		if st.source != "" {
			b = appendJSONString(append(b, `,"source":`...), st.source)
		}
		st.keys = append(b, `,"args":[`...)
	}
	return st.keys
}

// isAgents reports whether an agent can have recorded a: its value is one of its
// type, though it may take more bytes.
func isAgents(a *format.Arg) bool {
	switch a.Type() {
	case format.ArgTypeI32:
		return a.Int() == int64(int32(a.Int()))
	case format.ArgTypeU32, format.ArgTypePointer:
		return a.Uint() <= math.MaxUint32
	case format.ArgTypeChar:
		return a.Uint() <= math.MaxUint8
	}
	return true
}

func appendPayload(dst, payload []byte) []byte {
	dst = append(dst, `,"payload_hex":"`...)
	return append(hex.AppendEncode(dst, payload), '"')
}

func appendKey(dst []byte, key string, v uint64) []byte {
	return appendUnsigned(append(dst, key...), v)
}

// metricPrefix begins the text of every metric.
//
// Source: FORMAT section 2.
const metricPrefix = "metric_"

// appendMetric appends the name and value of a metric, whose text is
// metric_NAME=VALUE.
func appendMetric(dst, rendered []byte) []byte {
	rest, ok := bytes.CutPrefix(rendered, []byte(metricPrefix))
	i := bytes.LastIndexByte(rest, '=')
	if !ok || i < 0 {
		return dst
	}
	dst = append(dst, `,"metric":{"name":`...)
	dst = appendJSONString(dst, rest[:i])
	dst = append(dst, `,"value":`...)
	if value := rest[i+1:]; json.Valid(value) && (value[0] == '-' || '0' <= value[0] && value[0] <= '9') {
		dst = append(dst, value...)
	} else {
		dst = appendJSONString(dst, value) // nan, inf, <missing>
	}
	return append(dst, '}')
}

var jsonTypes = [16]string{
	format.ArgTypeI32: "i32", format.ArgTypeU32: "u32", format.ArgTypeI64: "i64", format.ArgTypeU64: "u64",
	format.ArgTypePointer: "ptr", format.ArgTypeChar: "char", format.ArgTypeDouble: "double", format.ArgTypeString: "string",
}

// appendJSONArg appends an argument. A double that JSON has no number for is
// "NaN", "Infinity" or "-Infinity" with its 64 bits in "bits" as hexadecimal digits, a string that is
// not UTF-8 has its bytes in "hex", one that the device dropped is null.
func appendJSONArg(dst []byte, a *format.Arg) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, jsonTypes[a.Type()&15]...)
	dst = append(dst, `","value":`...)
	switch a.Type() {
	case format.ArgTypeI32, format.ArgTypeI64:
		dst = appendDecimal(dst, a.Int())
	case format.ArgTypeDouble:
		dst = appendJSONDouble(dst, a.Float())
	case format.ArgTypeString:
		if !a.Stored() {
			dst = append(dst, "null"...)
			break
		}
		s := a.Text()
		dst = appendJSONString(dst, s)
		if !utf8.Valid(s) {
			dst = append(dst, `,"hex":"`...)
			dst = append(hex.AppendEncode(dst, s), '"')
		}
	default:
		dst = appendUnsigned(dst, a.Uint())
	}
	return append(dst, '}')
}

func appendJSONDouble(dst []byte, f float64) []byte {
	name := ""
	switch {
	case math.IsNaN(f):
		name = "NaN"
	case math.IsInf(f, 1):
		name = "Infinity"
	case math.IsInf(f, -1):
		name = "-Infinity"
	default:
		return strconv.AppendFloat(dst, f, 'g', -1, 64)
	}
	dst = append(append(append(dst, '"'), name...), `","bits":"`...)
	bits := binary.BigEndian.AppendUint64(nil, math.Float64bits(f))
	return append(hex.AppendEncode(dst, bits), '"')
}
