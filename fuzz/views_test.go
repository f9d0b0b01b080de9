package fuzz

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/spec"
)

// ulogger is the spec of the uLogger bytes.
var ulogger = func() *spec.Spec {
	s, err := spec.Parse(spec.SourceName, spec.Source)
	if err != nil {
		panic(err)
	}
	return s
}()

// appender is what every view can do.
type appender interface {
	AppendTo(dst []byte) ([]byte, error)
}

// view parses a generated type.
type view func(b []byte) (v appender, rest []byte, err error)

func viewOf[T appender](parse func([]byte) (T, []byte, error)) view {
	return func(b []byte) (appender, []byte, error) {
		v, rest, err := parse(b)
		return v, rest, err
	}
}

// headerOf takes the bytes of a version's header for its view, which has no parser
// of its own: what is not allowed, AppendTo refuses.
func headerOf[T appender](id string, at func([]byte) T, size int) view {
	return func(b []byte) (appender, []byte, error) {
		var none T
		if len(b) < size {
			return none, nil, &format.Error{Type: id, Err: format.ErrShort}
		}
		v := at(b)
		if _, err := v.AppendTo(nil); err != nil {
			return none, nil, err
		}
		return v, b[size:], nil
	}
}

// views are the generated types, by their names in the spec. TestEveryTypeIsCompared
// holds the list complete.
var views = map[string]view{
	"header_v1":             headerOf("header_v1", func(b []byte) *format.HeaderV1 { return (*format.HeaderV1)(b) }, format.HeaderV1Size),
	"header_v3":             headerOf("header_v3", func(b []byte) *format.HeaderV3 { return (*format.HeaderV3)(b) }, format.HeaderV3Size),
	"header_v4":             headerOf("header_v4", func(b []byte) *format.HeaderV4 { return (*format.HeaderV4)(b) }, format.HeaderV4Size),
	"payload_header":        viewOf(format.ParsePayloadHeader),
	"string_section_header": viewOf(format.ParseStringSectionHeader),
	"string_section":        viewOf(format.ParseStringSection),
	"counted_string":        viewOf(format.ParseCountedString),
	"debug_module":          viewOf(format.ParseDebugModule),
	"core_dump_header":      viewOf(format.ParseCoreDumpHeader),
	"core_dump":             viewOf(format.ParseCoreDump),
	"crash_header":          viewOf(format.ParseCrashHeader),
	"registers":             viewOf(format.ParseRegisters),
	"fp_registers":          viewOf(format.ParseFPRegisters),
	"memory_region":         viewOf(format.ParseMemoryRegion),
	"fault_registers":       viewOf(format.ParseFaultRegisters),
	"chunk":                 viewOf(format.ParseChunk),
	"chunk_ack":             viewOf(format.ParseChunkAck),
	"device_info":           viewOf(format.ParseDeviceInfo),
	"log_config":            viewOf(format.ParseLogConfig),
}

// TestEveryTypeIsCompared makes sure that no type of the spec goes without a comparison.
func TestEveryTypeIsCompared(t *testing.T) {
	for _, typ := range ulogger.Types {
		_, generated := views[typ.ID]
		_, manual := manuals[typ.ID]
		versioned := manualOf(typ.ID) != nil
		if count(generated || versioned, manual) != 1 || generated && typ.Manual != "" || manual && typ.Manual == "" {
			t.Errorf("type %s: got it in the list of views: %v, of manual types: %v, part of a version: %v, want one of them, manual as the spec says: %q",
				typ.ID, generated, manual, versioned, typ.Manual)
		}
	}
	for _, list := range [][]string{slices.Collect(maps.Keys(views)), slices.Collect(maps.Keys(manuals))} {
		for _, id := range list {
			if ulogger.Type(id) == nil {
				t.Errorf("got type %s in the lists, want only types of the spec", id)
			}
		}
	}
}

// count returns how many of the conditions hold.
func count(conditions ...bool) (n int) {
	for _, c := range conditions {
		if c {
			n++
		}
	}
	return n
}

// differ compares what format makes of b as the type id with what the
// interpreter does, and fails the test where they are not at one.
func differ(t testing.TB, id string, b []byte) {
	t.Helper()
	if parse, ok := views[id]; ok {
		differView(t, id, parse, b)
	}
	if manual, ok := manuals[id]; ok {
		manual(t, b)
	}
	if versioned := manualOf(id); versioned != nil {
		versioned(t, b)
	}
	if id == "core_dump" {
		differCheck(t, id, b, format.CheckCoreDump(b))
	}
}

// differView compares a generated view: verdict, every field, the bytes left
// over, the checksum, and the bytes that are written back.
func differView(t testing.TB, id string, parse view, b []byte) {
	t.Helper()
	tree, failed := interpret(ulogger, id, nil, b, true)
	v, rest, err := parse(b)
	if agreeOnFailure(t, id, b, err, failed) {
		if err != nil && (!reflect.ValueOf(v).IsZero() || rest != nil) {
			t.Errorf("%s: got results %v and %x beside the error, want none", id, v, rest)
		}
		if err == nil {
			sameView(t, v, tree)
			sameBytes(t, id+": rest", rest, b[tree.end:])
			back, err := v.AppendTo(nil)
			if err != nil {
				t.Errorf("%s: what was read cannot be written: %v", id, err)
			}
			sameBytes(t, id+": written back", back, b[:tree.end])
		}
	}
}

// agreeOnFailure compares two verdicts and reports whether they are the same.
//
// A view checks that its fixed part is there before it looks at values, so its
// error for too few bytes names the type alone, where the interpreter may have
// seen a bad value among those that are there. In all other cases type, field
// and class are the same.
func agreeOnFailure(t testing.TB, id string, b []byte, err error, f *failure) bool {
	t.Helper()
	if (err != nil) != (f != nil) {
		t.Errorf("%s: got error %v on % x, want one: %v; the interpreter says %v", id, err, clip(b), f != nil, f)
		return false
	}

	if err == nil {
		return true
	}
	if f.class == classLimit {
		t.Errorf("%s: got %v on % x, want a failure below the interpreter's limit", id, f, clip(b))
	}

	if errors.Is(err, format.ErrVersion) {
		if f.typ != "log" || f.field != "version" || f.class != classValue {
			t.Errorf("%s: got error %v, want it only for a value of log.version; the interpreter says %v", id, err, f)
		}
		return true
	}

	var e *format.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: got error %v, want one that says where", id, err)
		return true
	}

	ok := e.Type == f.typ
	if e.Type == "payload" && e.Field == "values" {
		ok = f.typ == "argument" && f.class == classShort // all values are measured at once
	} else if e.Field == "" {
		ok = ok && errors.Is(e, format.ErrShort)
	} else {
		ok = ok && e.Field == f.field && agreeOnClass(e, f) && (e.Offset < 0 || f.offset < 0 || e.Offset == f.offset)
	}

	if !ok {
		t.Errorf("%s: got error %v on % x, want %v as the interpreter says", id, err, clip(b), f)
	}

	return true
}

// agreeOnClass allows for two places where a length is checked before values:
// packed types, as one run, and the 4 bytes after the regions of a crash dump.
func agreeOnClass(e *format.Error, f *failure) bool {
	if f.typ == "payload" && f.field == "packed_types" || f.typ == "crash_catcher" && f.field == "stack_overflow" {
		return true
	}
	short := errors.Is(e, format.ErrShort)
	return short == (f.class == classShort) && (short || errors.Is(e, format.ErrValue) || errors.Is(e, format.ErrTrailing))
}

// sameView compares every field of a view with its node.
func sameView(t testing.TB, v any, n *node) {
	t.Helper()
	for _, a := range n.typ.Seq {
		sameField(t, n.typ.ID+"."+a.ID, member(t, v, a.ID), n.kid(a.ID))
	}
	if v, ok := v.(interface {
		Verify() error
		Seal()
	}); ok {
		if err := v.Verify(); (err == nil) != sealed(n) || err != nil && !errors.Is(err, format.ErrChecksum) {
			t.Errorf("%s: got error %v of Verify, want %q: %v", n.typ.ID, err, format.ErrChecksum, !sealed(n))
		}
	}
}

// sameField compares one field; n is nil when it is not there.
func sameField(t testing.TB, name string, got reflect.Value, n *node) {
	t.Helper()
	switch got.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if n == nil || n.kind != intNode || !n.n.IsUint64() || n.n.Uint64() != got.Uint() {
			t.Errorf("%s: got %d, want %v", name, got.Uint(), n)
		}

	case reflect.Slice:
		if n == nil {
			if !got.IsNil() {
				t.Errorf("%s: got % x, want nothing", name, got.Bytes())
			}
			return
		}
		if got.IsNil() || cap(got.Bytes()) != got.Len() {
			t.Errorf("%s: got nil: %v, room for %d bytes more, want neither", name, got.IsNil(), cap(got.Bytes())-got.Len())
		}
		sameBytes(t, name, got.Bytes(), n.raw)

	case reflect.Pointer, reflect.Struct:
		if n == nil || n.kind != structNode {
			t.Errorf("%s: got a view of type %v, want %v", name, got.Type(), n)
			return
		}
		sameView(t, got.Interface(), n)

	default:
		t.Errorf("%s: got a field of type %v, want one that this test knows", name, got.Type())
	}
}

// member returns the value of a field of a view: what its getter returns, or the
// field of a struct. The generator chooses the Go name; letters and digits are
// those of the id.
func member(t testing.TB, v any, id string) reflect.Value {
	t.Helper()
	name := strings.ReplaceAll(id, "_", "")
	value := reflect.ValueOf(v)
	for i := range value.NumMethod() {
		if m := value.Type().Method(i); strings.EqualFold(m.Name, name) {
			return value.Method(i).Call(nil)[0]
		}
	}
	if value.Kind() == reflect.Struct {
		if f := value.FieldByNameFunc(func(s string) bool { return strings.EqualFold(s, name) }); f.IsValid() {
			return f
		}
	}
	t.Fatalf("%T has no field %s", v, id)
	return reflect.Value{}
}

// sealed reports whether the checksums of n's own fields are right.
func sealed(n *node) bool {
	for _, a := range n.typ.Seq {
		if a.Checksum == nil {
			continue
		}
		covered, io := n.kid(a.ID), n.io
		sum := uint64(0)
		for _, c := range io.b[covered.start-io.base : covered.end-io.base] {
			switch a.Checksum.Algorithm {
			case "xor8":
				sum ^= uint64(c)
			case "sum32":
				sum = (sum + uint64(c)) & math.MaxUint32
			default:
				panic("the interpreter does not know the checksum " + a.Checksum.Algorithm)
			}
		}

		stored, err := (&place{n: n}).num(a.Checksum.Field)
		if err != nil || stored.Uint64() != sum {
			return false
		}
	}

	return true
}

// differCheck compares the verdict of CheckLog or CheckCoreDump, which look at
// everything, with a reading of the whole type.
func differCheck(t testing.TB, id string, b []byte, err error) {
	t.Helper()
	tree, failed := interpret(ulogger, id, nil, b, false)
	outer, outside := interpret(ulogger, id, nil, b, true)
	right := true
	if outside == nil {
		outer.walk(func(n *node) {
			if n.kind == structNode {
				right = right && sealed(n)
			}
		})
	}

	switch {
	case outside == nil && !right:
		if !errors.Is(err, format.ErrChecksum) {
			t.Errorf("check of %s: got error %v, want %v", id, err, format.ErrChecksum)
		}
	case failed == nil && tree.end < len(b):
		if !errors.Is(err, format.ErrTrailing) {
			t.Errorf("check of %s: got error %v, want %v of the %d bytes that follow", id, err, format.ErrTrailing, len(b)-tree.end)
		}
	case id == "log" && outside == nil && trailing(b) && errors.Is(err, format.ErrTrailing):
		if failed == nil {
			t.Errorf("check of log: got error %v, want none: frames fill the data", err)
		}
	default:
		agreeOnFailure(t, "check of "+id, b, err, failed)
	}
}

// sameBytes compares bytes that must lie in the same place too where they are
// views; it leaves nil and empty alike.
func sameBytes(t testing.TB, name string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got % x, want % x", name, clip(got), clip(want))
	}
}

// clip keeps messages readable.
func clip(b []byte) []byte { return b[:min(len(b), 64)] }
