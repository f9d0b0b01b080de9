// Package durabletest shows what a step of code makes durable, and in which order,
// by running it below strace. Tests alone use it.
package durabletest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The child that runs a step finds its test and its directory in these.
const (
	childTest = "ULOGKIT_DURABLE_TEST"
	childDir  = "ULOGKIT_DURABLE_DIR"
)

// Calls runs step in a process of its own and returns what it made, renamed and
// synced in dir, in order: "mkdir a", "rename f" (the new name), "fsync .",
// "fdatasync f". Files of package durable that are not yet under their name are
// called "temp". It reports whether step failed.
//
// Options are strace's, such as "-e", "inject=fsync:error=EIO"; what they count are
// calls of the goroutine that runs step. A test calls Calls
// once, with everything before it harmless when it is done again in the child.
func Calls(t *testing.T, dir string, step func(dir string) error, options ...string) (calls []string, failed bool) {
	t.Helper()
	if os.Getenv(childTest) == t.Name() {
		runtime.LockOSThread() // strace counts the calls of each thread
		if err := step(os.Getenv(childDir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("got no strace in the path, want it installed where CI runs")
		}
		t.Skip("strace is not installed")
	}

	temp := t.TempDir() // the child ends at once and cleans nothing up
	log := filepath.Join(temp, "calls")
	args := append([]string{"-f", "-y", "-o", log, "-e", "trace=fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat"}, options...)
	args = append(args, os.Args[0], "-test.run", pattern(t.Name()), "-test.timeout", "5m")
	cmd := exec.Command("strace", args...)
	cmd.Env = append(os.Environ(), childTest+"="+t.Name(), childDir+"="+dir, "TMPDIR="+temp)
	out, err := cmd.CombinedOutput()
	if status := (*exec.ExitError)(nil); errors.As(err, &status) && status.ExitCode() == 3 {
		failed = true
	} else if err != nil {
		t.Fatalf("got %v from strace, want it to run: %s", err, out)
	}

	trace, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(trace)) {
		if call, ok := readCall(line, dir); ok {
			calls = append(calls, call)
		}
	}
	return calls, failed
}

// pattern makes the regular expression that selects one test.
func pattern(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + p + "$"
	}
	return strings.Join(parts, "/")
}

// readCall reads one line of strace's: PID CALL(ARGUMENTS) = RESULT.
func readCall(line, dir string) (string, bool) {
	_, call, _ := strings.Cut(strings.TrimSpace(line), " ")
	what, rest, ok := strings.Cut(strings.TrimSpace(call), "(")
	if !ok || strings.ContainsAny(what, " +<") {
		return "", false
	}
	what = strings.TrimSuffix(strings.TrimSuffix(what, "2"), "at")

	var name string
	if strings.HasPrefix(what, "fs") || strings.HasPrefix(what, "fd") {
		_, name, _ = strings.Cut(rest, "<")
		name, _, _ = strings.Cut(name, ">")
	} else if parts := strings.Split(rest, `"`); len(parts) > 2 {
		name = parts[len(parts)-2] // the new one of a rename
	}

	name, err := filepath.Rel(dir, name)
	if err != nil || name == ".." || strings.HasPrefix(name, "../") {
		return "", false
	}
	if base := filepath.Base(name); strings.HasPrefix(base, ".") && strings.HasSuffix(base, ".tmp") {
		name = filepath.Join(filepath.Dir(name), "temp")
	}
	return what + " " + name, true
}

// MemoryDir returns a directory in memory where there is such a place: a fuzzer has
// no time for a disk.
func MemoryDir(t *testing.T) string {
	if dir, err := os.MkdirTemp("/dev/shm", "ulogkit"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}
