package text

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// gate is a writer that can be asked what was written so far.
type gate struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (g *gate) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.Write(b)
}

func (g *gate) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.b.String()
}

// TestGoodLogsBehindDamageAreShownAtOnce shows logs as soon as they are whole, also
// behind damage, and the same ones however the bytes come (case
// follow-blind-after-damage).
func TestGoodLogsBehindDamageAreShownAtOnce(t *testing.T) {
	damaged := timedLog(t, 4010, 3, 2)
	damaged[len(damaged)-1] ^= 1
	file := slices.Concat(timedLog(t, 2010, 1, 2), damaged, timedLog(t, 6010, 5, 2))
	const want = "n 1\nn 2\nn 5\nn 6\n"
	line, err := ParseLine("{text}", false)
	if err != nil {
		t.Fatal(err)
	}

	cfg := Config{Line: line, Dictionaries: []Dictionary{dictionaryOf(t, map[uint32]string{0x1000: "n %d"})}}
	for _, parallel := range []int{1, 4} {
		cfg.Parallel = parallel
		for size := 1; size <= len(file); size += 7 {
			got, report, err := tryDecode(t, cfg, &slowReader{b: file, n: size})
			if err != nil || got != want || report.DamagedBytes != int64(len(damaged)) || !report.Lost() {
				t.Errorf("parallel %d, in pieces of %d: got %q, error %v, report %+v; want %q, no error, DamagedBytes %d, Lost",
					parallel, size, got, err, report, want, len(damaged))
			}
		}

		synctest.Test(t, func(t *testing.T) {
			d, err := NewDecoder(cfg)
			if err != nil {
				t.Fatal(err)
			}
			r, w := io.Pipe()
			var out gate
			ended := make(chan Report)
			go func() {
				report, _ := d.Decode(t.Context(), "x", r, &out)
				ended <- report
			}()

			if _, err := w.Write(file); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := out.String(); got != want {
				t.Errorf("parallel %d: with the pipe still open %q is shown, want %q", cfg.Parallel, got, want)
			}

			w.Close()
			<-ended
		})
	}
}

// TestFollowKeepsUpWithRotationAndDamage follows a file that is appended to, damaged,
// rotated, cut and rewritten (case follow-rotation-race).
func TestFollowKeepsUpWithRotationAndDamage(t *testing.T) { synctest.Test(t, followChanges) }

func followChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write := func(flag int, b []byte) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	line, err := ParseLine("{text}", false)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(Config{Line: line, Dictionaries: []Dictionary{dictionaryOf(t, map[uint32]string{0x1000: "n %d"})}})
	if err != nil {
		t.Fatal(err)
	}
	write(0, timedLog(t, 2010, 1, 2))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := Follow(ctx, path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()

	var out gate
	var report Report
	ended := make(chan error)
	go func() {
		var err error
		report, err = d.Decode(ctx, "x", r, &out)
		ended <- err
	}()
	look := func() { // until it waits for more, with the bubble's clock
		time.Sleep(2 * time.Second)
		synctest.Wait()
	}
	await := func(want string) {
		t.Helper()
		if look(); !strings.HasSuffix(out.String(), want) {
			t.Fatalf("%q is shown, want %q at its end", out.String(), want)
		}
	}

	await("n 2\n")
	// The old file is written to right before it is moved away, and the new one is
	// there at once.
	write(os.O_APPEND, timedLog(t, 4010, 3, 2))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(0, timedLog(t, 6010, 5, 2))
	await("n 3\nn 4\nn 5\nn 6\n")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	look()
	write(0, timedLog(t, 8010, 7, 2))
	await("n 7\nn 8\n")
	write(0, slices.Concat(timedLog(t, 10_010, 9, 2), timedLog(t, 12_010, 11, 2))) // in its place, and longer
	await("n 9\nn 10\nn 11\nn 12\n")

	// What is held back when it is interrupted is told.
	bad := timedLog(t, 14_010, 13, 2)
	bad[len(bad)-1] ^= 1
	write(os.O_APPEND, bad)
	look()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) && err != nil {
		t.Errorf("got error %v, want none or %v", err, context.Canceled)
	}
	if report.DamagedBytes != int64(len(bad)) || !report.Lost() || len(report.Changes) < 3 {
		t.Errorf("report is %+v, want the damage at the end and three changes of the file", report)
	}
}
