package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/sample"
	"github.com/ulogkit/ulogkit/format"
)

// TestDecodeHasTheFlagsOfItsContract names the flags of CLI.md.
func TestDecodeHasTheFlagsOfItsContract(t *testing.T) {
	cmd, _, err := newRoot().Find([]string{"decode"})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields("elf json level module grep follow") {
		if cmd.Flags().Lookup(name) == nil {
			t.Errorf("got no flag --%s of decode, want it", name)
		}
	}
}

// TestDecodeFollowsUntilInterrupted follows a growing file until it is interrupted,
// which is not an error.
func TestDecodeFollowsUntilInterrupted(t *testing.T) {
	device, err := sample.NewDevice(3, 1)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "log.bin")
	grow := func() {
		b, err := device.Log(5, format.LevelDebug)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}

	grow()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	root := newRoot()
	read, write := io.Pipe()
	var stderr bytes.Buffer
	root.SetOut(write)
	root.SetErr(&stderr)
	code := make(chan int)
	go func() {
		c := run(ctx, root, []string{"decode", "--follow", path})
		write.Close()
		code <- c
	}()

	lines := bufio.NewScanner(read)
	for i := range 10 {
		if i == 5 {
			grow() // the decoder waits at the end of the file
		}
		if !lines.Scan() {
			t.Fatalf("got %d lines before the end, want 10: %s", i, stderr.String())
		}
	}

	cancel()
	for lines.Scan() {
		t.Errorf("got one line more, want 10: %s", lines.Text())
	}
	if c := <-code; c != 0 {
		t.Errorf("got exit code %d, want 0: %s", c, stderr.String())
	}
}
