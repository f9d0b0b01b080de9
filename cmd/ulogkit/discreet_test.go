package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ulogkit/ulogkit/format"
)

// discreet is a testscript.T that fails a script in whose log a secret shows up,
// beside the lines of the script itself. The log holds all that programs print.
type discreet struct {
	*testing.T
	secrets []string
}

// secretsKey is under what a script's environment has its discreet.
type secretsKey struct{}

var notWord = regexp.MustCompile(`\W`)

// Run implements testscript.T.
func (d *discreet) Run(name string, f func(testscript.T)) {
	d.T.Run(name, func(t *testing.T) { f(&discreet{T: t}) })
}

// Verbose implements testscript.T. Otherwise the log would leave out what went well.
func (d *discreet) Verbose() bool { return true }

// Log implements testscript.T.
func (d *discreet) Log(args ...any) {
	d.Helper()
	text := fmt.Sprint(args...)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "> ") {
			continue
		}
		for _, s := range append([]string{"canary"}, d.secrets...) {
			if strings.Contains(line, s) && (notWord.MatchString(s) || s == "canary" || regexp.MustCompile(`\b`+s+`\b`).MatchString(line)) {
				d.Errorf("%q was shown: %s", s, line)
			}
		}
	}
	d.T.Log(text)
}

// secrets finds what a script has of secrets.
func secrets(ts *testscript.TestScript, _ bool, _ []string) {
	d := ts.Value(secretsKey{}).(*discreet)
	before := len(d.secrets)
	if b, err := os.ReadFile(ts.MkAbs(".ulogger/session_tokens.json")); err == nil {
		var file struct {
			Sessions []struct {
				Token uint32 `json:"token"`
			} `json:"sessions"`
		}
		ts.Check(json.Unmarshal(b, &file))
		for _, s := range file.Sessions {
			if s.Token == 0 {
				ts.Fatalf("there is a session without a token in %s", b)
			}
			d.secrets = append(d.secrets, fmt.Sprint(s.Token), fmt.Sprintf("%08x", s.Token))
		}
	}
	for _, pattern := range []string{"cloud/certs/*.key", "*.creds"} {
		names, err := filepath.Glob(ts.MkAbs(pattern))
		ts.Check(err)
		for _, name := range names {
			b, err := os.ReadFile(name)
			ts.Check(err)
			lines := bytes.Split(b, []byte("\n"))
			// The longest line of a key is all key.
			longest := slices.MaxFunc(lines, func(a, b []byte) int { return len(a) - len(b) })
			d.secrets = append(d.secrets, string(longest))
		}
	}
	if len(d.secrets) == before {
		ts.Fatalf("there are no secrets")
	}
}

func canaryLog(ts *testscript.TestScript, _ bool, args []string) {
	b, err := format.NewLogBuilder(3)
	ts.Check(err)
	ts.Check(b.Add(&format.Record{Level: format.LevelInfo, FmtAddr: 1, Args: []format.Arg{format.ArgString("canaryPAYLOAD")}}))
	log, err := b.AppendTo(nil)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), log, 0o644))
}
