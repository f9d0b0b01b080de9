package bench

import (
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
	seq := uint32(100_000)
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
			b.Tick += r.TickDelta
			seq++
			records++
		}
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
	{"fmt", func(dst []byte, p format.Payload) []byte {
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
	}},
}

var renderTemplate = text.Parse(renderFormat)

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
	for _, to := range []string{"lines", "json"} {
		b.Run("impl=format/from=file/to="+to, func(b *testing.B) { benchmarkFile(b, to == "json") })
	}
}

func benchmarkFile(b *testing.B, asJSON bool) {
	logs, records := renderLogs(b, 8<<20)
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
	decoder, err := text.NewDecoder(text.Config{Dictionaries: []text.Dictionary{renderDictionary(b)}, JSON: asJSON})
	if err != nil {
		b.Fatal(err)
	}
	var report text.Report
	decode := func() {
		if _, err := in.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		if report, err = decoder.Decode(context.Background(), path, in, out); err != nil {
			b.Fatal(err)
		}
	}
	decode() // the statistics get their first row
	b.SetBytes(int64(len(logs)))
	b.ReportAllocs()
	for b.Loop() {
		decode()
	}
	if int(report.Shown) != records || report.Lost() || report.Misfits+report.Unknown != 0 {
		b.Fatalf("%d records gave %+v", records, report)
	}
	b.ReportMetric(float64(records)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// A record costs no allocation.
func TestRenderAllocations(t *testing.T) {
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
		t.Errorf("a record costs %v allocations", n)
	}
}
