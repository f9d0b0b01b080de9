package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/format/dict"
	"github.com/ulogkit/ulogkit/format/text"
)

// The record that renderers of binary logs are compared by.
const (
	renderFormat = "temp=%d rh=%d seq=%u"
	renderAddr   = 0x0800_9a40
)

// renderLogs returns a file of full version 3 logs of such records, with text
// of usual lengths, and the number of records.
func renderLogs(tb testing.TB, size int) (file []byte, records int) {
	tb.Helper()
	seq, tick := uint32(100_000), uint32(0)
	for len(file) < size {
		b, err := format.NewLogBuilder(3)
		if err != nil {
			tb.Fatal(err)
		}
		b.TickRateHz = 32768
		for {
			r := format.Record{
				Level: format.Level(seq % 5), Module: uint8(seq % 4), FmtAddr: renderAddr, TickDelta: 100 + seq%300,
				Args: []format.Arg{format.ArgI32(int32(seq%60) - 20), format.ArgI32(int32(seq % 100)), format.ArgU32(seq)},
			}
			if b.Add(&r) != nil {
				break
			}
			tick += r.TickDelta
			seq++
			records++
		}

		b.Tick = tick
		if file, err = b.AppendTo(file); err != nil {
			tb.Fatal(err)
		}
	}

	return file, records
}

func renderDictionary(tb testing.TB) *dict.Dictionary {
	tb.Helper()
	d, err := dict.FromStrings(map[uint32]string{renderAddr: renderFormat})
	if err != nil {
		tb.Fatal(err)
	}
	d.SetModules(map[uint8]string{0: "MAIN", 1: "SENSOR", 2: "RADIO", 3: "POWER"})
	return d
}

// renderers are the ways to make text of a record's arguments.
var renderers = []struct {
	name string
	run  func(dst []byte, p format.Payload) []byte
}{
	{"format", renderTemplate.Append},
	{"fmt", printRecord},
}

func printRecord(dst []byte, p format.Payload) []byte {
	var values [8]any
	n := 0
	args := p.Args()
	for args.Next() {
		switch a := args.Arg(); a.Type() {
		case format.ArgTypeI32, format.ArgTypeI64:
			values[n] = a.Int()
		default:
			values[n] = a.Uint()
		}
		n++
	}
	return fmt.Appendf(dst, "temp=%d rh=%d seq=%d", values[:n]...)
}

var renderTemplate = text.ParseTemplate(renderFormat)

// BenchmarkRender renders a record with three arguments: from its payload, and
// with all that comes before and after, from a file to the null device.
func BenchmarkRender(b *testing.B) {
	file, _ := renderLogs(b, 1)
	l, _, err := format.ParseLog(file)
	if err != nil {
		b.Fatal(err)
	}
	frames := l.Frames()
	frames.Next()
	p, err := format.ParsePayload(frames.Frame().Payload)
	if err != nil {
		b.Fatal(err)
	}

	for _, impl := range renderers {
		b.Run("impl="+impl.name+"/from=payload", func(b *testing.B) {
			b.ReportAllocs()
			dst := make([]byte, 0, 256)
			for b.Loop() {
				dst = impl.run(dst[:0], p)
			}
			if want := "temp=20 rh=0 seq=100000"; string(dst) != want {
				b.Fatalf("text is %q, want %q", dst, want)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}

	b.Run("impl=format/from=file/to=lines", func(b *testing.B) { benchmarkFile(b, 8<<20, decodeFile(b, false, 1)) })
	b.Run("impl=fmt/from=file/to=lines", func(b *testing.B) { benchmarkFile(b, 8<<20, printFile(b)) })
	b.Run("impl=format/from=file/to=json", func(b *testing.B) { benchmarkFile(b, 8<<20, decodeFile(b, true, 1)) })
}

// BenchmarkParallel renders a file on two cores, beside one. The file is long: the
// buffers that two cores need are made anew for each.
func BenchmarkParallel(b *testing.B) {
	for _, to := range []string{"lines", "json"} {
		for parallel, impl := range []string{"format", "format-one"} {
			b.Run("impl="+impl+"/to="+to, func(b *testing.B) { benchmarkFile(b, 32<<20, decodeFile(b, to == "json", 2-parallel)) })
		}
	}
}

// renderFile writes the records of a file and returns how many there were.
type renderFile func(r io.Reader, w io.Writer) (records int, err error)

// decodeFile has our decoder, on so many cores.
func decodeFile(tb testing.TB, asJSON bool, parallel int) renderFile {
	decoder, err := text.NewDecoder(text.Config{Dictionaries: []text.Dictionary{renderDictionary(tb)}, JSON: asJSON, Parallel: parallel})
	if err != nil {
		tb.Fatal(err)
	}
	return func(r io.Reader, w io.Writer) (int, error) {
		report, err := decoder.Decode(context.Background(), "log.bin", r, w)
		if err == nil && (report.Lost() || report.Misfits+report.Unknown != 0) {
			err = fmt.Errorf("%+v", report)
		}
		return int(report.Shown), err
	}
}

// printFile has a loop over the records, with a Fprintf for each.
func printFile(tb testing.TB) renderFile {
	d := renderDictionary(tb)
	return func(r io.Reader, w io.Writer) (records int, err error) {
		b, err := io.ReadAll(r)
		if err != nil {
			return 0, err
		}
		out := bufio.NewWriterSize(w, 1<<16)
		tick, text := uint64(0), make([]byte, 0, 256)
		for len(b) > 0 {
			var l format.Log
			if l, b, err = format.ParseLog(b); err == nil {
				err = l.Verify()
			}
			if err != nil {
				return 0, err
			}

			_, hz, _ := l.Clock()
			rate := uint64(hz)
			frames := l.Frames()
			for frames.Next() {
				f := frames.Frame()
				tick += uint64(f.TickDelta)
				p, err := format.ParsePayload(f.Payload)
				if err != nil {
					return 0, err
				}
				if _, ok := d.Format(p.FmtAddr()); !ok {
					return 0, fmt.Errorf("no format at %#x", p.FmtAddr())
				}
				module, _ := d.Module(p.Module())
				text = printRecord(text[:0], p)
				fmt.Fprintf(out, "%5d.%06d %-8v %-8s %s\n", tick/rate, tick%rate*1_000_000/rate, p.Level(), module, text)
				records++
			}

			if err := frames.Err(); err != nil {
				return 0, err
			}
		}

		return records, out.Flush()
	}
}

func benchmarkFile(b *testing.B, size int, render renderFile) {
	logs, records := renderLogs(b, size)
	path := filepath.Join(b.TempDir(), "log.bin")
	if err := os.WriteFile(path, logs, 0o600); err != nil {
		b.Fatal(err)
	}
	in, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()

	once := func() {
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		if n, err := render(in, out); err != nil || n != records {
			b.Fatalf("%d of %d records, %v, want %d", n, records, err, records)
		}
	}

	once() // what is made for the first record only
	b.SetBytes(int64(len(logs)))
	b.ReportAllocs()
	for b.Loop() {
		once()
	}
	b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// What is compared writes the same.
func TestRenderersWriteTheSame(t *testing.T) {
	logs, records := renderLogs(t, 2<<20)
	var want []byte
	for i, render := range []renderFile{printFile(t), decodeFile(t, false, 1), decodeFile(t, false, 2)} {
		var out bytes.Buffer
		n, err := render(bytes.NewReader(logs), &out)
		if err != nil || n != records {
			t.Errorf("%d: %d of %d records, %v, want %d", i, n, records, err, records)
		}
		if want == nil {
			want = out.Bytes()
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("%d writes other lines, %d bytes, want %d", i, out.Len(), len(want))
		}
	}
}

// A record costs no allocation.
func TestRenderAllocatesNothing(t *testing.T) {
	file, _ := renderLogs(t, 1<<20)
	l, _, err := format.ParseLog(file)
	if err != nil {
		t.Fatal(err)
	}
	frames := l.Frames()
	frames.Next()
	p, err := format.ParsePayload(frames.Frame().Payload)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() { dst = renderers[0].run(dst[:0], p) }); n != 0 {
		t.Errorf("got %v allocations for a record, want none", n)
	}
}
