package text

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ulogkit/ulogkit/format"
)

// wholeReport compares reports with all that they remember.
var wholeReport = cmp.AllowUnexported(Report{}, timing{})

// endless repeats a file until it has given n bytes.
type endless struct {
	b   []byte
	at  int
	n   int64
	end func() // called when they are given
}

func (e *endless) Read(b []byte) (int, error) {
	if e.n <= 0 {
		if e.end != nil {
			e.end()
		}
		return 0, io.EOF
	}
	n := copy(b[:min(int64(len(b)), e.n)], e.b[e.at:])
	e.at = (e.at + n) % len(e.b)
	e.n -= int64(n)
	return n, nil
}

// TestMemoryDoesNotGrowWithTheFile holds the memory for a long file to that for a short
// one, whatever the file holds and however many goroutines work on it.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	for _, damaged := range []bool{false, true} {
		b, d := mixedFile(t, 2, 100, damaged)
		for _, parallel := range []int{1, 2} {
			t.Run(fmt.Sprintf("damaged=%v,parallel=%d", damaged, parallel), func(t *testing.T) {
				live := func(n int64) (bytes uint64) {
					decoder, err := NewDecoder(Config{Dictionaries: []Dictionary{d}, Parallel: parallel})
					if err != nil {
						t.Fatal(err)
					}
					_, err = decoder.Decode(context.Background(), "x", &endless{b: b, n: n, end: func() {
						var m runtime.MemStats
						runtime.GC()
						runtime.ReadMemStats(&m)
						bytes = m.HeapAlloc
					}}, io.Discard)
					if err != nil {
						t.Fatal(err)
					}
					return bytes
				}

				live(1 << 20) // what the first run makes once
				few, many := int64(4<<20), int64(32<<20)
				if raced {
					few, many = few/4, many/4
				}
				short, long := live(few), live(many)
				if long > short+2<<20 {
					t.Errorf("got %d bytes in use at the end of %d, want at most 2 MiB more than the %d at the end of %d", long, many, short, few)
				}
			})
		}
	}
}

// TestEachDamagedLogCostsTheSame has a damaged log behind each good one: going on after the
// damage must not cost what lies behind it, but for the end of the file.
func TestEachDamagedLogCostsTheSame(t *testing.T) {
	good := logOf(t, 3, record1(0x1000))
	bad := bytes.Clone(good)
	bad[15] ^= 1 // the checksum
	for _, parallel := range []int{1, 2} {
		allocated := func(pairs int64) uint64 {
			b := bytes.Repeat(append(bytes.Clone(good), bad...), int(pairs))
			decoder, err := NewDecoder(Config{Parallel: parallel})
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			report, err := decoder.Decode(context.Background(), "x", bytes.NewReader(b), io.Discard)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			if report.DamagedCount != pairs || report.DamagedBytes != int64(len(b)/2) || report.Records != pairs {
				t.Errorf("parallel %d: got %d damaged ranges of %d bytes, %d records; want %d of %d bytes, %d records",
					parallel, report.DamagedCount, report.DamagedBytes, report.Records, pairs, len(b)/2, pairs)
			}
			return after.TotalAlloc - before.TotalAlloc
		}

		if short, long := allocated(5000), allocated(15_000); long > short+10_000*4096 {
			t.Errorf("parallel %d: got %d bytes allocated for 15,000 damaged logs, want at most the %d for 5,000 and 4096 for each other", parallel, long, short)
		}
	}
}

// TestLongFilesTakeNoMoreAllocations holds the allocations for a long file of two
// builds that take turns to those for a short one.
func TestLongFilesTakeNoMoreAllocations(t *testing.T) {
	first, second, _, _ := builds(t)
	number := format.ArgI32(7)
	file := slices.Concat(logOf(t, 3, record1(0x1000), record1(0x2000, number)), logOf(t, 3, record1(0x1000), record1(0x2800, number)))
	decoder, err := NewDecoder(Config{Dictionaries: []Dictionary{first, second}})
	if err != nil {
		t.Fatal(err)
	}
	allocs := func(n int64) float64 {
		return testing.AllocsPerRun(1, func() {
			if _, err := decoder.Decode(context.Background(), "x", &endless{b: file, n: n}, io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	short, long := allocs(1<<20), allocs(6<<20)
	if long > short+20 {
		t.Errorf("got %v allocations for 6 MiB, want at most 20 more than the %v for 1 MiB", long, short)
	}
}
