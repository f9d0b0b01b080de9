package spec

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func source(t *testing.T) *Spec {
	t.Helper()
	s, err := Parse(SourceName, Source)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The facts of FORMAT in numbers: sizes and offsets as its tables give them.
func TestSourceHasTheSizesOfFormat(t *testing.T) {
	s := source(t)
	if s.ID != "ulogger" || s.License != "MIT" || len(s.SHA256) != 64 || s.Root.ID != "ulogger" || s.Root.Seq[0].Type.User != s.Type("log") {
		t.Errorf("got %+v, want the spec of ulogger, MIT, that begins with a log", s)
	}

	for id, want := range map[string]int{
		"header_v1": 13, "header_v3": 17, "frame_header_v1": 4, "frame_header_v3": 6, "payload_header": 6,
		"core_dump_header": 264, "crash_header": 8, "registers": 80, "fp_registers": 132, "fault_registers": 20,
		"log_config": 9, "chunk_ack": 2, "debug_module": 8, "log": -1, "chunk": -1, "payload": -1,
	} {
		if got := s.Type(id).Size; got != want {
			t.Errorf("%s: size %d, want %d", id, got, want)
		}
	}

	for path, want := range map[string]int{
		"header_v1.session_token": 1, "header_v1.len_data": 9, "header_v1.checksum": 11,
		"header_v3.session_token": 1, "header_v3.tick": 5, "header_v3.tick_rate_hz": 9, "header_v3.len_data": 13, "header_v3.checksum": 15,
		"payload_header.module": 0, "payload_header.fmt_addr": 1, "payload_header.num_args": 5,
		"core_dump_header.git_hash": 16, "core_dump_header.device_type": 60, "core_dump_header.device_serial": 128, "core_dump_header.version_string": 196,
		"registers.sp": 52, "registers.exception_psr": 76, "fp_registers.fpscr": 128, "log_v3.data": 17, "device_info.device_type": -1,
	} {
		id, field, _ := strings.Cut(path, ".")
		if got := s.Type(id).Lookup(field).(*Attr).Offset; got != want {
			t.Errorf("%s: offset %d, want %d", path, got, want)
		}
	}

	if s.Type("nothing") != nil || s.Enum("nothing") != nil || s.Type("log").Lookup("nothing") != nil {
		t.Error("got a type, an enum or a field called \"nothing\", want none")
	}
}

// The token may be patched in every header, and the time where there is one;
// nothing else may.
func TestOnlyTokenAndTimeMayBePatched(t *testing.T) {
	var got []string
	for _, ty := range source(t).Types {
		for _, a := range ty.Seq {
			if a.Mutable {
				got = append(got, ty.ID+"."+a.ID)
			}
		}
	}
	if want := "[header_v1.session_token header_v3.session_token header_v4.session_token header_v4.epoch_time_us]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// The model of the types written by hand is complete enough to read bytes by it.
func TestModelIsCompleteForHandWrittenTypes(t *testing.T) {
	s := source(t)
	payload := s.Type("payload")
	types := payload.Lookup("packed_types").(*Attr)
	if types.Repeat != RepeatExpr || types.Count.String() != "header.num_args" || len(types.Valid.AnyOf) != 26 || types.Value().Kind != ListValue {
		t.Errorf("packed_types: %+v, want Repeat %v, Count \"header.num_args\", len(AnyOf) 26 and Kind %v", types, RepeatExpr, ListValue)
	}

	values := payload.Lookup("values").(*Attr)
	arg := values.Type.Args[0].(*Elem)
	if ref := arg.X.(*FieldRef); ref.To != Field(types) {
		t.Errorf("values: got arguments %v, want the first an element of packed_types", values.Type.Args)
	}
	if _, ok := arg.I.(*Index); !ok {
		t.Errorf("values: got index %v of type %T, want *Index", arg.I, arg.I)
	}

	strs := payload.Lookup("strings").(*Attr)
	if not := strs.If.(*Unary); not.Op != OpNot || not.X.(*StreamProp).Prop != PropEOF || not.X.(*StreamProp).X != nil {
		t.Errorf("strings: %v, want Op %v, Prop %v and X none", strs.If, OpNot, PropEOF)
	}
	argument := s.Type("argument")
	typ := argument.Instances[0]
	if typ.Calc.(*Binary).Op != OpShr || typ.Enum != s.Enum("arg_type") || typ.Value().Hi.Int64() != 15 {
		t.Errorf("type: got %v, enum %v, at most %v, want a shift by %v, enum arg_type and at most 15", typ.Calc, typ.Enum, typ.Value().Hi, OpShr)
	}

	value := argument.Seq[0].Type
	if value.Kind != Switch || len(value.Cases) != 25 || value.Cases[0].Type.Name != "s1" || !value.Cases[0].Type.Signed || value.Cases[24].Type.Kind != Float {
		t.Errorf("value: got %+v, want a switch of 25 cases from a signed s1 to a Float", value)
	}
	if n, ok := Const(value.Cases[24].Value); !ok || n.Int64() != 0x78 {
		t.Errorf("last case: got %v, want the constant 0x78", value.Cases[24].Value)
	}

	regions := s.Type("crash_catcher").Lookup("regions").(*Attr)
	if regions.Repeat != RepeatUntil || regions.Until.String() != "(_io.size - _io.pos) < 8" || regions.If == nil {
		t.Errorf("regions: %v, want Repeat %v, Until \"(_io.size - _io.pos) < 8\" and a condition", regions.Until, RepeatUntil)
	}
	sum := s.Type("log_v1").Lookup("data").(*Attr).Checksum
	if sum.Algorithm != "xor8" || sum.Field.To != s.Type("header_v1").Lookup("checksum") {
		t.Errorf("checksum: got %+v, want xor8 over the field checksum of header_v1", sum)
	}

	level := s.Type("log_config").Lookup("level").(*Attr)
	if n, ok := Const(level.Valid.Max); !ok || n.Int64() != 4 || level.Enum.Lookup("critical").Value != 4 {
		t.Errorf("level: got %+v, critical %d, want at most 4, and critical 4", level.Valid, level.Enum.Lookup("critical").Value)
	}
	if v := s.Type("log").Instances[0]; v.Place == nil || v.Calc != nil || v.Type.Name != "u1" {
		t.Errorf("version: %+v, want a Place, no Calc and Name \"u1\"", v)
	}
}

func errorsOf(t *testing.T, name string, src []byte) Errors {
	t.Helper()
	s, err := Parse(name, src)
	var list Errors
	if s != nil || !errors.As(err, &list) || len(list) == 0 {
		t.Fatalf("got %v, error %v, want a list of mistakes alone", s, err)
	}
	return list
}

// Breaking one thing in ulogger.ksy gives exactly one error, at its place.
func TestOneMistakeGivesOneErrorAtItsPlace(t *testing.T) {
	for _, c := range []struct{ old, new, at, want string }{
		{"id: ulogger", "id: ulogged", "ulogged", `meta.id: "ulogged", but the file is named ulogger.ksy; the two must agree`},
		{"type: header_v1\n", "type: header_v9\n", "header_v9", `types.log_v1.seq[0].type: unknown type "header_v9"; did you mean header_v1?`},
		{"size: header.len_data", "size: header.len_dat", "header.len_dat\n", `types.log_v1.seq[1].size: type header_v1 has no field "len_dat"; did you mean len_data?`},
		{"algorithm: sum32", "algorithm: crc32", "crc32", `types.core_dump.seq[1].-checksum.algorithm: unknown algorithm "crc32"; gen knows sum32 and xor8`},
		{"          min: 352\n", "", "max: '0xffffffff'", "types.core_dump_header.seq[0].valid: a length without both bounds; give it valid: with min and max"},
		{"level::critical", "level::fatal", "level::fatal", `types.log_config.seq[0].valid: enum level has no "fatal"; there is critical, debug, error, info, metric, warning`},
		{"type: b5", "type: b6", "- id: fmt_addr", "types.payload_header.seq[2]: begins in the middle of a byte"},
		{"1: log_v1", "2: log_v1", "2: log_v1", ""},
		{"packed >> 4", "packed >> 4 >", "\n        enum: arg_type", "types.argument.instances.type.value: the expression ends where a value is expected"},
		{"5: metric", "5: Metric", "Metric", `enums.level.5: "Metric" is no id; an id is lower_snake_case: letters and digits, single underscores between`},
		{"      size-eos: true", "      size-eos: no", "no\n", `types.chunk.seq[2].size-eos: "no" where true is expected; leave the key out otherwise`},
	} {
		if strings.Count(string(Source), c.old) < 1 {
			t.Errorf("ulogger.ksy: got no %q, want it there", c.old)
			continue
		}

		src := strings.Replace(string(Source), c.old, c.new, 1)
		if c.want == "" {
			if _, err := Parse(SourceName, []byte(src)); err != nil {
				t.Errorf("%q: got error %v, want it taken", c.new, err)
			}
			continue
		}

		from := strings.Index(string(Source), c.old)
		i := from + strings.Index(src[from:], c.at)
		if strings.HasPrefix(c.want, "types.payload_header.seq[2]") {
			i += len("- ")
		}
		if strings.HasPrefix(c.want, "types.core_dump_header.seq[0]") {
			i = from // the mapping begins at its first key, which was taken out
			i += strings.IndexAny(src[i:], "m")
		}

		line := 1 + strings.Count(src[:i], "\n")
		col := 1 + len([]rune(src[strings.LastIndexByte(src[:i], '\n')+1:i]))
		list := errorsOf(t, SourceName, []byte(src))
		want := fmt.Sprintf("%s:%d:%d: %s", SourceName, line, col, c.want)
		if got := list[0].Error(); !strings.HasPrefix(got, want) {
			t.Errorf("%q:\n got %s\nwant %s", c.new, got, want)
		}
	}
}

// Columns are runes, not bytes; an error within an expression is placed within it.
func TestColumnsAreCountedInRunes(t *testing.T) {
	head := "meta: {id: c, endian: le}\ndoc: A.\ndoc-ref: none\ntypes:\n  a:\n    doc: A.\n    doc-ref: none\n    seq:\n"
	for _, c := range []struct {
		line string
		col  int
	}{
		{"      - {id: x, size: y, doc: X.}", 23},
		{"      - {doc: 'ö.', id: x, size: y}", 34},
		{"      - {id: x, size: 1 + y, doc: X.}", 27},
		{"      - {id: x, size: '1 + y', doc: X.}", 28},
		{"      - {id: x, size: \"1 + y\", doc: X.}", 28},
		{"      - {id: x, size: \"1 + \\x79\", doc: X.}", 23}, // an escape: where the value begins
		{"      - {id: x, size: 'ö', doc: X.}", 24},
		{"      - {id: x, type: 'b(1, 2, q)', doc: X.}", 32},
		{"      - id: x\n        doc: X.\n        size: >\n          y +\n          1", 15}, // folded: the same
	} {
		list := errorsOf(t, "c.ksy", []byte(head+c.line+"\n  b:\n    doc: B.\n    doc-ref: none\n    params: [{id: p, type: u1, doc: P.}, {id: q, type: u1, doc: P.}, {id: r, type: u1, doc: P.}]\n    seq: [{id: x, type: u1, doc: X.}]\n"))
		found := false
		for _, e := range list {
			found = found || e.Pos.Col == c.col
		}
		if !found {
			t.Errorf("%s: got errors %v, want one in column %d", c.line, list, c.col)
		}
	}
}

func TestErrorsAreOrderedAndBounded(t *testing.T) {
	var es Errors
	if es.Err() != nil {
		t.Errorf("an empty list: got error %v, want none", es.Err())
	}
	for i := range 25 {
		es = append(es, &Error{"f", Pos{30 - i, 1}, "p", "r"})
	}
	es = append(es, &Error{"f", Pos{7, 1}, "p", "r"}, &Error{"f", Pos{7, 1}, "a", "r"}, &Error{"f", Pos{7, 0}, "z", "r"})
	list := es.Err().(Errors)
	if len(list) != 21 || list[0].Pos.Line != 6 || list[20].Reason != "7 more errors from here on" {
		t.Fatalf("got %d mistakes, want 20 from line 6 on and how many more: %v", len(list), list)
	}

	if list[1].Path != "z" || list[2].Path != "a" || list[3].Path != "p" || list[4].Pos.Line != 8 {
		t.Errorf("got %v, want them by place, then by path", list)
	}
	if one := es[:21].Err().(Errors); one[20].Reason != "1 more error here" {
		t.Errorf("got %v, want 1 more error", one[20])
	}

	if got := (Errors{es[0], es[1]}).Error(); got != "f:30:1: p: r\nf:29:1: p: r" {
		t.Errorf("got %q, want both, a line each, as they were added", got)
	}
	if !errors.Is(es.Err(), list[3]) {
		t.Errorf("got an error %v that is not %v, want each single mistake reachable by errors.Is", es.Err(), list[3])
	}
}

// No bytes make Parse panic, and each error is one line with a place. The fuzz
// targets look further; this keeps the promise in every test run.
func TestParseNeverPanics(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		b := bytes.Clone(Source[:1+rnd.IntN(len(Source))])
		for range rnd.IntN(4) {
			switch i := rnd.IntN(len(b)); rnd.IntN(3) {
			case 0:
				b[i] = byte(rnd.IntN(256))
			case 1:
				b = append(b[:i], b[min(len(b), i+rnd.IntN(60)):]...)
			default:
				j := rnd.IntN(len(b))
				b[i], b[j] = b[j], b[i]
			}
			if len(b) == 0 {
				b = []byte{'#'}
			}
		}

		s, err := Parse(SourceName, b)
		if err == nil {
			if s == nil || s.Root == nil {
				t.Fatalf("%q: got spec %v and no error, want a spec with a root, or an error", b, s)
			}
			continue
		}

		for _, e := range err.(Errors) {
			if e.Pos.Line < 1 || e.Pos.Col < 1 || e.Path == "" || e.Reason == "" || strings.Contains(e.Error(), "\n") {
				t.Fatalf("%q: got error %q at %v, path %q, want a line, a column, a path and a reason on one line", b, e.Error(), e.Pos, e.Path)
			}
		}
	}
}
