// Package childtest lets a test binary run itself as a child that is killed, starved
// of disk, or kept out.
package childtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
)

// Variable names the mode of a child, for one who starts it below another program.
const Variable = "ULOGKIT_TEST_CHILD"

// Main runs the child's part, if this process is a child, and ends it. TestMain
// calls it first.
func Main(modes map[string]func(args []string) error) {
	mode := os.Getenv(Variable)
	if mode == "" {
		return
	}
	if err := modes[mode](os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Child is a running child.
type Child struct {
	*exec.Cmd
	Stdin io.WriteCloser
	out   *bufio.Scanner
}

// Start starts a child in one of the modes that Main was given. It is killed when
// the test ends.
func Start(t testing.TB, mode string, args ...string) *Child {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), Variable+"="+mode)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}

	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	return &Child{cmd, in, bufio.NewScanner(out)}
}

// Line returns the next line that the child printed.
func (c *Child) Line() (string, bool) {
	if !c.out.Scan() {
		return "", false
	}
	return c.out.Text(), true
}
