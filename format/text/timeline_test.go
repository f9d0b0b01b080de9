package text

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/format"
)

// timedLog makes a log whose frames lie a second after another, the first one after
// what was before, with a header of this tick; they say n, n+1 ...
func timedLog(t testing.TB, tick uint32, n, count int) []byte {
	t.Helper()
	b, err := format.NewLogBuilder(3)
	if err != nil {
		t.Fatal(err)
	}
	b.Tick, b.TickRateHz = tick, 1000
	for i := range count {
		r := record1(0x1000, format.ArgI32(int32(n+i)))
		r.TickDelta = 1000
		if err := b.Add(&r); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := b.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// decodeFiles decodes files, each of these logs, and returns lines and outcomes.
func decodeFiles(t *testing.T, cfg Config, files ...[]byte) (string, []Outcome) {
	t.Helper()
	cfg.Dictionaries = []Dictionary{dictionaryOf(t, map[uint32]string{0x1000: "n %d"})}
	if cfg.Line == nil {
		line, err := ParseLine("{seconds} {boot} {log} {index} {text}", false)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Line = line
	}

	d, err := NewDecoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var inputs []Input
	for i, b := range files {
		path := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, Input{Name: path, Open: func() (io.ReadCloser, error) { return os.Open(path) }})
	}

	var out bytes.Buffer
	outcomes := d.Timeline(context.Background(), inputs, &out)
	return out.String(), outcomes
}

// TestTimelineShowsRecordsOnceAndInOrder decodes what came twice, in another order and
// in several files.
func TestTimelineShowsRecordsOnceAndInOrder(t *testing.T) {
	one, two, three := timedLog(t, 2010, 1, 2), timedLog(t, 4010, 3, 2), timedLog(t, 6010, 5, 2)
	const first, second, third = "1.010000 0 0 0 n 1\n2.010000 0 0 1 n 2\n", "3.010000 0 1 2 n 3\n4.010000 0 1 3 n 4\n", "5.010000 0 2 4 n 5\n6.010000 0 2 5 n 6\n"
	damaged := bytes.Clone(two)
	damaged[len(damaged)-1] ^= 1
	for name, c := range map[string]struct {
		files [][]byte
		cfg   Config
		want  string
		told  string
		lost  bool
	}{
		"as written": {files: [][]byte{bytes.Join([][]byte{one, two, three}, nil)}, want: first + second + third},
		"swapped": {
			files: [][]byte{bytes.Join([][]byte{one, three, two}, nil)},
			want:  first + strings.NewReplacer(" 1 2 n", " 2 4 n", " 1 3 n", " 2 5 n").Replace(second) + strings.NewReplacer(" 2 4 n", " 1 2 n", " 2 5 n", " 1 3 n").Replace(third),
			told:  "log 2 at byte 90: it was written before log 1, which came first",
		},
		"twice": {
			files: [][]byte{bytes.Join([][]byte{one, one}, nil)}, want: first,
			told: "log 1 at byte 45: log 0 came once more; it is shown once (--repeats shows all)",
		},
		"twice, shown": {
			files: [][]byte{bytes.Join([][]byte{one, one}, nil)}, cfg: Config{Repeats: true}, want: first + strings.NewReplacer(" 0 0 n", " 1 2 n", " 0 1 n", " 1 3 n").Replace(first),
			told: "log 0 came once more",
		},
		"files of one boot in another order": {
			files: [][]byte{three, one, two},
			want:  first + strings.NewReplacer(" 1 2 n", " 0 0 n", " 1 3 n", " 0 1 n").Replace(second) + strings.NewReplacer(" 2 4 n", " 0 0 n", " 2 5 n", " 0 1 n").Replace(third),
		},
		"a restart": {
			files: [][]byte{three, timedLog(t, 9000, 7, 8)},
			want: "5.010000 0 0 0 n 5\n6.010000 0 0 1 n 6\n" +
				"2.000000 1 0 0 n 7\n3.000000 1 0 1 n 8\n4.000000 1 0 2 n 9\n5.000000 1 0 3 n 10\n6.000000 1 0 4 n 11\n7.000000 1 0 5 n 12\n8.000000 1 0 6 n 13\n9.000000 1 0 7 n 14\n",
			told: "the device has restarted since log 0 of ",
		},
		"damage between": {
			files: [][]byte{bytes.Join([][]byte{one, damaged, three}, nil)},
			want:  first + strings.NewReplacer(" 2 4 n", " 2 4 n").Replace(third), lost: true,
		},
	} {
		for _, parallel := range []int{1, 4} {
			t.Run(name, func(t *testing.T) {
				cfg := c.cfg
				cfg.Parallel = parallel
				got, outcomes := decodeFiles(t, cfg, c.files...)
				if got != c.want && name != "damage between" {
					t.Errorf("got\n%swant\n%s", got, c.want)
				}

				lost, told := false, ""
				for i := range outcomes {
					if outcomes[i].Err != nil {
						t.Error(outcomes[i].Err)
					}
					lost = lost || outcomes[i].Report.Lost()
					var b strings.Builder
					if err := outcomes[i].Report.Write(&b, "x"); err != nil {
						t.Fatal(err)
					}
					told += b.String()
				}

				if lost != c.lost || !strings.Contains(told, c.told) || c.told == "" && !c.lost && told != "" {
					t.Errorf("lost %v, told %q; want %v and %q", lost, told, c.lost, c.told)
				}
			})
		}
	}
}

// TestTimelineFiltersByWallTime filters by wall time, which the time of arrival tells.
func TestTimelineFiltersByWallTime(t *testing.T) {
	line, err := ParseLine("{wall} {text}", false)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	d, err := NewDecoder(Config{Line: line, Filter: Filter{SinceTime: at.Add(-500 * time.Millisecond)}, Dictionaries: []Dictionary{dictionaryOf(t, map[uint32]string{0x1000: "n %d"})}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(timedLog(t, 2000, 1, 2))), nil }
	outcomes := d.Timeline(context.Background(), []Input{{Name: "x", Open: open, Received: at}}, &out)
	if want := "2026-11-28T12:00:00.000000Z n 2\n"; out.String() != want || outcomes[0].Err != nil {
		t.Errorf("got %q (%v), want %q", out.String(), outcomes[0].Err, want)
	}
}

// TestTimelineGoesOnWithoutAMissingFile tells which file cannot be opened, and decodes
// the others.
func TestTimelineGoesOnWithoutAMissingFile(t *testing.T) {
	d, err := NewDecoder(Config{})
	if err != nil {
		t.Fatal(err)
	}
	missing := errors.New("missing")
	var out bytes.Buffer
	outcomes := d.Timeline(context.Background(), []Input{
		{Name: "x", Open: func() (io.ReadCloser, error) { return nil, missing }},
		{Name: "y", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(timedLog(t, 2000, 1, 2))), nil }},
	}, &out)
	if !errors.Is(outcomes[0].Err, missing) || outcomes[1].Err != nil || outcomes[1].Report.Shown != 2 {
		t.Errorf("got %+v, want Err %v and Shown 2", outcomes, missing)
	}
}
