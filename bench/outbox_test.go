package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ulogkit/ulogkit/format"
	"github.com/ulogkit/ulogkit/mqttv5"
)

// BenchmarkOutbox measures how many records of 1 KiB a second are durable on disk
// when their callers go on, beside what each caller would wait for alone: the write
// of a page and an fsync, each caller in a file of its own on the same disk.
func BenchmarkOutbox(b *testing.B) {
	log := outboxLog(b)
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("impl=mqttv5/callers=%d", callers), func(b *testing.B) {
			outbox, err := mqttv5.OpenOutbox(mqttv5.OutboxConfig{Dir: filepath.Join(b.TempDir(), "outbox"), MaxBytes: 1 << 40})
			if err != nil {
				b.Fatal(err)
			}
			defer outbox.Close()
			b.SetBytes(int64(len(log)))
			measureCallers(b, callers, func(caller int) error {
				dev := publishDevice
				dev.DeviceSerial = strconv.Itoa(caller)
				_, err := outbox.SubmitLog(b.Context(), dev, log)
				return err
			})
			if n := outbox.Stats().Waiting; n != b.N {
				b.Errorf("got %d records that wait, want %d as were accepted", n, b.N)
			}
		})

		b.Run(fmt.Sprintf("impl=fsync/callers=%d", callers), func(b *testing.B) {
			page := make([]byte, os.Getpagesize())
			files := make([]*os.File, callers)
			for i := range files {
				f, err := os.Create(filepath.Join(b.TempDir(), strconv.Itoa(i)))
				if err != nil {
					b.Fatal(err)
				}
				defer f.Close()
				files[i] = f
			}
			measureCallers(b, callers, func(caller int) error {
				if _, err := files[caller].WriteAt(page, 0); err != nil {
					return err
				}
				return files[caller].Sync()
			})
		})
	}
}

// measureCallers has so many goroutines do the b.N operations.
func measureCallers(b *testing.B, callers int, operation func(caller int) error) {
	b.ReportAllocs()
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	b.ResetTimer()
	for caller := range callers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := operation(caller); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// outboxLog returns a good log of 1 KiB or a little more.
func outboxLog(tb testing.TB) []byte {
	tb.Helper()
	builder, err := format.NewLogBuilder(3)
	if err != nil {
		tb.Fatal(err)
	}
	record := format.Record{Level: format.LevelInfo, FmtAddr: 0x8000, Args: []format.Arg{format.ArgString("heater on")}}
	for builder.Len() < 1024 {
		if err := builder.Add(&record); err != nil {
			tb.Fatal(err)
		}
	}
	log, err := builder.AppendTo(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return log
}
