package outbox

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ulogkit/ulogkit/mqttv5/device"
	"github.com/ulogkit/ulogkit/mqttv5/internal/devicetest"
	"github.com/ulogkit/ulogkit/mqttv5/internal/payload"
)

func drawRecord(t *rapid.T) *record {
	text := func(name string, n int) string { return rapid.StringN(0, -1, n).Draw(t, name) }
	from := origin{}
	if rapid.Bool().Draw(t, "submitted") {
		from = origin{rapid.Uint64Min(1).Draw(t, "identity"), rapid.Uint64().Draw(t, "number")}
	}
	return &record{
		origin: from,
		Record: Record{
			Kind:    Kind(rapid.IntRange(1, 3).Draw(t, "kind")),
			Device:  device.Info{ApplicationID: rapid.Uint32().Draw(t, "app"), DeviceSerial: text("serial", 64), DeviceType: text("type", 64), GitVersion: text("version", 64), GitHash: text("hash", 64)},
			Payload: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload"),
		},
		seq: rapid.Uint64().Draw(t, "seq"), outbox: rapid.Uint64().Draw(t, "outbox"),
		accepted: rapid.Int64().Draw(t, "accepted"), clock: rapid.Int64().Draw(t, "clock"),
	}
}

func TestRecordIsNeverAltered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		b := r.encode()
		if n, ok := recordSize(append(bytes.Clone(b), 1, 2, 3)); !ok || n != len(b) {
			t.Fatalf("got size %d, known %v, want %d", n, ok, len(b))
		}
		got, err := decodeRecord(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Payload, r.Payload) || got.Device != r.Device || got.id() != r.id() || got.accepted != r.accepted || got.clock != r.clock || got.Kind != r.Kind {
			t.Fatalf("got %+v, want %+v", got, r)
		}
		// Any flipped bit is noticed.
		at := rapid.IntRange(0, len(b)*8-1).Draw(t, "bit")
		b[at/8] ^= 1 << (at % 8)
		if _, err := decodeRecord(b); !errors.Is(err, errRecord) {
			t.Fatalf("flipped bit %d: got %v, want %v", at, err, errRecord)
		}
	})
}

func FuzzRecord(f *testing.F) {
	r := record{seq: 1, Record: Record{Log, devicetest.Info(1), []byte("payload")}}
	f.Add(r.encode())
	f.Add(r.encode()[:60])
	r.origin = origin{3, 4}
	f.Add(r.encode())
	f.Add([]byte("ulr1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err == nil && !bytes.Equal(r.encode(), b) {
			t.Fatalf("got %x when encoded again, want %x", r.encode(), b)
		}
		n := 0
		if err := carve(bytes.NewReader(b), func(v []byte) error { n += len(v); return nil }); err != nil || n > len(b) {
			t.Fatalf("got %d bytes carved, error %v, want at most the %d there are and no error", n, err, len(b))
		}
	})
}

// carve finds records wherever they lie, whatever lies between.
func TestCarveFindsEveryIntactRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want [][]byte
		for range rapid.IntRange(0, 5).Draw(t, "records") {
			stream = append(stream, rapid.SampledFrom([]string{"", "x", "ulr", "ulr1", strings.Repeat("ulr1", 20), strings.Repeat("\x00", 5000)}).Draw(t, "junk")...)
			r := drawRecord(t)
			if rapid.Bool().Draw(t, "large") {
				r.Payload = make([]byte, payload.Max)
			}
			b := r.encode()
			if rapid.IntRange(0, 4).Draw(t, "broken") == 0 {
				b[len(b)-1] ^= 1
			} else {
				want = append(want, bytes.Clone(b))
			}
			stream = append(stream, b...)
		}

		i := 0
		err := carve(bytes.NewReader(stream), func(v []byte) error {
			if i >= len(want) || !bytes.Equal(v, want[i]) {
				return errors.New("another record")
			}
			i++
			return nil
		})
		if err != nil || i != len(want) {
			t.Fatalf("got %d records, error %v, want %d in order and no error", i, err, len(want))
		}
	})
}
