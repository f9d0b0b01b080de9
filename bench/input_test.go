package bench

import (
	"math/rand/v2"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// realisticLog makes a version 3 log of at most 65,535 data bytes, of records
// like those of real firmware: mostly short, mostly with a few integers.
func realisticLog(tb testing.TB) []byte {
	tb.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	b, err := format.NewLogBuilder(3)
	if err != nil {
		tb.Fatal(err)
	}

	b.Tick, b.TickRateHz = 1<<30, 32768
	for {
		r := format.Record{
			Level: format.Level(rng.IntN(6)), Module: uint8(rng.IntN(8)),
			FmtAddr: 0x8000 + uint32(rng.IntN(400))*24, TickDelta: uint32(rng.IntN(4000)),
		}

		for range rng.IntN(5) {
			switch rng.IntN(12) {
			case 0:
				r.Args = append(r.Args, format.ArgString("temperature"[:1+rng.IntN(11)]))
			case 1:
				r.Args = append(r.Args, format.ArgDouble(rng.NormFloat64()))
			case 2:
				r.Args = append(r.Args, format.ArgPointer(0x20000000+uint32(rng.IntN(65536))))
			case 3:
				r.Args = append(r.Args, format.ArgU64(rng.Uint64()))
			case 4, 5, 6:
				r.Args = append(r.Args, format.ArgU32(rng.Uint32()>>rng.IntN(32)))
			default:
				r.Args = append(r.Args, format.ArgI32(int32(rng.Uint32())>>rng.IntN(32)))
			}
		}

		if b.Add(&r) != nil {
			break
		}
	}

	log, err := b.AppendTo(nil)
	if err != nil {
		tb.Fatal(err)
	}

	return log
}
