package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/ulogkit/ulogkit/mqttv5/durable"
)

// limit is how long a recording may take.
const limit = 15 * time.Minute

// suite is one recording.
type suite struct {
	dir       string // of the package with the benchmarks
	results   string // where files go by default
	count     int
	benchtime string
	bench     string
	skip      string
	output    string // "" for a name in results
	log       io.Writer
	now       func() time.Time
}

// record runs the suite and returns the path of the results. On error it leaves
// no file.
func (s *suite) record(ctx context.Context) (path string, err error) {
	started := s.now().UTC()
	where, err := readCommit(ctx)
	if err != nil {
		return "", err
	}
	if s.output == "" && where.modified {
		return "", errors.New("the tree differs from its commit, so that the results would name the wrong code; commit first, or write elsewhere with -o")
	}

	temp, err := os.MkdirTemp("", "ulogkit-bench-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)

	binary := filepath.Join(temp, "bench.test")
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, "./"+s.dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the benchmarks: %w\n%s", err, out)
	}

	var file bytes.Buffer
	var cpu string
	for pass := 1; pass <= s.count; pass++ {
		load := readLoad()
		begin := time.Now()
		out, err := s.pass(ctx, binary, pass)
		if ctx.Err() != nil {
			return "", fmt.Errorf("stopped in pass %d of %d after %v (%w): run fewer passes or a shorter -benchtime", pass, s.count, limit, ctx.Err())
		}
		if err != nil {
			return "", err
		}
		if pass == 1 {
			cpu = processor(out)
			s.header(&file, started, where, cpu)
		}

		fmt.Fprintf(&file, "\npass: %d\n", pass)
		if load != "" {
			fmt.Fprintf(&file, "load: %s\n", load)
		}
		file.Write(out)
		fmt.Fprintf(s.log, "pass %d of %d: %d benchmarks in %v, load before it %s\n",
			pass, s.count, bytes.Count(out, []byte("\nBenchmark")), time.Since(begin).Round(100*time.Millisecond), orUnknown(load))
	}

	path = s.output
	if path == "" {
		path = s.free(started, cpu)
	}
	return path, write(path, file.Bytes())
}

// pass runs the suite once.
func (s *suite) pass(ctx context.Context, binary string, pass int) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, "-test.run=^$", "-test.bench="+s.bench, "-test.skip="+s.skip, "-test.benchmem",
		"-test.benchtime="+s.benchtime, "-test.count=1", "-test.shuffle="+strconv.Itoa(pass))
	cmd.Dir = s.dir
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("pass %d: %w\n%s%s", pass, err, &stdout, &stderr)
	}
	if !bytes.Contains(stdout.Bytes(), []byte("\nBenchmark")) {
		return nil, fmt.Errorf("no benchmark matches %q", s.bench)
	}
	return stdout.Bytes(), nil
}

// header writes the configuration that holds for the whole file.
func (s *suite) header(w io.Writer, started time.Time, where commit, cpu string) {
	fmt.Fprintf(w, "date: %s\n", started.Format(time.RFC3339))
	if where.hash != "" {
		fmt.Fprintf(w, "commit: %s\ncommitted: %s\nsubject: %s\n", where.hash, where.date, where.subject)
	}
	if where.modified {
		fmt.Fprintln(w, "modified: yes")
	}
	fmt.Fprintf(w, "go: %s\ncpu: %s\ncores: %d\n", runtime.Version(), cpu, runtime.NumCPU())
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		fmt.Fprintf(w, "kernel: %s\n", bytes.TrimSpace(release))
	}
	fmt.Fprintf(w, "command: go run ./bench/record -count %d -benchtime %s -bench %s", s.count, s.benchtime, s.bench)
	if s.skip != "" {
		fmt.Fprintf(w, " -skip %s", s.skip)
	}
	fmt.Fprintf(w, "\nbench: %s\n", s.bench)
	if s.skip != "" {
		fmt.Fprintf(w, "skip: %s\n", s.skip)
	}
}

// free returns the first name of the day that no file has: results are never
// replaced, since others may have been compared with them.
func (s *suite) free(started time.Time, cpu string) string {
	for number := 1; ; number++ {
		path := filepath.Join(s.results, fileName(started, cpu, runtime.Version(), number))
		if _, err := os.Lstat(path); err != nil {
			return path
		}
	}
}

// write puts the results in place in one step.
func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return durable.ReplaceFile(path, data, 0o644)
}

var notInName = regexp.MustCompile(`[^a-z0-9.]+`)

// fileName is DATE-CPU-GOVERSION.txt, in lower case and without spaces; from the
// second of a day on there is -NUMBER behind it.
func fileName(date time.Time, cpu, version string, number int) string {
	slug := strings.Trim(notInName.ReplaceAllString(strings.ToLower(cpu), "-"), "-")
	// A version built from a checkout has its experiments after a space.
	version, _, _ = strings.Cut(version, " ")
	name := date.Format(time.DateOnly) + "-" + slug + "-" + version
	if number > 1 {
		name += "-" + strconv.Itoa(number)
	}
	return name + ".txt"
}

// processor finds the name that testing prints, which it cannot everywhere.
func processor(out []byte) string {
	for line := range strings.Lines(string(out)) {
		if name, ok := strings.CutPrefix(line, "cpu: "); ok && strings.TrimSpace(name) != "" {
			return strings.TrimSpace(name)
		}
	}
	return "unknown " + runtime.GOARCH
}

// readLoad returns the load average over the last minute, "" where the system
// does not tell.
func readLoad() string {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	load, _, _ := strings.Cut(string(data), " ")
	return load
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// commit is the state of the tree.
type commit struct {
	hash, date, subject string
	modified            bool
}

// readCommit asks git. Outside a repository it returns the zero commit, as if
// modified: nobody can tell what code was measured.
func readCommit(ctx context.Context) (commit, error) {
	out, err := exec.CommandContext(ctx, "git", "log", "-1", "--format=%H%n%cI%n%s").Output()
	if err != nil {
		return commit{modified: true}, ctx.Err()
	}
	lines := strings.SplitN(strings.TrimSpace(string(out)), "\n", 3)
	if len(lines) < 3 {
		return commit{}, fmt.Errorf("git log gave %q", out)
	}
	status, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--", "*.go", "*.s", "go.mod", "go.sum").Output()
	if err != nil {
		return commit{}, fmt.Errorf("git status: %w", err)
	}
	return commit{lines[0], lines[1], lines[2], len(bytes.TrimSpace(status)) > 0}, nil
}
