package fuzz

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ulogkit/ulogkit/spec"
)

// parseSpec parses a spec file and holds its errors to what is promised of them.
// It returns nil for a file that is refused.
func parseSpec(t testing.TB, src []byte) *spec.Spec {
	t.Helper()
	s, err := spec.Parse("fuzz/small.ksy", src)
	if err == nil {
		if s == nil {
			t.Fatal("got neither a spec nor an error, want one of the two")
		}
		return s
	}

	if s != nil {
		t.Error("got a spec beside an error, want the error alone")
	}
	var list spec.Errors
	if !errors.As(err, &list) || len(list) == 0 || len(list) > 21 {
		t.Fatalf("got error of type %T with %d entries, want spec.Errors with 1 to 21: %v", err, len(list), err)
	}

	lines := strings.Split(string(src), "\n")
	last := spec.Pos{}
	for _, e := range list {
		if e.File != "fuzz/small.ksy" || e.Path == "" || e.Reason == "" || strings.ContainsAny(e.Reason+e.Path, "\n\r") {
			t.Errorf("got error %q, want one line that names fuzz/small.ksy, a path and a reason", e)
		}
		if e.Pos.Line < 1 || e.Pos.Col < 1 || e.Pos.Line > len(lines) || e.Pos.Col > utf8.RuneCountInString(lines[e.Pos.Line-1])+1 {
			t.Errorf("got error %v, want its place within the %d lines of the file", e, len(lines))
		}
		if e.Pos.Compare(last) < 0 {
			t.Errorf("got error %v after one at %v, want them in the order of their places", e, last)
		}
		last = e.Pos
	}

	return nil
}

// smallSpec uses every construct of the subset once; the constructs that
// ulogger.ksy does without have their tests here.
const smallSpec = `meta:
  id: small
  endian: le
  bit-endian: be
  encoding: UTF-8
doc: Every construct of the subset.
doc-ref: FORMAT section 1
seq:
  - id: all
    type: numbers
    doc: The first.
types:
  numbers:
    doc: Numbers of all widths.
    doc-ref: FORMAT section 1
    seq:
      - {id: a, type: u2be, doc: Big-endian.}
      - {id: b, type: s2, doc: Signed.}
      - {id: c, type: s4be, doc: Signed and big-endian.}
      - {id: d, type: s8, doc: Wide.}
      - {id: e, type: f4, doc: Float.}
      - {id: f, type: f8be, doc: Double.}
  bits:
    doc: Bit fields over two bytes.
    doc-ref: FORMAT section 1
    seq:
      - {id: flag, type: b1, doc: A flag.}
      - {id: wide, type: b12, doc: Across the bytes.}
      - {id: kind, type: b3, enum: kind, doc: A kind.}
      - {id: more, type: u1, if: flag and kind != kind::none, doc: Only when flagged.}
  calls:
    doc: Instances, parameters and streams.
    doc-ref: FORMAT section 1
    instances:
      first:
        pos: 0
        type: u1
        valid:
          max: 100
        doc: The first byte, seen early.
      double:
        value: 'first * 2'
        doc: Computed.
    seq:
      - id: items
        type:
          switch-on: first
          cases:
            1: bits
            2: limited(double + 1)
            _: tail
        doc: By the first byte.
  limited:
    doc: Bytes by a parameter.
    doc-ref: FORMAT section 1
    params:
      - {id: most, type: u2, doc: The most.}
    seq:
      - id: len_body
        type: u1
        valid: {min: 1, max: most}
        doc: Length of the body.
      - {id: body, size: len_body - 1, type: tail, doc: The body.}
      - {id: after, contents: [1, 2], doc: A mark.}
  tail:
    doc: All that is left.
    doc-ref: FORMAT section 1
    seq:
      - {id: text, type: str, size: 2, doc: Two bytes.}
      - {id: rest, size-eos: true, doc: The rest.}
  until:
    doc: Elements up to a zero.
    doc-ref: FORMAT section 1
    seq:
      - id: list
        type: u1
        repeat: until
        repeat-until: _ == 0 or _io.eof
        valid:
          expr: '_ < 100 ? true : _io.pos > 3'
        doc: The list.
      - {id: name, type: strz, size: 4, doc: A padded name.}
  sums:
    doc: Operators.
    doc-ref: FORMAT section 1
    seq:
      - {id: x, type: u1, valid: {min: 0, max: 255}, doc: Operand.}
      - {id: y, size: '((x << 2 | 1) ^ x & 3) % 7 / 2 + 1', doc: Some bytes.}
      - {id: z, type: u1, if: '-x + 1 < 0 or x == 0', doc: A byte for most x.}
      - {id: list, type: b8, doc: A whole byte of bits.}
      - {id: eights, type: s1, repeat: eos, valid: {any-of: [-8, 8]}, doc: Eights.}
enums:
  kind:
    0: none
    1: some
`

// TestInterpreterReadsAsTheSpecSays says by hand what the interpreter must make of
// bytes, so that it does not merely agree with the code that it is to check.
func TestInterpreterReadsAsTheSpecSays(t *testing.T) {
	s, err := spec.Parse("small.ksy", []byte(smallSpec))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range interpreterCases(t) {
		tree, failed, _ := readType(s, test.typ, test.bytes, false)
		var got strings.Builder
		if failed != nil {
			fmt.Fprintf(&got, "%s.%s at %d: %s", failed.typ, failed.field, failed.offset, failed.class)
		} else {
			tree.text(&got)
		}
		if got.String() != test.want {
			t.Errorf("%s of % x is %s, want %s", test.typ, test.bytes, &got, test.want)
		}
	}
}

// interpreterCase is what bytes of a type of smallSpec must become.
type interpreterCase struct {
	typ   string
	bytes []byte
	want  string
}

func interpreterCases(t testing.TB) []interpreterCase {
	t.Helper()
	var out []interpreterCase
	for _, test := range []struct{ typ, in, want string }{
		{
			"numbers", "0102 feff fffffffe ffffffffffffffff 0000803f 3ff0000000000000",
			"{a:258,b:-2,c:-2,d:-1,e:f3f800000,f:f3ff0000000000000}",
		},
		{"numbers", "0102 fe", "numbers.b at 2: short"},
		{"bits", "fff9 07", "{flag:true,wide:4095,kind:1,more:7}"},
		{"bits", "7ff8", "{flag:false,wide:4095,kind:0}"},
		{"bits", "8000", "{flag:true,wide:0,kind:0}"},
		{"bits", "8001", "bits.more at 2: short"},
		{"bits", "80", "bits.wide at 0: short"},
		{"calls", "", "calls.first at -1: short"},
		{"calls", "65", "calls.first at -1: value"},
		{"calls", "0101", "{items:{flag:false,wide:32,kind:1}}"},
		{"calls", "02 01 0102", "tail.text at 0: short"},
		{"calls", "02", "limited.body at 1: short"},
		{"calls", "03 6162", "{items:{text:x0361,rest:x62}}"},
		{"calls", "03", "tail.text at 0: short"},
		{"limited", "0500 04 616263 0102", "{most:5,lenbody:4,body:{text:x6162,rest:x63},after:x0102}"},
		{"limited", "0500 04 616263 0103", "limited.after at 4: value"},
		{"limited", "0500 06", "limited.len_body at 0: value"},
		{"limited", "0500 00", "limited.len_body at 0: value"},
		{"limited", "0500 02 61 0102", "tail.text at 0: short"},
		{"limited", "0500 04 6162", "limited.body at 1: short"},
		{"until", "0102 00 61620000", "{list:[1,2,0],name:x6162}"},
		{"until", "01020003 61626364", "{list:[1,2,0],name:x03616263}"},
		{"until", "0164", "until.list at 0: value"},
		{"until", "01020364 00 61626364", "{list:[1,2,3,100,0],name:x61626364}"},
		{"until", "0102", "until.name at 2: short"},
		{"until", "", "until.list at 0: short"},
		{"sums", "05 01020304 09 80", "{x:5,y:x01020304,z:9,list:128,eights:[]}"},
		{"sums", "00 01 09 80 f808", "{x:0,y:x01,z:9,list:128,eights:[-8,8]}"},
		{"sums", "01 010203 80 0807", "sums.eights at 5: value"},
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(test.in, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, interpreterCase{test.typ, b, test.want})
	}

	return out
}

// A spec may allow more values than its input has bytes; the interpreter gives
// up before they fill the memory.
func TestInterpreterStopsAtItsLimit(t *testing.T) {
	s, err := spec.Parse("many.ksy", []byte(strings.ReplaceAll(manySpec, "\t", "  ")))
	if err != nil {
		t.Fatal(err)
	}
	var failed *failure
	within(t, parserLimits, 1<<20, func() { _, failed = interpret(s, "rows", nil, bytes.Repeat([]byte{255}, 4), false) })
	if failed == nil || failed.class != classLimit {
		t.Errorf("255^2 empty values of 4 bytes: got failure %v, want one of class %s", failed, classLimit)
	}
}

const manySpec = `meta:
	id: many
seq:
	- {id: all, type: rows, doc: All.}
doc: Many.
doc-ref: FORMAT section 1
types:
	rows:
		doc: Rows.
		doc-ref: FORMAT section 1
		seq:
			- {id: num, type: u1, valid: {min: 0, max: 255}, doc: Count.}
			- {id: rows, type: row(num), repeat: expr, repeat-expr: num, doc: Rows.}
	row:
		doc: Row.
		doc-ref: FORMAT section 1
		params:
			- {id: num, type: u1, doc: Count.}
		seq:
			- {id: cells, type: u1, repeat: expr, repeat-expr: num, if: num == 0, doc: None.}
			- {id: empty, type: nothing, repeat: expr, repeat-expr: num, doc: Empty.}
	nothing:
		doc: Nothing.
		doc-ref: FORMAT section 1
		seq:
			- {id: none, size: 0, valid: {expr: true}, doc: None.}
`
