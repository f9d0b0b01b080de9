package otlp

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/filesink"
)

// appendLogs appends logs of one record each to a file sink, numbered by the caller, each
// to a segment of its own.
func appendLogs(t *testing.T, dir string, numbers ...int) {
	t.Helper()
	s, err := filesink.Open(filesink.Config{Dir: dir, SegmentBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range numbers {
		if err := s.Append(t.Context(), []ingest.Record{logRecord(t, n, 3, 1, say(n))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// drain exports a file sink from where a position file is.
func drain(t *testing.T, r *receiver, dir, file string) (Stats, error) {
	t.Helper()
	src, err := filesink.OpenSource(dir)
	if err != nil {
		t.Fatal(err)
	}
	e := newExporter(t, Config{URL: r.srv.URL, Source: src, PositionFile: file})
	err = e.Drain(t.Context())
	return e.Stats(), err
}

// F35: a position before, at or within the numbers of a lost segment goes on behind it. The
// loss is told each time until it is accepted or behind the position, and what is stored
// later is all exported, once.
func TestPositionAtALostSegment(t *testing.T) {
	for _, withIndex := range []bool{true, false} {
		for exported := range 5 {
			t.Run(fmt.Sprintf("index %v, %d exported", withIndex, exported), func(t *testing.T) {
				dir, r := filepath.Join(t.TempDir(), "sink"), newReceiver(t)
				file := filepath.Join(t.TempDir(), "position")
				for n := range 4 {
					appendLogs(t, dir, n)
					if n+1 == exported {
						if _, err := drain(t, r, dir, file); err != nil {
							t.Fatal(err)
						}
					}
				}

				if err := os.Remove(filepath.Join(dir, fmt.Sprintf("%020d.seg", 4))); err != nil {
					t.Fatal(err)
				}
				if !withIndex {
					if err := os.Remove(filepath.Join(dir, fmt.Sprintf("%020d.idx", 4))); err != nil {
						t.Fatal(err)
					}
				}
				told := func() {
					t.Helper()
					st, err := drain(t, r, dir, file)
					lost, uncounted := uint64(0), 0
					switch {
					case !withIndex:
						uncounted = 1
					case exported < 4:
						lost = 1
					}
					if err != nil || st.Lost != lost || st.Uncounted != uncounted {
						t.Errorf("error %v, stats %+v, want %d lost and %d uncounted", err, st, lost, uncounted)
					}
				}
				told()
				told()
				appendLogs(t, dir, 10, 11)
				told()
				if st, err := drain(t, r, dir, file); err != nil || st.Lost != 0 || st.Uncounted != 0 || st.Messages != 0 {
					t.Errorf("error %v, stats %+v behind it all, want nothing", err, st)
				}

				got := r.bodies()
				slices.Sort(got)
				want := append(bodiesOf(0, max(3, exported)), bodiesOf(10, 2)...)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("exported %q, want %q", got, want)
				}
			})
		}
	}
}

// A sink that was put back as it was earlier, or a copy of it, gives numbers again. A
// position from the time after that is refused, whether the sink has come as far or not.
func TestPositionOfASinkThatWasPutBack(t *testing.T) {
	for _, more := range []int{0, 1, 2, 5} {
		dir, r := filepath.Join(t.TempDir(), "sink"), newReceiver(t)
		file := filepath.Join(t.TempDir(), "position")
		appendLogs(t, dir, 0, 1)
		earlier := filepath.Join(t.TempDir(), "earlier")
		if err := os.CopyFS(earlier, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		appendLogs(t, dir, 2, 3)
		if st, err := drain(t, r, dir, file); err != nil || st.Position != 5 {
			t.Fatalf("error %v, stats %+v, want Position 5", err, st)
		}
		for n := range more {
			appendLogs(t, earlier, 10+n)
		}

		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = drain(t, r, earlier, file)
		after, _ := os.ReadFile(file)
		if !errors.Is(err, ErrPosition) || len(r.bodies()) != 4 || string(after) != string(before) {
			t.Errorf("%d more: error %v, %d sent, position %s; want a refusal and the position %s", more, err, len(r.bodies())-4, after, before)
		}
		if more > 1 && !strings.Contains(err.Error(), "record 4") {
			t.Errorf("%d more: error %v, want the record that differs", more, err)
		}
	}
}
