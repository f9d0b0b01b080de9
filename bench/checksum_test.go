package bench

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// naiveXOR8 is the checksum as FORMAT section 1 tells it.
func naiveXOR8(b []byte) uint8 {
	var x uint8
	for _, c := range b {
		x ^= c
	}
	return x
}

// BenchmarkChecksum compares the log checksum with the naive loop and with
// three things that touch every byte as fast as the standard library can.
func BenchmarkChecksum(b *testing.B) {
	sizes := []int{64, 1024, 16384, 65535}
	rng := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 65535)
	for i := range data {
		data[i] = byte(1 + rng.IntN(255)) // no NUL: IndexByte reads all
	}
	scratch := make([]byte, len(data))
	table := crc32.MakeTable(crc32.Castagnoli)

	for _, impl := range []struct {
		name string
		run  func(data []byte) int
		want func(data []byte) int
	}{
		{
			"format",
			func(data []byte) int { return int(format.XOR8(data)) },
			func(data []byte) int { return int(naiveXOR8(data)) },
		},
		{
			"naive",
			func(data []byte) int { return int(naiveXOR8(data)) },
			func(data []byte) int { return int(format.XOR8(data)) },
		},
		{
			"copy",
			func(data []byte) int { return copy(scratch, data) },
			func(data []byte) int { return len(data) },
		},
		{
			"indexbyte",
			func(data []byte) int { return bytes.IndexByte(data, 0) },
			func([]byte) int { return -1 },
		},
		{
			"crc32c",
			func(data []byte) int { return int(crc32.Checksum(data, table)) },
			func(data []byte) int { return int(crc32.Update(0, table, data)) },
		},
	} {
		for _, size := range sizes {
			b.Run(fmt.Sprintf("impl=%s/size=%d", impl.name, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				got := 0
				for b.Loop() {
					got = impl.run(data[:size])
				}
				if want := impl.want(data[:size]); got != want {
					b.Fatalf("result is %d, want %d", got, want)
				}
			})
		}
	}
}
