package bench

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/ulogkit/ulogkit/format"
)

// headerV3 is the version 3 header as encoding/binary reads it.
type headerV3 struct {
	Version      uint8
	SessionToken uint32
	Tick         uint32
	TickRateHz   uint32
	LenData      uint16
	Checksum     uint16
}

// sum adds up all fields, so that none of them can be left unread.
func (h *headerV3) sum() uint64 {
	return uint64(h.Version) + uint64(h.SessionToken) + uint64(h.Tick) + uint64(h.TickRateHz) + uint64(h.LenData) + uint64(h.Checksum)
}

func headerFormat(b []byte) uint64 {
	if len(b) < format.HeaderV3Size || b[0] != 3 {
		return 0
	}
	h := (*format.HeaderV3)(b)
	return uint64(h.Version()) + uint64(h.SessionToken()) + uint64(h.Tick()) + uint64(h.TickRateHz()) + uint64(h.LenData()) + uint64(h.Checksum())
}

func headerBinaryRead(b []byte) uint64 {
	var h headerV3
	if binary.Read(bytes.NewReader(b), binary.LittleEndian, &h) != nil {
		return 0
	}
	return h.sum()
}

func headerHand(b []byte) uint64 {
	if len(b) < 17 || b[0] != 3 {
		return 0
	}
	return uint64(b[0]) +
		uint64(binary.LittleEndian.Uint32(b[1:])) +
		uint64(binary.LittleEndian.Uint32(b[5:])) +
		uint64(binary.LittleEndian.Uint32(b[9:])) +
		uint64(binary.LittleEndian.Uint16(b[13:])) +
		uint64(binary.LittleEndian.Uint16(b[15:]))
}

// BenchmarkHeader reads all fields of a version 3 header. Each implementation
// has a loop of its own, since an indirect call would cost more than the fields.
func BenchmarkHeader(b *testing.B) {
	log := realisticLog(b)
	want := headerHand(log)

	for _, impl := range []struct {
		name string
		loop func(*testing.B) uint64
	}{
		{"format", func(b *testing.B) (got uint64) {
			for b.Loop() {
				got = headerFormat(log)
			}
			return got
		}},
		{"binary.Read", func(b *testing.B) (got uint64) {
			for b.Loop() {
				got = headerBinaryRead(log)
			}
			return got
		}},
		{"hand", func(b *testing.B) (got uint64) {
			for b.Loop() {
				got = headerHand(log)
			}
			return got
		}},
	} {
		b.Run("impl="+impl.name, func(b *testing.B) {
			b.SetBytes(format.HeaderV3Size)
			b.ReportAllocs()
			if got := impl.loop(b); got != want || want == 0 {
				b.Fatalf("fields add up to %d, want %d", got, want)
			}
		})
	}
}
