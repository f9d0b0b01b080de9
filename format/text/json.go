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
	if log, offset, boot := r.where(); log >= 0 {
		dst = appendDecimal(append(dst, `,"log":`...), log)
		dst = appendDecimal(append(dst, `,"offset":`...), offset)
		dst = appendDecimal(append(dst, `,"boot":`...), boot)
	}

	if r.timed {
		dst = appendKey(dst, `,"tick":`, r.tick)
		if r.hasTime() {
			dst = append(dst, `,"seconds":`...)
			from := len(dst)
			dst = r.appendSeconds(dst)
			to := len(dst)
			dst = append(dst, `,"device_time":`...)
			dst = append(dst, dst[from:to]...)
		}

		if us, ok := r.deviceError(); ok {
			dst = appendKey(dst, `,"device_time_error_us":`, us)
		}
		if us, bound, ok := r.wall(); ok {
			key := `,"time":"`
			if o.cfg.Embedded {
				key = `,"record_time":"`
			}
			dst = append(appendWall(append(dst, key...), us), '"')
			dst = appendKey(dst, `,"time_error_us":`, uint64(bound))
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
	dst, foreign := r.appendJSONArgs(dst)
	dst = append(dst, ']')
	for i, other := range o.tied {
		if dst = append(dst, ','); i == 0 {
			dst = append(dst, `"other_fmts":[`...)
		}
		if dst = appendJSONString(dst, other.template.format); i == len(o.tied)-1 {
			dst = append(dst, ']')
		}
	}

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
func newJSONHead(file string, embedded bool) string {
	head := `{"v":1,"kind":"record","file":`
	if embedded {
		head = `{"v":1,"file":`
	}
	return string(appendJSONString([]byte(head), file)) + `,"index":`
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

// appendJSONArgs appends the arguments of the call, those for stars included, as
// far as they are known; without a format, or one that is the record's, those that
// were recorded. foreign says that they do not tell what was recorded.
func (r *record) appendJSONArgs(dst []byte) (_ []byte, foreign bool) {
	foreign = r.p.NumArgs() > maxRecorded
	t := r.stmt.template
	how := matchNone
	if t != nil {
		how = t.compare(r.p.PackedTypes())
	}
	mixed := mixesTexts(r.p)
	if how == matchAgent && !(t.plan.straight && r.p.NumArgs() == t.numArgs && !t.plan.long) {
		return t.appendJSONPlaced(dst, r.p, mixed), true
	}

	args := r.p.Args()
	for n := 0; args.Next(); n++ {
		if n > 0 {
			dst = append(dst, ',')
		}
		a := args.Arg()
		certain := how != matchNone && a.Stored() && !(mixed && a.Type() == format.ArgTypeString)
		dst = appendJSONArg(dst, &a)
		if t == nil { // which argument it is only a format tells
			dst = append(dst, '}')
		} else {
			dst = appendCertain(dst, certain)
		}
		foreign = foreign || !isAgents(&a)
	}

	return dst, foreign
}

// appendJSONPlaced appends the arguments where the plan has them.
func (t *Template) appendJSONPlaced(dst []byte, p format.Payload, mixed bool) []byte {
	r := newRecorded(p)
	star := conversion{class: classSigned}
	slots := t.plan.slots
	start := len(dst)
	for i := range t.convs {
		c := &t.convs[i]
		for n := c.stars(); n >= 0; n-- {
			asked := c
			if n > 0 {
				asked = &star
			}
			if len(dst) > start {
				dst = append(dst, ',')
			}
			a, k := r.arg(asked, &slots[0])
			slots = slots[1:]
			if k == knowNothing {
				dst = append(append(append(dst, `{"type":"`...), jsonTypes[asked.argType()]...), `","value":null`...)
			} else {
				dst = appendJSONArg(dst, &a)
			}
			dst = appendCertain(dst, k == knowAll && !(mixed && asked.class == classString))
		}
	}

	return dst
}

// arg returns the argument of a conversion as one that was recorded for it alone.
func (r *recorded) arg(c *conversion, s *slot) (a format.Arg, k know) {
	if c.class == classString {
		if text, _ := r.text(s); text == nil {
			return a, knowNothing
		}
		return r[s.low.arg], knowAll
	}

	bits, k := r.value(c, s)
	switch c.argType() {
	case format.ArgTypeI32:
		a = format.ArgI32(int32(bits))
	case format.ArgTypeU32:
		a = format.ArgU32(uint32(bits))
	case format.ArgTypeI64:
		a = format.ArgI64(int64(bits))
	case format.ArgTypeU64:
		a = format.ArgU64(bits)
	case format.ArgTypeChar:
		a = format.ArgChar(byte(bits))
	case format.ArgTypePointer:
		a = format.ArgPointer(uint32(bits))
	case format.ArgTypeDouble:
		a = format.ArgDouble(math.Float64frombits(bits))
	}

	return a, k
}

// argType returns the type of the argument that a conversion takes.
func (c *conversion) argType() format.ArgType {
	switch c.class {
	case classSigned:
		if c.wide() {
			return format.ArgTypeI64
		}
		return format.ArgTypeI32
	case classUnsigned:
		if c.wide() {
			return format.ArgTypeU64
		}
		return format.ArgTypeU32
	case classChar:
		return format.ArgTypeChar
	case classString:
		return format.ArgTypeString
	case classFloat:
		return format.ArgTypeDouble
	}
	return format.ArgTypePointer
}

func appendCertain(dst []byte, certain bool) []byte {
	return append(strconv.AppendBool(append(dst, `,"certain":`...), certain), '}')
}

// appendJSONArg appends an argument, without the brace that ends it. A double that
// JSON has no number for is "NaN", "Infinity" or "-Infinity" with its 64 bits in
// "bits" as hexadecimal digits, a string that is not UTF-8 has its bytes in "hex",
// one that the device dropped is null.
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

	return dst
}

func appendJSONDouble(dst []byte, f float64) []byte {
	var name string
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
