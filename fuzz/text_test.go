package fuzz

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/format/formattest"
	"github.com/ulogkit/ulogkit/format/text"
)

// textSeedDir holds a folder for each target of this file.
var textSeedDir = filepath.Join("testdata", "text")

// textLimits leave room for what decoding a file takes at all, its buffers and
// tables, and for an output of up to 4,095 characters an argument.
var textLimits = limits{perByte: 32 << 10, base: 24 << 20, time: time.Minute, perKiB: 500 * time.Millisecond}

// makeTextSeeds makes the seeds by target: the vectors' formats, each with the
// record that an agent wrote for it, and formats that ask for trouble.
func makeTextSeeds(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	add := func(target, name string, b []byte) { files[target+"/"+name+".bin"] = b }
	for _, v := range agentVectors(t) {
		if v.typ != "log" {
			continue
		}
		name := strings.ReplaceAll(v.name, "/", "-")
		add("decode", name, v.bytes)
		l, _, err := format.ParseLog(v.bytes)
		if err != nil {
			t.Fatal(err)
		}

		frames := l.Frames()
		for i := 0; frames.Next() && i < 23; i++ {
			frame := frames.Frame()
			printf, ok := vectorStrings(t)[binary.LittleEndian.Uint32(frame.Payload[1:])]
			if !ok {
				t.Fatalf("%s: frame %d has no format", v.name, i)
			}
			if i == 0 || strings.HasSuffix(v.name, "2.2/A") {
				add("template", fmt.Sprintf("%s-%02d", name, i), append(append([]byte(printf), 0), frame.Payload...))
			}
		}
	}

	record := recordBytes(t, format.ArgI32(-5), format.ArgDouble(2.5), format.ArgString("text"), format.ArgI64(1<<40), format.ArgDropped())
	for i, printf := range []string{
		"%", "%%", "%5", "%*", "%*.*d", "%-+ #0'999999999999.999999999lld", "%.f %#.0e %#g %a", "%hhd %hd %ld %lld %jd %zd %td %Lf", "%s %c %p %n %y",
		"%d %f %s %lld %s", "%s %d %d %d %s", "%.*s %-*c", "%4095d%4095d%4095d",
	} {
		add("template", fmt.Sprintf("made-%02d", i), append(append([]byte(printf), 0), record...))
	}

	for i, b := range [][]byte{
		{0, 0, 0, 0, 1}, {1, 31, 20, 5, 0xff, 0xff, 0xff, 0xff}, {2, 7, 0, 0xff, 0x80}, {3, 3, 9, 2, 'a', 'b', 0xc3}, {4, 5, 12, 3, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f}, {5, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8},
	} {
		add("render", fmt.Sprintf("verb-%d", i), b)
	}

	for name, times := range map[string]struct {
		epoch      uint64
		rate       uint32
		tick, wait uint32
	}{
		"epoch-43075":        {1_297_159_784_214_078_976, 32768, 0x1000000, 32768},
		"epoch-9999":         {253_402_300_799_999_999, 32768, 0xffffffff, 32768},
		"epoch-10000":        {253_402_300_800_000_000, 1000, 5000, 1000},
		"epoch-largest":      {math.MaxUint64, 1, 0xffffffff, 0xffffffff},
		"epoch-signed":       {math.MaxInt64, 32768, 100, 5},
		"epoch-1":            {1, 1, 0xffffffff, 0xffffffff},
		"rate-largest":       {1_732_831_180_376_000, math.MaxUint32, 1, 0xffffffff},
		"ticks-146000-years": {0, 1, 5, 0xffffffff},
	} {
		add("decode", name, slowLog(t, times.epoch, times.rate, times.tick, times.wait))
	}

	for i, line := range []string{text.DefaultLine, "{{{module}}} {addr:-20}|{source:3}", "{", "}", "{text:4096}", "{seconds} {tick} {sequence} {index} {file} {fmt:400} {module_number}"} {
		add("line", fmt.Sprintf("line-%d", i), []byte(line))
	}
	return files
}

// slowLog returns two logs of version 4 in a row, of an epoch and of many frames with
// the same wait before each.
func slowLog(t testing.TB, epoch uint64, rate, tick, wait uint32) (b []byte) {
	t.Helper()
	for _, frames := range []int{3, 200} {
		builder, err := format.NewLogBuilder(4)
		if err != nil {
			t.Fatal(err)
		}
		builder.EpochTimeUs, builder.TickRateHz, builder.Tick = epoch, rate, tick
		for range frames {
			if err := builder.Add(&format.Record{FmtAddr: 0x1000, TickDelta: wait}); err != nil {
				t.Fatal(err)
			}
		}
		if b, err = builder.AppendTo(b); err != nil {
			t.Fatal(err)
		}
		rate = rate/2 + 1
	}
	return b
}

// vectorStrings returns the format strings of both agents by address.
var vectorTexts map[uint32]string

func vectorStrings(t testing.TB) map[uint32]string {
	t.Helper()
	if vectorTexts != nil {
		return vectorTexts
	}
	vectorTexts = map[uint32]string{}
	for _, v := range formattest.Logs(t) {
		for _, f := range v.Frames {
			vectorTexts[f.FmtAddr] = f.Fmt
		}
	}
	return vectorTexts
}

func recordBytes(t testing.TB, args ...format.Arg) []byte {
	t.Helper()
	b, err := (&format.Record{FmtAddr: 0x1000, Args: args}).AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTextSeedsAreThereAndCurrent holds the seeds of the targets to be there and current.
func TestTextSeedsAreThereAndCurrent(t *testing.T) {
	files := makeTextSeeds(t)
	if *update {
		rewrite(t, textSeedDir, files)
	}
	sameFiles(t, textSeedDir, files)
	for _, target := range []string{"template", "render", "decode", "line"} {
		if n := len(readFolder(t, filepath.Join(textSeedDir, target))); n < 6 {
			t.Errorf("%s: got %d seeds, want at least 6", target, n)
		}
	}
}

func addTextSeeds(f *testing.F, target string) {
	f.Helper()
	for _, b := range readFolder(f, filepath.Join(textSeedDir, target)) {
		f.Add(b)
	}
}

// FuzzTemplate renders any record by any format: the input is a format up to a
// NUL, then the record.
func FuzzTemplate(f *testing.F) {
	addTextSeeds(f, "template")
	f.Fuzz(func(t *testing.T, b []byte) {
		printf, payload, ok := bytes.Cut(b, []byte{0})
		p, err := format.ParsePayload(payload)
		if !ok || err != nil {
			return
		}

		within(t, textLimits, len(b), func() {
			template := text.ParseTemplate(string(printf))
			got := template.Append([]byte("> "), p)
			// A conversion without an argument, as in "%9 %", has a width too.
			if most := len(b)*10 + p.NumArgs()*400 + (p.NumArgs()+bytes.Count(printf, []byte("%")))*text.MaxWidth + 64; len(got) > most || !bytes.HasPrefix(got, []byte("> ")) {
				t.Errorf("%q: got %d bytes of text, want at most %d, after what stood there", printf, len(got), most)
			}
			if n := bytes.Count(got, []byte("<missing>")); n > template.NumArgs()+p.NumArgs()+len(b)/9 {
				t.Errorf("%q: got %d arguments missing, want at most %d", printf, n, template.NumArgs()+p.NumArgs()+len(b)/9)
			}
			template.Fits(p)
			if again := template.Append(nil, p); !bytes.Equal(again, got[2:]) {
				t.Errorf("%q: got %q the second time, want %q", printf, again, got[2:])
			}
		})
	})
}

// FuzzRender holds the rendering to Go's own, of the conversions and flags on
// which C and Go agree. The input is the conversion, flags, width and precision,
// a byte each, then the value.
func FuzzRender(f *testing.F) {
	addTextSeeds(f, "render")
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 4 {
			return
		}
		verb, flags, width, prec, rest := "dxXosfe"[b[0]%7], b[1], int(b[2]), int(b[3]%40), b[4:]
		spec := "%"
		for i, flag := range "-+ 0" {
			// Strings and unsigned numbers have no sign and, in Go, no zeros.
			allowed := i == 0 || verb == 'd' || verb == 'f' || verb == 'e' || i == 3 && verb != 's'
			if flags>>i&1 != 0 && allowed {
				spec += string(flag)
			}
		}

		if width > 0 {
			spec += strconv.Itoa(width)
		}
		if flags&16 != 0 {
			spec += "." + strconv.Itoa(prec)
		}
		var bits [8]byte
		copy(bits[:], rest)
		value := binary.LittleEndian.Uint64(bits[:])
		var arg format.Arg
		var same any
		length := ""
		switch verb {
		case 's':
			for _, c := range rest {
				if c >= 0x80 {
					return // Go counts characters, C bytes
				}
			}
			arg, same = format.ArgString(string(rest)), string(rest)

		case 'f', 'e':
			x := math.Float64frombits(value)
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return
			}
			arg, same = format.ArgDouble(x), x

		case 'd':
			if value == 0 && flags&16 != 0 && prec == 0 {
				return // Go forgets the sign
			}
			arg, same, length = format.ArgI64(int64(value)), int64(value), "ll"

		default:
			arg, same, length = format.ArgU64(value), value, "ll"
		}

		p, err := format.ParsePayload(recordBytes(t, arg))
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(spec+string(verb), same)
		if got := text.ParseTemplate(spec+length+string(verb)).Append(nil, p); string(got) != want {
			t.Errorf("%s%c of %v gives %q, want %q", spec, verb, same, got, want)
		}
	})
}

// FuzzDecode decodes any bytes as a file of logs: by one goroutine, by two, and
// byte by byte, with the same result. Each row is JSON.
func FuzzDecode(f *testing.F) {
	addTextSeeds(f, "decode")
	addSeeds(f, "log", "core_dump")
	d, err := dict.FromStrings(vectorStrings(f))
	if err != nil {
		f.Fatal(err)
	}

	f.Fuzz(func(t *testing.T, b []byte) {
		decode := func(parallel, chunk int) (string, text.Report) {
			decoder, err := text.NewDecoder(text.Config{
				Dictionaries: []text.Dictionary{d}, Force: true, JSON: true, Parallel: parallel, Damaged: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			report, err := decoder.Decode(context.Background(), "x", &chunkReader{b, chunk}, &out)
			if err != nil {
				t.Error(err)
			}
			return out.String(), report
		}

		if start := strings.TrimLeft(strings.TrimPrefix(string(b), "\ufeff"), " \t\r\n"); strings.HasPrefix(start, "{") || strings.HasPrefix(start, "[") {
			return // rows, whose faults are errors
		}
		original := b
		within(t, textLimits, len(b), func() {
			want, report := decode(1, len(b)+1)
			if int(report.Bytes) != len(b) {
				t.Errorf("got %d bytes accounted for, want %d", report.Bytes, len(b))
			}
			rows := int64(0)
			for row := range strings.Lines(want) {
				if rows++; !json.Valid([]byte(row)) {
					t.Errorf("got row %s, want JSON", row)
				}
			}

			if rows != report.Shown+report.Unreadable {
				t.Errorf("got %d rows, want %d", rows, report.Shown+report.Unreadable)
			}
			for name, how := range map[string][2]int{"two goroutines": {2, len(b) + 1}, "pieces": {1, 7}} {
				got, other := decode(how[0], how[1])
				if got != want || fmt.Sprint(other) != fmt.Sprint(report) {
					t.Errorf("%s: %d bytes, %+v\nwant %d bytes, %+v", name, len(got), other, len(want), report)
				}
			}

			// The rows can be decoded again.
			b = []byte(want)
			again, other := decode(1, len(b)+1)
			if b = original; again != want {
				t.Errorf("rows decoded again: got\n%s\nwant\n%s\n%+v", again, want, other.Damages)
			}
		})
	})
}

// chunkReader gives n bytes at a time.
type chunkReader struct {
	b []byte
	n int
}

func (c *chunkReader) Read(b []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), c.n)], c.b)
	c.b = c.b[n:]
	return n, nil
}

// FuzzLine takes any format of an output line.
func FuzzLine(f *testing.F) {
	addTextSeeds(f, "line")
	b := readSeeds(f, "log")[0]
	f.Fuzz(func(t *testing.T, s []byte) {
		line, err := text.ParseLine(string(s), len(s)%2 == 0)
		if err != nil {
			return
		}
		decoder, err := text.NewDecoder(text.Config{Line: line})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if _, err := decoder.Decode(context.Background(), "x", bytes.NewReader(b), &out); err != nil {
			t.Error(err)
		}
	})
}
