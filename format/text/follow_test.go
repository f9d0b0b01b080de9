package text

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ulogkit/ulogkit/format"
)

// TestFollowReadsWhatGrowsAndIsReplaced follows a file that grows by pieces of logs, is
// cut, replaced and gone for a while.
func TestFollowReadsWhatGrowsAndIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.bin")
	write := func(flag int, b []byte) {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|flag, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}

	one := logOf(t, 3, record1(0x1000, format.ArgI32(1)))
	synctest.Test(t, func(t *testing.T) {
		write(0, one)
		ctx, cancel := context.WithCancel(context.Background())
		r, err := Follow(ctx, path, time.Second)
		if err != nil {
			t.Fatal(err)
		}

		line, err := ParseLine("{text}", false)
		if err != nil {
			t.Fatal(err)
		}
		d, err := NewDecoder(Config{Line: line})
		if err != nil {
			t.Fatal(err)
		}

		var out bytes.Buffer
		var report Report
		done := make(chan error)
		go func() {
			var err error
			report, err = d.Decode(ctx, "x", r, &out)
			done <- err
		}()

		lines := 0
		expect := func(more int, what string) {
			t.Helper()
			time.Sleep(2 * time.Second) // of the bubble's clock
			synctest.Wait()
			if lines += more; bytes.Count(out.Bytes(), []byte("\n")) != lines {
				t.Errorf("%s: output is %q, want %d lines", what, out.String(), lines)
			}
		}

		expect(1, "what was there")
		write(os.O_APPEND, one[:10])
		expect(0, "half a log")
		write(os.O_APPEND, one[10:])
		expect(1, "its other half")
		write(os.O_TRUNC, nil)
		expect(0, "cut to nothing")
		write(os.O_APPEND, one)
		expect(1, "grown from nothing")
		if err := os.Rename(path, path+".old"); err != nil {
			t.Fatal(err)
		}

		expect(0, "gone")
		write(0, append(bytes.Clone(one), one...))
		expect(2, "replaced")
		write(os.O_APPEND, one[:10])
		expect(0, "half a log again")
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || report.Lost() || report.Records != 5 {
			t.Errorf("got end %v, report %+v; want %v, nothing lost, 5 records", err, report, context.Canceled)
		}

		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFollowRefusesAMissingFile(t *testing.T) {
	if _, err := Follow(t.Context(), filepath.Join(t.TempDir(), "none"), time.Second); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error is %v, want %v", err, os.ErrNotExist)
	}
}
