package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/ulogkit/ulogkit/cmd/ulogkit/internal/files"
	"github.com/ulogkit/ulogkit/mqttv5"
	exporting "github.com/ulogkit/ulogkit/mqttv5/ingest/otlp"
	"github.com/ulogkit/ulogkit/mqttv5/ingest/sinks"
)

// visit calls f for the command and all below it.
func visit(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, sub := range cmd.Commands() {
		visit(sub, f)
	}
}

func TestEveryHelpHasAnExample(t *testing.T) {
	visit(newRoot(), func(cmd *cobra.Command) {
		if cmd.Short == "" || cmd.Example == "" {
			t.Errorf("%q: got short text %q and example %q, want both", cmd.CommandPath(), cmd.Short, cmd.Example)
		}
	})
}

// The examples show flags that exist.
func TestExamplesAreCurrent(t *testing.T) {
	root := newRoot()
	visit(root, func(cmd *cobra.Command) {
		text := strings.ReplaceAll(cmd.Example, "\\\n", " ")
		for line := range strings.Lines(text) {
			for _, part := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune("|&<>()", r) }) {
				words := strings.Fields(part)
				if len(words) < 2 || words[0] != "ulogkit" {
					continue
				}
				found, args, err := newRoot().Find(words[1:])
				if err == nil {
					err = found.ParseFlags(args)
				}
				if err != nil {
					t.Errorf("got error %v, want a command that takes %q", err, strings.TrimSpace(part))
				}
			}
		}
	})
}

// The contract names these commands and flags; scripts rely on them.
func TestCommandsHaveTheFlagsOfTheirContract(t *testing.T) {
	const connection = "broker cert key ca customer group insecure-plaintext"
	const device = " application serial device-type git-version git-hash store"
	for name, flags := range map[string]string{
		"demo":     "devices logs",
		"cloud":    "listen dir",
		"inspect":  "frames json",
		"verify":   "",
		"token":    "set",
		"sample":   "version frames seed level output",
		"register": connection + device + " device",
		"upload":   connection + device + " core text firmware outbox",

		"outbox list":        "outbox json",
		"outbox retry":       "outbox",
		"outbox drop":        "outbox",
		"outbox accept-loss": "outbox",
		"watch-config":       connection + device + " json",
		"doctor":             connection + device + " json",
	} {
		cmd, _, err := newRoot().Find(strings.Fields(name))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, flag := range strings.Fields(flags) {
			if cmd.Flags().Lookup(flag) == nil {
				t.Errorf("got no flag --%s of %s, want it", flag, name)
			}
		}
	}
}

// An error that a command returns while it runs is about the data, one of
// cobra's about usage.
func TestErrorsGiveTheirExitCode(t *testing.T) {
	for args, want := range map[string]int{
		"":                          0,
		"help verify":               0,
		"verify --help":             0,
		"verify":                    exitUsage,
		"verify /nonexistent":       exitData,
		"nonsense":                  exitUsage,
		"sample --level x -o -":     exitUsage,
		"upload --core x y":         exitUsage,
		"upload":                    exitUsage,
		"outbox":                    0,
		"outbox list":               exitUsage,
		"outbox drop --outbox /x":   exitUsage,
		"register --timeout 1":      exitUsage,
		"register --customer 1":     exitUsage,
		"demo --devices 0":          exitUsage,
		"completion":                exitUsage,
		"inspect --json=maybe file": exitUsage,
	} {
		root := newRoot()
		var out, errs bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&errs)
		if got := run(t.Context(), root, strings.Fields(args)); got != want {
			t.Errorf("%q: exit code %d, want %d\n%s", args, got, want, &errs)
		}
		if (want == 0) != (errs.Len() == 0) {
			t.Errorf("%q: got %q on stderr, want something there: %v", args, &errs, want != 0)
		}
	}
}

// What the codes mean is said in the help and in the command line's page; 3 is also that of a
// certificate or key that is of no use, which no server has seen.
func TestExitCodesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"the help": newRoot().Long, "README.md": string(page)} {
		flat := strings.Join(strings.Fields(text), " ")
		for _, words := range []string{"data is bad or something was lost", "wrong usage", "the network or the server refused", "or credentials cannot be used"} {
			if !strings.Contains(flat, words) {
				t.Errorf("got no %q in %s, want it", words, where)
			}
		}
	}
}

// An interruption ends a command with the words for it, and with the code that
// says that something may be lost.
func TestInterruptIsToldAsPossibleLoss(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range []string{
		"register --insecure-plaintext --broker 127.0.0.1:1 --customer 1 --application 1 --serial S --git-hash 1 --config /dev/null --store none",
		"heartbeat --api-token T --api-url https://127.0.0.1:1 --application 1 --serial S --config /dev/null",
	} {
		root := newRoot()
		var errs bytes.Buffer
		root.SetErr(&errs)
		got := run(ctx, root, strings.Fields(args))
		if got != exitData || !strings.Contains(errs.String(), "interrupted: ") || strings.Contains(errs.String(), context.Canceled.Error()) {
			t.Errorf("%s: got exit code %d and %q, want %d and that it was interrupted", args, got, &errs, exitData)
		}
	}
}

// The exit code follows from the class of an error, wherever it comes from, and from
// nothing that it says.
func TestExitCodeFollowsTheClass(t *testing.T) {
	for _, c := range [...]struct {
		err  error
		want int
	}{
		{errors.New("anything"), exitData},
		{usage(errors.New("x")), exitUsage},
		{&mqttv5.Error{Op: "x", Class: mqttv5.ErrBadData}, exitData},
		{&mqttv5.Error{Op: "x", Class: mqttv5.ErrStorage}, exitData},
		{&mqttv5.Error{Op: "x", Class: mqttv5.ErrOutboxFull}, exitData},
		{&mqttv5.Error{Op: "x", Class: mqttv5.ErrConfig}, exitUsage},
		{&mqttv5.Error{Op: "x", Class: mqttv5.ErrCredentials}, exitNetwork},
		{&mqttv5.Error{Op: "x", Class: mqttv5.ErrNetwork}, exitNetwork},
		{&mqttv5.Error{Op: "x", Class: mqttv5.ErrRefused}, exitNetwork},
		{&mqttv5.Error{Op: "x", Class: mqttv5.ErrClosed}, exitNetwork},
		{fmt.Errorf("log.bin: %w", &mqttv5.Error{Op: "x", Class: mqttv5.ErrNetwork}), exitNetwork},
		{errors.Join(&mqttv5.Error{Op: "x", Class: mqttv5.ErrRefused}, &mqttv5.Error{Op: "y", Class: mqttv5.ErrStorage}), exitData},
		{fmt.Errorf("x: %w", context.Canceled), exitData},
		{fmt.Errorf("x: %w", files.ErrRefused), exitUsage},
		{sinks.ErrName, exitUsage},
		{exporting.ErrPosition, exitData},
	} {
		if got := exitCode(c.err, true); got != c.want {
			t.Errorf("%v: got %d, want %d", c.err, got, c.want)
		}
	}

	if got := exitCode(errors.New("unknown flag"), false); got != exitUsage {
		t.Errorf("an error of cobra: got %d, want %d", got, exitUsage)
	}
}
