// Package results reads the files of bench/results: what ran where, and every
// sample of every benchmark.
//
// A file is in the Go benchmark format, with the configuration lines that
// bench/record writes: date, commit, go, cpu, cores, command, and load before
// each pass. [Load] reads a directory of them, [ReadFile] one. The samples of a
// [Row] are in the order of the passes, so that sample i of two rows of one run
// were taken within the same pass; [Ratio] relies on it.
package results

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/perf/benchfmt"
)

// Run is one results file.
type Run struct {
	File   string // base name
	Date   time.Time
	CPU    string
	Cores  int // 0: not recorded
	Go     string
	System string // GOOS/GOARCH
	Kernel string

	Commit    string    // full hash, empty when not recorded
	Committed time.Time // zero when not recorded
	Subject   string    // of the commit
	Modified  bool      // the tree differed from the commit

	Command string    // that took the figures
	Bench   string    // the benchmarks that it was to run; empty: all
	Skip    string    // and those that it was to leave out
	Passes  int       // the most samples that a row has
	Loads   []float64 // processes that ran or waited, over the minute before each pass
	Rows    []*Row
}

// Row is one benchmark of a run: all its samples, by unit.
type Row struct {
	Bench   string // "Checksum"
	Impl    string // "format", empty when the benchmark has no peers
	Case    string // the other parts of the name, "size=64"
	Samples map[string][]float64
	Iters   []int
}

// The units that testing prints, as benchfmt tidies them.
const (
	UnitTime   = "sec/op"
	UnitBytes  = "B/op"
	UnitAllocs = "allocs/op"
	UnitSpeed  = "B/s"
)

// Name is the name of the row as go test prints it, without GOMAXPROCS.
func (r *Row) Name() string {
	name := "Benchmark" + r.Bench
	if r.Impl != "" {
		name += "/impl=" + r.Impl
	}
	if r.Case != "" {
		name += "/" + r.Case
	}
	return name
}

// Units returns the units of the row beyond those that testing prints, sorted.
func (r *Row) Units() []string {
	var units []string
	for unit := range r.Samples {
		switch unit {
		case UnitTime, UnitBytes, UnitAllocs, UnitSpeed:
		default:
			units = append(units, unit)
		}
	}
	slices.Sort(units)
	return units
}

// Ours reports whether the row measures this project: its implementation is
// called as a package of the project is, a variant after a hyphen set aside.
func (r *Row) Ours() bool {
	base, _, _ := strings.Cut(r.Impl, "-")
	return base == "" || slices.Contains(ourPackages, base)
}

// ourPackages are the packages that stand as impl= in the benchmarks. A name
// that is not among them is a peer's.
var ourPackages = []string{"format", "dict", "text", "crash", "wire", "mqttv5", "ingest", "ulogkit"}

// Find returns the row of the name, or nil.
func (r *Run) Find(bench, impl, where string) *Row {
	for _, row := range r.Rows {
		if row.Bench == bench && row.Impl == impl && row.Case == where {
			return row
		}
	}
	return nil
}

// Covers reports whether the run was to have the benchmark, going by the first
// part of each of the names that it was given.
func (r *Run) Covers(bench string) bool {
	matches := func(pattern string, whole bool) bool {
		for _, p := range strings.Split(pattern, "|") {
			first, _, parts := strings.Cut(p, "/")
			if ok, err := regexp.MatchString(first, "Benchmark"+bench); ok && err == nil && !(whole && parts) {
				return true
			}
		}
		return false
	}
	return matches(r.Bench, false) && (r.Skip == "" || !matches(r.Skip, true))
}

// Busy reports whether others kept the machine busy: the load was above the number
// of its processors before half of the passes or more. Before fewer it does not count:
// the passes that were quiet show what the machine can do, and the load of a minute
// ago may be our own.
func (r *Run) Busy() bool {
	above := 0
	for _, load := range r.Loads {
		if load > float64(r.Cores) {
			above++
		}
	}
	return r.Cores > 0 && above > 0 && 2*above >= len(r.Loads)
}

// Machine identifies what times may be compared on.
func (r *Run) Machine() string { return r.CPU + ", " + r.System }

// ShortCommit is what people call the commit, with a mark when the tree was
// not that of the commit.
func (r *Run) ShortCommit() string {
	short := r.Commit[:min(7, len(r.Commit))]
	if r.Modified {
		short += " and changes"
	}
	return cmp.Or(short, "not recorded")
}

// ErrNone is the error of a directory without results.
var ErrNone = errors.New("no results file (*.txt)")

// Load reads all files of the directory, oldest first. Of two that began in the same
// second the one with the shorter name, or else the first name, is the older: the
// second run of a day has -2 behind its name, the tenth -10.
func Load(dir string) ([]*Run, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: %w; \"make bench\" writes one", dir, ErrNone)
	}
	var runs []*Run
	for _, path := range paths {
		run, err := ReadFile(path)
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	slices.SortStableFunc(runs, func(a, b *Run) int {
		return cmp.Or(a.Date.Compare(b.Date), cmp.Compare(len(a.File), len(b.File)), strings.Compare(a.File, b.File))
	})
	return runs, nil
}

// ReadFile reads one results file.
func ReadFile(path string) (*Run, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Read(bytes.NewReader(data), filepath.Base(path))
}

// Read reads results; name is for Run.File and for errors. A file must say when
// and where it was taken, or its figures would be of no use.
func Read(r io.Reader, name string) (*Run, error) {
	run := &Run{File: name}
	rows := map[string]*Row{}
	reader := benchfmt.NewReader(r, name)
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, record
		case *benchfmt.Result:
			if err := run.configure(record); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			run.add(rows, record)
		}
	}

	if err := reader.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(run.Rows) == 0 {
		return nil, fmt.Errorf("%s: no benchmark in it; is it the output of go test -bench?", name)
	}

	for _, key := range []struct {
		name  string
		known bool
	}{{"date", !run.Date.IsZero()}, {"cpu", run.CPU != ""}, {"go", run.Go != ""}} {
		if !key.known {
			return nil, fmt.Errorf("%s: no %q line; take results with \"make bench\"", name, key.name+":")
		}
	}

	for _, row := range run.Rows {
		run.Passes = max(run.Passes, len(row.Samples[UnitTime]))
	}
	slices.SortStableFunc(run.Rows, compareRows)
	return run, nil
}

// configure takes the configuration as of one result: that of the file, which
// is the same for all, and the load, which changes from pass to pass.
func (r *Run) configure(record *benchfmt.Result) error {
	if r.CPU == "" {
		r.CPU = record.GetConfig("cpu")
		r.Go = record.GetConfig("go")
		r.System = record.GetConfig("goos") + "/" + record.GetConfig("goarch")
		r.Kernel = record.GetConfig("kernel")
		r.Commit = record.GetConfig("commit")
		r.Subject = record.GetConfig("subject")
		r.Modified = record.GetConfig("modified") != ""
		r.Command = record.GetConfig("command")
		r.Bench, r.Skip = record.GetConfig("bench"), record.GetConfig("skip")
		r.Cores, _ = strconv.Atoi(record.GetConfig("cores"))
		for key, to := range map[string]*time.Time{"date": &r.Date, "committed": &r.Committed} {
			var err error
			if text := record.GetConfig(key); text != "" {
				if *to, err = time.Parse(time.RFC3339, text); err != nil {
					return fmt.Errorf("%s %q is not like 2006-01-02T15:04:05Z", key, text)
				}
			}
		}
	}

	// "pass" tells two passes apart that began under the same load.
	pass, _ := strconv.Atoi(record.GetConfig("pass"))
	if load, err := strconv.ParseFloat(record.GetConfig("load"), 64); err == nil && pass > len(r.Loads) {
		r.Loads = append(r.Loads, load)
	}
	return nil
}

func (r *Run) add(rows map[string]*Row, record *benchfmt.Result) {
	row := parseName(record.Name)
	name := row.Name()
	if known := rows[name]; known != nil {
		row = known
	} else {
		rows[name] = row
		r.Rows = append(r.Rows, row)
	}
	for _, value := range record.Values {
		row.Samples[value.Unit] = append(row.Samples[value.Unit], value.Value)
	}
	row.Iters = append(row.Iters, record.Iters)
}

// parseName reads a benchmark's name: what is measured, of whom and at which size.
func parseName(name benchfmt.Name) *Row {
	base, parts := name.Parts()
	row := &Row{Bench: string(base), Samples: map[string][]float64{}}
	var where []string
	for _, part := range parts {
		text := string(part)
		if text[0] == '-' { // GOMAXPROCS
			continue
		}
		if impl, ok := strings.CutPrefix(text, "/impl="); ok {
			row.Impl = impl
			continue
		}
		where = append(where, text[1:])
	}
	row.Case = strings.Join(where, "/")
	return row
}

// benchOrder is the order in which the page tells the story. Others follow by
// name.
var benchOrder = []string{"Checksum", "Header", "Walk", "Load", "Render", "Parallel", "MQTT", "Capture", "CaptureFile", "Tap", "Publish", "Outbox", "Ingest"}

func compareRows(a, b *Row) int {
	rank := func(bench string) int {
		if i := slices.Index(benchOrder, bench); i >= 0 {
			return i
		}
		return len(benchOrder)
	}
	return cmp.Or(cmp.Compare(rank(a.Bench), rank(b.Bench)), strings.Compare(a.Bench, b.Bench))
}
