package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ulogkit/ulogkit/bench/internal/results"
)

// repository makes a module with one benchmark, committed, and works in it.
func repository(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"go.mod": "module example.test/m\n\ngo 1.26\n",
		"bench/x_test.go": `package bench

import (
	"os"
	"testing"
)

func BenchmarkSum(b *testing.B) {
	b.Run("impl=format/size=8", func(b *testing.B) {
		b.SetBytes(8)
		sum := 0
		for b.Loop() {
			sum += 3
		}
		if os.Getenv("BENCH_WRONG") != "" {
			b.Fatal("result is wrong")
		}
	})
}

func BenchmarkOther(b *testing.B) {
	for b.Loop() {
	}
}
`,
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	git(t, "init", "-q")
	git(t, "add", ".")
	git(t, "-c", "user.name=n", "-c", "user.email=e@example.test", "commit", "-qm", "m: add a benchmark")
}

func git(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestRecordKeepsEachRunInAFile(t *testing.T) {
	repository(t)
	var log bytes.Buffer
	begin := time.Now().Add(-time.Second)
	if code := run(t.Context(), []string{"-count", "3", "-benchtime", "10x"}, &log); code != 0 {
		t.Fatalf("exit code %d, want 0\n%s", code, &log)
	}
	runs, err := results.Load("bench/results")
	if err != nil {
		t.Fatal(err)
	}
	r := runs[0]
	if r.Commit != git(t, "rev-parse", "HEAD") || r.Subject != "m: add a benchmark" || r.Modified {
		t.Errorf("got commit %q %q, modified %v, want %q, \"m: add a benchmark\" and not modified",
			r.Commit, r.Subject, r.Modified, git(t, "rev-parse", "HEAD"))
	}
	if r.Committed.IsZero() || r.Committed.After(r.Date.Add(time.Second)) {
		t.Errorf("got committed on %v, want a time up to a second after %v", r.Committed, r.Date)
	}
	if r.Date.Before(begin) || r.Date.After(time.Now()) {
		t.Errorf("got date %v, want one between %v and now", r.Date, begin)
	}
	if want := fileName(r.Date, r.CPU, r.Go, 1); r.File != want {
		t.Errorf("file is %s, want %s", r.File, want)
	}
	if r.Command != "go run ./bench/record -count 3 -benchtime 10x -bench ." || r.Cores < 1 || r.Passes != 3 {
		t.Errorf("got command %q, cores %d, passes %d, want the flags and -bench ., at least 1 and 3", r.Command, r.Cores, r.Passes)
	}
	row := r.Find("Sum", "format", "size=8")
	if row == nil || len(row.Samples[results.UnitAllocs]) != 3 || len(row.Samples[results.UnitSpeed]) != 3 {
		t.Fatalf("got row %+v, want 3 samples of %s and of %s", row, results.UnitAllocs, results.UnitSpeed)
	}
	data, err := os.ReadFile(filepath.Join("bench/results", r.File))
	if err != nil {
		t.Fatal(err)
	}
	// Each pass has the whole suite, in an order of its own.
	passes := strings.Split(string(data), "pass: ")[1:]
	orders := map[bool]int{}
	for _, pass := range passes {
		sum, other := strings.Index(pass, "BenchmarkSum"), strings.Index(pass, "BenchmarkOther")
		if sum < 0 || other < 0 {
			t.Fatalf("got a pass with Sum at %d and Other at %d, want both\n%s", sum, other, pass)
		}
		orders[sum < other]++
	}
	if len(passes) != 3 || len(orders) != 2 {
		t.Errorf("%d passes, orders %v, want len(passes) 3 and len(orders) 2", len(passes), orders)
	}

	// The same day, processor and version: what is there stays, and what comes has
	// a name of its own.
	for number := 2; number <= 3; number++ {
		log.Reset()
		if code := run(t.Context(), []string{"-count", "1", "-benchtime", "1x"}, &log); code != 0 {
			t.Errorf("run %d: got exit code %d, want 0\n%s", number, code, &log)
		}
		runs, err := results.Load("bench/results")
		if err != nil || len(runs) != number || runs[0].File != r.File || runs[number-1].File != fileName(r.Date, r.CPU, r.Go, number) {
			t.Fatalf("after run %d: got %d runs, error %v, want %d, from %s to %s\n%s", number, len(runs), err, number,
				r.File, fileName(r.Date, r.CPU, r.Go, number), &log)
		}
	}
	if again, err := os.ReadFile(filepath.Join("bench/results", r.File)); err != nil || !bytes.Equal(again, data) {
		t.Errorf("the first file: got %d bytes, error %v, want the %d of before, unchanged", len(again), err, len(data))
	}
}

func TestRecordThatFailsLeavesNoFile(t *testing.T) {
	repository(t)
	for _, c := range []struct {
		name string
		env  string
		edit string
		args []string
		code int
		want string
	}{
		{"no match", "", "", []string{"-bench", "Nothing"}, 1, `no benchmark matches "Nothing"`},
		{"wrong result", "1", "", []string{"-o", "out.txt"}, 1, "result is wrong"},
		{"modified", "", "bench/y_test.go", nil, 1, "commit first"},
		{"does not build", "", "bench/y_test.go", []string{"-o", "out.txt"}, 1, "building the benchmarks"},
		{"no count", "", "", []string{"-count", "0"}, 2, "usage"},
		{"argument", "", "", []string{"file"}, 2, "usage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("BENCH_WRONG", c.env)
			if c.edit != "" {
				if err := os.WriteFile(c.edit, []byte("package bench\n\nvar x = missing\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				defer os.Remove(c.edit)
			}
			var log bytes.Buffer
			code := run(t.Context(), append([]string{"-benchtime", "1x"}, c.args...), &log)
			if code != c.code || !strings.Contains(log.String(), c.want) {
				t.Errorf("exit code %d, want code %v and %q in the log\n%s", code, c.code, c.want, &log)
			}
			files, err := filepath.Glob("bench/results/*")
			if _, missing := os.Stat("out.txt"); err != nil || missing == nil || len(files) > 0 {
				t.Errorf("got the results %q, error %v, and of out.txt %v, want neither results nor out.txt", files, err, missing)
			}
		})
	}
}

func TestRecordSaysThatFilesWereChanged(t *testing.T) {
	repository(t)
	if err := os.WriteFile("bench/y.go", []byte("package bench\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	if code := run(t.Context(), []string{"-count", "1", "-benchtime", "1x", "-skip", "Other", "-o", "out.txt"}, &log); code != 0 {
		t.Fatalf("exit code %d, want 0\n%s", code, &log)
	}
	r, err := results.ReadFile("out.txt")
	if err == nil && (len(r.Rows) != 1 || !strings.HasSuffix(r.Command, " -bench . -skip Other") || !r.Covers("Sum") || r.Covers("Other")) {
		t.Errorf("got %d rows, command %q, bench %q, skip %q, want 1 row, -bench . -skip Other, and only Sum covered", len(r.Rows), r.Command, r.Bench, r.Skip)
	}
	if err != nil || !r.Modified || !strings.HasSuffix(r.ShortCommit(), " and changes") {
		t.Errorf("got run %+v, error %v, want it modified, with a commit \"... and changes\"", r, err)
	}
}

func TestRecordStopsWhenCancelled(t *testing.T) {
	repository(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log bytes.Buffer
	if code := run(ctx, nil, &log); code != 1 || !strings.Contains(log.String(), "cancel") {
		t.Errorf("exit code %d, want code 1 and \"cancel\" in the log\n%s", code, &log)
	}
}

func TestFileNameHasDateProcessorAndVersion(t *testing.T) {
	date := time.Date(2026, 3, 4, 23, 0, 0, 0, time.UTC)
	for cpu, want := range map[string]string{
		"AMD EPYC": "2026-03-04-amd-epyc-go1.26.8.txt",
		"Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz": "2026-03-04-intel-r-xeon-r-cpu-e5-2680-v4-2.40ghz-go1.26.8.txt",
		"unknown arm64": "2026-03-04-unknown-arm64-go1.26.8.txt",
	} {
		if got := fileName(date, cpu, "go1.26.8 X:experiment", 1); got != want {
			t.Errorf("%s gives %s, want %s", cpu, got, want)
		}
		want = strings.TrimSuffix(want, ".txt") + "-12.txt"
		if got := fileName(date, cpu, "go1.26.8", 12); got != want {
			t.Errorf("the twelfth of %s gives %s, want %s", cpu, got, want)
		}
	}
}
