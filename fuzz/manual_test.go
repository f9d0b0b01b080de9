package fuzz

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/spec"
)

// manuals compare the types written by hand, by their names in the spec. Each
// takes any bytes; parameters of a type are taken from the first of them.
var manuals = map[string]func(t testing.TB, b []byte){
	"log":           differLog,
	"payload":       differPayload,
	"argument":      differArgument,
	"strings":       differStrings,
	"crash_catcher": differCrashCatcher,
}

// differLog compares ParseLog, which reads the header and delimits the data, and
// CheckLog, which reads everything.
func differLog(t testing.TB, b []byte) {
	t.Helper()
	differCheck(t, "log", b, format.CheckLog(b))
	tree, failed := interpret(ulogger, "log", nil, b, true)
	l, rest, err := format.ParseLog(b)
	if !agreeOnFailure(t, "log", b, err, failed) {
		return
	}

	if err != nil {
		if l.Bytes() != nil || rest != nil {
			t.Errorf("log: got results %x and %x beside the error, want none", l.Bytes(), rest)
		}
		return
	}

	head := tree.at("body", "header")
	sameHeader(t, l.Header, head)
	sameBytes(t, "log: data", l.Data(), tree.at("body", "data").raw)
	sameBytes(t, "log: bytes", l.Bytes(), b[:tree.end])
	sameBytes(t, "log: rest", rest, b[tree.end:])
	if (l.Verify() == nil) != sealed(tree.kid("body")) {
		t.Errorf("log: got error %v of Verify, want one: %v", l.Verify(), !sealed(tree.kid("body")))
	}
}

// differFrames compares the walk over frames. Where a frame is bad, Frames has
// yielded those before it, and so has the interpreter.
func differFrames(t testing.TB, v headerVersion, b []byte) {
	t.Helper()
	b = b[:min(len(b), math.MaxUint16)]
	id := v.frames.ID
	l, _, err := format.ParseLog(v.withData(t, b))
	if err != nil {
		t.Fatal(err)
	}

	tree, failed := interpret(ulogger, id, nil, b, true)
	want := tree.kid("frames").kids
	frames, again := l.Frames(), l.Frames()
	all := slices.Collect(again.All())
	walked := 0
	for i := 0; frames.Next(); i++ {
		walked++
		if i >= len(want) || i >= len(all) {
			t.Fatalf("%s: got more than %d frames by the loop, want %d by the interpreter and %d by the iterator", id, i, len(want), len(all))
		}
		f := frames.Frame()
		sameFrame(t, f, want[i])
		sameBytes(t, id+": payload of the iterator", all[i].Payload, f.Payload)
		if int(f.Offset) != want[i].start || f.Offset != all[i].Offset {
			t.Errorf("%s: frame %d: got offset %d, %d by the iterator, want %d", id, i, f.Offset, all[i].Offset, want[i].start)
		}
	}

	if walked != len(want) || len(all) != len(want) {
		t.Errorf("%s: got %d frames by the loop and %d by the iterator, want %d", id, walked, len(all), len(want))
	}
	agreeOnFailure(t, id, b, frames.Err(), failed)
	agreeOnFailure(t, id, b, again.Err(), failed)
	if frames.Offset() != tree.kid("frames").end {
		t.Errorf("%s: got the walk to end at %d, want %d", id, frames.Offset(), tree.kid("frames").end)
	}
}

// differPayload compares the whole of a record, arguments and strings included.
func differPayload(t testing.TB, b []byte) {
	t.Helper()
	tree, failed := interpret(ulogger, "payload", nil, b, false)
	p, err := format.ParsePayload(b)
	if !agreeOnFailure(t, "payload", b, err, failed) || err != nil {
		return
	}

	head := tree.kid("header")
	for name, got := range map[string]uint64{
		"level": uint64(p.Level()), "module": uint64(p.Module()), "fmt_addr": uint64(p.FmtAddr()), "num_args": uint64(p.NumArgs()),
	} {
		if want := head.kid(name).n.Uint64(); got != want {
			t.Errorf("payload: got %s %d, want %d", name, got, want)
		}
	}

	var texts []*node
	if section := tree.at("strings", "blob", "strings"); section != nil {
		texts = section.kids
	}
	i := 0
	for text := range p.Strings() {
		if i >= len(texts) {
			t.Fatalf("payload: got more than %d strings, want no more", i)
		}
		sameBytes(t, "payload: string", text, texts[i].kid("text").raw)
		i++
	}

	if i != len(texts) {
		t.Errorf("payload: got %d strings, want %d", i, len(texts))
	}
	args, again := p.Args(), p.Args()
	all := slices.Collect(again.All())
	values := tree.kid("values").kids
	if len(all) != len(values) {
		t.Fatalf("payload: got %d arguments, want %d", len(all), len(values))
	}

	for i, n := range values {
		if !args.Next() {
			t.Fatalf("payload: got %d arguments by the loop, want %d", i, len(values))
		}
		sameArg(t, args.Arg(), n, &texts)
		if a, b := args.Arg(), all[i]; a.Type() != b.Type() || a.Uint() != b.Uint() || !bytes.Equal(a.Text(), b.Text()) {
			t.Errorf("payload: argument %d: got %v by the iterator, want %v as by the loop", i, b, a)
		}
	}

	if args.Next() {
		t.Errorf("payload: got more than %d arguments, want no more", len(values))
	}
}

// sameArg compares one argument; a string takes its text from the front of
// texts.
func sameArg(t testing.TB, a format.Arg, n *node, texts *[]*node) {
	t.Helper()
	typ := n.kid("packed").n.Uint64() >> 4
	if uint64(a.Type()) != typ {
		t.Errorf("argument: got type %v, want %d", a.Type(), typ)
	}

	if a.Type() == format.ArgTypeString {
		var want []byte
		stored := len(*texts) > 0
		if stored {
			want, *texts = (*texts)[0].kid("text").raw, (*texts)[1:]
		}
		if a.Stored() != stored || (a.Text() != nil) != stored {
			t.Errorf("string argument: got stored %v with text %q, want stored %v, and text only then", a.Stored(), a.Text(), stored)
		}
		sameBytes(t, "argument: text", a.Text(), want)
		return
	}

	value := n.kid("value")
	ok := a.Stored() && a.Text() == nil
	switch a.Type() {
	case format.ArgTypeDouble:
		ok = ok && math.Float64bits(a.Float()) == value.f
	case format.ArgTypeI32, format.ArgTypeI64:
		ok = ok && value.n.IsInt64() && a.Int() == value.n.Int64()
	default:
		ok = ok && value.n.IsUint64() && a.Uint() == value.n.Uint64()
	}

	if !ok {
		t.Errorf("%v argument: got %#x, stored %v, text %q, want %v (as a float %#x), stored and without text",
			a.Type(), a.Uint(), a.Stored(), a.Text(), value.n, value.f)
	}
}

// differArgument reads one argument: its packed type, then its value. By itself
// the type argument takes any packed type and reads nothing for one it does not
// know; in a record such a packed type is refused.
func differArgument(t testing.TB, b []byte) {
	t.Helper()
	if len(b) == 0 {
		return
	}
	packed := b[0]
	tree, failed := interpret(ulogger, "argument", []uint64{uint64(packed)}, b[1:], false)
	record := append([]byte{0, 0, 0, 0, 0, 1}, b...)
	if failed == nil {
		record = record[:7+tree.end]
	}
	p, err := format.ParsePayload(record)
	known := packed == 0x80 // a string, which has no case: it has no bytes here
	for _, c := range ulogger.Type("argument").Seq[0].Type.Cases {
		n, _ := spec.Const(c.Value)
		known = known || n.Uint64() == uint64(packed)
	}

	if (err == nil) != (known && failed == nil) {
		t.Errorf("argument: got error %v on % x, want one: %v; the interpreter says %v", err, clip(b), !known || failed != nil, failed)
		return
	}

	if err != nil {
		return
	}
	args := p.Args()
	if !args.Next() {
		t.Fatal("argument: got none from the record, want one")
	}

	sameArg(t, args.Arg(), tree, new([]*node))
}

// differStrings reads strings: their number, then what follows it, as the string
// section of a record without arguments.
func differStrings(t testing.TB, b []byte) {
	t.Helper()
	if len(b) < 2 || len(b)-2 > math.MaxUint16 {
		return
	}
	count := binary.LittleEndian.Uint16(b)
	if count > 32764 {
		return // refused by the section's header, before the type strings is asked
	}

	tree, failed := interpret(ulogger, "strings", []uint64{uint64(count)}, b[2:], false)
	record := append([]byte{0, 0, 0, 0, 0, 0}, b[:2]...)
	record = append(binary.LittleEndian.AppendUint16(record, uint16(len(b)-2)), b[2:]...)
	p, err := format.ParsePayload(record)
	if !agreeOnFailure(t, "strings", b, err, failed) || err != nil {
		return
	}

	texts := slices.Collect(p.Strings())
	want := tree.kid("strings").kids
	if len(texts) != len(want) {
		t.Fatalf("strings: got %d, want %d", len(texts), len(want))
	}
	for i, text := range texts {
		sameBytes(t, "strings", text, want[i].kid("text").raw)
	}
}

// differCrashCatcher compares the dump within a crash dump.
func differCrashCatcher(t testing.TB, b []byte) {
	t.Helper()
	tree, failed := interpret(ulogger, "crash_catcher", nil, b, false)
	c, err := format.ParseCrashCatcher(b)
	if !agreeOnFailure(t, "crash_catcher", b, err, failed) || err != nil {
		return
	}

	sameView(t, c.Header, tree.kid("header"))
	sameView(t, c.Registers, tree.kid("registers"))
	if (c.FPRegisters != nil) != (tree.kid("fp_registers") != nil) {
		t.Fatalf("crash_catcher: got floating-point registers %v, want some: %v", c.FPRegisters, tree.kid("fp_registers") != nil)
	}
	if c.FPRegisters != nil {
		sameView(t, c.FPRegisters, tree.kid("fp_registers"))
	}
	if c.StackOverflow != (tree.kid("stack_overflow") != nil) {
		t.Errorf("crash_catcher: got stack overflow %v, want %v", c.StackOverflow, tree.kid("stack_overflow") != nil)
	}

	var want []*node
	if list := tree.kid("regions"); list != nil {
		want = list.kids
	}
	i := 0
	var faults *node
	for region := range c.Regions() {
		if i == len(want) {
			t.Fatalf("crash_catcher: got more than %d regions, want no more", i)
		}
		sameView(t, region, want[i])
		if n, bad := interpret(ulogger, "fault_registers", nil, region.Data, true); bad == nil && region.Start == 0xe000ed28 && faults == nil {
			faults = n
		}
		i++
	}

	if i != len(want) {
		t.Errorf("crash_catcher: got %d regions, want %d", i, len(want))
	}
	if (c.FaultRegisters() != nil) != (faults != nil) {
		t.Errorf("crash_catcher: got fault registers %v, want some: %v", c.FaultRegisters(), faults != nil)
	} else if faults != nil {
		sameView(t, c.FaultRegisters(), faults)
	}
}
