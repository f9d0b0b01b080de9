package fuzz

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/spec"
)

var update = flag.Bool("update", false, "write the files under testdata anew")

// minSeeds is how many good samples each type of the spec has at least.
const minSeeds = 2

// vector is what a real agent wrote.
type vector struct {
	name, typ string
	bytes     []byte
}

// agentVectors returns what real agents wrote: logs and crash dumps.
func agentVectors(t testing.TB) []vector {
	t.Helper()
	var out []vector
	for _, v := range formattest.Logs(t) {
		out = append(out, vector{v.Name, "log", v.Buffer})
	}
	for _, v := range formattest.Dumps(t) {
		out = append(out, vector{v.Name, "core_dump", v.Core})
	}
	slices.SortFunc(out, func(a, b vector) int { return strings.Compare(a.name+a.typ, b.name+b.typ) })
	return out
}

// readSeeds returns the good samples of a type. A type without any fails the
// test: seeds that silently went missing would leave a target without a start.
func readSeeds(t testing.TB, typ string) [][]byte {
	t.Helper()
	return readFolder(t, filepath.Join("testdata", "seeds", typ))
}

// readFolder returns the contents of all files of a folder, which must have some.
func readFolder(t testing.TB, dir string) [][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	if len(out) == 0 {
		t.Fatalf("got no seeds in %s, want some", dir)
	}
	return out
}

// readType is interpret with the parameters of the type taken from the first
// bytes, as the seeds and the comparisons have them. Skip is how many those are.
func readType(s *spec.Spec, id string, b []byte, shallow bool) (tree *node, failed *failure, skip int) {
	var args []uint64
	for _, p := range s.Type(id).Params {
		if len(b)-skip < p.Type.Width {
			return nil, &failure{class: classShort, typ: id, field: p.ID}, skip
		}
		var word [8]byte
		copy(word[:], b[skip:skip+p.Type.Width])
		args = append(args, binary.LittleEndian.Uint64(word[:]))
		skip += p.Type.Width
	}
	tree, failed = interpret(s, id, args, b[skip:], shallow)
	return tree, failed, skip
}

// TestSeedsAreGoodAndCurrent counts the seeds of every type, makes sure that each is
// a good sample of it, and that the files are those that seeds makes.
func TestSeedsAreGoodAndCurrent(t *testing.T) {
	made := makeSeeds(t)
	if *update {
		rewrite(t, filepath.Join("testdata", "seeds"), made)
	}
	for _, typ := range ulogger.Types {
		seeds := readSeeds(t, typ.ID)
		if len(seeds) < minSeeds {
			t.Errorf("type %s: got %d seeds, want at least %d", typ.ID, len(seeds), minSeeds)
		}
		for i, b := range seeds {
			tree, failed, skip := readType(ulogger, typ.ID, b, false)
			if failed != nil || tree.end != len(b)-skip {
				t.Errorf("seed %d of %s: got failure %v, want a good sample of %d bytes", i, typ.ID, failed, len(b)-skip)
			}
			differ(t, typ.ID, b)
		}
	}
	sameFiles(t, filepath.Join("testdata", "seeds"), made)
}

// rewrite replaces the folder by files.
func rewrite(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// sameFiles makes sure that a folder holds exactly the files.
func sameFiles(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		want, ok := files[filepath.ToSlash(name)]
		if !ok {
			t.Errorf("got %s, want only what this test makes; write the files anew with -update", path)
			return nil
		}
		found++
		got, err := os.ReadFile(path)
		if err == nil && !bytes.Equal(got, want) {
			t.Errorf("%s: got other bytes, want those that this test makes; write the files anew with -update", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	if found != len(files) || found == 0 {
		t.Errorf("%s: got %d files, want %d and at least one; write them anew with -update", dir, found, len(files))
	}
}

// makeSeeds cuts good samples of every type out of what real agents wrote, the
// shortest, a longer and the longest of at most 1 KiB, and adds made ones where
// the agents wrote none.
func makeSeeds(t testing.TB) map[string][]byte {
	t.Helper()
	samples := map[string]map[string]bool{}
	add := func(typ string, b []byte) {
		if samples[typ] == nil {
			samples[typ] = map[string]bool{}
		}
		if len(b) <= 1024 {
			samples[typ][string(b)] = true
		}
	}

	for _, v := range agentVectors(t) {
		tree, failed := interpret(ulogger, v.typ, nil, v.bytes, false)
		if failed != nil {
			t.Fatalf("%s: the interpreter does not take it: %v", v.name, failed)
		}
		tree.walk(func(n *node) {
			if n.kind != structNode {
				return
			}
			var b []byte
			for i, p := range n.typ.Params {
				b = append(b, binary.LittleEndian.AppendUint64(nil, n.kids[i].n.Uint64())[:p.Type.Width]...)
			}
			add(n.typ.ID, append(b, v.bytes[n.start:n.end]...))
		})
	}

	files := map[string][]byte{}
	for typ, set := range samples {
		var all []string
		for b := range set {
			all = append(all, b)
		}
		slices.SortFunc(all, func(a, b string) int {
			if len(a) != len(b) {
				return len(a) - len(b)
			}
			return strings.Compare(a, b)
		})
		for i, b := range []string{all[0], all[len(all)/2], all[len(all)-1]} {
			if i == 0 || b != all[0] {
				files[fmt.Sprintf("%s/agent-%d.bin", typ, i)] = []byte(b)
			}
		}
	}

	for typ, list := range madeSeeds(t) {
		for i, b := range list {
			files[fmt.Sprintf("%s/made-%02d.bin", typ, i)] = b
		}
	}

	return files
}

// madeSeeds are samples of what the vectors lack.
func madeSeeds(t testing.TB) map[string][][]byte {
	t.Helper()
	count := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i + 1)
		}
		return b
	}

	out := map[string][][]byte{
		"chunk":           {{0, 0, 20, 0, 'a', 'b'}, append([]byte{16, 0, 32, 0}, count(16)...), {255, 255, 255, 255}},
		"chunk_ack":       {{0, 0}, {16, 0}, {255, 255}},
		"log_config":      {{0, 255, 255, 255, 255, 0, 0, 0, 0}, {4, 1, 0, 0, 128, 16, 14, 0, 0}},
		"debug_module":    {{0, 128, 0, 0, 1, 0, 0, 0}, {4, 128, 0, 0, 0, 0, 0, 128}},
		"fault_registers": {make([]byte, 20), count(20)},
		"registers":       {count(80)},
		"fp_registers":    {make([]byte, 132), count(132)},
		"crash_header":    {{0x63, 0x43, 3, 0, 0, 0, 0, 0}, {0x63, 0x43, 3, 0, 1, 0, 0, 0}},
		"memory_region":   {{0, 0, 0, 32, 0, 0, 0, 32}, {255, 255, 255, 255, 255, 255, 255, 255}},
		"device_info": {
			{1, 0, 0, 0},
			[]byte("\x01\x00\x00\x00SN-1\x00"),
			[]byte("\x01\x00\x00\x00SN-1\x00sensor\x001.2.3\x00"),
			[]byte("\x01\x00\x00\x00SN-1\x00sensor\x001.2.3\x00deadbeef\x00"),
			[]byte("\x01\x00\x00\x00\x00\x00\x00\x00"),
		},
		"counted_string": {{0, 0}, {3, 0, 0, 0xff, 0xc0}},
		"string_section": {{0, 0, 0, 0}, {2, 0, 7, 0, 1, 0, 'a', 2, 0, 0, 0}},
		"strings":        {{0, 0}, {2, 0, 1, 0, 'a', 2, 0, 0, 0}},
		"string_section_header": {
			{0, 0, 0, 0}, {0xfc, 0x7f, 0xff, 0xff},
		},
	}

	for _, c := range append(ulogger.Type("argument").Seq[0].Type.Cases, spec.Case{Value: &spec.IntLit{N: 0x80}}) {
		packed, _ := spec.Const(c.Value)
		low := make([]byte, packed.Uint64()&0x0f)
		high := bytes.Repeat([]byte{0xff}, len(low))
		out["argument"] = append(out["argument"], append([]byte{byte(packed.Uint64())}, low...), append([]byte{byte(packed.Uint64())}, high...))
	}

	dump := append(append([]byte{0x63, 0x43, 3, 0, 1, 0, 0, 0}, count(80)...), make([]byte, 132)...)
	region := append([]byte{0x28, 0xed, 0, 0xe0, 0x3c, 0xed, 0, 0xe0}, count(20)...)
	overflow := []byte{0xac, 0xce, 0x55, 0xed}
	out["crash_catcher"] = [][]byte{dump, slices.Concat(dump, region), slices.Concat(dump, overflow), slices.Concat(dump, region, region, overflow)}
	for _, crash := range out["crash_catcher"] {
		var h format.CoreDumpHeader
		h.SetLenTotal(uint32(format.CoreDumpHeaderSize + len(crash)))
		h.SetVersion(1)
		if err := h.SetDeviceType("sensor"); err != nil {
			t.Fatal(err)
		}
		d := format.CoreDump{Header: &h, Crash: crash}
		d.Seal()
		b, err := d.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		out["core_dump"] = append(out["core_dump"], b)
	}

	for _, v := range versions {
		b := buildLog(t, v.number, &format.Record{
			Level: format.LevelMetric, Module: 31, FmtAddr: 0x8000, TickDelta: 100, Sequence: 9,
			Args: []format.Arg{format.ArgString("a"), format.ArgDouble(0.5), format.ArgDropped()},
		}, &format.Record{})
		empty := buildLog(t, v.number)
		out["log"] = append(out["log"], b, empty)
		out[v.log.ID] = append(out[v.log.ID], b, empty)
		out[v.header.ID] = append(out[v.header.ID], b[:v.header.Size], empty)

		l, _, err := format.ParseLog(b)
		if err != nil {
			t.Fatal(err)
		}
		end := len(l.Data()) - v.frameHeader().Size - format.PayloadHeaderSize
		out[v.frames.ID] = append(out[v.frames.ID], nil, l.Data())
		for _, frame := range [][]byte{l.Data()[:end], l.Data()[end:]} {
			out[v.frame.ID] = append(out[v.frame.ID], frame)
			out[v.frameHeader().ID] = append(out[v.frameHeader().ID], frame[:v.frameHeader().Size])
		}
	}

	return out
}

// buildLog makes a log of records.
func buildLog(t testing.TB, version uint8, records ...*format.Record) []byte {
	t.Helper()
	builder, err := format.NewLogBuilder(version)
	if err != nil {
		t.Fatal(err)
	}
	builder.SessionToken, builder.Sequence, builder.Tick, builder.TickRateHz = 0x01020304, 5, 1000, 32768
	builder.EpochTimeUs = 1_732_829_000_000_000
	for _, r := range records {
		if err := builder.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	b, err := builder.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// An interpreter that accepts everything would agree with nothing below, but
// its own tests say directly what it must refuse.
func TestSeedsAreNotForAnyType(t *testing.T) {
	refused := 0
	for _, typ := range ulogger.Types {
		for _, b := range readSeeds(t, typ.ID) {
			for _, other := range ulogger.Types {
				if _, failed, _ := readType(ulogger, other.ID, b, false); failed != nil {
					refused++
				}
				differ(t, other.ID, b)
			}
		}
	}
	if refused == 0 {
		t.Error("got every type to take the seeds of every other, want some refused")
	}
}
