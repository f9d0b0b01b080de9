package text

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// BenchmarkParallel decodes a file from memory by one and by several
// goroutines. The rest of what rendering costs is measured in package bench.
func BenchmarkParallel(b *testing.B) {
	d := dictionaryOf(b, map[uint32]string{0x1000: "temp=%d rh=%d seq=%u"})
	var records []format.Record
	for i := range 3000 {
		r := record1(0x1000, format.ArgI32(int32(i%60-20)), format.ArgI32(int32(i%100)), format.ArgU32(uint32(100_000+i)))
		r.TickDelta = 137
		records = append(records, r)
	}
	file := bytes.Repeat(logOf(b, 3, records...), 300)
	for _, parallel := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			decoder, err := NewDecoder(Config{Dictionaries: []Dictionary{d}, Parallel: parallel})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(file)))
			shown := int64(0)
			for b.Loop() {
				report, err := decoder.Decode(context.Background(), "x", bytes.NewReader(file), io.Discard)
				if err != nil {
					b.Fatal(err)
				}
				shown += report.Shown
			}
			if want := int64(b.N) * int64(len(records)) * 300; shown != want {
				b.Fatalf("%d records, want %d", shown, want)
			}
			b.ReportMetric(float64(shown)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
