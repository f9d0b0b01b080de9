package results

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const header = "date: 2026-01-02T03:04:05Z\ncommit: 0123456789abcdef\ngo: go1.26.8\ncpu: Test CPU\ncores: 2\ngoos: linux\ngoarch: amd64\n"

func read(t *testing.T, text string) *Run {
	t.Helper()
	run, err := Read(strings.NewReader(text), "x.txt")
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestReadGivesRunAndSamples(t *testing.T) {
	run := read(t, header+`modified: yes

pass: 1
load: 0.50
BenchmarkZeta-2 1 5 ns/op
BenchmarkWalk/impl=format-iter/size=65535-2 10 200 ns/op 5 MB/s 63.5 Mframes/s 16 B/op 2 allocs/op
BenchmarkChecksum/impl=copy/size=64/align=1-2 7 20 ns/op

pass: 2
load: 0.50
BenchmarkWalk/impl=format-iter/size=65535-2 10 100 ns/op 5 MB/s 63.5 Mframes/s 16 B/op 2 allocs/op
PASS
`)
	if !run.Modified || run.ShortCommit() != "0123456 and changes" || run.CPU != "Test CPU" || run.Cores != 2 || run.Machine() != "Test CPU, linux/amd64" {
		t.Errorf("got run %+v, commit %s, machine %s, want modified, \"0123456 and changes\", Test CPU, 2 cores, \"Test CPU, linux/amd64\"",
			run, run.ShortCommit(), run.Machine())
	}
	if !run.Date.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) || run.Passes != 2 || len(run.Loads) != 2 {
		t.Errorf("got date %v, passes %d, loads %v, want 2026-01-02T03:04:05Z, 2 and two of them", run.Date, run.Passes, run.Loads)
	}
	var names []string
	for _, row := range run.Rows {
		names = append(names, row.Name())
	}
	if got := strings.Join(names, " "); got != "BenchmarkChecksum/impl=copy/size=64/align=1 BenchmarkWalk/impl=format-iter/size=65535 BenchmarkZeta" {
		t.Errorf("rows are %s, want \"BenchmarkChecksum/impl=copy/size=64/align=1 BenchmarkWalk/impl=format-iter/size=65535 BenchmarkZeta\"", got)
	}
	walk := run.Find("Walk", "format-iter", "size=65535")
	for unit, want := range map[string]float64{UnitTime: 2e-7, UnitSpeed: 5e6, UnitBytes: 16, UnitAllocs: 2, "Mframes/s": 63.5} {
		if got := walk.Samples[unit]; len(got) != 2 || math.Abs(got[0]-want) > want/1e9 {
			t.Errorf("%s is %v, want %v", unit, got, want)
		}
	}
	if got := walk.Units(); len(got) != 1 || got[0] != "Mframes/s" {
		t.Errorf("got units beyond the usual %v, want Mframes/s alone", got)
	}
	for impl, ours := range map[string]bool{"format": true, "format-iter": true, "": true, "mqttv5": true, "copy": false, "gopacket": false, "gopacket-views": false, "formatter": false} {
		if row := (&Row{Impl: impl}); row.Ours() != ours {
			t.Errorf("%q is ours: %v, want %v", impl, row.Ours(), ours)
		}
	}
}

func TestRunCoversWhatItsFlagsSelect(t *testing.T) {
	for _, c := range []struct {
		bench, skip string
		want        string // of Walk, Publish and Ingest
	}{
		{"", "", "Walk Publish Ingest"},
		{".", "Publish|Outbox|Ingest", "Walk"},
		{"Publish|Outbox|Ingest", "Publish/raw|Ingest/./size=(256|16384)", "Publish Ingest"},
		{"Ingest/impl=(paho|ingest-memory)/size=1024$", "", "Ingest"},
		{"BenchmarkWalk$", "", "Walk"},
	} {
		run := &Run{Bench: c.bench, Skip: c.skip}
		var covered []string
		for _, name := range []string{"Walk", "Publish", "Ingest"} {
			if run.Covers(name) {
				covered = append(covered, name)
			}
		}
		if got := strings.Join(covered, " "); got != c.want {
			t.Errorf("-bench %q -skip %q covers %q, want %q", c.bench, c.skip, got, c.want)
		}
	}
}

func TestReadRefusesWhatIsNoRun(t *testing.T) {
	const row = "BenchmarkX-2 1 5 ns/op\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "no benchmark"},
		{"text", "once upon a time\n", "no benchmark"},
		{"no date", "go: go1\ncpu: c\n" + row, `no "date:" line`},
		{"no processor", "date: 2026-01-02T03:04:05Z\ngo: go1\n" + row, `no "cpu:" line`},
		{"no Go", "date: 2026-01-02T03:04:05Z\ncpu: c\n" + row, `no "go:" line`},
		{"date", "date: yesterday\n" + row, "yesterday"},
		{"number", header + "BenchmarkX-2 1 five ns/op\n", "x.txt:8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run, err := Read(strings.NewReader(c.text), "x.txt")
			if err == nil || run != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestLoadOrdersRunsByDate(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); !errors.Is(err, ErrNone) {
		t.Errorf("empty directory: %v, want %v", err, ErrNone)
	}

	for name, text := range map[string]string{
		// By name they would be the other way round.
		"a.txt":     strings.Replace(header, "01-02", "03-04", 1) + "BenchmarkX-2 1 5 ns/op\n",
		"b.txt":     header + "BenchmarkX-2 1 5 ns/op\n",
		"c.txt":     strings.Replace(header, "Test CPU", "Other", 1) + "BenchmarkX-2 1 5 ns/op\n",
		"README.md": "not results",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	runs, err := Load(dir)
	if err != nil || len(runs) != 3 || runs[0].File != "b.txt" || runs[2].File != "a.txt" {
		t.Fatalf("runs %v, error %v, want len(runs) 3, File \"b.txt\" and File \"a.txt\"", runs, err)
	}
	if got := Previous(runs, runs[2]); got != runs[0] {
		t.Errorf("before %v: got run %d, want run 0, %v", runs[2].File, slices.Index(runs, got), runs[0].File)
	}

	if got := Previous(runs, runs[0]); got != nil {
		t.Errorf("before the first: got run %v, want none", got.File)
	}
}

// Runs of one second are told apart by the numbers of their names.
func TestLoadOrdersRunsOfADay(t *testing.T) {
	dir := t.TempDir()
	want := []string{"d.txt", "d-2.txt", "d-9.txt", "d-10.txt"}
	for _, name := range want {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(header+"BenchmarkX-2 1 5 ns/op\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, run := range runs {
		if run.File != want[i] {
			t.Errorf("run %d is %s, want %s", i, run.File, want[i])
		}
	}
}

func TestSummaryIsTheMedianAndItsInterval(t *testing.T) {
	ten := []float64{9, 1, 8, 2, 7, 3, 6, 4, 5, 100}
	s := Summarize(ten)
	if s.Center != 5.5 || s.N != 10 || !s.Bounded() || s.Lo < 1 || s.Lo > 3 || s.Hi < 7 || s.Hi > 9 {
		t.Errorf("got summary %+v, want Center 5.5, N 10, Lo from 1 to 3 and Hi from 7 to 9", s)
	}
	if ten[0] != 9 || ten[9] != 100 {
		t.Errorf("got the input changed to %v, want it as it was", ten)
	}
	// Five samples give no interval of 95 %.
	if s := Summarize(ten[:5]); s.Bounded() || s.Center != 7 {
		t.Errorf("five samples: got %+v, want Center 7 without an interval", s)
	}
	if s := Summarize(nil); s.Bounded() || s.N != 0 {
		t.Errorf("no samples: got %+v, want N 0 without an interval", s)
	}
}

func TestCompareTellsChangeFromNoise(t *testing.T) {
	before := []float64{100, 101, 99, 100, 102, 98, 100, 101, 99, 100}
	after := make([]float64, len(before))
	for i, x := range before {
		after[i] = x * 0.9
	}
	if c := Compare(before, after); !c.Significant || math.Abs(c.Delta+0.1) > 1e-9 || c.P > 0.001 {
		t.Errorf("10 %% faster: got %+v, want significant, Delta -0.1 and P at most 0.001", c)
	}
	if c := Compare(before, before); c.Significant || c.Delta != 0 {
		t.Errorf("no change: got %+v, want not significant and Delta 0", c)
	}
	// Two samples can prove nothing, however far apart.
	if c := Compare(before[:2], after[:2]); c.Significant {
		t.Errorf("two samples: got %+v, want not significant", c)
	}
	if c := Compare(nil, after); c.Significant {
		t.Errorf("no samples: got %+v, want not significant", c)
	}
}

// A machine that halves its speed in the third pass changes no ratio.
func TestRatioIsTakenWithinEachPass(t *testing.T) {
	ours, peer := &Row{Samples: map[string][]float64{}}, &Row{Samples: map[string][]float64{}}
	for i := range 8 {
		slow := 1.0
		if i >= 3 {
			slow = 2
		}
		ours.Samples[UnitTime] = append(ours.Samples[UnitTime], 10*slow)
		peer.Samples[UnitTime] = append(peer.Samples[UnitTime], 40*slow)
	}
	if s := Ratio(ours, peer, UnitTime); s.Center != 4 || s.Lo != 4 || s.Hi != 4 || s.N != 8 {
		t.Errorf("ratio is %+v, want Center 4, Lo 4, Hi 4 and N 8", s)
	}
	ours.Samples["msgs/s"], peer.Samples["msgs/s"] = []float64{30}, []float64{10}
	if s := Ratio(ours, peer, "msgs/s"); s.Center != 3 || s.N != 1 {
		t.Errorf("ratio of rates: got %+v, want Center 3 and N 1", s)
	}
}
