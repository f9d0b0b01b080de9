package fuzz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/spec"
)

// badFile is one file of the bad-input corpus. Its name begins with its class.
type badFile struct {
	typ, name string
	bytes     []byte
	want      string // class of the verdict, chosen here by hand; see verdict
}

// verdict is what the project says of a file, in one line: a class and a
// message. The class is "ok" where bytes of that kind are to be accepted, a
// sentinel of package format, or "spec" for a spec file that is refused.
func verdict(typ string, b []byte) (class, message string) {
	var err error
	var rest []byte
	switch typ {
	case "spec":
		_, err = spec.Parse("bad.ksy", b)
		if err != nil {
			return "spec", strings.ReplaceAll(err.Error(), "\n", " | ")
		}

	case "log":
		err = format.CheckLog(b)
	case "core_dump":
		err = format.CheckCoreDump(b)
	case "payload":
		_, err = format.ParsePayload(b)
	case "crash_catcher":
		_, err = format.ParseCrashCatcher(b)

	default:
		if parse, ok := views[typ]; ok {
			_, rest, err = parse(b)
		} else {
			rest, err = frameOf(typ).parse(b)
		}
	}

	if err == nil {
		return "ok", fmt.Sprintf("%d bytes are left over", len(rest))
	}
	for class, sentinel := range map[string]error{
		"short": format.ErrShort, "value": format.ErrValue, "checksum": format.ErrChecksum,
		"version": format.ErrVersion, "trailing": format.ErrTrailing,
	} {
		if errors.Is(err, sentinel) {
			return class, err.Error()
		}
	}

	return "unknown", err.Error()
}

const verdictsFile = "testdata/bad/verdicts.txt"

// TestBadInputHasItsVerdict makes sure that each file of the corpus has a verdict, each
// verdict a file, that the verdict is that class and message, and that format
// allocates nothing to find it out.
func TestBadInputHasItsVerdict(t *testing.T) {
	files := map[string][]byte{}
	var table strings.Builder
	for _, f := range badFiles(t) {
		name := f.typ + "/" + f.name
		if _, twice := files[name]; twice {
			t.Fatalf("got %s made twice, want it once", name)
		}
		files[name] = f.bytes
		class, message := verdict(f.typ, f.bytes)
		if class != f.want {
			t.Errorf("%s: got %s (%s), want %s", name, class, message, f.want)
		}
		fmt.Fprintf(&table, "%s\t%s\t%s\n", name, class, message)
		if f.typ == "spec" {
			parseSpec(t, f.bytes)
			continue
		}
		differ(t, f.typ, f.bytes)
		if n := testing.AllocsPerRun(1, func() { parseAll(f.bytes) }); n != 0 {
			t.Errorf("%s: got %v allocations, want none", name, n)
		}
	}

	files["verdicts.txt"] = []byte(table.String())
	if *update {
		rewrite(t, filepath.Dir(verdictsFile), files)
	}
	sameFiles(t, filepath.Dir(verdictsFile), files)
	sameVerdicts(t, table.String())
}

// sameVerdicts tells which verdicts changed, line by line.
func sameVerdicts(t *testing.T, got string) {
	t.Helper()
	b, err := os.ReadFile(verdictsFile)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		want[line] = true
	}
	if len(want) == 0 {
		t.Fatalf("got an empty %s, want some verdicts in it", verdictsFile)
	}
	for line := range strings.Lines(got) {
		if !want[line] {
			t.Errorf("got verdict %q, want one of those in %s", line, verdictsFile)
		}
	}
}

// badFiles makes the corpus.
func badFiles(t testing.TB) []badFile {
	t.Helper()
	var out []badFile
	typs := []string{
		"log", "core_dump", "payload", "crash_catcher", "device_info", "log_config", "chunk", "chunk_ack",
		"memory_region", "string_section", "counted_string", "debug_module",
	}
	for _, v := range versions {
		if !slices.Contains(typs, v.frame.ID) {
			typs = append(typs, v.frame.ID)
		}
	}

	for _, typ := range typs {
		out = append(out, badAnyType(typ)...)
	}
	out = append(out, badLogs(t)...)
	out = append(out, badPayloads()...)
	out = append(out, badDumps(t)...)
	out = append(out, badMessages()...)
	out = append(out, badSpecs()...)
	slices.SortFunc(out, func(a, b badFile) int { return strings.Compare(a.typ+"/"+a.name, b.typ+"/"+b.name) })
	return out
}

// badAnyType is what every type gets: nothing, all 00 and all FF.
func badAnyType(typ string) []badFile {
	zeros, ones := bytes.Repeat([]byte{0}, 300), bytes.Repeat([]byte{0xff}, 300)
	want, ok := map[string][3]string{
		"log": {"short", "version", "version"}, "core_dump": {"short", "value", "value"},
		"payload": {"short", "trailing", "value"}, "crash_catcher": {"short", "value", "value"},
		"device_info": {"short", "ok", "short"}, "log_config": {"short", "ok", "value"},
		"chunk": {"short", "value", "ok"}, "chunk_ack": {"short", "ok", "ok"},
		"memory_region": {"short", "ok", "ok"}, "string_section": {"short", "ok", "value"},
		"counted_string": {"short", "ok", "value"}, "debug_module": {"short", "ok", "ok"},
	}[typ]
	if !ok {
		want = [3]string{"short", "value", "value"} // a frame, whose length is neither 0 nor all ones
	}

	return []badFile{
		{typ, "empty.bin", nil, want[0]},
		{typ, "zeros-300.bin", zeros, want[1]},
		{typ, "ones-300.bin", ones, want[2]},
	}
}

// set returns a copy of b with little-endian bytes of a number at an offset.
func set(b []byte, at, size int, value uint64) []byte {
	b = bytes.Clone(b)
	copy(b[at:at+size], binary.LittleEndian.AppendUint64(nil, value)[:size])
	return b
}

// lengths are the wrong values of a length field that is n: 0, 1, off by one,
// and the largest its bytes hold, with one less.
func lengths(n, size int) map[string]uint64 {
	most := uint64(1)<<(8*size) - 1
	return map[string]uint64{
		"0": 0, "1": 1, "one-less": uint64(n - 1), "one-more": uint64(n + 1), "max": most, "max-less-one": most - 1,
	}
}

// reseal sets the checksum of a log right, so that what is wrong is found behind
// it.
func reseal(t testing.TB, b []byte) []byte {
	t.Helper()
	b = bytes.Clone(b)
	h, data, err := format.ParseHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	h.Seal(data)
	return b
}

func badLogs(t testing.TB) []badFile {
	t.Helper()
	var out []badFile
	add := func(name string, b []byte, want string) { out = append(out, badFile{"log", name + ".bin", b, want}) }
	good := map[uint8][]byte{}
	for _, of := range versions {
		version, head := of.number, of.header.Size
		b := buildLog(t, version,
			&format.Record{FmtAddr: 0x8000, Args: []format.Arg{format.ArgI32(-5), format.ArgString("abc")}},
			&format.Record{FmtAddr: 0x8010, Level: format.LevelError})
		good[version] = b
		v := fmt.Sprintf("v%d", version)
		lenData, sum := offsetOf(t, of.header, "len_data"), offsetOf(t, of.header, "checksum")
		lenPayload := head + offsetOf(t, of.frameHeader(), "len_payload")

		for _, n := range []int{1, head - 1, head, head + 1, len(b) - 1} {
			add(fmt.Sprintf("truncated-%s-%03d", v, n), b[:n], "short")
		}

		for name, n := range lengths(len(b)-head, 2) {
			want := "short" // one byte less passes: that byte is 0, and XOR-8 cannot see it go
			if n == 0 || n == 1 {
				want = "checksum"
			}
			if n == uint64(len(b)-head-1) && of.log.Seq[1].Trailing {
				want = "trailing" // a cut frame that nothing follows may be a trailer
			}
			add("len_data-"+v+"-"+name, set(b, lenData, 2, n), want)
		}

		add("len_data-"+v+"-0-resealed", set(set(b, lenData, 2, 0), sum, 2, 0), "trailing")
		for name, n := range lengths(int(binary.LittleEndian.Uint16(b[lenPayload:])), 2) {
			want := map[string]string{"0": "value", "1": "value", "one-less": "short", "one-more": "trailing", "max": "value", "max-less-one": "value"}[name]
			add("len_payload-"+v+"-"+name, reseal(t, set(b, lenPayload, 2, n)), want)
		}

		least := uint64(format.PayloadHeaderSize)
		add("len_payload-"+v+"-below-min", reseal(t, set(b, lenPayload, 2, least-1)), "value")
		add("len_payload-"+v+"-min", reseal(t, set(b, lenPayload, 2, least)), "short")
		most := of.frameHeader().Lookup("len_payload").Value().Hi.Uint64()
		add("len_payload-"+v+"-largest-allowed", reseal(t, set(b, lenPayload, 2, most)), "short")
		add("len_payload-"+v+"-above-allowed", reseal(t, set(b, lenPayload, 2, most+1)), "value")
		add("checksum-"+v+"-low-byte", set(b, sum, 1, uint64(b[sum]^1)), "checksum")
		add("checksum-"+v+"-high-byte", set(b, sum+1, 1, 1), "checksum")
		add("checksum-"+v+"-data-bit", set(b, len(b)-1, 1, uint64(b[len(b)-1]^0x10)), "checksum")
		add("glued-"+v+"-twice", slices.Concat(b, b), "trailing")
		add("junk-"+v+"-after", append(bytes.Clone(b), 0), "trailing")
		add("junk-"+v+"-before", append([]byte{0}, b...), "version")
		add("endianness-"+v+"-len_data", reseal(t, set(b, lenData, 2, uint64(b[lenData])<<8|uint64(b[lenData+1]))), "short")
		long := buildLog(t, version, &format.Record{Args: []format.Arg{format.ArgString(strings.Repeat("x", 65000))}})
		add("string-"+v+"-64KiB", long, "ok")
		add("string-"+v+"-64KiB-truncated", long[:len(long)-1], "short")
	}

	add("glued-v1-v3", slices.Concat(good[1], good[3]), "trailing")
	for _, version := range []uint64{0, 2, 5, 25, 255} {
		add(fmt.Sprintf("version-%d", version), set(good[3], 0, 1, version), "version")
	}
	add("version-3-for-1", set(good[1], 0, 1, 3), "checksum")
	add("version-1-for-3", set(good[3], 0, 1, 1), "short")
	return out
}

func badPayloads() []badFile {
	var out []badFile
	add := func(name string, b []byte, want string) {
		out = append(out, badFile{"payload", name + ".bin", b, want})
	}

	// One argument of the packed type, with the bytes it asks for.
	record := func(packed byte) []byte {
		return append([]byte{0x27, 0, 0x80, 0, 0, 1, packed}, make([]byte, packed&0x0f)...)
	}
	for typ := range byte(16) {
		if typ == 0 || typ > 8 {
			add(fmt.Sprintf("type-%02d", typ), record(typ<<4|4), "value")
			add(fmt.Sprintf("type-%02d-size-0", typ), record(typ<<4), "value")
		}
	}

	for size := range byte(16) {
		want := "value"
		if size == 1 || size == 2 || size == 4 || size == 8 {
			continue
		}
		add(fmt.Sprintf("size-i32-%02d", size), record(0x10|size), want)
		add(fmt.Sprintf("size-u64-%02d", size), record(0x40|size), want)
	}

	for _, size := range []byte{1, 2, 4, 7, 9} {
		add(fmt.Sprintf("size-double-%d", size), record(0x70|size), "value")
		add(fmt.Sprintf("size-string-%d", size), record(0x80|size), "value")
	}

	good := []byte{
		0x27, 0, 0x80, 0, 0, 3, 0x11, 0x80, 0x78, // level 1, module 7; i32, string, double
		0xfb, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f, // -5, 0.5
		1, 0, 5, 0, 3, 0, 'a', 'b', 'c',
	}

	for n := range good {
		want := "short"
		if n == 18 {
			want = "ok" // the device dropped the string
		}
		add(fmt.Sprintf("truncated-%02d", n), good[:n], want)
	}

	for name, n := range lengths(3, 1) {
		want := map[string]string{"0": "value", "1": "value", "one-less": "short", "one-more": "value", "max": "short", "max-less-one": "short"}[name]
		add("num_args-"+name, set(good, 5, 1, n), want)
	}

	for name, n := range lengths(1, 2) {
		switch name {
		case "0", "one-less":
			add("num_strings-"+name, set(good, 18, 2, n), "trailing")
		case "one-more":
			add("num_strings-"+name, set(good, 18, 2, n), "short")
		case "max", "max-less-one":
			add("num_strings-"+name, set(good, 18, 2, n), "value")
		}
	}

	add("num_strings-largest-allowed", set(good, 18, 2, 32764), "short")
	add("num_strings-above-allowed", set(good, 18, 2, 32765), "value")
	for name, n := range lengths(5, 2) {
		add("len_blob-"+name, set(good, 20, 2, n), "short")
	}
	for name, n := range lengths(3, 2) {
		want := "short"
		switch name {
		case "0", "1", "one-less":
			want = "trailing"
		case "max", "max-less-one":
			want = "value"
		}
		add("len_text-"+name, set(good, 22, 2, n), want)
	}

	add("text-not-utf8", slices.Concat(good[:24], []byte{0xff, 0xc0, 0x80}), "ok")
	add("text-nul", slices.Concat(good[:24], []byte{0, 0, 0}), "ok")
	add("junk-after", append(bytes.Clone(good), 0), "trailing")
	add("junk-before", append([]byte{0}, good...), "short")
	add("strings-without-arguments", slices.Concat(good[:5], []byte{0}, good[18:]), "ok")
	add("strings-none-in-section", slices.Concat(good[:18], []byte{0, 0, 0, 0}), "ok")
	return out
}

func badDumps(t testing.TB) []badFile {
	t.Helper()
	var out []badFile
	seeds := madeSeeds(t)
	for i, b := range seeds["core_dump"] {
		crash := seeds["crash_catcher"][i]
		switch i {
		case 1: // with one region
			for _, n := range []int{1, 263, 264, 265, len(b) - 1} {
				out = append(out, badFile{"core_dump", fmt.Sprintf("truncated-%03d.bin", n), b[:n], "short"})
			}
			for name, n := range lengths(len(b), 4) {
				want := "short"
				switch name {
				case "0", "1":
					want = "value"
				case "one-less":
					want = "checksum"
				}
				out = append(out, badFile{"core_dump", "len_total-" + name + ".bin", set(b, 0, 4, n), want})
			}

			out = append(out,
				badFile{"core_dump", "len_total-below-min.bin", set(b, 0, 4, 351), "value"},
				badFile{"core_dump", "len_total-min.bin", set(b, 0, 4, 352), "checksum"},
				badFile{"core_dump", "endianness-len_total.bin", set(b, 0, 4, uint64(len(b))<<16), "short"},
				badFile{"core_dump", "checksum.bin", set(b, 4, 4, 0), "checksum"},
				badFile{"core_dump", "checksum-data-bit.bin", set(b, len(b)-1, 1, uint64(b[len(b)-1]^1)), "checksum"},
				badFile{"core_dump", "version-0.bin", set(b, 8, 4, 0), "value"},
				badFile{"core_dump", "version-2.bin", set(b, 8, 4, 2), "value"},
				badFile{"core_dump", "version-endianness.bin", set(b, 8, 4, 1<<24), "value"},
				badFile{"core_dump", "glued-twice.bin", slices.Concat(b, b), "trailing"},
				badFile{"core_dump", "junk-after.bin", append(bytes.Clone(b), 0), "trailing"},
				badFile{"core_dump", "junk-before.bin", append([]byte{0}, b...), "value"},
				badFile{"core_dump", "text-without-nul.bin", slices.Concat(b[:16], bytes.Repeat([]byte{'x'}, 248), b[264:]), "ok"},
				badFile{"core_dump", "text-not-utf8.bin", set(b, 60, 2, 0xc0ff), "ok"},
				badFile{"core_dump", "text-after-nul.bin", set(b, 61, 2, 'x'<<8), "ok"},
			)

			head := len(crash) - 28 // of the region
			for _, n := range []int{1, 8, 9, 87, 88, 100, 219, 221, 224, 227, 228, len(crash) - 1} {
				want := "short"
				if n > 220 && n < 228 {
					want = "value" // no stack overflow mark
				}
				out = append(out, badFile{"crash_catcher", fmt.Sprintf("truncated-%03d.bin", n), crash[:n], want})
			}

			start := binary.LittleEndian.Uint32(crash[head:])
			for name, n := range lengths(20, 4) {
				want := "short" // where data is taken for the next region too
				if name == "one-less" {
					want = "value" // one byte is no stack overflow mark
				}
				end := new(big.Int).SetUint64(uint64(start) + n)
				if !end.IsUint64() || end.Uint64() > 1<<32-1 {
					continue
				}
				out = append(out, badFile{"crash_catcher", "region-size-" + name + ".bin", set(crash, head+4, 4, end.Uint64()), want})
			}

			out = append(out,
				badFile{"crash_catcher", "region-end-before-start.bin", set(crash, head+4, 4, uint64(start)-1), "value"},
				badFile{"crash_catcher", "region-end-0.bin", set(crash, head+4, 4, 0), "value"},
				badFile{"crash_catcher", "region-end-max.bin", set(crash, head+4, 4, 1<<32-1), "short"},
				badFile{"crash_catcher", "region-start-0.bin", set(crash, head, 4, 0), "short"},
				badFile{"crash_catcher", "magic-version.bin", set(crash, 2, 1, 4), "value"},
				badFile{"crash_catcher", "flags-without-registers.bin", set(crash[:88], 4, 4, 1), "short"},
				badFile{"crash_catcher", "flags-not-set.bin", set(crash, 4, 4, 0), "short"},
				badFile{"crash_catcher", "junk-before.bin", append([]byte{0}, crash...), "value"},
			)

		case 3: // with regions and a stack overflow
			for n := 1; n < 8; n++ {
				name := fmt.Sprintf("junk-after-overflow-%d.bin", n)
				junk := append(bytes.Clone(crash), make([]byte, n)...)
				// From four bytes on, the mark and they are taken for a region.
				out = append(out, badFile{"crash_catcher", name, junk, "value"})
			}
			out = append(out, badFile{"crash_catcher", "overflow-wrong-mark.bin", set(crash, len(crash)-1, 1, 0), "value"})
		}
	}

	return out
}

func badMessages() []badFile {
	info := []byte("\x01\x00\x00\x00SN-1\x00sensor\x001.2.3\x00deadbeef\x00")
	var out []badFile
	for n := range info {
		want := "short"
		if n >= 4 && (n == 4 || info[n-1] == 0) {
			want = "ok" // trailing strings may be missing
		}
		out = append(out, badFile{"device_info", fmt.Sprintf("truncated-%02d.bin", n), info[:n], want})
	}

	long := slices.Concat(info[:4], bytes.Repeat([]byte{'x'}, 1<<16))
	out = append(out,
		badFile{"device_info", "junk-after.bin", append(bytes.Clone(info), "more\x00"...), "ok"},
		badFile{"device_info", "nul-only.bin", make([]byte, 8), "ok"},
		badFile{"device_info", "not-utf8.bin", []byte("\x01\x00\x00\x00\xff\xc0\x00"), "ok"},
		badFile{"device_info", "string-64KiB.bin", append(bytes.Clone(long), 0), "ok"},
		badFile{"device_info", "string-64KiB-without-nul.bin", long, "short"},
		badFile{"device_info", "topic-metacharacters.bin", []byte("\x01\x00\x00\x00../#/+\x00$SYS/a b\x00"), "ok"},
	)

	config := []byte{0, 255, 255, 255, 255, 0, 0, 0, 0}
	for n := 1; n < len(config); n++ {
		out = append(out, badFile{"log_config", fmt.Sprintf("truncated-%d.bin", n), config[:n], "short"})
	}
	for _, level := range []uint64{4, 5, 6, 128, 255} {
		want := "value"
		if level == 4 {
			want = "ok"
		}
		out = append(out, badFile{"log_config", fmt.Sprintf("level-%d.bin", level), set(config, 0, 1, level), want})
	}

	out = append(out, badFile{"log_config", "junk-after.bin", append(bytes.Clone(config), 7), "ok"})
	chunk := []byte{0, 0, 20, 0}
	for n := 1; n < len(chunk); n++ {
		out = append(out, badFile{"chunk", fmt.Sprintf("truncated-%d.bin", n), chunk[:n], "short"})
	}
	return append(out,
		badFile{"chunk", "no-data.bin", chunk, "ok"},
		badFile{"chunk", "len_total-0.bin", set(chunk, 2, 2, 0), "value"},
		badFile{"chunk", "len_total-1.bin", set(chunk, 2, 2, 1), "ok"},
		badFile{"chunk", "len_total-max.bin", set(chunk, 2, 2, 65535), "ok"},
		badFile{"chunk", "data-64KiB.bin", slices.Concat(chunk, make([]byte, 1<<16)), "ok"},
		badFile{"chunk_ack", "truncated-1.bin", []byte{0}, "short"},
		badFile{"debug_module", "truncated-7.bin", make([]byte, 7), "short"},
		badFile{"counted_string", "len_text-above-allowed.bin", []byte{0xfe, 0xff}, "value"},
		badFile{"counted_string", "len_text-max.bin", []byte{0xff, 0xff}, "value"},
		badFile{"counted_string", "len_text-largest-allowed.bin", []byte{0xfd, 0xff}, "short"},
		badFile{"counted_string", "string-64KiB.bin", append([]byte{0xfd, 0xff}, bytes.Repeat([]byte{'x'}, 65533)...), "ok"},
		badFile{"memory_region", "end-before-start.bin", []byte{1, 0, 0, 0, 0, 0, 0, 0}, "value"},
		badFile{"memory_region", "size-4GiB.bin", []byte{0, 0, 0, 0, 255, 255, 255, 255, 0}, "short"},
	)
}
