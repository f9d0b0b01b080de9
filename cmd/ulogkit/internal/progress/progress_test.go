package progress

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A command that takes less than a second shows nothing, a longer one how far it is, and
// when it is done the line is clean again.
func TestMeterShowsOnlyLongWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen bytes.Buffer
		m := New(&screen, "decoding", 4000)
		m.Add(500, 3)
		time.Sleep(Quiet - time.Millisecond)
		m.Add(500, 3)
		if screen.Len() > 0 {
			t.Errorf("within a second: got %q, want nothing drawn", &screen)
		}

		time.Sleep(time.Second)
		m.Add(1000, 4)
		time.Sleep(time.Second)
		m.Add(0, 0)
		for _, want := range []string{"decoding, 10 records", "50%", "2.0/4.0 kB", "[2s:"} {
			if !strings.Contains(screen.String(), want) {
				t.Errorf("got %q, want %q in it", &screen, want)
			}
		}

		m.Add(9000, 0) // a file that grew
		m.Done()
		m.Done()
		if s := screen.String(); !strings.HasSuffix(s, "\r") {
			t.Errorf("got %q at the end, want the line cleaned", s[max(0, len(s)-40):])
		}
	})
}

// Where it is known how many records there are, they tell how far it is.
func TestKnownRecordsTellHowFarItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen bytes.Buffer
		m := NewRecords(&screen, "extracting", 40)
		m.Add(0, 1)
		time.Sleep(2 * time.Second)
		m.Add(2_500_000, 9)
		time.Sleep(time.Second)
		m.Add(0, 0)
		for _, want := range []string{"extracting, 2.5 MB", "25%", "10/40", "records/", "[3s:"} {
			if !strings.Contains(screen.String(), want) {
				t.Errorf("got %q, want %q in it", &screen, want)
			}
		}
		m.Done()
	})
}

// A meter draws what it is told and nothing by itself: a bar whose end is not known would
// turn in a goroutine of its own, which reads what Add writes.
func TestMeterDrawsNothingByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen bytes.Buffer
		m := New(&screen, "reading", -1)
		m.Add(500, 0)
		time.Sleep(3 * Quiet)
		synctest.Wait()
		if screen.Len() > 0 {
			t.Errorf("got %q though nothing was done meanwhile, want nothing drawn", &screen)
		}
		m.Add(500, 0)
		if !strings.Contains(screen.String(), "reading") {
			t.Errorf("got %q after a second, want \"reading\" in it", &screen)
		}
		m.Done()
	})
}

// What is asked for is drawn until it is stopped, and a line of something else stands
// alone between.
func TestWatchDrawsUntilStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen bytes.Buffer
		m := NewRecords(&screen, "delivering", 40)
		delivered := int64(0)
		stop := m.Watch(func() (int64, int64) {
			delivered++
			return 0, delivered
		})

		time.Sleep(2 * time.Second)
		synctest.Wait()
		io.WriteString(m.Above(&screen), "trouble\n")
		if s := screen.String(); !strings.Contains(s, "/40") || !strings.HasSuffix(s, "\rtrouble\n") {
			t.Errorf("got %q, want \"/40\" in it, and the line cleaned before \"trouble\" at its end", s)
		}

		stop()
		stop()
		before := screen.Len()
		time.Sleep(2 * time.Second)
		if synctest.Wait(); screen.Len() > before {
			t.Errorf("got %q after the end, want nothing", screen.String()[before:])
		}
	})
}

// Where nobody watches, all is passed on and nothing is counted.
func TestNothingIsWrappedIfNobodyWatches(t *testing.T) {
	m := New(nil, "decoding", 1)
	m.Add(1, 1)
	m.Set(1, 1)
	m.Done()
	m.Watch(func() (int64, int64) { return 0, 0 })()
	if NewRecords(nil, "decoding", 1) != nil || m.Above(io.Discard) != io.Discard {
		t.Error("got a meter or a wrapped writer though nobody watches, want neither")
	}
	r := strings.NewReader("x")
	if m != nil || m.Reader(r) != io.Reader(r) {
		t.Error("got a meter or a wrapped reader though nobody watches, want neither")
	}
}

// What is read is counted, in order or not.
func TestReadersCountWhatIsRead(t *testing.T) {
	m := New(io.Discard, "reading", -1)
	if b, err := io.ReadAll(m.Reader(strings.NewReader("four"))); string(b) != "four" || err != nil {
		t.Errorf("got %q, error %v; want %q", b, err, "four")
	}
	f := m.File(struct {
		*strings.Reader
		io.Closer
	}{strings.NewReader("12345"), nil})
	if _, err := f.ReadAt(make([]byte, 3), 1); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(f); err != nil {
		t.Error(err)
	}
	if m.bytes != 12 {
		t.Errorf("counted %d bytes, want 12", m.bytes)
	}
}
