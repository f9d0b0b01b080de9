//go:build unix

package filesink

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/ulogkit/ulogkit/mqttv5/ingest"
)

// Tests run themselves as a child process to be killed or to run out of disk.
func TestMain(m *testing.M) {
	if dir := os.Getenv("FILESINK_CHILD"); dir != "" {
		os.Exit(child(dir))
	}
	goleak.VerifyTestMain(m)
}

// child appends batches for ever and prints the number of records after each one
// that was stored. With FILESINK_LIMIT no file can grow beyond that many bytes; when
// a batch fails, it waits for a line on standard input before it goes on, and the
// line "room" takes the limit away.
func child(dir string) int {
	signal.Ignore(syscall.SIGXFSZ)
	limit, _ := strconv.ParseUint(os.Getenv("FILESINK_LIMIT"), 10, 64)
	if limit > 0 {
		var now syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
			fmt.Println(err)
			return 1
		}
		now.Cur = limit
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
			fmt.Println(err)
			return 1
		}
	}

	s, err := Open(Config{Dir: dir, SegmentBytes: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return 1
	}

	defer s.Close()
	lines := bufio.NewScanner(os.Stdin)
	for {
		n := 1 + s.Next()%20
		err := s.Append(context.Background(), testRecords(s.Next(), n))
		if err == nil {
			fmt.Println(s.Next() - 1)
			continue
		}

		fmt.Println("failed:", err)
		if limit == 0 || !lines.Scan() {
			return 0
		}
		if lines.Text() != "room" {
			continue
		}

		now := syscall.Rlimit{Cur: syscall.RLIM_INFINITY & (1<<63 - 1), Max: syscall.RLIM_INFINITY & (1<<63 - 1)}
		syscall.Getrlimit(syscall.RLIMIT_FSIZE, &now)
		now.Cur, limit = now.Max, 0
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &now); err != nil {
			fmt.Println(err)
			return 1
		}
	}
}

func startChild(t *testing.T, dir string, env ...string) (*exec.Cmd, *bufio.Scanner, *os.File) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "FILESINK_CHILD="+dir)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	t.Cleanup(func() { w.Close() })
	return cmd, bufio.NewScanner(out), w
}

// Whatever the moment at which the process is killed, what it said was stored is
// there, and what is there is whole.
func TestKillLosesNothingStored(t *testing.T) {
	dir := t.TempDir()
	stored := uint64(0)
	rounds := 6
	if os.Getenv("CI") == "true" {
		rounds = 60
	}
	for round := range rounds {
		cmd, lines, _ := startChild(t, dir)
		for range 3 + 2*(round%6) {
			if !lines.Scan() {
				t.Fatalf("got the end of the child, error %v, want a line of what it stored", lines.Err())
			}
			n, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("the child said %q, want a number", lines.Text())
			}
			stored = n
		}

		cmd.Process.Kill()
		for lines.Scan() {
			if n, err := strconv.ParseUint(lines.Text(), 10, 64); err == nil {
				stored = n
			}
		}

		cmd.Wait()
		s := open(t, Config{Dir: dir})
		if s.Next() <= stored {
			t.Fatalf("round %d: got next %d, want more than the %d that were said to be stored", round, s.Next(), stored)
		}
		got, lost := readAll(t, dir, 1)
		if len(lost) > 0 {
			t.Fatalf("round %d: got losses %v, want none", round, lost)
		}

		same(t, got, want(1, s.Next()-1))
		s.Close()
	}
}

// On a full disk Append fails and says why, what was stored before stays, and when
// there is room again the same batch is stored. A reader that follows all the time
// gets everything. So it is with a sink of an earlier version, which gets the file newest
// when there is room.
func TestFullDiskLosesNothingStored(t *testing.T) {
	for _, limit := range []int{5, 20, 5_000, 50_000, 123_456, -5, -20} {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			dir := t.TempDir()
			open(t, Config{Dir: dir}).Close()
			if limit < 0 {
				limit = -limit
				earlier(t, dir)
				rewrite(t, segmentName(dir, 1), nil) // that a crash left
			}
			cmd, lines, in := startChild(t, dir, "FILESINK_LIMIT="+strconv.Itoa(limit))
			follow, err := OpenReader(dir, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer follow.Close()
			var followed []ingest.Record
			before := uint64(0)
			for _, word := range []string{"again", "again", "room"} {
				for lines.Scan() && !strings.HasPrefix(lines.Text(), "failed:") {
					before, _ = strconv.ParseUint(lines.Text(), 10, 64)
				}
				if !strings.Contains(lines.Text(), "file too large") {
					t.Errorf("got %q from the child, want that the file is too large", lines.Text())
				}
				got, lost := readAll(t, dir, 1)
				if len(lost) > 0 {
					t.Fatalf("got losses %v, want none", lost)
				}
				same(t, got, want(1, before))
				followed = append(followed, readOn(t, follow)...)
				same(t, followed, got)
				fmt.Fprintln(in, word)
			}

			after := before
			for lines.Scan() && after < before+50 {
				n, err := strconv.ParseUint(lines.Text(), 10, 64)
				if err != nil {
					t.Fatalf("the child said %q, want a number", lines.Text())
				}
				after = n
			}

			cmd.Process.Kill()
			for lines.Scan() {
			}
			cmd.Wait()
			open(t, Config{Dir: dir}).Close()
			got, lost := readAll(t, dir, 1)
			if len(lost) > 0 || uint64(len(got)) < after {
				t.Fatalf("got %d records, lost %v, want at least %d and none lost", len(got), lost, after)
			}

			same(t, got, want(1, uint64(len(got))))
			same(t, append(followed, readOn(t, follow)...), got)
		})
	}
}
