package fuzz

import (
	"bytes"
	"math"
	"math/rand/v2"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
)

// limits are what a piece of code may use for an input.
type limits struct {
	perByte int           // bytes allocated for each byte of input
	base    int           // and for any input
	time    time.Duration // for any input
	perKiB  time.Duration // and for each KiB of input
}

// Parsers are held to "a small multiple of the input" and to a time that only a
// loop without end or one that is far worse than linear reaches, on any machine.
var (
	parserLimits = limits{perByte: 8, base: 64 << 10, time: time.Minute, perKiB: 100 * time.Millisecond}
	// A YAML document becomes a tree of nodes, of some 200 bytes each.
	specLimits = limits{perByte: 4096, base: 4 << 20, time: time.Minute, perKiB: 500 * time.Millisecond}
)

// measurements is how often f is run before it is said to use too much: what the
// process does besides is counted as well, and a fuzzer's process does much.
const measurements = 5

// within runs f and fails the test where it uses more than an input of size
// bytes warrants, each time that it is measured.
func within(t testing.TB, l limits, size int, f func()) {
	t.Helper()
	mostBytes := uint64(l.base + l.perByte*size)
	mostTime := l.time + l.perKiB*time.Duration(size/1024)
	used, took := uint64(math.MaxUint64), time.Duration(math.MaxInt64)
	for n := 0; n == 0 || n < measurements && (used > mostBytes || took > mostTime) && !t.Failed(); n++ {
		before, start := allocated(), time.Now()
		f()
		took = min(took, time.Since(start))
		used = min(used, allocated()-before)
	}
	if used > mostBytes {
		t.Errorf("%d bytes of input: got %d bytes allocated, want at most %d", size, used, mostBytes)
	}
	if took > mostTime {
		t.Errorf("%d bytes of input: got %v, want at most %v", size, took, mostTime)
	}
}

// allocated returns how many bytes this process has allocated so far. Other
// goroutines count too; fuzz targets and these tests run one at a time.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// recorder is a testing.TB that takes note of failures, to test a check.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) Failed() bool          { return r.failed }

func TestTooMuchMemoryOrTimeFails(t *testing.T) {
	var sink []byte
	r := &recorder{TB: t}
	within(r, limits{perByte: 8, base: 64 << 10, time: time.Hour}, 10, func() { sink = make([]byte, 1<<20) })
	if !r.failed {
		t.Errorf("got no failure for %d bytes allocated by 10 of input, want one", len(sink))
	}
	r = &recorder{TB: t}
	within(r, limits{base: 1 << 30, time: 0}, 10, func() { time.Sleep(time.Millisecond) })
	if !r.failed {
		t.Error("got no failure for too much time, want one")
	}
	r = &recorder{TB: t}
	within(r, parserLimits, 10, func() {})
	if r.failed {
		t.Error("got a failure for nothing used, want none")
	}
}

// Large hostile inputs cost no more for each byte than small ones.
func TestLargeInputsCostNoMorePerByte(t *testing.T) {
	const size = 1 << 18
	rng := rand.New(rand.NewPCG(7, 7))
	random := make([]byte, size)
	for i := range random {
		random[i] = byte(rng.Uint32())
	}
	good := goodStream(t)
	damaged := bytes.Repeat(good, size/len(good)+1)
	for i := 0; i < len(damaged); i += 50 {
		damaged[i] ^= 0x55
	}
	record := []byte{0x06, 0, 0, 0, 0, 0} // a record without arguments, and the shortest frame of it
	frame := append([]byte{6, 0, 0, 0, 0, 0}, record...)

	for name, b := range map[string][]byte{
		"zeros":          make([]byte, size),
		"ones":           bytes.Repeat([]byte{0xff}, size),
		"version bytes":  bytes.Repeat([]byte{3}, size),
		"random":         random,
		"damaged logs":   damaged,
		"headers":        bytes.Repeat([]byte{3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, size/17),
		"frames":         bytes.Repeat(frame, size/len(frame)),
		"headers+frames": bytes.Repeat(slices.Concat([]byte{3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 0}, frame, frame, frame), size/53),
		"texts":          slices.Concat([]byte{0x06, 0, 0, 0, 0, 0, 0xfc, 0x7f, 0xfc, 0xff}, make([]byte, 65532)),
	} {
		t.Run(name, func(t *testing.T) {
			for _, typ := range ulogger.Types {
				differ(t, typ.ID, b)
			}
			within(t, parserLimits, len(b), func() { parseAll(b) })
			start := time.Now()
			within(t, decoderLimits, len(b), func() { decode(t, &format.Decoder{}, b, nil) })
			t.Logf("decoded %d KiB in %v", len(b)/1024, time.Since(start))
		})
	}
}
