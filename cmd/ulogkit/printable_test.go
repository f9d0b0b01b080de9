package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

func TestPrintableSteersNoTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext\nof two lines": "plain\ttext\nof two lines",
		"\x1b]0;PWN\x07\x1b[2J":     "?]0;PWN??[2J",
		"a\u009bb\u202ec\u2028d\rf": "a?b?c?d?f",
		"\xff\x9b":                  "??",
		"caf\u00e9":                 "caf\u00e9",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// Whatever a command's error says, and whatever it warns of, it cannot steer the
// terminal (F54).
func TestErrorsAreWrittenPrintable(t *testing.T) {
	var stderr bytes.Buffer
	root := newRoot()
	root.SetErr(&stderr)
	root.AddCommand(&cobra.Command{Use: "evil", RunE: func(cmd *cobra.Command, _ []string) error {
		fmt.Fprintln(cmd.ErrOrStderr(), "warned: \x1b[2J")
		warnings(cmd).Warn("logged \x1b[2J")
		return errors.New("evil \x1b]0;PWNED\x07 text")
	}})
	if code := run(t.Context(), root, []string{"evil"}); code != exitData || strings.ContainsAny(stderr.String(), "\x1b\x07") || !strings.Contains(stderr.String(), "evil ?]0;PWNED? text") {
		t.Errorf("got exit code %d and %q, want %d and %q, nothing that steers a terminal", code, stderr.String(), exitData, "evil ?]0;PWNED? text")
	}
}

// The name of a file, which somebody else may have chosen, steers no terminal and begins
// no line, whatever is said of the file (F54).
func TestNamesOfFilesArePrintable(t *testing.T) {
	t.Chdir(t.TempDir())
	const evil, want = "a\x1b[2J\n\u202eb.bin", "a?[2J??b.bin: "
	printed := func(args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		root := newRoot()
		root.SetOut(&stdout)
		root.SetErr(&stderr)
		run(t.Context(), root, args)
		return stdout.String()
	}
	printed("sample", "-o", evil)
	good, err := os.ReadFile(evil)
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range [][]byte{good, good[:20], []byte("what it is, nobody knows")} {
		if err := os.WriteFile(evil, content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"inspect", "verify"} {
			if got := printed(command, evil); got != "" && !strings.HasPrefix(got, want) || strings.ContainsAny(got, "\x1b\u202e") {
				t.Errorf("%s of %.20q: got %q, want it to begin %q", command, content, got, want)
			}
		}
	}

	// What is accepted is said on standard output, too.
	if err := os.WriteFile(evil, good, 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, root := newWatched(), newRoot()
	root.SetOut(stdout)
	root.SetErr(io.Discard)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, root, []string{
			"upload", "--outbox", "o", "--broker", "127.0.0.1:1", "--insecure-plaintext", "--customer", "1", "--application", "1", "--serial", "S", "--git-hash", "ab", "--store", "none", evil,
		})
	}()
	stdout.await(t, "accepted as ")
	stop()
	<-ended
	if got := stdout.String(); !strings.HasPrefix(got, want+"accepted as ") {
		t.Errorf("upload: got %q, want it to begin %q", got, want)
	}
}

// Case delivery/nats-error-escape.
func TestWordsOfANATSServerAreWrittenPrintable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(2 * time.Minute))
				fmt.Fprintf(c, "INFO {\"server_id\":\"x\",\"version\":\"2.11.0\",\"proto\":1,\"max_payload\":1048576,\"headers\":true}\r\n")
				bufio.NewReader(c).ReadString('\n')
				fmt.Fprintf(c, "-ERR 'evil \x1b]0;PWNED\x07 \x1b[2J text'\r\n")
			}()
		}
	}()

	for _, args := range [][]string{
		{"stored", "--from", "nats://" + listener.Addr().String()},
		{"ingest", "--group", "g", "--customer", "1", "--insecure-plaintext", "--broker", "127.0.0.1:1", "--sink", "nats://" + listener.Addr().String()},
	} {
		var stderr bytes.Buffer
		root := newRoot()
		root.SetErr(&stderr)
		if code := run(t.Context(), root, args); code != exitNetwork || strings.ContainsAny(stderr.String(), "\x1b\x07") || !strings.Contains(stderr.String(), "evil ?]0;PWNED? ?[2J text") {
			t.Errorf("%v: got exit code %d and %q, want %d and %q, nothing that steers a terminal",
				args, code, stderr.String(), exitNetwork, "evil ?]0;PWNED? ?[2J text")
		}
	}
}
